"""Processes that outlive the program that started them, and are ended by exactly their ids."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 10
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns Ctrl-C and SIGTERM into KeyboardInterrupt, but never while a process is started.

    Else one could be started and lost between two steps of Python, and run on for ever.
    """

    def __init__(self) -> None:
        self._held = self._came = False
        for number in INTERRUPTS:
            signal.signal(number, self._hear)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Put an interrupt off to the end of the block."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._came:
            raise KeyboardInterrupt

    def ignore(self) -> None:
        """From now on nothing interrupts: a second Ctrl-C must not stop the cleaning up."""
        for number in INTERRUPTS:
            signal.signal(number, signal.SIG_IGN)

    def _hear(self, _number: int, _frame: object) -> None:
        self._came = True
        if not self._held:
            raise KeyboardInterrupt


class Recorded:
    """A file that names the processes of one demo or benchmark: id and time of start.

    The time of start tells a process from a later one that was given the same id.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, name: str, pid: int) -> None:
        """Write down a process that is running now."""
        entries = [*self._entries(), {"name": name, "pid": pid, "started": _started(pid)}]
        self.path.write_text(json.dumps(entries))

    def start(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own (Ctrl-C does not reach it) and record it."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.add(name, process.pid)
        return process

    def running(self) -> list[str]:
        """Names of the processes that are still there."""
        return [str(e["name"]) for e in self._entries() if _alive(e)]

    def stop(self) -> None:
        """End them, the last started first: SIGTERM, then SIGKILL after ten seconds."""
        for entry in reversed(self._entries()):
            for number in (signal.SIGTERM, signal.SIGKILL):
                if not _alive(entry):
                    break
                with contextlib.suppress(ProcessLookupError):
                    os.kill(entry["pid"], number)
                deadline = time.monotonic() + STOP_SECONDS
                while _alive(entry) and time.monotonic() < deadline:
                    time.sleep(0.05)
        self.path.unlink(missing_ok=True)

    def _entries(self) -> list[dict[str, int]]:
        if not self.path.exists():
            return []
        entries: list[dict[str, int]] = json.loads(self.path.read_text() or "[]")
        return entries


def _started(pid: int) -> int | None:
    """Time of start in clock ticks; None when it is gone (or a zombie of ours, reaped here)."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def _alive(entry: Mapping[str, int]) -> bool:
    started = _started(entry["pid"])
    return started is not None and started == entry["started"]
