"""Where a file location may reach: allowed roots, keys to paths, links into tiers."""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from cloudflux.errors import ConfigurationError, LocationRefused, NotSupported, PermissionDenied
from cloudflux.storage.keys import printable

TIERS_NAME = ".cloudflux-tiers"
"""Directory in each tier root; below it each location has a directory of its own."""
REAL_SECONDS = 1.0
"""A directory that was found to be real is taken for real so long; with a look before each use,
too, a link could be put there between the look and the use."""
REMEMBERED = 4096
_UNSAFE = frozenset({"", ".", ".."})
OWN_NAMES = ".cloudflux-"
"""Names that begin so are ours (temporary files, tiers); listings never show them."""


@dataclass(frozen=True, slots=True)
class TierRoot:
    """A tier of a file location."""

    uri: str
    path: Path
    contents: Path
    """Where this location's content in this tier lives."""


@dataclass(frozen=True, slots=True)
class Found:
    """A key resolved to the regular file that holds its content."""

    path: Path
    """The name that the key stands for."""
    content: Path
    status: os.stat_result
    """Of the content."""
    tier: TierRoot | None
    """The tier that a link leads to; None at home."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A name that is no object, with the reason."""

    reason: str


class Paths:
    """The paths of one location, checked once when it is opened."""

    def __init__(self, uri: str, file_roots: Sequence[str], tier_roots: Sequence[str]) -> None:
        """Raises ConfigurationError, LocationRefused."""
        self.root = allowed_path(uri, file_roots)
        identity = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        self._own = f"{self.root.name or 'root'}-{identity}"
        self._top = f"{os.fspath(self.root).rstrip('/')}/"
        self._real: dict[str, float] = {}
        self._granted = [Path(os.path.realpath(root)) for root in file_roots]
        self.uri = path_uri(self.root)
        self.home_uri = self.uri
        tiers = []
        for tier_uri in tier_roots:
            path = allowed_path(tier_uri, file_roots)
            if path == self.root or path in self.root.parents:
                # This tier is where the location lies: its files are at home there.
                self.home_uri = tier_uri.rstrip("/")
            else:
                tiers.append(TierRoot(tier_uri.rstrip("/"), path, path / TIERS_NAME / self._own))
        self.tiers = tuple(sorted(tiers, key=lambda tier: len(tier.path.parts), reverse=True))

    def path(self, key: str) -> Path:
        """The path of a key. Raises NotSupported, or PermissionDenied for a link in the way."""
        return Path(self.name(key))

    def name(self, key: str) -> str:
        """The same as text: a path takes longer to make than a small file to read."""
        segments = key.split("/")
        if not key or "\0" in key or not _UNSAFE.isdisjoint(segments):
            raise NotSupported(
                f"{printable(key)!r} is no safe path; empty, . and .. segments are refused",
                backend="file",
                key=key,
            )
        if OWN_NAMES in key and any(segment.startswith(OWN_NAMES) for segment in segments):
            raise NotSupported(
                f"{printable(key)}: names that begin with {OWN_NAMES} are CloudFlux's own",
                backend="file",
                key=key,
            )
        name = f"{self._top}{key}"
        if len(segments) > 1 and not self._is_real(name.rpartition("/")[0]):
            raise PermissionDenied(
                f"{printable(key)}: a directory on the way is a symbolic link; it is not followed",
                backend="file",
                key=key,
            )
        return name

    def _is_real(self, directory: str) -> bool:
        """Whether no link is on the way; looked at again after a second."""
        now = time.monotonic()
        if now - self._real.get(directory, -REAL_SECONDS) < REAL_SECONDS:
            return True
        if os.path.realpath(directory) != directory:
            return False
        if len(self._real) >= REMEMBERED:
            self._real.clear()
        self._real[directory] = now
        return True

    def resolve(self, path: Path) -> Found | Entry:
        """What a path is. Raises OSError (FileNotFoundError when nothing is there)."""
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return self._resolve_link(path)
        if not stat.S_ISREG(status.st_mode):
            return Entry("is no regular file (a device, pipe, socket or directory)")
        if status.st_nlink > 1:
            return Entry(f"has {status.st_nlink} hard links; moving one name would split them")
        return Found(path, path, status, None)

    def storage_class(self, found: Found) -> str:
        """The root that holds the content, as a URI."""
        return found.tier.uri if found.tier else self.home_uri

    def tier(self, target: str) -> TierRoot | None:
        """The tier with this URI; None is home. Raises NotSupported for an unknown one."""
        wanted = target.rstrip("/")
        if wanted in (self.home_uri, self.uri):
            return None
        for tier in self.tiers:
            if wanted in (tier.uri, path_uri(tier.path)):
                return tier
        known = ", ".join([self.home_uri, *(tier.uri for tier in self.tiers)])
        raise NotSupported(f"{target} is no tier of {self.uri}; use one of {known}", backend="file")

    def _resolve_link(self, path: Path) -> Found | Entry:
        content = Path(os.path.realpath(path))
        tier = self._tier_of(content)
        if isinstance(tier, Entry):
            return tier
        try:
            status = content.lstat()
        except OSError:
            return Entry(f"is a link to {tier.uri} whose content is missing")
        if not stat.S_ISREG(status.st_mode):
            return Entry("is a symbolic link to something that is no regular file")
        return Found(path, content, status, tier)

    def _tier_of(self, content: Path) -> TierRoot | Entry:
        """The tier whose directory for this location holds a path; links lead nowhere else.

        No policy need name the tier any more: the directory bears the location's identity,
        and it counts only inside a granted root.
        """
        parts = content.parts
        if TIERS_NAME not in parts[:-2]:
            inside = self.root in content.parents
            where = "inside the location" if inside else "out of the location"
            return Entry(f"is a symbolic link {where}; links are not followed")
        at = parts.index(TIERS_NAME)
        root = Path(*parts[:at])
        if parts[at + 1] != self._own or not _within(root, self._granted):
            return Entry("is a symbolic link to another location's content")
        known = next((tier for tier in self.tiers if tier.path == root), None)
        return known or TierRoot(path_uri(root), root, root / TIERS_NAME / self._own)


def _within(path: Path, roots: Iterable[Path]) -> bool:
    return any(path == root or root in path.parents for root in roots)


def allowed_path(uri: str, file_roots: Iterable[str]) -> Path:
    """The real path of a file URI. Raises LocationRefused outside `file_roots`."""
    scheme, separator, rest = uri.partition("://")
    if scheme != "file" or not separator or not rest.startswith("/"):
        raise ConfigurationError(f"{uri}: write file:// and an absolute path, as file:///srv/data")
    given = os.fsdecode(unquote_to_bytes(rest))
    if "\0" in given or ".." in given.split("/"):
        raise LocationRefused(f"{uri}: .. is refused; write the path out")
    path = Path(os.path.realpath(given))
    if not _within(path, [Path(os.path.realpath(root)) for root in file_roots]):
        raise LocationRefused(
            f"{uri}: outside the directories that the operator's settings allow for this "
            "namespace; ask for it to be added to file_roots"
        )
    return path


def path_uri(path: Path) -> str:
    """The URI of a path."""
    return "file://" + quote_from_bytes(os.fsencode(path), safe="/")
