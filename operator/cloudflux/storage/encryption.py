"""Checks what a location says of encryption, before a request is made with it."""

import base64
import binascii
from dataclasses import dataclass

from cloudflux.api.common import EncryptionType
from cloudflux.api.task import StoreRef
from cloudflux.errors import ConfigurationError

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """What a location asks for; `secret` is a key of 32 bytes, kept out of every message."""

    type: EncryptionType
    key: str | None = None
    secret: bytes = b""

    def __repr__(self) -> str:
        return f"Asked({self.type.value})"


def encryption_of(ref: StoreRef, *possible: EncryptionType) -> Asked | None:
    """What `ref` asks for. Raises ConfigurationError where the store can't do it."""
    wanted = ref.encryption
    if wanted is None or (wanted.type is EncryptionType.CLIENT and wanted.type not in possible):
        return None  # what the mover encrypts itself is nothing to the store
    if wanted.type not in possible:
        names = ", ".join(one.value for one in possible) or "none"
        raise ConfigurationError(
            f"{ref.uri}: encryption.type {wanted.type.value} is not for this store; it has {names}"
        )
    if wanted.type in (EncryptionType.CUSTOMER, EncryptionType.CLIENT):
        if wanted.secret is None:
            raise ConfigurationError(
                f"{ref.uri}: encryption.type {wanted.type.value} needs keySecretRef, a Secret "
                "whose encryptionKey is 32 random bytes in base64"
            )
        return Asked(wanted.type, secret=key_bytes(wanted.secret.get_secret_value(), ref.uri))
    return Asked(wanted.type, key=wanted.key)


def key_bytes(text: str, where: str) -> bytes:
    """A key out of its base64. Raises ConfigurationError, never showing it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"{where}: the encryption key must be {KEY_BYTES} bytes in base64; make one with "
            "`openssl rand -base64 32`"
        )
    return key
