"""System calls on files that fail as disks do, by rules, in the process of the mover.

The rules' counters are files of appended bytes, so that they outlive a killed mover.
"""

import errno
import io
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.dialects import COMPLETE, DELETE, LIST, MARK, PLACE, READ

from cloudflux.storage import file_system as fs

FLUSH, APPEND = "flush", "append"
"""Only of the state directory: making a file durable, adding a line to the checkpoint."""
_ERRORS = {
    "error": errno.EIO,
    "stale": errno.ESTALE,
    "denied": errno.EACCES,
    "full": errno.ENOSPC,
}
DELAY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class DiskRule:
    """One fault: below which directory, of which system calls, in which steps, how often."""

    fault: str
    root: str
    operations: frozenset[str]
    steps: frozenset[str]
    counter: str
    marks: bool = False
    after: int = 0
    times: int = 1

    @property
    def hits(self) -> int:
        """How often it happened."""
        return max(0, min(self._seen() - self.after, self.times))

    def catches(self, step: str, operation: str, path: str) -> bool:
        if operation not in self.operations or step not in self.steps:
            return False
        if not f"{path}/".startswith(f"{self.root}/") or (MARK in path) != self.marks:
            return False
        if Path(f"{self.counter}.healed").exists():
            return False
        with Path(self.counter).open("ab") as counter:
            counter.write(b".")
        return self.after < self._seen() <= self.after + self.times

    def _seen(self) -> int:
        try:
            return Path(self.counter).stat().st_size
        except FileNotFoundError:
            return 0

    def heal(self) -> None:
        """From now on it does not happen any more."""
        Path(f"{self.counter}.healed").touch()


class Disk:
    """The patched calls; `step` is what the job does now."""

    def __init__(self, rules: tuple[DiskRule, ...]) -> None:
        self.rules, self.step = rules, ""

    def install(self) -> None:
        if not self.rules:
            return
        os.scandir = self._before(os.scandir, LIST, lambda path: path)
        os.fsync = self._before(os.fsync, FLUSH, _path_of)
        os.write = self._writing(os.write, APPEND)
        os.pwrite = self._writing(os.pwrite, PLACE)
        os.rename = self._before(os.rename, DELETE, lambda path, _: path)
        fs._renameat2 = self._before(fs._renameat2, COMPLETE, lambda _, target, __: target)
        fs.open_unnoticed = self._reading(fs.open_unnoticed)

    def _before(
        self, call: Callable[..., Any], operation: str, path_of: Callable[..., Any]
    ) -> Callable[..., Any]:
        def faulty(*arguments: Any, **more: Any) -> Any:
            rule = self._met(operation, os.fsdecode(path_of(*arguments)))
            if rule is None:
                return call(*arguments, **more)
            if rule.fault == "kill after":
                call(*arguments, **more)
            self._fail(rule.fault, os.fsdecode(path_of(*arguments)))
            return call(*arguments, **more)

        return faulty

    def _writing(self, call: Callable[..., int], operation: str) -> Callable[..., int]:
        """Half of it is written before the fault strikes, or all of it, with a wrong bit."""

        def faulty(descriptor: int, data: Any, *at: int) -> int:
            path = _path_of(descriptor)
            rule = self._met(operation, path)
            if rule is None or len(data) == 0:
                return call(descriptor, data, *at)
            if rule.fault == "flip":
                return call(descriptor, bytes([data[0] ^ 1]) + bytes(data[1:]), *at)
            if rule.fault == "kill after":
                call(descriptor, data, *at)
            elif rule.fault != "latency":
                call(descriptor, bytes(data[: len(data) // 2]), *at)
            self._fail(rule.fault, path)
            return call(descriptor, data, *at)

        return faulty

    def _reading(self, call: Callable[[Path], Any]) -> Callable[[Path], Any]:
        def faulty(path: Path) -> Any:
            rule = self._met(READ, os.fspath(path))
            if rule is None:
                return call(path)
            if rule.fault in ("half", "flip"):
                return _Spoiled(call(path), rule.fault)
            self._fail(rule.fault, os.fspath(path))
            return call(path)

        return faulty

    def _met(self, operation: str, path: str) -> DiskRule | None:
        found = (rule for rule in self.rules if rule.catches(self.step, operation, path))
        return next(found, None)

    def _fail(self, fault: str, path: str) -> None:
        if fault.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "latency":
            time.sleep(DELAY_SECONDS)
            return
        number = _ERRORS[fault]
        raise OSError(number, os.strerror(number), path)


class _Spoiled(io.RawIOBase):
    """An open file whose second read fails, or whose first gives a wrong bit."""

    def __init__(self, inner: Any, fault: str) -> None:
        self._inner, self._fault, self._reads = inner, fault, 0

    def fileno(self) -> int:
        return self._inner.fileno()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        self._reads += 1
        if self._fault == "half":
            if self._reads > 1:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return self._inner.read(1 if size < 0 else max(1, min(size, 100)))
        data = self._inner.read(size)
        return data if self._reads > 1 or not data else bytes([data[0] ^ 1]) + data[1:]

    def close(self) -> None:
        self._inner.close()
        super().close()


def _path_of(descriptor: int) -> str:
    return os.fspath(Path(f"/proc/self/fd/{descriptor}").readlink())
