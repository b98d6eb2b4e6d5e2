"""What S3's headers say of an object, and what a write must say to keep it."""

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

from cloudflux.errors import NotSupported, StorageError
from cloudflux.storage.digests import base64_to_hex
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import printable

CLASSES = (
    "STANDARD",
    "INTELLIGENT_TIERING",
    "STANDARD_IA",
    "ONEZONE_IA",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
)
ARCHIVED_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
CHECKSUMS = ("crc64nvme", "crc32c", "sha256", "crc32", "md5")
"""What a server may have computed, by preference; md5 only as the ETag of a write."""

METADATA = "x-amz-meta-"
MAX_METADATA_BYTES = 2 << 10
"""Of names and values, without their common start."""
MAX_TAGS = 10
CLASS = "x-amz-storage-class"
_CARRIED = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-website-redirect-location",
)
_PARTS = re.compile(r"-(\d+)$")
_NAME = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")


def unquote_etag(etag: str) -> str:
    """An ETag without its quotes: our version token."""
    return etag.strip('"')


def from_headers(key: str, headers: Mapping[str, str], tags: Mapping[str, str]) -> ObjectInfo:
    """What the answer to HeadObject or GetObject says of an object."""
    storage_class = headers.get(CLASS) or "STANDARD"
    try:
        etag = unquote_etag(headers["etag"])
        size_bytes = _size_of(headers)
        modified = parsedate_to_datetime(headers["last-modified"]).astimezone(dt.UTC)
    except (KeyError, ValueError):
        raise StorageError(
            f"{printable(key)}: the server tells no ETag, size or time of it", backend="s3", key=key
        ) from None
    return ObjectInfo(
        key=key,
        size_bytes=size_bytes,
        version=etag,
        storage_class=storage_class,
        last_modified=modified,
        checksums=checksums_of(headers),
        metadata={
            name[len(METADATA) :]: value
            for name, value in headers.items()
            if name.startswith(METADATA)
        },
        headers=_carried(headers),
        tags=dict(tags),
        archived=is_archived(storage_class, headers),
        multipart_parts=parts_of(etag),
    )


def parts_of(etag: str) -> int | None:
    """How many parts an ETag tells of; None for a single upload."""
    found = _PARTS.search(etag)
    return int(found.group(1)) if found else None


def is_archived(storage_class: str, headers: Mapping[str, str]) -> bool:
    """Whether a restore must come first."""
    if storage_class in ARCHIVED_CLASSES:
        return 'ongoing-request="false"' not in headers.get("x-amz-restore", "")
    return bool(headers.get("x-amz-archive-status"))


def checksums_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Digests of the whole object, hex. A digest of parts' digests proves nothing by itself."""
    if headers.get("x-amz-checksum-type", "").upper() == "COMPOSITE":
        return {}
    found = {name: headers.get(f"x-amz-checksum-{name}") for name in CHECKSUMS}
    return {
        name: base64_to_hex(value) for name, value in found.items() if value and "-" not in value
    }


def write_headers(
    info: ObjectInfo | None, storage_class: str | None, metadata: Mapping[str, str] | None
) -> dict[str, str]:
    """Headers of a write that keep what `info` carries. Raises NotSupported."""
    headers: dict[str, str] = {}
    if storage_class:
        headers[CLASS] = storage_class
    for name, value in {**(info.metadata if info else {}), **(metadata or {})}.items():
        headers[METADATA + _sendable(name.lower(), value)] = value
    size = sum(
        len(name) - len(METADATA) + len(value.encode())
        for name, value in headers.items()
        if name.startswith(METADATA)
    )
    if size > MAX_METADATA_BYTES or (info and len(info.tags) > MAX_TAGS):
        what = f"metadata of {size} bytes and {len(info.tags) if info else 0} tags"
        raise NotSupported(
            f"{printable(info.key) if info else 'the object'}: it has {what}, and S3 holds "
            f"{MAX_METADATA_BYTES} bytes and {MAX_TAGS} tags; nothing is dropped: shorten them "
            "at the source",
            backend="s3",
            operation="put",
        )
    if info:
        for name in _CARRIED:
            if name in info.headers:
                headers[name] = info.headers[name]
        if info.tags:
            headers["x-amz-tagging"] = urlencode(info.tags)
    return headers


def _size_of(headers: Mapping[str, str]) -> int:
    span = headers.get("content-range")
    return int(span.rpartition("/")[2]) if span else int(headers["content-length"])


def _sendable(name: str, value: str) -> str:
    if _NAME.match(name) and value.isprintable():
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            pass
        else:
            return name
    raise NotSupported(
        f"metadata {printable(name)}: S3 keeps names and values of plain characters only; change "
        "them at the source, nothing is dropped",
        backend="s3",
        operation="put",
    )


def _carried(headers: Mapping[str, str]) -> dict[str, str]:
    found = {name: headers.get(name, "") for name in _CARRIED}
    # aws-chunked is how some clients send, not what they store.
    found["content-encoding"] = ",".join(
        part.strip()
        for part in found["content-encoding"].split(",")
        if part.strip() not in ("", "aws-chunked")
    )
    return {name: value for name, value in found.items() if value}
