"""What every upload in parts needs: part sizes, reading a part, sending some at a time."""

import math
import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, TypeVar

from cloudflux.errors import IntegrityError
from cloudflux.storage.digests import Digests, Whole, digest_bytes
from cloudflux.storage.interface import Pieces
from cloudflux.storage.keys import printable

Item = TypeVar("Item")
Result = TypeVar("Result")

MIB = 1 << 20


def part_bytes(size_bytes: int, least_bytes: int, max_parts: int) -> int:
    """Part size, in whole MiB, so that the object fits into the permitted number of parts."""
    return max(least_bytes, math.ceil(math.ceil(size_bytes / max_parts) / MIB) * MIB)


def read_exactly(stream: BinaryIO, length: int) -> bytes:
    """Read `length` bytes, less only at the end of the stream."""
    first = stream.read(length)
    if len(first) == length or not first:
        return first  # as it came: a large part is not copied
    chunks = [first]
    missing = length - len(first)
    while missing and (chunk := stream.read(missing)):
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)


def read_whole(
    key: str, stream: BinaryIO, size_bytes: int, sha256: str | None, names: Collection[str]
) -> tuple[bytes, Mapping[str, str]]:
    """A small object's bytes and at least these digests of them; known ones are not computed.

    Raises IntegrityError when the stream is not the one announced.
    """
    wanted = {*names, *(("sha256",) if sha256 else ())}
    if isinstance(stream, Whole) and stream.tell() == 0:
        body, known = stream.data, dict(stream.digests)
    else:
        body, known = read_exactly(stream, size_bytes + 1), {}
    missing = wanted - known.keys()
    known |= digest_bytes(body, missing) if missing else {}
    _require(key, len(body), known.get("sha256", ""), size_bytes, sha256)
    return body, known


def read_parts(stream: BinaryIO, length: int, digests: Digests) -> Iterator[bytes]:
    """Yield parts of `length` bytes, the last one shorter; what was read is digested."""
    while body := read_exactly(stream, length):
        digests.update(body)
        yield body


def require_announced(key: str, digests: Digests, size_bytes: int, sha256: str | None) -> None:
    """Raise IntegrityError when a stream was not the one announced."""
    found = digests.hex().get("sha256", "") if sha256 else ""
    _require(key, digests.size_bytes, found, size_bytes, sha256)


def _require(key: str, found_bytes: int, found: str, size_bytes: int, sha256: str | None) -> None:
    if found_bytes != size_bytes:
        raise IntegrityError(
            f"{printable(key)}: {found_bytes} bytes came instead of {size_bytes}; "
            "the source changed while it was read, or broke off"
        )
    if sha256 is not None and found != sha256:
        raise IntegrityError(f"{printable(key)}: the bytes are not those expected (sha256)")


def pieces_of(pieces: Pieces, length: int) -> Iterator[Callable[[], bytes]]:
    """Functions that each read one piece, in order; the last piece is shorter."""
    for start in range(0, pieces.size_bytes, length):
        span = min(length, pieces.size_bytes - start)
        yield lambda start=start, span=span: pieces.read(start, span)  # type: ignore[misc]


def send_numbered(
    bodies: Iterator[Callable[[], bytes]],
    held: Mapping[int, Result],
    send: Callable[[int, bytes], Result],
    width: int,
    name: str,
) -> list[Result]:
    """Send bodies, numbered from 1, some at a time; returns the results in order.

    What is `held` is not made; no more bodies are taken from the iterator than are worked on.
    """
    parts = dict(held)
    failures: list[BaseException] = []
    lock, numbered = threading.Lock(), enumerate(bodies, start=1)

    def work() -> None:
        while not failures:
            try:
                with lock:
                    number, body = next(numbered, (0, None))
                if body is None:
                    return
                if number not in parts:
                    parts[number] = send(number, body())
            except BaseException as error:  # noqa: BLE001  (raised again below)
                failures.append(error)

    threads = [threading.Thread(target=work, name=name) for _ in range(width - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [parts[number] for number in sorted(parts)]


def made_ahead(
    bodies: Iterator[Callable[[], Result]], ahead: int, name: str
) -> Generator[Result, None, None]:
    """Make bodies in order, `ahead` of them on their way while one is used; close it."""
    with ThreadPoolExecutor(ahead, thread_name_prefix=name) as pool:
        running: deque[Future[Result]] = deque()
        try:
            for body in bodies:
                running.append(pool.submit(body))
                if len(running) > ahead:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def in_parallel(
    work: Callable[[int, Item], Result], items: Iterator[Item], width: int, name: str
) -> list[Result]:
    """Results in order, numbered from 1; no more items are taken than are worked on."""
    running: deque[Future[Result]] = deque()
    results = []
    with ThreadPoolExecutor(width, thread_name_prefix=name) as pool:
        try:
            for number, item in enumerate(items, start=1):
                if len(running) == width:
                    results.append(running.popleft().result())
                running.append(pool.submit(work, number, item))
            results.extend(future.result() for future in running)
        except BaseException:
            for future in running:
                future.cancel()
            raise
    return results
