"""An operator as a process of its own, and how tests wait for what it does."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import CLOUDFLUX, ApiError, KubeApi

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")
WAIT_SECONDS = 60.0


def wait_for(what: str, look: Callable[[], T | None], seconds: float = WAIT_SECONDS) -> T:
    """Poll until `look` returns something true; fail with the name of what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class Operator:
    """One operator serving one namespace; everything it writes is under `directory`."""

    def __init__(
        self, kubeconfig: Path, namespace: str, directory: Path, *, state: Path | None = None,
        name: str = "operator", **settings: Any,
    ) -> None:  # fmt: skip
        self.directory, self.namespace = directory, namespace
        self.state_dir = state or directory / "state"
        self.log_path = directory / f"{name}.log"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "operator"),
            "CLOUDFLUX_KUBECONFIG": str(kubeconfig),
            "CLOUDFLUX_NAMESPACES": json.dumps([namespace]),
            "CLOUDFLUX_LEASE_NAMESPACE": namespace,
            "CLOUDFLUX_STATE_DIR": str(self.state_dir),
            "CLOUDFLUX_FILE_ROOTS": json.dumps({"*": [str(directory)]}),
            "CLOUDFLUX_QUIET_SECONDS": "0",
        }
        for key, value in settings.items():
            self._environment[f"CLOUDFLUX_{key.upper()}"] = str(value)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Operator":
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cloudflux.cli.main", "operator"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def children(self) -> list[int]:
        assert self.process is not None
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            return [int(pid) for pid in path.read_text().split()]
        except OSError:
            return []

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and wait until it and its children are gone."""
        if self.process is None:
            return 0
        children = self.children()
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        wait_for("the children's end", lambda: not [pid for pid in children if alive(pid)], 15)
        self.process = None
        return code

    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextlib.contextmanager
def operating(
    control_plane: ControlPlane, prefix: str, directory: Path, **settings: Any
) -> Iterator["World"]:
    """One operator over a namespace of its own, for all tests of a module."""
    with contextlib.closing(KubeApi(control_plane.kubeconfig)) as api:
        namespace = f"{prefix}-{uuid.uuid4().hex[:8]}"
        api.create_namespace(namespace)
        operator = Operator(control_plane.kubeconfig, namespace, directory, **settings)
        try:
            operator.start()
            yield World(api, namespace, operator)
        finally:
            operator.stop()
            api.delete_namespace(namespace)


def manifest(kind: str, namespace: str, name: str, spec: dict[str, Any], **labels: str) -> Any:
    return {
        "apiVersion": CLOUDFLUX,
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": spec,
    }


class World:
    """What a test asks of the API in one namespace."""

    def __init__(self, api: KubeApi, namespace: str, operator: Operator | None = None) -> None:
        self.api, self.namespace = api, namespace
        self._operator = operator

    @property
    def operator(self) -> Operator:
        assert self._operator is not None, "a world of operating() has one"
        return self._operator

    def data_set(self, name: str, location: dict[str, Any] | str, **spec: Any) -> None:
        where = {"uri": location} if isinstance(location, str) else location
        labels = spec.pop("labels", {})
        self.api.create(
            manifest("DataSet", self.namespace, name, {"location": where, **spec}, **labels)
        )

    def job(self, name: str, data_set: str, target: dict[str, Any], **spec: Any) -> None:
        body = {"dataSetRef": {"name": data_set}, "target": target, **spec}
        self.api.create(manifest("MigrationJob", self.namespace, name, body))

    def get(self, plural: str, name: str) -> Any:
        return self.api.get(CLOUDFLUX, plural, name, self.namespace)

    def status(self, plural: str, name: str) -> Any:
        return self.get(plural, name).get("status") or {}

    def condition(self, plural: str, name: str, kind: str) -> Any:
        conditions = self.status(plural, name).get("conditions") or []
        return next((item for item in conditions if item["type"] == kind), {})

    def wait_condition(
        self, plural: str, name: str, kind: str, status: str, seconds: float = WAIT_SECONDS
    ) -> Any:
        def look() -> Any:
            found = self.condition(plural, name, kind)
            return found if found.get("status") == status else None

        try:
            return wait_for(f"{plural}/{name} {kind}={status}", look, seconds)
        except AssertionError as error:
            state = json.dumps(self.status(plural, name), indent=1)
            raise AssertionError(f"{error}; it says:\n{state}") from None

    def wait_ready(self, name: str) -> Any:
        return self.wait_condition("datasets", name, "Ready", "True")

    def wait_phase(self, name: str, *phases: str, seconds: float = WAIT_SECONDS) -> Any:
        def look() -> Any:
            status = self.status("migrationjobs", name)
            return status if status.get("phase") in phases else None

        try:
            return wait_for(f"job {name} in {phases}", look, seconds)
        except AssertionError as error:
            state = json.dumps(self.status("migrationjobs", name), indent=1)
            raise AssertionError(f"{error}; it says:\n{state}") from None

    def patch(self, plural: str, name: str, **spec: Any) -> None:
        """Edit an object's spec, as a person does."""
        self.api.patch(CLOUDFLUX, plural, name, {"spec": spec}, self.namespace)

    def delete(self, plural: str, name: str) -> None:
        self.api.delete(CLOUDFLUX, plural, name, self.namespace)
        assert self.gone(plural, name), "no finalizer holds it"

    def wait_event(self, name: str, reason: str, seconds: float = 15) -> str:
        """Wait for an event about an object; returns its message."""

        def look() -> str | None:
            found = [one for one in self.events(name) if one["reason"] == reason]
            return found[0].get("note") or "-" if found else None

        return wait_for(f"an event {reason} of {name}", look, seconds)

    def gone(self, plural: str, name: str) -> bool:
        try:
            self.get(plural, name)
        except ApiError as error:
            return error.code == 404
        return False

    def events(self, name: str) -> list[Any]:
        listed = self.api.request(
            "GET", f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        )
        return [item for item in listed["items"] if item["regarding"]["name"] == name]

    def event_reasons(self, name: str) -> list[str]:
        return [item["reason"] for item in self.events(name)]


def fill(directory: Path, files: int, size_bytes: int = 512) -> dict[str, bytes]:
    """Write files below a directory and return their content by relative path."""
    content = {}
    for number in range(files):
        key = f"part-{number % 7}/file-{number:04d}.bin"
        path = directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        content[key] = (f"{key}:".encode() * size_bytes)[:size_bytes]
        path.write_bytes(content[key])
    return content


def read_all(directory: Path) -> dict[str, bytes]:
    """Everything below a directory, but for our own markers."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and ".cloudflux" not in path.relative_to(directory).parts
    }
