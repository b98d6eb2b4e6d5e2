"""What travels with a file: mode, owner, times, extended attributes; and with an object: metadata.

Other stores hold a file's attributes as metadata under `cloudflux-…` names; a file holds an
object's metadata, headers and tags in one extended attribute, where the file system has them.
"""

import base64
import datetime as dt
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cloudflux.errors import IntegrityError
from cloudflux.storage import file_system as fs
from cloudflux.storage.digests import CHUNK_BYTES
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import printable

_CARRIER = "user.cloudflux.object"
_MODE, _UID, _GID = "cloudflux-mode", "cloudflux-uid", "cloudflux-gid"
_MODIFIED = "cloudflux-mtime-ns"
_XATTRS = "cloudflux-xattrs"
_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)
_OF_THE_FILE = frozenset({_MODE, _UID, _GID, _MODIFIED, _XATTRS})


def time_of(nanoseconds: int) -> dt.datetime:
    """A time of a file in UTC, to the microsecond."""
    return _EPOCH + dt.timedelta(microseconds=nanoseconds // 1000)


def read_attributes(
    content: Path | int, status: os.stat_result
) -> tuple[dict[str, str], dict[str, Any]]:
    """Metadata of a file, with its own attributes; and the headers and tags that it carries."""
    metadata = {
        _MODE: f"{stat.S_IMODE(status.st_mode):04o}",
        _UID: str(status.st_uid),
        _GID: str(status.st_gid),
        _MODIFIED: str(status.st_mtime_ns),
    }
    carried: dict[str, Any] = {}
    xattrs: dict[str, str] = {}
    with suppress(OSError):
        for name in sorted(os.listxattr(content)):
            value = os.getxattr(content, name)
            if name == _CARRIER:
                with suppress(ValueError):
                    carried = json.loads(value)
            elif name.startswith("user."):
                xattrs[name] = base64.b64encode(value).decode("ascii")
    if xattrs:
        metadata[_XATTRS] = base64.b64encode(json.dumps(xattrs).encode()).decode("ascii")
    return {**carried.get("metadata", {}), **metadata}, carried


def copy_verified(source: Path, target: Path, key: str) -> None:
    """Copy a file with its attributes, durably, and read the copy back. Raises IntegrityError."""
    try:
        with fs.open_unnoticed(source) as reading, target.open("xb") as writing:
            digest = hashlib.sha256()
            while data := reading.read(CHUNK_BYTES):
                digest.update(data)
                writing.write(data)
            writing.flush()
            os.fsync(writing.fileno())
            # Read back from the disk rather than from memory.
            os.posix_fadvise(writing.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with target.open("rb") as copy:
            proof = hashlib.file_digest(copy, "sha256")
        if proof.digest() != digest.digest():
            raise IntegrityError(
                f"{printable(key)}: the copy read back differs from what was written; "
                "the original is untouched; check the target disk"
            )
        fs.copy_attributes(source, target)
        # Attributes must be as durable as the bytes before the original is given up.
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def write_attributes(
    descriptor: int, info: ObjectInfo | None, metadata: Mapping[str, str] | None
) -> None:
    """Give an open new file what `info` and `metadata` say; owner and xattrs where permitted."""
    given = {**(info.metadata if info else {}), **(metadata or {})}
    with suppress(PermissionError, ValueError):
        if _UID in given and _GID in given:
            os.fchown(descriptor, int(given[_UID]), int(given[_GID]))
    with suppress(ValueError):
        os.fchmod(descriptor, int(given.get(_MODE, "0644"), 8) & 0o777)
    carrier = {
        "metadata": {name: value for name, value in given.items() if name not in _OF_THE_FILE},
        "headers": dict(info.headers) if info else {},
        "tags": dict(info.tags) if info else {},
    }
    xattrs = _decode_xattrs(given.get(_XATTRS))
    if any(carrier.values()):
        xattrs[_CARRIER] = json.dumps(carrier).encode()
    for name, value in xattrs.items():
        with suppress(OSError):
            os.setxattr(descriptor, name, value)
    modified_ns = _modified_ns(given, info)
    if modified_ns is not None:
        os.utime(descriptor, ns=(modified_ns, modified_ns))


def _decode_xattrs(text: str | None) -> dict[str, bytes]:
    if text is None:
        return {}
    try:
        decoded = json.loads(base64.b64decode(text))
        return {
            name: base64.b64decode(value)
            for name, value in decoded.items()
            if name.startswith("user.") and name != _CARRIER
        }
    except (ValueError, AttributeError, TypeError):
        # Someone else's metadata of the same name; it says nothing to us.
        return {}


def _modified_ns(given: Mapping[str, str], info: ObjectInfo | None) -> int | None:
    if given.get(_MODIFIED, "").isdigit():
        return int(given[_MODIFIED])
    if info is None:
        return None
    return (info.last_modified - _EPOCH) // dt.timedelta(microseconds=1) * 1000
