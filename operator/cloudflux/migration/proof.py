"""Whether what was read is what the source's server says it holds."""

import re
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cloudflux.storage.digests import combine_crcs, crc_hex, crc_of
from cloudflux.storage.interface import Capabilities, ObjectInfo

COMBINED = ("crc64nvme", "crc32c", "crc32")
"""Digests of a whole that follow from those of its pieces, in any order of reading."""
PREFERRED = (*COMBINED, "md5", "sha256")
"""By what they cost."""
_MD5 = re.compile(r"^[0-9a-f]{32}$")


class Origin:
    """What the source's server says of its objects' content; thread-safe.

    Where it tells no checksum, a version that looks like an MD5 is taken for one, until two
    readings of the same bytes show that on this server it is none.
    """

    def __init__(self, capabilities: Capabilities) -> None:
        self._versions_are_md5 = capabilities.version_may_be_md5
        self._confirmed = False
        self._lock = threading.Lock()

    def expected(self, info: ObjectInfo) -> Mapping[str, str]:
        """The digest to compare with, by its name; {} when the server tells none."""
        for name in PREFERRED:
            if name in info.checksums:
                return {name: info.checksums[name]}
        likely = self._versions_are_md5 and _MD5.match(info.version)
        return {"md5": info.version} if likely else {}

    def agrees(self, info: ObjectInfo, digests: Mapping[str, str]) -> bool:
        """Whether what was read is what is held there."""
        expected = self.expected(info)
        if any(digests.get(name) != value for name, value in expected.items()):
            return False
        if "md5" in expected and "md5" not in info.checksums:
            self._confirmed = True
        return True

    def excused(self, info: ObjectInfo) -> bool:
        """Whether a lasting difference only shows that versions are no MD5 here."""
        if not self._versions_are_md5 or self._confirmed:
            return False
        if any(name in info.checksums for name in PREFERRED):
            return False
        with self._lock:
            self._versions_are_md5 = False
        return True


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an object as it was read: its size, and its CRCs by name."""

    size_bytes: int
    crcs: Mapping[str, int]


class PieceDigests:
    """The CRCs of a whole whose pieces come in any order; thread-safe."""

    def __init__(self, names: Collection[str], known: Mapping[int, Piece] | None = None) -> None:
        """`known` pieces, by where they start, were read before."""
        self._names = frozenset(names)
        self._found = dict(known or {})

    def add(self, start: int, data: bytes) -> Piece:
        """Add a piece; the same start again replaces it."""
        piece = Piece(len(data), {name: crc_of(name, data) for name in self._names})
        self._found[start] = piece
        return piece

    def recall(self, start: int, length: int, name: str) -> int | None:
        """A CRC of a piece as it was read last; None when it is not known."""
        piece = self._found.get(start)
        return piece.crcs.get(name) if piece is not None and piece.size_bytes == length else None

    def hex(self, size_bytes: int) -> Mapping[str, str]:
        """The digests; {} unless the pieces make up the whole."""
        ordered = [self._found[start] for start in sorted(self._found)]
        if sum(piece.size_bytes for piece in ordered) != size_bytes:
            return {}
        return {
            name: crc_hex(
                name, combine_crcs(name, [(one.crcs[name], one.size_bytes) for one in ordered])
            )
            for name in self._names
            if all(name in one.crcs for one in ordered)
        }
