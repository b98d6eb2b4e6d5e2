"""Streaming an object: bounded memory, one pass for all digests, stoppable, at a bounded rate."""

import threading
from collections.abc import Collection, Iterable
from typing import BinaryIO, Protocol, TypeVar

from cloudflux.migration.session import Session
from cloudflux.storage.digests import ALGORITHMS, CHUNK_BYTES, Digests

T = TypeVar("T", contravariant=True)
Item = TypeVar("Item")


class Work(Protocol[T]):
    """Done for one item, in a thread."""

    def __call__(self, item: T, /) -> None:
        """Do it; raise to stop everything."""
        ...


class CountingStream:
    """A stream that can be asked to stop, keeps to the bandwidth, and digests what passes."""

    def __init__(
        self, stream: BinaryIO, session: Session, names: Collection[str] = ALGORITHMS
    ) -> None:
        self._stream, self._session = stream, session
        self.digests = Digests(names)

    def read(self, size: int = -1, /) -> bytes:
        """Read as the wrapped stream does, in chunks where everything is asked for."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        self._session.context.check()
        data = self._stream.read(size)
        self.digests.update(data)
        keep_to_bandwidth(self._session, len(data))
        return data


def keep_to_bandwidth(session: Session, size_bytes: int) -> None:
    """Wait as long as so many bytes may take."""
    left = size_bytes
    while left > 0:
        piece = session.limiter.piece(left)  # small enough that a new bandwidth counts soon
        delay_seconds = session.limiter.delay_seconds(piece)
        if delay_seconds > 0:
            session.wait(delay_seconds)
        left -= piece


def read_digests(
    session: Session, stream: BinaryIO, names: Collection[str] = ALGORITHMS
) -> Digests:
    """Read a stream to its end and return its digests."""
    counting = CountingStream(stream, session, names)
    while counting.read(CHUNK_BYTES):
        pass
    return counting.digests


def run_parallel(items: Iterable[Item], work: Work[Item], parallelism: int) -> int:
    """Do the work for every item, several at a time; returns how many there were.

    A thread takes the next item when it is free, so that a long listing never piles up. The
    first error stops the taking, lets what runs end, and is raised.
    """
    iterator, lock = iter(items), threading.Lock()
    errors: list[BaseException] = []
    counts = [0]

    def serve() -> None:
        while not errors:
            try:
                with lock:
                    if errors:
                        return
                    try:
                        item = next(iterator)
                    except StopIteration:
                        return
                    counts[0] += 1
                work(item)
            except BaseException as error:  # noqa: BLE001  (raised again below)
                errors.append(error)

    threads = [
        threading.Thread(target=serve, name=f"move-{n}", daemon=True) for n in range(parallelism)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return counts[0]
