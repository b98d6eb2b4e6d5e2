"""Replacing and removing a name on condition of its content, so that a kill hides nobody's write.

A write between a look and a rename would be lost. So the names are exchanged (for a removal:
the name is taken aside) and what came out is looked at. An intent is written beside first: a
symbolic link whose text identifies what goes in and what is to come out. After a kill it tells
which of the two lies aside, by inode, size and modification time together: equal or not, never
newer or older, so that no clock is trusted.
"""

import hashlib
import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cloudflux.errors import PreconditionFailed
from cloudflux.storage import file_system as fs
from cloudflux.storage.file_paths import OWN_NAMES, Found, Paths
from cloudflux.storage.keys import printable

INTENT = f"{OWN_NAMES}intent-"
ASIDE = f"{OWN_NAMES}aside-"
SAVED = ".saved-by-cloudflux-"
"""Put behind a name when both a hidden write and a later one must be kept."""
_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Intent:
    """What an exchange was about to do."""

    fresh: str
    """Identity of what goes in; `-` for a removal."""
    out: str
    """Identity of the name that is to come out."""
    content: str
    """Version of the content that a link leads to; `-` when the name is the file itself."""
    name: str

    @property
    def removed(self) -> str:
        """What of the version of the content that is to go survives a rename."""
        return self.out if self.content == _NOTHING else fs.content_of(self.content)

    def text(self) -> str:
        """The text of the symbolic link."""
        return f"{self.fresh} {self.out} {self.content} {self.name}"


def intent_path(path: Path) -> Path:
    """Where the intent for a name lies."""
    return _beside(path, INTENT)


def aside_path(path: Path) -> Path:
    """Where what goes in or comes out lies for an instant."""
    return _beside(path, ASIDE)


def replace_if_unchanged(paths: Paths, found: Found, fresh: Path, key: str) -> None:
    """Put `fresh` in the place of the found name if its content is still the found one.

    Raises PreconditionFailed; then `fresh` is gone and the name is as its last writer left it.
    """
    path, aside = found.path, aside_path(found.path)
    intent = _write_intent(paths, found, key, _identity(fresh))
    try:
        fresh.rename(aside)
        fs.sync_directory(path.parent)
        exchanged = fs.exchange(aside, path)
        if not exchanged:  # this file system can't: the look before is all there is
            aside.replace(path)
        elif not _came_out(paths, intent, aside):
            raise changed(key)
    except BaseException:
        recover(paths, path)
        raise
    fs.sync_directory(path.parent)
    if exchanged:
        discard(paths, aside)
    intent_path(path).unlink()


def remove_if_unchanged(paths: Paths, found: Found, key: str) -> None:
    """Remove the found name if its content is still the found one. Raises PreconditionFailed."""
    path, aside = found.path, aside_path(found.path)
    intent = _write_intent(paths, found, key, _NOTHING)
    try:
        path.rename(aside)
        if not _came_out(paths, intent, aside):
            raise changed(key)
    except BaseException:
        recover(paths, path)
        raise
    discard(paths, aside)
    intent_path(path).unlink()
    fs.sync_directory(path.parent)


def left_at(name: str) -> bool:
    """Whether a kill may have left anything of an exchange at this path."""
    directory, _, last = name.rpartition("/")
    beside = _name_beside(last)
    return any(os.path.lexists(f"{directory}/{role}{beside}") for role in (INTENT, ASIDE))


def recover(paths: Paths, path: Path) -> str | None:
    """Finish or undo what a kill left of an exchange at `path`; cheap when there is nothing.

    Returns the content (inode, size, modification time) whose removal was finished, or None.
    """
    note, aside = intent_path(path), aside_path(path)
    intent = read_intent(note)
    removed = None
    if os.path.lexists(aside):
        if intent is not None and _identity(aside) == intent.fresh:
            discard(paths, aside)  # the exchange did not happen, or was undone
        elif intent is not None and _came_out(paths, intent, aside):
            discard(paths, aside)
            removed = intent.removed
        else:
            _give_back(paths, path, aside, intent.fresh if intent else _NOTHING)
    elif intent is None:
        return None
    elif intent.fresh == _NOTHING and not os.path.lexists(path):
        removed = intent.removed
    note.unlink(missing_ok=True)
    fs.sync_directory(path.parent)
    return removed


