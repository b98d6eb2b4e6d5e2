"""Multipart uploads and multipart copies: parts in parallel, bounded memory, no orphans."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.sax.saxutils import escape

from cloudflux.errors import CloudFluxError, IntegrityError, ObjectNotFound, PreconditionFailed
from cloudflux.storage import parts as common
from cloudflux.storage.digests import (
    Digests,
    base64_to_hex,
    combine_crcs,
    crc_hex,
    crc_of,
    digest_bytes,
    hex_to_base64,
)
from cloudflux.storage.interface import Pieces
from cloudflux.storage.keys import printable
from cloudflux.storage.parts import MIB
from cloudflux.storage.s3_attributes import unquote_etag
from cloudflux.storage.s3_sign import quote_path
from cloudflux.storage.s3_wire import Answer, Wire, parse_xml

PART_BYTES = 8 * MIB
COPY_PART_BYTES = 512 * MIB
MAX_PARTS = 10_000
PARALLEL_PARTS = 4
PARALLEL_BYTES = 64 * MIB
"""Parts of an object in memory at a time take no more than this, apart from one larger part."""
CRC = "crc64nvme"
_CRC_HEADER = f"x-amz-checksum-{CRC}"
_PARTS_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """One part as the server holds it."""

    number: int
    etag: str
    size_bytes: int
    crc: int | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """Where an upload goes, and on what conditions it is completed."""

    wire: Wire
    bucket: str
    name: str
    headers: Mapping[str, str]
    conditions: Mapping[str, str]
    verifies: bool
    """The server refuses a part whose CRC is wrong; else MD5 is sent too."""
    known: dict[int, Part] = field(default_factory=dict)


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

    with _begun(upload) as (upload_id, _):
        parts = _send_parts(upload, upload_id, bodies(), length)
        common.require_announced(upload.name, digests, size_bytes, sha256)
        return _complete(upload, upload_id, parts), digests.hex()


def upload_pieces(
    upload: Upload,
    pieces: Pieces,
    *,
    length: int,
    upload_id: str | None,
    begun: Callable[[str], None],
) -> tuple[Answer, Mapping[str, str]]:
    """Send an object's pieces as parts, in any order; parts that the server holds are kept."""
    known = _held_parts(upload, upload_id, pieces.size_bytes, length) if upload_id else None
    if known is None:
        upload_id = _create(upload)
        begun(upload_id)
    assert upload_id is not None  # noqa: S101  (made above)
    upload.known.update(known or {})

    def bodies() -> Iterator[Callable[[], bytes]]:
        for start in range(0, pieces.size_bytes, length):
            span = min(length, pieces.size_bytes - start)
            yield lambda start=start, span=span: pieces.read(start, span)  # type: ignore[misc]

    # Not aborted when the connection fails: the next attempt goes on with the parts that are
    # there, and what nobody continues is aborted by the sweep.
    try:
        parts = _send_parts(upload, upload_id, bodies(), length)
        answer = _complete(upload, upload_id, parts)
    except (PreconditionFailed, ObjectNotFound, IntegrityError):
        abort(upload, upload_id)
        raise
    return answer, {CRC: _whole_crc(parts)}


