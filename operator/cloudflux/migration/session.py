"""One call of a mover operation: the request, the context, the opened stores and the files."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cloudflux.api.move_tasks import JobTask
from cloudflux.api.task import StoreRef
from cloudflux.children.context import Context
from cloudflux.migration.checkpoint import Checkpoint
from cloudflux.migration.files import JobFiles, read_json
from cloudflux.migration.memory import Memory
from cloudflux.migration.proof import Origin
from cloudflux.migration.spill import SpillSet
from cloudflux.storage.interface import Store
from cloudflux.storage.limits import SHARED, TokenBucket

WAIT_SLICE_SECONDS = 0.2
HEAR_SECONDS = 1.0
PIECE_SECONDS = 0.5


class Opener(Protocol):
    """Opens the store of a location; storage.registry.open_store is one."""

    def __call__(self, ref: StoreRef, *, tier_roots: tuple[str, ...] = ()) -> Store:
        """Open it without a request."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """Given to every part of the mover."""

    context: Context
    source: Store
    target: Store
    """The same object as `source` for changes in place."""
    files: JobFiles
    limiter: "Limiter"
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    memory: Memory = field(default_factory=Memory)
    origin: Origin = field(init=False)
    _checkpoints: list[Checkpoint] = field(default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", Origin(self.source.capabilities))

    @contextmanager
    def checkpoint(self) -> Iterator[Checkpoint]:
        """The job's checkpoint, read once in a session, durable at the end of each block."""
        if not self._checkpoints:
            self._checkpoints.append(Checkpoint(self.files.checkpoint))
        try:
            yield self._checkpoints[0]
        finally:
            self._checkpoints[0].sync()

    def keys(self, name: str) -> SpillSet:
        """A set of keys for one use at a time, in bounded memory."""
        return SpillSet(self.files.directory / f"keys.{name}")

    def close(self) -> None:
        """Release the checkpoint and the stores."""
        while self._checkpoints:
            self._checkpoints.pop().close()
        self.source.close()
        if self.target is not self.source:
            self.target.close()

    def wait(self, seconds: float) -> None:
        """Wait, and stop waiting when asked to."""
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:
            self.context.check()
            self.sleep(min(left, WAIT_SLICE_SECONDS))
        self.context.check()


def in_place(request: JobTask) -> bool:
    """Say whether the objects change their class and keep their location."""
    return request.target_class is not None or request.target_root is not None


@contextmanager
def open_session(request: JobTask, context: Context, opener: Opener) -> Iterator[Session]:
    """Open what a request needs, and close it at the end."""
    roots = request.tier_roots
    if request.target_root is not None and request.target_root not in roots:
        roots = (*roots, request.target_root)
    source = opener(request.source, tier_roots=roots)
    target = source if in_place(request) else opener(request.target)
    files = JobFiles(context.state_dir, request.job_uid)
    SHARED.configure(
        bytes_per_second=request.total_bytes_per_second,
        requests_per_second=request.requests_per_second,
    )
    limiter = Limiter(request.bandwidth_bytes_per_second, changes=files.limits)
    with closing(Session(context, source, target, files, limiter)) as session:
        yield session


class Limiter:
    """The bandwidth of one job and of all jobs together; its own may be changed while it runs.

    Whoever changes it writes the job's `limits.json`, which is looked at once a second.
    """

    def __init__(
        self,
        bytes_per_second: float | None,
        *,
        changes: Path | None = None,
        shared: TokenBucket | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = TokenBucket(bytes_per_second, clock=clock)
        self._shared = SHARED.bytes if shared is None else shared
        self._changes, self._clock = changes, clock
        self._look_at = clock()

    def piece(self, size_bytes: int) -> int:
        """So many of these bytes are booked at a time."""
        rates = [rate for rate in (self._own.rate, self._shared.rate) if rate is not None]
        return min(size_bytes, max(1, int(min(rates) * PIECE_SECONDS))) if rates else size_bytes

    def delay_seconds(self, size_bytes: int) -> float:
        """Book so many bytes, and say how long to wait for them."""
        self._hear()
        return max(self._own.book(size_bytes), self._shared.book(size_bytes))

    def _hear(self) -> None:
        now = self._clock()
        if self._changes is None or now < self._look_at:
            return
        self._look_at = now + HEAR_SECONDS
        told = read_json(self._changes)
        if told is not None:
            self._own.set_rate(told["bytes_per_second"])
