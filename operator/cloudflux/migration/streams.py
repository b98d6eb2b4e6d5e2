"""Streaming an object: bounded memory, one pass for all digests, stoppable, at a bounded rate."""

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, BinaryIO, Protocol, TypeVar

from cloudflux.migration.session import Session
from cloudflux.storage.digests import CHUNK_BYTES, Digests

T = TypeVar("T", contravariant=True)
Item = TypeVar("Item")


class Work(Protocol[T]):
    """Done for one item, in a thread."""

    def __call__(self, item: T, /) -> None:
        """Do it; raise to stop everything."""
        ...


class CountingStream:
    """A stream that can be asked to stop, keeps to the bandwidth, and digests what passes."""

    def __init__(self, stream: BinaryIO, session: Session) -> None:
        self._stream, self._session = stream, session
        self.digests = Digests()

    def read(self, size: int = -1, /) -> bytes:
        """Read as the wrapped stream does, in chunks where everything is asked for."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        self._session.context.check()
        data = self._stream.read(size)
        self.digests.update(data)
        delay_seconds = self._session.limiter.delay_seconds(len(data))
        if delay_seconds > 0:
            self._session.wait(delay_seconds)
        return data


def read_digests(session: Session, stream: BinaryIO) -> Digests:
    """Read a stream to its end and return its digests."""
    counting = CountingStream(stream, session)
    while counting.read(CHUNK_BYTES):
        pass
    return counting.digests


def run_parallel(items: Iterable[Item], work: Work[Item], parallelism: int) -> int:
    """Do the work for every item, several at a time; returns how many there were.

    Items are taken as threads get free, so that a long listing never piles up. The first
    error stops the taking, lets what runs end, and is raised.
    """
    count = 0
    running: set[Future[None]] = set()
    with ThreadPoolExecutor(parallelism, "move") as pool:
        try:
            for item in items:
                count += 1
                running.add(pool.submit(work, item))
                if len(running) >= 2 * parallelism:
                    running = _reap(running)
            while running:
                running = _reap(running)
        except BaseException:
            for future in running:
                future.cancel()
            raise
    return count


def map_in_order(
    items: Iterable[Item], work: Any, parallelism: int, chunk: int = 256
) -> Iterator[Any]:
    """Yield work(item) in the order of the items, several at a time, in bounded memory."""
    iterator = iter(items)
    with ThreadPoolExecutor(parallelism, "move") as pool:
        while part := list(islice(iterator, chunk)):
            yield from pool.map(work, part)


def _reap(running: set[Future[None]]) -> set[Future[None]]:
    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return rest
