"""A job's whole life in the mover, without a control plane: for the tests of the mover."""

import datetime as dt
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudflux.api.dataset import Writers
from cloudflux.api.move_tasks import (
    CopyRequest,
    CopyResult,
    PlanRequest,
    PlanResult,
    PrepareSwitchRequest,
    RetireRequest,
    RetireResult,
    SweepRequest,
    SweepResult,
    VerifyRequest,
    VerifyResult,
)
from cloudflux.api.task import StoreRef, Task
from cloudflux.work.mover import OPERATIONS

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


class Killed(BaseException):
    """Stands for SIGKILL: no handler of the mover may catch it."""


@dataclass
class FakeContext:
    """A context that can stop the mover at a step, and hears everything."""

    state_dir: Path
    stop_at: str | None = None
    hits: int = 1
    on_point: Any = None
    reached: list[str] = field(default_factory=list)
    told: list[Task] = field(default_factory=list)
    dead: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def progress(self, value: Task) -> None:
        self.told.append(value)

    def check(self) -> None:
        if self.dead:
            raise Killed

    def stop_point(self, name: str) -> None:
        with self.lock:
            self.reached.append(name)
            if self.dead:
                raise Killed
            if name == self.stop_at:
                self.hits -= 1
                if self.hits == 0:
                    self.dead = True
                    raise Killed(name)
        if self.on_point:
            self.on_point(name)


@dataclass
class Move:
    """One job: its requests, and the digests that pass from step to step."""

    state_dir: Path
    source: StoreRef
    target: StoreRef
    fields: dict[str, Any] = field(default_factory=dict)
    context: FakeContext = None  # type: ignore[assignment]
    uid: str = "job-1"

    def __post_init__(self) -> None:
        if self.context is None:
            self.context = FakeContext(self.state_dir)

    def base(self) -> dict[str, Any]:
        return {
            "job_uid": self.uid,
            "job_name": "move",
            "namespace": "default",
            "data_set_uid": "ds-1",
            "source_generation": 0,
            "source": self.source,
            "target": self.target,
            "writers": Writers.QUIESCED,
            **self.fields,
        }

    def serve(self, name: str, request: Task) -> Any:
        operation = OPERATIONS[name]
        assert isinstance(request, operation.request)
        return operation.serve(request, self.context)

    def plan(self, **more: Any) -> PlanResult:
        return self.serve("mover.plan", PlanRequest(**self.base(), now=NOW, **more))

    def copy(self, **more: Any) -> CopyResult:
        return self.serve("mover.copy", CopyRequest(**self.base(), quiet_seconds=0, **more))

    def verify(self) -> VerifyResult:
        return self.serve("mover.verify", VerifyRequest(**self.base()))

    def switch(self, digest: str) -> int:
        request = PrepareSwitchRequest(**self.base(), generation=1, manifest_digest=digest)
        return self.serve("mover.prepare_switch", request).delta_objects

    def retire(self, digest: str, max_objects: int = 500) -> RetireResult:
        request = RetireRequest(**self.base(), manifest_digest=digest, max_objects=max_objects)
        return self.serve("mover.retire", request)

    def sweep(self) -> SweepResult:
        return self.serve("mover.sweep", SweepRequest(**self.base()))

    def until_switched(self) -> VerifyResult:
        """Copy, verify and prepare the switch until no delta is left."""
        for _ in range(10):
            copied = self.copy()
            assert copied.objects_failed == 0, copied.failures
            proven = self.verify()
            assert proven.mismatched == 0, proven.failures
            if self.switch(proven.digest) == 0:
                return proven
        raise AssertionError("the delta never ended")


def plan_and_move(move: Move) -> None:
    move.plan()
    move.until_switched()


def file_ref(directory: Path, root: Path) -> StoreRef:
    directory.mkdir(parents=True, exist_ok=True)
    return StoreRef(uri=directory.as_uri(), file_roots=(str(root),))


def fill(directory: Path, count: int = 6) -> dict[str, bytes]:
    contents = {f"part-{n % 3}/object {n}.bin": bytes([n]) * (100 + 37 * n) for n in range(count)}
    for key, data in contents.items():
        path = directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return contents


def contents_of(directory: Path) -> dict[str, bytes]:
    """Every object below a directory, through the links of tiers, without our own files."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and ".cloudflux" not in str(path.relative_to(directory))
    }
