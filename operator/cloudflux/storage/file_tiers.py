"""Tiers of files: the content moves to another root and a symbolic link takes its place.

The name is never absent and always leads to whole content: the content is copied and read
back first, then the name is exchanged atomically, then the old content is removed. A crash
in between leaves a stray copy, which the next call recognises and removes.
"""

import hashlib
import os
import uuid
from contextlib import suppress
from pathlib import Path

from cloudflux.errors import IntegrityError, PreconditionFailed
from cloudflux.storage import file_system as fs
from cloudflux.storage.digests import CHUNK_BYTES
from cloudflux.storage.file_paths import OWN_NAMES, Found, Paths, TierRoot
from cloudflux.storage.keys import key_bytes, printable

TEMPORARY = f"{OWN_NAMES}tmp-"
_SWAPPED = f"{OWN_NAMES}swapped-"


def temporary_beside(path: Path) -> Path:
    """A new temporary name in the same directory."""
    return path.with_name(f"{TEMPORARY}{uuid.uuid4()}")


def named_beside(path: Path, role: str) -> Path:
    """The one name that a role has for this path, so that a repeat finds what a crash left."""
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:24]
    return path.with_name(f"{role}{digest}")


def move(paths: Paths, key: str, found: Found, target: TierRoot | None) -> None:
    """Bring the content of `found` to a tier, or home (None). Repeatable after a crash."""
    if target is None:
        fresh = temporary_beside(found.path)
        copy_verified(found.content, fresh, key)
    else:
        content = content_path(target, key)
        fs.make_directories(content.parent)
        temporary = temporary_beside(content)
        copy_verified(found.content, temporary, key)
        temporary.rename(content)
        fs.sync_directory(content.parent)
        fresh = temporary_beside(found.path)
        fresh.symlink_to(content)
    try:
        replace_if_unchanged(found, fresh, key)
    except BaseException:
        fresh.unlink(missing_ok=True)
        if target is not None:
            remove_stray(paths, key, target)
        raise
    remove_strays(paths, key)


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


def replace_if_unchanged(found: Found, fresh: Path, key: str) -> None:
    """Put `fresh` in the place of the found name if its content is still the found one.

    The names are exchanged first and what came out is looked at: a write between a look
    and a rename would be lost otherwise.
    """
    expected = fs.version_of(found.status)
    require(found.content, expected, key)
    swapped = named_beside(found.path, _SWAPPED)
    fresh.rename(swapped)
    if not fs.exchange(swapped, found.path):
        swapped.replace(found.path)
        fs.sync_directory(found.path.parent)
        return
    # What came out is the file itself, or the link that led to it.
    out = swapped if found.tier is None else found.content
    try:
        unchanged = fs.content_of(fs.version_of(out.lstat())) == fs.content_of(expected)
        unchanged = unchanged and swapped.is_symlink() == (found.tier is not None)
    except FileNotFoundError:
        unchanged = False
    if not unchanged:
        fs.exchange(swapped, found.path)
        swapped.unlink()
        raise _changed(key)
    fs.sync_directory(found.path.parent)
    swapped.unlink()
    fs.sync_directory(found.path.parent)


def recover(paths: Paths, path: Path, key: str) -> None:
    """Finish what a crash between the exchange and its look left beside `path`."""
    swapped = named_beside(path, _SWAPPED)
    if not os.path.lexists(swapped):
        return
    if swapped.is_symlink() or not os.path.lexists(path):
        # A link holds no content; without the name, what was swapped out is the only copy.
        if os.path.lexists(path):
            swapped.unlink()
        else:
            swapped.rename(path)
        return
    present, out = path.stat(), swapped.stat()
    if (present.st_size, present.st_mtime_ns) == (out.st_size, out.st_mtime_ns):
        swapped.unlink()
        return
    # Written to while it was swapped: the newer bytes win. What was swapped is older when the
    # crash came before the exchange: then it is the copy, and the link leads to what was written.
    if path.is_symlink() and out.st_mtime_ns > present.st_mtime_ns:
        swapped.replace(path)
        remove_strays(paths, key)
    else:
        swapped.unlink()


def require(content: Path, version: str, key: str) -> None:
    """Raise PreconditionFailed unless the file is of this version."""
    try:
        same = fs.version_of(content.lstat()) == version
    except FileNotFoundError:
        same = False
    if not same:
        raise _changed(key)


def content_path(tier: TierRoot, key: str) -> Path:
    """Where a key's content lives in a tier."""
    return tier.contents / os.fsdecode(key_bytes(key))


def remove_strays(paths: Paths, key: str) -> None:
    """Remove copies of a key's content in every tier that its name does not lead to."""
    for tier in paths.tiers:
        remove_stray(paths, key, tier)


def remove_stray(paths: Paths, key: str, tier: TierRoot) -> None:
    """Remove this location's copy in a tier unless the name leads to it."""
    content = content_path(tier, key)
    path = paths.root / key
    if not content.is_file() or content.is_symlink():
        return
    if path.is_symlink() and Path(os.path.realpath(path)) == Path(os.path.realpath(content)):
        return
    with suppress(FileNotFoundError):
        content.unlink()
        fs.sync_directory(content.parent)
    fs.remove_empty_directories(content.parent, tier.path)


def _changed(key: str) -> PreconditionFailed:
    return PreconditionFailed(
        f"{printable(key)} changed since it was listed; it is left as it is",
        backend="file",
        operation="change_class",
        key=key,
    )
