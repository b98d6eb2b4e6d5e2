"""A bound on the bytes of objects that a mover holds in memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

MOVER_BYTES = 64 << 20
"""For all streams of a job together; what Python and its libraries take comes on top."""


class Memory:
    """So many bytes, given out and taken back; thread-safe."""

    def __init__(self, size_bytes: int = MOVER_BYTES) -> None:
        self._whole = self._free = size_bytes
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, size_bytes: int) -> Iterator[None]:
        """Wait for so many bytes; one that wants more than there is gets all of it."""
        wanted = min(size_bytes, self._whole)
        with self._changed:
            while self._free < wanted:
                self._changed.wait()
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()
