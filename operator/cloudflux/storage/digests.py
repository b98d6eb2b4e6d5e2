"""Digests of a stream in one pass, in every algorithm that some store computes itself."""

import base64
import hashlib
import zlib
from collections.abc import Mapping
from typing import BinaryIO

from awscrt import checksums as crt

from cloudflux.errors import IntegrityError

ALGORITHMS = ("sha256", "md5", "crc32", "crc32c", "crc64nvme")
_CRC_BYTES = {"crc32": 4, "crc32c": 4, "crc64nvme": 8}
CHUNK_BYTES = 1 << 20


class Digests:
    """All digests of the bytes given so far."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc32 = self._crc32c = self._crc64nvme = 0

    def update(self, data: bytes) -> None:
        """Add bytes."""
        self.size_bytes += len(data)
        self._sha256.update(data)
        self._md5.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self._crc32c = crt.crc32c(data, self._crc32c)
        self._crc64nvme = crt.crc64nvme(data, self._crc64nvme)

    def hex(self) -> Mapping[str, str]:
        """The digests as hex, by algorithm."""
        crcs = {"crc32": self._crc32, "crc32c": self._crc32c, "crc64nvme": self._crc64nvme}
        return {
            "sha256": self._sha256.hexdigest(),
            "md5": self._md5.hexdigest(),
            **{name: f"{value:0{2 * _CRC_BYTES[name]}x}" for name, value in crcs.items()},
        }


class DigestingReader:
    """Wraps a stream; every byte that is read through it is digested."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digests = Digests()

    def read(self, size: int = -1, /) -> bytes:
        """Read as the wrapped stream does."""
        data = self._stream.read(size)
        self.digests.update(data)
        return data


def digest_stream(stream: BinaryIO) -> Digests:
    """Digest a stream to its end."""
    digests = Digests()
    while data := stream.read(CHUNK_BYTES):
        digests.update(data)
    return digests


def hex_to_base64(digest: str) -> str:
    """A hex digest in the form of S3 headers."""
    return base64.b64encode(bytes.fromhex(digest)).decode("ascii")


def base64_to_hex(digest: str) -> str:
    """A digest of an S3 header as hex."""
    return base64.b64decode(digest).hex()


def compare(expected: Mapping[str, str], actual: Mapping[str, str], what: str) -> None:
    """Raise IntegrityError where two sets of digests share an algorithm and differ."""
    for algorithm in expected.keys() & actual.keys():
        if expected[algorithm] != actual[algorithm]:
            raise IntegrityError(
                f"{what}: {algorithm} is {actual[algorithm]}, expected {expected[algorithm]}; "
                "the copy is not to be trusted and nothing was deleted"
            )
