"""The format of objects that are encrypted before they leave us: chunked AES-256-GCM.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar: Online Authenticated-Encryption and
its Nonce-Reuse Misuse-Resistance, 2015): chunks of 64 KiB, each with a nonce of a prefix, a
counter and a mark on the last one, so that none can be altered, dropped, repeated, reordered or
cut off. Each object has a key and a prefix of its own, derived (HKDF-SHA-256) from the given key
and a random salt. Names are not bound: the manifest tells objects that were exchanged.

| bytes | what |
|---|---|
| 8 | magic `CFXSEAL1` |
| 8 | id of the key: the start of its SHA-256 over a label |
| 32 | salt |
| n | chunks: up to 64 KiB each, and 16 bytes of tag; at least one, which may be empty |
"""

import hashlib
import io
import os
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cloudflux.errors import ConfigurationError, IntegrityError
from cloudflux.storage.parts import read_exactly

MAGIC = b"CFXSEAL1"
KEY_ID_BYTES = 8
SALT_BYTES = 32
HEADER_BYTES = len(MAGIC) + KEY_ID_BYTES + SALT_BYTES
CHUNK_BYTES = 64 << 10
TAG_BYTES = 16
_PREFIX_BYTES = 7


def key_id(key: bytes) -> str:
    """A name of the key that tells nothing of it, as hex."""
    return hashlib.sha256(b"cloudflux key id" + key).hexdigest()[: 2 * KEY_ID_BYTES]


def sealed_bytes(size_bytes: int) -> int:
    """The size that content of this size has when it is sealed."""
    chunks = max(1, -(-size_bytes // CHUNK_BYTES))
    return HEADER_BYTES + size_bytes + chunks * TAG_BYTES


def content_bytes(size_bytes: int) -> int | None:
    """The size of the content of a sealed object; None when no content has that size."""
    body = size_bytes - HEADER_BYTES
    chunks = -(-body // (CHUNK_BYTES + TAG_BYTES))
    content = body - chunks * TAG_BYTES
    return content if content >= 0 and sealed_bytes(content) == size_bytes else None


class _Chunks:
    """The cipher of one object's chunks."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        derived = HKDF(SHA256(), 32 + _PREFIX_BYTES, salt, b"cloudflux seal 1").derive(key)
        self._cipher, self._prefix = AESGCM(derived[:32]), derived[32:]
        self._header = MAGIC + bytes.fromhex(key_id(key)) + salt

    def nonce(self, number: int, *, last: bool) -> bytes:
        return self._prefix + number.to_bytes(4, "big") + (b"\1" if last else b"\0")

    def seal(self, number: int, data: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self.nonce(number, last=last), data, self._header)

    def open(self, number: int, data: bytes, *, last: bool) -> bytes:
        return self._cipher.decrypt(self.nonce(number, last=last), data, self._header)


class Sealing(io.RawIOBase):
    """A stream of sealed bytes over a stream of content, which is digested as it passes."""

    def __init__(self, content: BinaryIO, key: bytes) -> None:
        salt = os.urandom(SALT_BYTES)
        self._content, self._chunks = content, _Chunks(key, salt)
        self._ready = bytearray(MAGIC + bytes.fromhex(key_id(key)) + salt)
        self._next: bytes | None = None
        self._number, self._ended = 0, False
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """Of the content so far, as hex."""
        return self._sha256.hexdigest()

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read as any stream does, in full where more follows."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            self._ready += self._seal_one()
        return _taken(self._ready, size)

    def _seal_one(self) -> bytes:
        data = self._take() if self._next is None else self._next
        # only the chunk that follows tells whether this one is the last
        self._next = self._take() if len(data) == CHUNK_BYTES else b""
        self._ended = not self._next
        sealed = self._chunks.seal(self._number, data, last=self._ended)
        self._number += 1
        return sealed

    def _take(self) -> bytes:
        data = read_exactly(self._content, CHUNK_BYTES)
        self._sha256.update(data)
        self.size_bytes += len(data)
        return data


class Opening(io.RawIOBase):
    """The content of a stream of sealed bytes, which it closes. Raises IntegrityError."""

    def __init__(self, sealed: BinaryIO, key: bytes, name: str) -> None:
        """`name` is for messages. Raises ConfigurationError when it is another key's."""
        self._sealed, self._name = sealed, name
        header = read_exactly(sealed, HEADER_BYTES)
        if header[: len(MAGIC)] != MAGIC or len(header) != HEADER_BYTES:
            raise IntegrityError(f"{name}: it was not encrypted by cloudflux, or was altered")
        used = header[len(MAGIC) : len(MAGIC) + KEY_ID_BYTES].hex()
        if used != key_id(key):
            raise ConfigurationError(
                f"{name}: it was encrypted with the key {used}, and the key given is "
                f"{key_id(key)}; give the key with that id"
            )
        self._chunks = _Chunks(key, header[-SALT_BYTES:])
        self._next: bytes | None = None
        self._number, self._ended, self._ready = 0, False, bytearray()

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read as any stream does, in full where more follows."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            self._ready += self._open_one()
        return _taken(self._ready, size)

    def close(self) -> None:
        """Close both."""
        self._sealed.close()
        super().close()

    def _open_one(self) -> bytes:
        whole = CHUNK_BYTES + TAG_BYTES
        data = read_exactly(self._sealed, whole) if self._next is None else self._next
        self._next = read_exactly(self._sealed, whole) if len(data) == whole else b""
        self._ended = not self._next
        try:
            content = self._chunks.open(self._number, data, last=self._ended)
        except (InvalidTag, ValueError):
            raise IntegrityError(
                f"{self._name}: the encrypted bytes were altered or cut off (chunk "
                f"{self._number}); it is not to be trusted"
            ) from None
        self._number += 1
        return content


def _taken(ready: bytearray, size: int) -> bytes:
    found = bytes(ready) if size < 0 else bytes(ready[:size])
    del ready[: len(found)]
    return found
