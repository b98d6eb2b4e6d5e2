"""Filling new files: what is written is read back and compared before it counts."""

import errno
import os
from collections.abc import Mapping
from typing import BinaryIO

from cloudflux.errors import IntegrityError
from cloudflux.storage import file_attributes
from cloudflux.storage.digests import (
    CHUNK_BYTES,
    Digests,
    Whole,
    combine_crcs,
    crc_hex,
    crc_of,
    digest_bytes,
)
from cloudflux.storage.interface import ObjectInfo, Pieces
from cloudflux.storage.keys import printable
from cloudflux.storage.parts import MIB, in_parallel

PROOF = "crc64nvme"
"""Of what was sent and of what was read back; other stores compute it, too."""
PART_BYTES = 8 * MIB
PARALLEL_PARTS = 4


def fill(
    descriptor: int,
    key: str,
    stream: BinaryIO,
    size_bytes: int,
    sha256: str | None,
    info: ObjectInfo | None,
    metadata: Mapping[str, str] | None,
) -> str:
    """Fill an open, new file and give it its attributes; returns the digest read back.

    Raises IntegrityError, OSError.
    """
    digests = _write(descriptor, stream, {PROOF, *(("sha256",) if sha256 else ())})
    found_bytes = os.fstat(descriptor).st_size
    if found_bytes != size_bytes:
        raise IntegrityError(
            f"{printable(key)}: {found_bytes} bytes came instead of {size_bytes}; "
            "the source changed while it was read, or broke off"
        )
    if sha256 is not None and digests["sha256"] != sha256:
        raise IntegrityError(f"{printable(key)}: the bytes are not those expected (sha256)")
    file_attributes.write_attributes(descriptor, info, metadata)
    whole = Digests({PROOF})
    for start in range(0, size_bytes, CHUNK_BYTES):
        whole.update(os.pread(descriptor, CHUNK_BYTES, start))
    if whole.size_bytes != size_bytes or whole.hex()[PROOF] != digests[PROOF]:
        raise _differs(key)
    return digests[PROOF]


def fill_by_parts(
    descriptor: int,
    key: str,
    pieces: Pieces,
    info: ObjectInfo | None,
    metadata: Mapping[str, str] | None,
) -> str:
    """Do the same with a large object, some parts at a time, each read back at once."""

    def part(_: int, start: int) -> tuple[int, int]:
        length = min(PART_BYTES, pieces.size_bytes - start)
        data = pieces.read(start, length)
        crc = crc_of(PROOF, data)
        _write_at(descriptor, data, start)
        if len(data) != length or crc_of(PROOF, os.pread(descriptor, length, start)) != crc:
            raise _differs(key)
        return crc, length

    starts = iter(range(0, pieces.size_bytes, PART_BYTES))
    found = in_parallel(part, starts, PARALLEL_PARTS, "file-part")
    file_attributes.write_attributes(descriptor, info, metadata)
    return crc_hex(PROOF, combine_crcs(PROOF, found))


def _write(descriptor: int, stream: BinaryIO, names: set[str]) -> Mapping[str, str]:
    """Write a stream; returns at least these digests of what it gave."""
    if isinstance(stream, Whole) and stream.tell() == 0:
        _write_at(descriptor, stream.data, 0)
        missing = names - stream.digests.keys()
        return {**stream.digests, **digest_bytes(stream.data, missing)}
    digests, start = Digests(names), 0
    while data := stream.read(CHUNK_BYTES):
        digests.update(data)
        _write_at(descriptor, data, start)
        start += len(data)
    return digests.hex()


def _write_at(descriptor: int, data: bytes, start: int) -> None:
    written = os.pwrite(descriptor, data, start)
    if written == len(data):
        return
    rest = memoryview(data)
    while written < len(rest):
        more = os.pwrite(descriptor, rest[written:], start + written)
        if more == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += more


def _differs(key: str) -> IntegrityError:
    return IntegrityError(
        f"{printable(key)}: what was read back differs from what was written; "
        "the original is untouched; check the target disk"
    )
