"""Named steps at which a test can stop a process, to kill it exactly there."""

import os
import signal
import threading
from pathlib import Path

from cloudflux.children.fence import write_atomically

STOPPED_FILE = "stopped-at"


class StopPoints:
    """Stops the process at one chosen step; costs nothing when none is chosen.

    `stop_at` is a step's name, or "name:N" for the N-th time that the step is reached.
    """

    def __init__(self, stop_at: str | None, state_dir: Path) -> None:
        name, _, hit = (stop_at or "").partition(":")
        self._name = name
        self._hits_left = int(hit) if hit else 1
        self._file = state_dir / STOPPED_FILE
        self._lock = threading.Lock()

    def reach(self, name: str) -> None:
        """Stop the whole process here if this step was chosen; the file says where and who."""
        if not self._name or name != self._name:
            return
        with self._lock:
            self._hits_left -= 1
            if self._hits_left != 0:
                return
            write_atomically(self._file, f"{name} {os.getpid()}\n")
            while True:  # also when somebody sends SIGCONT: only a kill ends it
                os.kill(os.getpid(), signal.SIGSTOP)
