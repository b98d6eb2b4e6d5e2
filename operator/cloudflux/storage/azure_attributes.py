"""What Azure says of a blob, and what a write must say to keep it, in our words and theirs.

Azure's names of metadata are identifiers: other characters are written as `_xHH_`. Headers
that Azure has not travel as metadata, and become headers again when the blob is read.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from azure.storage.blob import ContentSettings, StandardBlobTier

from cloudflux.errors import NotSupported
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import printable

CLASSES = ("Hot", "Cool", "Cold", "Archive")
ARCHIVE = "Archive"
MAX_METADATA_BYTES = 8 << 10
MAX_TAGS = 10

CHECKED = "cloudflux_checked"
"""Metadata of blobs that one Put Blob wrote: their MD5 is the server's own.

Of a blob made of blocks the server keeps whatever MD5 its writer claimed, and checks nothing.
"""
HEADER_PREFIX = "cloudflux_header_"
_SETTINGS = {
    "content-type": "content_type",
    "cache-control": "cache_control",
    "content-disposition": "content_disposition",
    "content-encoding": "content_encoding",
    "content-language": "content_language",
}
_PLAIN = re.compile(r"[A-Za-z0-9_]")
_ESCAPED = re.compile(r"_x([0-9a-f]{2})_")


def unquote_etag(etag: str) -> str:
    """An ETag without its quotes: our version token."""
    return etag.strip('"')


def from_properties(
    key: str, found: Any, *, tags: Mapping[str, str] | None = None, listed: bool = False
) -> ObjectInfo:
    """A blob as Get Blob Properties or a listing shows it."""
    tier = _tier(found)
    metadata, headers = split_metadata(found.metadata or {})
    return ObjectInfo(
        key=key,
        size_bytes=int(found.size),
        version=unquote_etag(found.etag),
        storage_class=tier,
        last_modified=found.last_modified.astimezone(dt.UTC),
        last_accessed=found.last_accessed_on.astimezone(dt.UTC) if found.last_accessed_on else None,
        checksums={} if listed else _checksums(found),
        metadata={} if listed else metadata,
        headers={} if listed else {**_headers(found.content_settings), **headers},
        tags=dict(tags or {}),
        archived=tier == ARCHIVE,
    )


def write_arguments(
    info: ObjectInfo | None,
    storage_class: str | None,
    metadata: Mapping[str, str] | None,
    *,
    key: str,
) -> dict[str, Any]:
    """Arguments of Put Blob and Put Block List that keep what `info` carries.

    Raises NotSupported when Azure can't hold it: nothing is dropped.
    """
    headers = dict(info.headers) if info else {}
    settings: dict[str, Any] = {
        name: headers.pop(header, None) for header, name in _SETTINGS.items()
    }
    kept = {
        **{escape_name(name): value for name, value in (info.metadata if info else {}).items()},
        **{escape_name(name): value for name, value in (metadata or {}).items()},
        **{HEADER_PREFIX + escape_name(name): value for name, value in headers.items()},
    }
    _require_fits(kept, key)
    arguments: dict[str, Any] = {"metadata": kept}
    if any(settings.values()):
        arguments["content_settings"] = ContentSettings(**settings)
    if storage_class:
        arguments["standard_blob_tier"] = StandardBlobTier(storage_class)
    if info and len(info.tags) > MAX_TAGS:
        raise NotSupported(
            f"{printable(key)}: it has {len(info.tags)} tags, and Azure holds {MAX_TAGS}; "
            "remove some at the source, nothing is dropped",
            backend="azure",
            operation="put",
            key=key,
        )
    if info and info.tags:
        arguments["tags"] = dict(info.tags)
    return arguments


def escape_name(name: str) -> str:
    """Metadata's name as an identifier; injective."""
    escaped = "".join(
        character if _PLAIN.match(character) else _escape(character)
        for character in _ESCAPED.sub(lambda found: f"_x5f_{found.group(0)[1:]}", name)
    )
    return _escape(escaped[0]) + escaped[1:] if escaped[:1].isdigit() else escaped


def unescape_name(name: str) -> str:
    """Undo `escape_name`."""
    raw = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), name)
    try:
        return raw.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return raw


def split_metadata(found: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Metadata and headers, as they were before `write_arguments`."""
    metadata, headers = {}, {}
    for name, value in found.items():
        if name.lower() == CHECKED:
            continue
        if name.lower().startswith(HEADER_PREFIX):
            headers[unescape_name(name[len(HEADER_PREFIX) :]).lower()] = value
        else:
            metadata[unescape_name(name)] = value
    return metadata, headers


def _escape(character: str) -> str:
    return "".join(f"_x{byte:02x}_" for byte in character.encode())


def _require_fits(metadata: Mapping[str, str], key: str) -> None:
    size = sum(len(name) + len(value) for name, value in metadata.items())
    bad = next((name for name, value in metadata.items() if not value.isascii()), None)
    if bad is not None:
        why = f"its metadata {printable(unescape_name(bad))} is not ASCII"
    elif size > MAX_METADATA_BYTES:
        why = f"its metadata have {size} bytes, and Azure holds {MAX_METADATA_BYTES}"
    else:
        return
    raise NotSupported(
        f"{printable(key)}: {why}; change them at the source, nothing is dropped",
        backend="azure",
        operation="put",
        key=key,
    )


def _tier(found: Any) -> str:
    tier = found.blob_tier
    return str(getattr(tier, "value", tier) or "Hot")


def _checksums(found: Any) -> dict[str, str]:
    md5 = found.content_settings.content_md5
    if md5 and any(name.lower() == CHECKED for name in found.metadata or {}):
        return {"md5": bytes(md5).hex()}
    return {}


def _headers(settings: Any) -> dict[str, str]:
    found = {header: getattr(settings, name) for header, name in _SETTINGS.items()}
    return {header: value for header, value in found.items() if value}
