"""Walks a directory in the order of the keys' bytes, a directory at a time in memory."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from cloudflux.errors import PermissionDenied
from cloudflux.storage.file_paths import OWN_NAMES
from cloudflux.storage.file_system import translated
from cloudflux.storage.interface import CONTROL_PREFIX, Unreadable
from cloudflux.storage.keys import key_bytes


def walk(
    root: Path, prefix: str = "", start_after: str = "", *, own: Callable[[str], bool] | None = None
) -> Iterator[tuple[str, str] | Unreadable]:
    """Yield (key, path) of every name that is no directory; links are not followed.

    With `own`, yield instead the names of ours that it accepts.
    """
    after, wanted = key_bytes(start_after), key_bytes(prefix)
    top = os.fspath(root).rstrip("/") + "/"
    stack: list[Iterator[tuple[bytes, bool]]] = [iter(_names(root, b""))]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            continue
        name, is_directory = entry
        key = os.fsdecode(name)
        if is_directory:
            if _may_hold(name, wanted, after) and not _is_ours(key):
                try:
                    stack.append(iter(_names(root, name)))
                except PermissionDenied as error:
                    yield Unreadable(key, str(error))
            continue
        if not name.startswith(wanted) or name <= after:
            continue
        basename = key.rpartition("/")[2]
        if basename.startswith(OWN_NAMES):
            if own is not None and own(basename):
                yield key, top + key
        elif own is None:
            yield key, top + key


def _is_ours(directory_key: str) -> bool:
    return directory_key == CONTROL_PREFIX or directory_key.rstrip("/").rpartition("/")[
        2
    ].startswith(OWN_NAMES)


def _may_hold(directory: bytes, prefix: bytes, after: bytes) -> bool:
    if not (directory.startswith(prefix) or prefix.startswith(directory)):
        return False
    return directory > after or after.startswith(directory)


def _names(root: Path, directory: bytes) -> list[tuple[bytes, bool]]:
    """Key bytes of a directory's entries; directories end with a slash, so order is the keys'."""
    names = []
    with (
        translated("list", os.fsdecode(directory)),
        os.scandir(os.fsencode(root) + b"/" + directory) as entries,
    ):
        for entry in entries:
            is_directory = entry.is_dir(follow_symlinks=False)
            names.append((directory + entry.name + (b"/" if is_directory else b""), is_directory))
    names.sort()
    return names
