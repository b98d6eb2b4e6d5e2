"""Tiers of files: the content moves to another root and a symbolic link takes its place.

The name is never absent and always leads to whole content: the content is copied and read
back first, then the name is exchanged atomically, then the old content is removed. Content in
a tier has a name of its own that is never used again, so that a link may be renamed by its
user; content is removed only together with the link that leads to it.
"""

import os
import uuid
from pathlib import Path

from cloudflux.storage import file_attributes
from cloudflux.storage import file_system as fs
from cloudflux.storage.file_exchange import discard, replace_if_unchanged
from cloudflux.storage.file_paths import OWN_NAMES, Found, Paths, TierRoot
from cloudflux.storage.keys import key_bytes

TEMPORARY = f"{OWN_NAMES}tmp-"
_NAME_BYTES = 240
"""So much of a name is kept in a tier; with the suffix it fits into 255 bytes."""


def temporary_beside(path: Path) -> Path:
    """A new temporary name in the same directory."""
    return path.with_name(f"{TEMPORARY}{uuid.uuid4()}")


def move(paths: Paths, key: str, found: Found, target: TierRoot | None) -> None:
    """Bring the content of `found` to a tier, or home (None). Repeatable after a crash."""
    fresh = temporary_beside(found.path)
    try:
        if target is None:
            file_attributes.copy_verified(found.content, fresh, key)
        else:
            _place(found, fresh, target, key)
        replace_if_unchanged(paths, found, fresh, key)
    except BaseException:
        if os.path.lexists(fresh):
            discard(paths, fresh)
        raise


def _place(found: Found, fresh: Path, target: TierRoot, key: str) -> None:
    """Copy the content to a tier and let the link `fresh` lead to it."""
    content = _new_content(target, key)
    fs.make_directories(content.parent)
    temporary = temporary_beside(content)
    file_attributes.copy_verified(found.content, temporary, key)
    # The link comes first: after a kill it tells of the content.
    fresh.symlink_to(content)
    temporary.rename(content)
    fs.sync_directory(content.parent)


def _new_content(tier: TierRoot, key: str) -> Path:
    directory, _, name = key_bytes(key).rpartition(b"/")
    unique = name[:_NAME_BYTES] + b"." + uuid.uuid4().hex[:12].encode()
    return tier.contents / os.fsdecode(directory) / os.fsdecode(unique)
