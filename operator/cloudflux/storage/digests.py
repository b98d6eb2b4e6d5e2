"""Digests of a stream in one pass, in every algorithm that some store computes itself."""

import base64
import hashlib
import io
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, BinaryIO

from awscrt import checksums as crt

from cloudflux.errors import IntegrityError

ALGORITHMS = ("sha256", "md5", "crc32", "crc32c", "crc64nvme")
DAMAGED = "the bytes were damaged on their way; look at the network if it goes on"
"""What stores say when the other side's digest is not that of the bytes that came."""
CHUNK_BYTES = 1 << 20

_CRC_BITS = {"crc32": 32, "crc32c": 32, "crc64nvme": 64}
_CRC_POLYNOMIALS = {"crc32": 0xEDB88320, "crc32c": 0x82F63B78, "crc64nvme": 0x9A6C9329AC4BC9B5}
"""Reflected, as https://reveng.sourceforge.io/crc-catalogue/ lists them."""
_CRCS: Mapping[str, Callable[[Any, int], int]] = {
    "crc32": zlib.crc32,
    "crc32c": crt.crc32c,
    "crc64nvme": crt.crc64nvme,
}


class Digests:
    """Digests of the bytes given so far, in the algorithms asked for."""

    def __init__(self, names: Collection[str] = ALGORITHMS) -> None:
        self.size_bytes = 0
        self._hashes = {
            name: hashlib.new(name, usedforsecurity=False)
            for name in ("sha256", "md5")
            if name in names
        }
        self._crcs = {name: 0 for name in _CRCS if name in names}

    def update(self, data: bytes) -> None:
        """Add bytes."""
        self.size_bytes += len(data)
        for hash_ in self._hashes.values():
            hash_.update(data)
        for name, value in self._crcs.items():
            self._crcs[name] = _CRCS[name](data, value)

    def hex(self) -> Mapping[str, str]:
        """The digests as hex, by algorithm."""
        found = {name: hash_.hexdigest() for name, hash_ in self._hashes.items()}
        return {**found, **{name: crc_hex(name, value) for name, value in self._crcs.items()}}


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


class Whole(io.BytesIO):
    """A small object's whole content, whose digests are known: a store need not compute them."""

    def __init__(self, data: bytes, digests: Mapping[str, str]) -> None:
        super().__init__(data)
        self.data, self.digests = data, digests


def digest_bytes(data: bytes, names: Collection[str]) -> Mapping[str, str]:
    """Digests of bytes as hex, by algorithm."""
    digests = Digests(names)
    digests.update(data)
    return digests.hex()


def digest_stream(stream: BinaryIO) -> Digests:
    """Digest a stream to its end."""
    digests = Digests()
    while data := stream.read(CHUNK_BYTES):
        digests.update(data)
    return digests


def crc_hex(name: str, value: int) -> str:
    """A CRC as hex."""
    return f"{value:0{_CRC_BITS[name] // 4}x}"


def crc_of(name: str, data: bytes) -> int:
    """The CRC of some bytes."""
    return _CRCS[name](data, 0)


def combine_crcs(name: str, parts: Sequence[tuple[int, int]]) -> int:
    """The CRC of a whole from (crc, size in bytes) of its parts in order.

    Appending n bytes multiplies a CRC by x^(8n) modulo its polynomial, as zlib's
    crc32_combine does.
    """
    whole = 0
    for crc, size_bytes in parts:
        whole = _multiply(name, _shift(name, size_bytes), whole) ^ crc
    return whole


@lru_cache(maxsize=64)
def _shift(name: str, size_bytes: int) -> int:
    """x^(8 n) modulo the polynomial, reflected: the highest bit is x^0."""
    bits = _CRC_BITS[name]
    result, power = 1 << (bits - 1), 1 << (bits - 1 - 8)  # x^0 and x^8
    while size_bytes:
        if size_bytes & 1:
            result = _multiply(name, result, power)
        power = _multiply(name, power, power)
        size_bytes >>= 1
    return result


def _multiply(name: str, left: int, right: int) -> int:
    polynomial, bit = _CRC_POLYNOMIALS[name], 1 << (_CRC_BITS[name] - 1)
    product = 0
    while bit:
        if left & bit:
            product ^= right
        right = (right >> 1) ^ (polynomial if right & 1 else 0)
        bit >>= 1
    return product


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
