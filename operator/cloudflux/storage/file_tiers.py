"""Tiers of files: the content moves to another root and a symbolic link takes its place.

The name is never absent and always leads to whole content: the content is copied and read
back first, then the name is exchanged atomically, then the old content is removed. A crash
in between leaves a stray copy, which the next call recognises and removes.
"""

import os
import uuid
from contextlib import suppress
from pathlib import Path

from cloudflux.storage import file_attributes
from cloudflux.storage import file_system as fs
from cloudflux.storage.file_exchange import replace_if_unchanged
from cloudflux.storage.file_paths import OWN_NAMES, Found, Paths, TierRoot
from cloudflux.storage.keys import key_bytes

TEMPORARY = f"{OWN_NAMES}tmp-"


def temporary_beside(path: Path) -> Path:
    """A new temporary name in the same directory."""
    return path.with_name(f"{TEMPORARY}{uuid.uuid4()}")


def move(paths: Paths, key: str, found: Found, target: TierRoot | None) -> None:
    """Bring the content of `found` to a tier, or home (None). Repeatable after a crash."""
    if target is None:
        fresh = temporary_beside(found.path)
        file_attributes.copy_verified(found.content, fresh, key)
    else:
        content = content_path(target, key)
        fs.make_directories(content.parent)
        temporary = temporary_beside(content)
        file_attributes.copy_verified(found.content, temporary, key)
        temporary.rename(content)
        fs.sync_directory(content.parent)
        fresh = temporary_beside(found.path)
        fresh.symlink_to(content)
    try:
        replace_if_unchanged(paths, found, fresh, key)
    except BaseException:
        fresh.unlink(missing_ok=True)
        if target is not None:
            remove_stray(paths, key, target)
        raise
    remove_strays(paths, key)


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