def replace(paths: Paths, fresh: Path, path: Path) -> None:
    """Put `fresh` in the place of whatever the name is; content in a tier goes with its link."""
    before = paths.resolve(path) if os.path.lexists(path) else None
    fresh.replace(path)
    if isinstance(before, Found) and before.tier is not None:
        before.content.unlink(missing_ok=True)
        fs.remove_empty_directories(before.content.parent, before.tier.path)


def discard(paths: Paths, name: Path) -> None:
    """Remove a name that is ours to remove, and the content in a tier that it leads to."""
    found = paths.resolve(name)
    if isinstance(found, Found) and found.tier is not None:
        found.content.unlink(missing_ok=True)
        fs.remove_empty_directories(found.content.parent, found.tier.path)
    name.unlink()


def read_intent(note: Path) -> Intent | None:
    """The intent in a link of ours, or None."""
    try:
        parts = os.fspath(note.readlink()).split(" ", 3)
    except OSError:
        return None
    return Intent(*parts) if len(parts) == 4 else None


def changed(key: str) -> PreconditionFailed:
    """The error of a content that is not the expected one."""
    return PreconditionFailed(
        f"{printable(key)} changed since it was listed; it is left as it is",
        backend="file",
        key=key,
    )


def _write_intent(paths: Paths, found: Found, key: str, fresh: str) -> Intent:
    recover(paths, found.path)
    expected = fs.version_of(found.status)
    out = _identity(found.path) if os.path.lexists(found.path) else _NOTHING
    if _version(found.content) != expected or (
        found.tier is not None and os.path.realpath(found.path) != os.fspath(found.content)
    ):
        raise changed(key)
    # The name of a file is its content; a link and the content behind it change apart.
    at_home = found.tier is None
    intent = Intent(
        fresh=fresh,
        out=fs.content_of(expected) if at_home else out,
        content=_NOTHING if at_home else expected,
        name=found.path.name,
    )
    intent_path(found.path).symlink_to(intent.text())
    return intent


def _came_out(paths: Paths, intent: Intent, aside: Path) -> bool:
    """Whether what lies aside is what was to come out, unchanged."""
    if _identity(aside) != intent.out:
        return False
    if intent.content == _NOTHING:
        return True
    content = paths.resolve(aside)
    # A link whose content was removed since holds nothing.
    return not isinstance(content, Found) or fs.version_of(content.status) == intent.content


def _give_back(paths: Paths, path: Path, aside: Path, fresh: str) -> None:
    """Bring somebody's write, which came out unasked, back to its name."""
    try:
        if not os.path.lexists(path):
            fs.rename_new(aside, path)
            return
        if _identity(path) == fresh:
            fs.exchange(aside, path)
            if _identity(aside) == fresh:
                discard(paths, aside)
                return
    except (FileExistsError, FileNotFoundError):
        pass  # the name was written or removed just now; both are kept below
    # The name was written again since. Neither write may go.
    if os.path.lexists(path) and _same_bytes(path, aside):
        aside.unlink()
        return
    fs.rename_new(aside, path.with_name(f"{path.name[:200]}{SAVED}{uuid.uuid4().hex[:12]}"))


def _same_bytes(first: Path, second: Path) -> bool:
    if first.is_symlink() or second.is_symlink():
        return os.path.realpath(first) == os.path.realpath(second)
    with suppress(OSError), first.open("rb") as one, second.open("rb") as other:
        digests = [hashlib.file_digest(stream, "sha256").digest() for stream in (one, other)]
        return digests[0] == digests[1]
    return False


def _identity(path: Path) -> str:
    """Inode, size and modification time of a name itself: what a rename keeps."""
    return fs.content_of(fs.version_of(path.lstat()))


def _version(content: Path) -> str | None:
    try:
        return fs.version_of(content.lstat())
    except FileNotFoundError:
        return None


def _beside(path: Path, role: str) -> Path:
    return path.with_name(f"{role}{_name_beside(path.name)}")


def _name_beside(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:24]
