"""What every upload in parts needs: part sizes, reading a part, sending some at a time."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, TypeVar

from cloudflux.errors import IntegrityError
from cloudflux.storage.digests import Digests
from cloudflux.storage.keys import printable

Item = TypeVar("Item")
Result = TypeVar("Result")

MIB = 1 << 20


def part_bytes(size_bytes: int, least_bytes: int, max_parts: int) -> int:
    """Part size, in whole MiB, so that the object fits into the permitted number of parts."""
    return max(least_bytes, math.ceil(math.ceil(size_bytes / max_parts) / MIB) * MIB)


def read_exactly(stream: BinaryIO, length: int) -> bytes:
    """Read `length` bytes, less only at the end of the stream."""
    chunks = []
    missing = length
    while missing and (chunk := stream.read(missing)):
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)


def read_parts(stream: BinaryIO, length: int, digests: Digests) -> Iterator[bytes]:
    """Yield parts of `length` bytes, the last one shorter; what was read is digested."""
    while body := read_exactly(stream, length):
        digests.update(body)
        yield body


def require_announced(key: str, digests: Digests, size_bytes: int, sha256: str | None) -> None:
    """Raise IntegrityError when a stream was not the one announced."""
    if digests.size_bytes != size_bytes:
        raise IntegrityError(
            f"{printable(key)}: {digests.size_bytes} bytes came instead of {size_bytes}; "
            "the source changed while it was read, or broke off"
        )
    if sha256 is not None and digests.hex()["sha256"] != sha256:
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
