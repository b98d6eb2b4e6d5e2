"""Whether what was read is what the source's server says it holds."""

import re
import threading
from collections.abc import Mapping

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


class PieceDigests:
    """The CRC of a whole whose pieces come in any order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._found: dict[int, tuple[int, int]] = {}

    def add(self, start: int, data: bytes) -> None:
        """Add a piece; the same start again replaces it."""
        self._found[start] = (crc_of(self.name, data), len(data))

    def hex(self, size_bytes: int) -> Mapping[str, str]:
        """The digest; {} unless the pieces make up the whole."""
        ordered = [self._found[start] for start in sorted(self._found)]
        if sum(length for _, length in ordered) != size_bytes:
            return {}
        return {self.name: crc_hex(self.name, combine_crcs(self.name, ordered))}
