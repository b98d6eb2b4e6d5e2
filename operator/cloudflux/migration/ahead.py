"""Reading a large object ahead: some pieces are on their way while one is used, in order."""

import io
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from cloudflux.storage.interface import ObjectInfo, Ranged

PIECE_BYTES = 8 << 20
AHEAD = 3
"""Pieces on their way: with the one in use, 32 MiB."""


class ReadAhead(io.RawIOBase):
    """A stream over an object that is read in pieces, several at a time."""

    def __init__(self, source: Ranged, info: ObjectInfo) -> None:
        self._source, self._info = source, info
        self._starts = iter(range(0, info.size_bytes, PIECE_BYTES))
        self._running: deque[Future[bytes]] = deque()
        self._pool = ThreadPoolExecutor(AHEAD, "ahead")
        self._piece, self._used = b"", 0
        for _ in range(AHEAD):
            self._begin_next()

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, at least one before the end; a whole piece where that is asked."""
        if size < 0:
            return b"".join(iter(lambda: self.read(PIECE_BYTES), b""))
        if self._used == len(self._piece):
            if not self._running:
                return b""
            self._piece, self._used = self._running.popleft().result(), 0
            self._begin_next()
        if self._used == 0 and size >= len(self._piece):
            piece, self._piece = self._piece, b""
            return piece
        data = self._piece[self._used : self._used + size]
        self._used += len(data)
        return data

    def close(self) -> None:
        """Give up what is on its way."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        super().close()

    def _begin_next(self) -> None:
        start = next(self._starts, None)
        if start is not None:
            length = min(PIECE_BYTES, self._info.size_bytes - start)
            self._running.append(self._pool.submit(self._piece_at, start, length))

    def _piece_at(self, start: int, length: int) -> bytes:
        return self._source.read_range(self._info.key, start, length, if_version=self._info.version)
