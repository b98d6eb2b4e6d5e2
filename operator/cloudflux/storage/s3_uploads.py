"""The requests of a multipart upload: begin, send a part, list parts, complete, abort."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from cloudflux.errors import CloudFluxError, IntegrityError, NotSupported, ObjectNotFound
from cloudflux.storage.digests import (
    base64_to_hex,
    combine_crcs,
    crc_hex,
    crc_of,
    digest_bytes,
    hex_to_base64,
)
from cloudflux.storage.keys import printable
from cloudflux.storage.s3_attributes import unquote_etag
from cloudflux.storage.s3_bucket import Bucket
from cloudflux.storage.s3_wire import Answer, local_name, parse_xml

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

    bucket: Bucket
    name: str
    headers: Mapping[str, str]
    conditions: Mapping[str, str]
    verifies: bool
    """The server refuses a part whose CRC is wrong; else MD5 is sent too."""
    look: Callable[[], None] | None = None
    """Looks, for a server that holds no conditions, whether they are met."""
    known: dict[int, Part] = field(default_factory=dict)


class begun:  # noqa: N801  (reads as a word where it is used)
    """A new upload, aborted when the block fails."""

    def __init__(self, upload: Upload, *, with_checksum: bool = True) -> None:
        self._upload, self._with_checksum = upload, with_checksum
        self._id = ""

    def __enter__(self) -> tuple[str, Upload]:
        self._id = create(self._upload, with_checksum=self._with_checksum)
        return self._id, self._upload

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            return
        # Whatever stopped us, the parts cost money until they are dropped; a failure to drop
        # them is found later by `uploads`.
        with suppress(CloudFluxError):
            abort(self._upload, self._id)


def create(upload: Upload, *, with_checksum: bool = True) -> str:
    """Begin an upload, and return its id."""
    checksum = {
        "x-amz-checksum-algorithm": CRC.upper(),
        "x-amz-checksum-type": "FULL_OBJECT",
    }
    answer = upload.bucket.call(
        "CreateMultipartUpload",
        "POST",
        upload.name,
        query={"uploads": ""},
        headers={**upload.headers, **(checksum if with_checksum else {})},
    )
    return answer.xml()["UploadId"]


def send_part(upload: Upload, upload_id: str, number: int, body: bytes) -> Part:
    """Send a part under its checksum."""
    crc = crc_of(CRC, body)
    headers = {_CRC_HEADER: _crc_base64(crc), "x-amz-sdk-checksum-algorithm": CRC.upper()}
    if not upload.verifies:
        headers["content-md5"] = hex_to_base64(digest_bytes(body, {"md5"})["md5"])
    answer = upload.bucket.call(
        "UploadPart",
        "PUT",
        upload.name,
        query={"partNumber": str(number), "uploadId": upload_id},
        headers=headers,
        body=body,
    )
    return Part(number, unquote_etag(answer.headers["etag"]), len(body), crc)


def complete(
    upload: Upload, upload_id: str, parts: list[Part], *, with_checksum: bool = True
) -> Answer:
    """Make the object of its parts, on the upload's conditions.

    A server that verifies checks it by the CRC of the whole; others may not know the word.
    """
    checksum, with_checksum = {}, with_checksum and upload.verifies
    if with_checksum:
        checksum = {
            _CRC_HEADER: hex_to_base64(whole_crc(parts)),
            "x-amz-checksum-type": "FULL_OBJECT",
        }
    if upload.look is not None:
        upload.look()
    body = "".join(_part_xml(part, with_crc=with_checksum) for part in parts)
    answer = upload.bucket.call(
        "CompleteMultipartUpload",
        "POST",
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


def abort(upload: Upload, upload_id: str) -> None:
    """Drop an upload and its parts; absent is no error, nor a server that keeps none to drop."""
    with suppress(ObjectNotFound, NotSupported):
        upload.bucket.call(
            "AbortMultipartUpload",
            "DELETE",
            upload.name,
            query={"uploadId": upload_id},
        )


def unfinished(bucket: Bucket, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the unfinished uploads below prefix: (key, upload id); none if it can't list them."""
    wanted, minio, found = bucket.prefix + prefix, False, False
    for answer in _upload_pages(bucket, wanted):
        minio = answer.headers.get("server") == "MinIO"
        for name, upload_id in _uploads_in(answer):
            found = True
            yield name[len(bucket.prefix) :], upload_id
    if minio and not found:  # takes the prefix for a whole key; all uploads it does list
        for answer in _upload_pages(bucket, ""):
            for name, upload_id in _uploads_in(answer):
                if name.startswith(wanted):
                    yield name[len(bucket.prefix) :], upload_id


def _upload_pages(bucket: Bucket, prefix: str) -> Iterator[Answer]:
    query = {"uploads": "", "prefix": prefix}
    while True:
        try:
            answer = bucket.call("ListMultipartUploads", "GET", query=query)
        except NotSupported:
            return
        yield answer
        found = answer.xml()
        if found.get("IsTruncated", "").strip() != "true":
            return
        query["key-marker"] = found.get("NextKeyMarker", "")
        query["upload-id-marker"] = found.get("NextUploadIdMarker", "")


def _uploads_in(answer: Answer) -> Iterator[tuple[str, str]]:
    for child in parse_xml(answer.body):
        fields = {local_name(one): one.text or "" for one in child}
        if local_name(child) == "Upload":
            yield fields["Key"], fields["UploadId"]


def held_parts(
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
            answer = upload.bucket.call("ListParts", "GET", upload.name, query=query)
        except ObjectNotFound:
            return None
        truncated = False
        for child in parse_xml(answer.body):
            tag = local_name(child)
            if tag == "Part":
                fields = {local_name(one): one.text or "" for one in child}
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


def whole_crc(parts: list[Part]) -> str:
    """Return the CRC of the object that the parts make, as hex."""
    pairs = [(part.crc, part.size_bytes) for part in parts]
    return crc_hex(CRC, combine_crcs(CRC, [(crc or 0, size) for crc, size in pairs]))


def _part_xml(part: Part, *, with_crc: bool) -> str:
    crc = ""
    if with_crc and part.crc is not None:
        crc = f"<ChecksumCRC64NVME>{_crc_base64(part.crc)}</ChecksumCRC64NVME>"
    etag = escape(f'"{part.etag}"')
    return f"<Part><PartNumber>{part.number}</PartNumber><ETag>{etag}</ETag>{crc}</Part>"


def _listed_part(fields: Mapping[str, str]) -> Part:
    crc = fields.get("ChecksumCRC64NVME")
    return Part(
        int(fields["PartNumber"]),
        unquote_etag(fields["ETag"]),
        int(fields["Size"]),
        int(base64_to_hex(crc), 16) if crc else None,
    )


def _crc_base64(crc: int) -> str:
    return hex_to_base64(crc_hex(CRC, crc))
