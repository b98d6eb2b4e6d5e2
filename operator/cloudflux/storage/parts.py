"""What every upload in parts needs: part sizes, reading a part, sending some at a time."""

import math
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, TypeVar

from cloudflux.errors import IntegrityError
from cloudflux.storage.digests import Digests, Whole, digest_bytes
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
