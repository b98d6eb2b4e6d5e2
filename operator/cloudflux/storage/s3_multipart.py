"""Multipart uploads and copies: parts in parallel, bounded memory, no orphans."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from cloudflux.errors import IntegrityError, ObjectNotFound, PreconditionFailed
from cloudflux.storage import parts as common
from cloudflux.storage import s3_uploads as uploads
from cloudflux.storage.digests import Digests, base64_to_hex
from cloudflux.storage.interface import Pieces
from cloudflux.storage.parts import MIB
from cloudflux.storage.s3_attributes import unquote_etag
from cloudflux.storage.s3_uploads import CRC, Part, Upload
from cloudflux.storage.s3_wire import Answer

PART_BYTES = 8 * MIB
COPY_PART_BYTES = 512 * MIB
MAX_PARTS = 10_000
PARALLEL_PARTS = 4
PARALLEL_BYTES = 64 * MIB
"""Parts of an object in memory at a time take no more than this, apart from one larger part."""


def part_bytes(size_bytes: int, least_bytes: int) -> int:
    """Part size, in whole MiB, so that the object fits into the permitted number of parts."""
    return common.part_bytes(size_bytes, least_bytes, MAX_PARTS)


def upload_stream(
    upload: Upload, stream: BinaryIO, size_bytes: int, *, sha256: str | None
) -> tuple[Answer, Mapping[str, str]]:
    """Send a stream in parts; returns the server's answer and the digests of what was sent."""
    digests = Digests({CRC, "sha256"})
    length = part_bytes(size_bytes, PART_BYTES)

    def bodies() -> Iterator[Callable[[], bytes]]:
        for body in common.read_parts(stream, length, digests):
            yield lambda body=body: body  # type: ignore[misc]

    with uploads.begun(upload) as (upload_id, _):
        parts = _send_parts(upload, upload_id, bodies(), length)
        common.require_announced(upload.name, digests, size_bytes, sha256)
        return uploads.complete(upload, upload_id, parts), digests.hex()


def upload_pieces(
    upload: Upload,
    pieces: Pieces,
    *,
    length: int,
    upload_id: str | None,
    begun: Callable[[str], None],
) -> tuple[Answer, Mapping[str, str]]:
    """Send an object's pieces as parts, in any order; parts that the server holds are kept."""
    known = uploads.held_parts(upload, upload_id, pieces.size_bytes, length) if upload_id else None
    if known is None:
        upload_id = uploads.create(upload)
        begun(upload_id)
    assert upload_id is not None  # noqa: S101  (made above)
    upload.known.update(known or {})

    # Not aborted when the connection fails: the next attempt goes on with the parts that are
    # there, and what nobody continues is aborted by the sweep.
    try:
        parts = _send_parts(upload, upload_id, common.pieces_of(pieces, length), length)
        answer = uploads.complete(upload, upload_id, parts)
    except (PreconditionFailed, ObjectNotFound, IntegrityError):
        uploads.abort(upload, upload_id)
        raise
    return answer, {CRC: uploads.whole_crc(parts)}


def send_missing(upload: Upload, pieces: Pieces, upload_id: str, length: int) -> None:
    """Send the parts that are not among `upload.known`, and leave the upload open."""
    _send_parts(upload, upload_id, common.pieces_of(pieces, length), length)


def copy(
    upload: Upload, source: str, size_bytes: int, *, version: str, length: int | None = None
) -> Answer:
    """Copy `source` (/bucket/name, quoted) in parts, server side, each only from `version`."""
    if length is None:
        length = part_bytes(size_bytes, min(COPY_PART_BYTES, max(5 * MIB, size_bytes // 2)))
    starts = range(0, size_bytes, length)

    def part(number: int, upload_id: str) -> Part:
        start = (number - 1) * length
        end = min(start + length, size_bytes) - 1
        answer = upload.bucket.call(
            "UploadPartCopy",
            "PUT",
            upload.name,
            query={"partNumber": str(number), "uploadId": upload_id},
            headers={
                "x-amz-copy-source": source,
                "x-amz-copy-source-if-match": f'"{version}"',
                "x-amz-copy-source-range": f"bytes={start}-{end}",
            },
        )
        found = answer.xml()
        crc = found.get("ChecksumCRC64NVME")
        return Part(
            number,
            unquote_etag(found["ETag"]),
            end - start + 1,
            int(base64_to_hex(crc), 16) if crc else None,
        )

    with uploads.begun(upload, with_checksum=False) as (upload_id, _):
        with ThreadPoolExecutor(PARALLEL_PARTS, "s3-part") as pool:
            work = [pool.submit(part, n + 1, upload_id) for n in range(len(starts))]
            parts = [future.result() for future in work]
        return uploads.complete(upload, upload_id, parts, with_checksum=False)


def _send_parts(
    upload: Upload, upload_id: str, bodies: Iterator[Callable[[], bytes]], length: int
) -> list[Part]:
    width = max(1, min(PARALLEL_PARTS, PARALLEL_BYTES // length))

    def send(number: int, body: bytes) -> Part:
        return uploads.send_part(upload, upload_id, number, body)

    return common.send_numbered(bodies, upload.known, send, width, "s3-part")
