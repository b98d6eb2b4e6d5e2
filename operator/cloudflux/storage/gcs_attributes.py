"""What GCS says of an object, and what a write must say to keep it, in our words and theirs.

Tags are object contexts. Headers that GCS has not travel as metadata, and become headers again
when the object is read.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from cloudflux.errors import NotSupported
from cloudflux.storage.digests import base64_to_hex
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import printable

CLASSES = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE")
CHECKSUMS = ("crc32c", "md5")
MAX_METADATA_BYTES = 8 << 10
HEADER_PREFIX = "cloudflux-header-"
_HEADERS = {
    "content-type": "contentType",
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
}
HEADER_FIELDS = tuple(_HEADERS.values())
_BLOB_HEADERS = {
    "content-type": "content_type",
    "cache-control": "cache_control",
    "content-disposition": "content_disposition",
    "content-encoding": "content_encoding",
    "content-language": "content_language",
}
NEVER = 1
"""A generation that no object has: generations are microseconds since 1970."""


def generation(version: str) -> int:
    """The generation of a version; what is none matches nothing (0 would mean "absent")."""
    return (int(version) if version.isascii() and version.isdigit() else 0) or NEVER


def from_blob(key: str, blob: Any, *, listed: bool = False) -> ObjectInfo:
    """An object as the SDK shows it, from a listing or whole."""
    metadata, headers = _split(blob.metadata or {})
    known = {header: getattr(blob, name) for header, name in _BLOB_HEADERS.items()}
    known = {header: value for header, value in known.items() if value}
    return ObjectInfo(
        key=key,
        size_bytes=int(blob.size),
        version=str(blob.generation),
        storage_class=blob.storage_class,
        last_modified=blob.updated.astimezone(dt.UTC),
        checksums={} if listed else checksums_of({"crc32c": blob.crc32c, "md5Hash": blob.md5_hash}),
        metadata={} if listed else metadata,
        headers={} if listed else {**known, **headers},
        tags={} if listed else _tags(blob.contexts or {}),
    )


def checksums_of(resource: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the whole object, hex; the server computes them all."""
    found = {"crc32c": resource.get("crc32c"), "md5": resource.get("md5Hash")}
    return {name: base64_to_hex(value) for name, value in found.items() if value}


def resource(
    name: str,
    info: ObjectInfo | None,
    storage_class: str | None,
    metadata: Mapping[str, str] | None,
    *,
    key: str,
) -> dict[str, Any]:
    """The resource of an object to write, which keeps what `info` carries.

    Raises NotSupported when GCS can't hold it: nothing is dropped.
    """
    headers = dict(info.headers) if info else {}
    body: dict[str, Any] = {"name": name}
    for header, field in _HEADERS.items():
        if header in headers:
            body[field] = headers.pop(header)
    kept = {
        **(info.metadata if info else {}),
        **(metadata or {}),
        **{HEADER_PREFIX + header: value for header, value in headers.items()},
    }
    size = sum(len(name.encode()) + len(value.encode()) for name, value in kept.items())
    if size > MAX_METADATA_BYTES:
        raise NotSupported(
            f"{printable(key)}: its metadata have {size} bytes, and GCS holds "
            f"{MAX_METADATA_BYTES}; shorten them at the source, nothing is dropped",
            backend="gcs",
            operation="put",
            key=key,
        )
    if kept:
        body["metadata"] = kept
    if storage_class:
        body["storageClass"] = storage_class
    if info and info.tags:
        body["contexts"] = {"custom": {tag: {"value": value} for tag, value in info.tags.items()}}
    return body


def require_kept(asked: Mapping[str, Any], stored: Mapping[str, Any], key: str) -> None:
    """Raise NotSupported when the server silently dropped the class, metadata or tags."""
    dropped = [
        word
        for field, word in (("storageClass", "storage class"), ("metadata", "metadata"))
        if field in asked and stored.get(field) != asked[field]
    ]
    if "contexts" in asked and _tags(stored.get("contexts") or {}) != _tags(asked["contexts"]):
        dropped.append("tags (object contexts)")
    if dropped:
        raise NotSupported(
            f"{printable(key)}: the server wrote it but dropped its {' and '.join(dropped)}",
            backend="gcs",
            operation="put",
            key=key,
        )


def keep(found: Any, target: Any) -> None:
    """Give the SDK's `target` what a rewrite with a new class would drop of `found`."""
    for name in (*_BLOB_HEADERS.values(), "custom_time"):
        value = getattr(found, name)
        if value is not None:
            setattr(target, name, value)
    if found.metadata:
        target.metadata = dict(found.metadata)
    if _tags(found.contexts or {}):
        target.contexts = found.contexts


def _split(found: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    metadata, headers = {}, {}
    for name, value in found.items():
        if name.startswith(HEADER_PREFIX):
            headers[name.removeprefix(HEADER_PREFIX)] = value
        else:
            metadata[name] = value
    return metadata, headers


def _tags(contexts: Mapping[str, Any]) -> dict[str, str]:
    custom = contexts.get("custom") or {}
    return {str(tag): str(payload.get("value", "")) for tag, payload in custom.items()}
