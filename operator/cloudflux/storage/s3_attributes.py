"""What S3 says of an object, and what a write must say to keep it, in our words and theirs."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from cloudflux.storage.digests import base64_to_hex
from cloudflux.storage.interface import ObjectInfo

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
CHECKSUMS = ("crc64nvme", "crc32c", "sha256", "crc32")

_HEADERS = {
    "content-type": "ContentType",
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "expires": "Expires",
    "x-amz-website-redirect-location": "WebsiteRedirectLocation",
}
_PARTS = re.compile(r"-(\d+)$")


def unquote_etag(etag: str) -> str:
    """An ETag without its quotes: our version token."""
    return etag.strip('"')


def from_listing(key: str, entry: Mapping[str, Any]) -> ObjectInfo:
    """An entry of ListObjectsV2."""
    storage_class = entry.get("StorageClass", "STANDARD")
    etag = unquote_etag(entry["ETag"])
    return ObjectInfo(
        key=key,
        size_bytes=int(entry["Size"]),
        version=etag,
        storage_class=storage_class,
        last_modified=entry["LastModified"].astimezone(dt.UTC),
        archived=storage_class in ARCHIVED_CLASSES,
        multipart_parts=parts_of(etag),
    )


def from_head(key: str, answer: Mapping[str, Any], tags: Mapping[str, str]) -> ObjectInfo:
    """The answer to HeadObject."""
    storage_class = answer.get("StorageClass", "STANDARD")
    etag = unquote_etag(answer["ETag"])
    return ObjectInfo(
        key=key,
        size_bytes=int(answer["ContentLength"]),
        version=etag,
        storage_class=storage_class,
        last_modified=answer["LastModified"].astimezone(dt.UTC),
        checksums=checksums_of(answer),
        metadata=dict(answer.get("Metadata", {})),
        headers=_headers_of(answer),
        tags=dict(tags),
        archived=is_archived(storage_class, answer),
        multipart_parts=parts_of(etag),
    )


def parts_of(etag: str) -> int | None:
    """How many parts an ETag tells of; None for a single upload."""
    found = _PARTS.search(etag)
    return int(found.group(1)) if found else None


def is_archived(storage_class: str, answer: Mapping[str, Any]) -> bool:
    """Whether a restore must come first."""
    if storage_class in ARCHIVED_CLASSES:
        return 'ongoing-request="false"' not in answer.get("Restore", "")
    return bool(answer.get("ArchiveStatus"))


def checksums_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the whole object, hex. A digest of parts' digests proves nothing by itself."""
    if answer.get("ChecksumType") == "COMPOSITE":
        return {}
    found = {name: answer.get(f"Checksum{name.upper()}") for name in CHECKSUMS}
    return {
        name: base64_to_hex(value) for name, value in found.items() if value and "-" not in value
    }


def write_arguments(
    info: ObjectInfo | None, storage_class: str | None, metadata: Mapping[str, str] | None
) -> dict[str, Any]:
    """Arguments of PutObject and CreateMultipartUpload that keep what `info` carries."""
    arguments: dict[str, Any] = {}
    if storage_class:
        arguments["StorageClass"] = storage_class
    kept = {**(info.metadata if info else {}), **(metadata or {})}
    if kept:
        arguments["Metadata"] = kept
    if info:
        for header, name in _HEADERS.items():
            if header in info.headers:
                arguments[name] = info.headers[header]
        if info.tags:
            arguments["Tagging"] = urlencode(info.tags)
    return arguments


def encryption_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that keep a KMS key on a copy; other encryption is the bucket's own."""
    if answer.get("ServerSideEncryption") not in ("aws:kms", "aws:kms:dsse"):
        return {}
    names = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
    return {name: answer[name] for name in names if name in answer}


def _headers_of(answer: Mapping[str, Any]) -> dict[str, str]:
    found = {header: answer.get(name) for header, name in _HEADERS.items()}
    found["expires"] = answer.get("ExpiresString")
    # aws-chunked is how some clients send, not what they store.
    encoding = ",".join(
        part.strip()
        for part in (found["content-encoding"] or "").split(",")
        if part.strip() not in ("", "aws-chunked")
    )
    found["content-encoding"] = encoding
    return {header: value for header, value in found.items() if value}