def copy(
    upload: Upload, source_bucket: str, source_name: str, size_bytes: int, *, version: str
) -> Answer:
    """Copy an object in parts, server side, each part only from `version`."""
    length = part_bytes(size_bytes, min(COPY_PART_BYTES, max(5 * MIB, size_bytes // 2)))
    starts = range(0, size_bytes, length)

    def part(number: int, upload_id: str) -> Part:
        start = (number - 1) * length
        end = min(start + length, size_bytes) - 1
        answer = upload.wire.call(
            "UploadPartCopy",
            "PUT",
            upload.bucket,
            upload.name,
            query={"partNumber": str(number), "uploadId": upload_id},
            headers={
                "x-amz-copy-source": f"/{source_bucket}/{quote_path(source_name)}",
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

    with _begun(upload, with_checksum=False) as (upload_id, _):
        with ThreadPoolExecutor(PARALLEL_PARTS, "s3-part") as pool:
            work = [pool.submit(part, n + 1, upload_id) for n in range(len(starts))]
            parts = [future.result() for future in work]
        return _complete(upload, upload_id, parts, with_checksum=False)


class _begun:  # noqa: N801  (reads as a word where it is used)
    """A new upload, aborted when the block fails."""

    def __init__(self, upload: Upload, *, with_checksum: bool = True) -> None:
        self._upload, self._with_checksum = upload, with_checksum
        self._id = ""

    def __enter__(self) -> tuple[str, Upload]:
        self._id = _create(self._upload, with_checksum=self._with_checksum)
        return self._id, self._upload

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            return
        # Whatever stopped us, the parts cost money until they are dropped; a failure to drop
        # them is found later by `uploads`.
        with suppress(CloudFluxError):
            abort(self._upload, self._id)


def abort(upload: Upload, upload_id: str) -> None:
    """Drop an upload and its parts; absent is not an error."""
    with suppress(ObjectNotFound):
        upload.wire.call(
            "AbortMultipartUpload",
            "DELETE",
            upload.bucket,
            upload.name,
            query={"uploadId": upload_id},
        )


def _create(upload: Upload, *, with_checksum: bool = True) -> str:
    checksum = {
        "x-amz-checksum-algorithm": CRC.upper(),
        "x-amz-checksum-type": "FULL_OBJECT",
    }
    answer = upload.wire.call(
        "CreateMultipartUpload",
        "POST",
        upload.bucket,
        upload.name,
        query={"uploads": ""},
        headers={**upload.headers, **(checksum if with_checksum else {})},
    )
    return answer.xml()["UploadId"]


def _complete(
    upload: Upload, upload_id: str, parts: list[Part], *, with_checksum: bool = True
) -> Answer:
    checksum = {}
    if with_checksum:
        checksum = {
            _CRC_HEADER: hex_to_base64(_whole_crc(parts)),
            "x-amz-checksum-type": "FULL_OBJECT",
        }
    body = "".join(_part_xml(part) for part in parts)
    answer = upload.wire.call(
        "CompleteMultipartUpload",
        "POST",
        upload.bucket,
        upload.name,
        query={"uploadId": upload_id},
        headers={"content-type": "application/xml", **upload.conditions, **checksum},
        body=f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode(),
    )
    found = answer.xml()
    if "ETag" not in found:
        # A failure after the first byte of a 200: documented for this operation.
        raise IntegrityError(f"{printable(upload.name)}: the server did not complete the upload")
    headers = {"etag": found["ETag"], **answer.headers}
    if "ChecksumCRC64NVME" in found:
        headers[_CRC_HEADER] = found["ChecksumCRC64NVME"]
        headers["x-amz-checksum-type"] = found.get("ChecksumType", "")
    return Answer(answer.status, headers, answer.body)


def _part_xml(part: Part) -> str:
    crc = ""
    if part.crc is not None:
        crc = f"<ChecksumCRC64NVME>{_crc_base64(part.crc)}</ChecksumCRC64NVME>"
    etag = escape(f'"{part.etag}"')
    return f"<Part><PartNumber>{part.number}</PartNumber><ETag>{etag}</ETag>{crc}</Part>"


def _send_parts(
    upload: Upload, upload_id: str, bodies: Iterator[Callable[[], bytes]], length: int
) -> list[Part]:
    """Parts in order; no more bodies are taken from the iterator than are worked on."""
    parts = dict(upload.known)
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
                    parts[number] = _upload_part(upload, upload_id, number, body())
            except BaseException as error:  # noqa: BLE001  (raised again below)
                failures.append(error)

    width = max(1, min(PARALLEL_PARTS, PARALLEL_BYTES // length))
    threads = [threading.Thread(target=work, name="s3-part") for _ in range(width - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [parts[number] for number in sorted(parts)]


def _upload_part(upload: Upload, upload_id: str, number: int, body: bytes) -> Part:
    crc = crc_of(CRC, body)
    headers = {_CRC_HEADER: _crc_base64(crc), "x-amz-sdk-checksum-algorithm": CRC.upper()}
    if not upload.verifies:
        headers["content-md5"] = hex_to_base64(digest_bytes(body, {"md5"})["md5"])
    answer = upload.wire.call(
        "UploadPart",
        "PUT",
        upload.bucket,
        upload.name,
        query={"partNumber": str(number), "uploadId": upload_id},
        headers=headers,
        body=body,
    )
    return Part(number, unquote_etag(answer.headers["etag"]), len(body), crc)


def _held_parts(
    upload: Upload, upload_id: str, size_bytes: int, length: int
) -> dict[int, Part] | None:
    """The parts of an upload that are as we would send them; None when the upload is gone."""
    held: dict[int, Part] = {}
    marker = ""
    while True:
        query = {"uploadId": upload_id, "max-parts": str(_PARTS_PAGE)}
        if marker:
            query["part-number-marker"] = marker
        try:
            answer = upload.wire.call("ListParts", "GET", upload.bucket, upload.name, query=query)
        except ObjectNotFound:
            return None
        truncated = False
        for child in parse_xml(answer.body):
            tag = child.tag.rpartition("}")[2]
            if tag == "Part":
                fields = {one.tag.rpartition("}")[2]: one.text or "" for one in child}
                part = _listed_part(fields)
                expected = min(length, size_bytes - (part.number - 1) * length)
                if part.crc is not None and part.size_bytes == expected:
                    held[part.number] = part
            elif tag == "IsTruncated":
                truncated = (child.text or "").strip() == "true"
            elif tag == "NextPartNumberMarker":
                marker = child.text or ""
        if not truncated:
            return held


def _listed_part(fields: Mapping[str, str]) -> Part:
    crc = fields.get("ChecksumCRC64NVME")
    return Part(
        int(fields["PartNumber"]),
        unquote_etag(fields["ETag"]),
        int(fields["Size"]),
        int(base64_to_hex(crc), 16) if crc else None,
    )


def _whole_crc(parts: list[Part]) -> str:
    pairs = [(part.crc, part.size_bytes) for part in parts]
    return crc_hex(CRC, combine_crcs(CRC, [(crc or 0, size) for crc, size in pairs]))


def _crc_base64(crc: int) -> str:
    return hex_to_base64(crc_hex(CRC, crc))
