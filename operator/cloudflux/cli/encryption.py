"""How a location is encrypted, as the command line says it."""

from pathlib import Path

from pydantic import SecretStr

from cloudflux.api.common import EncryptionType
from cloudflux.api.task import StoreEncryption, StoreRef
from cloudflux.errors import ConfigurationError

ENCRYPTION_HELP = (
    "Provider, Kms, Kms=KEY, Scope=NAME, Customer=FILE or Client=FILE; "
    "FILE holds 32 random bytes in base64."
)
_WITH_FILE = (EncryptionType.CUSTOMER, EncryptionType.CLIENT)


def encrypted(ref: StoreRef, words: str | None) -> StoreRef:
    """The location with the encryption that the words ask for. Raises ConfigurationError."""
    if words is None:
        return ref
    name, _, value = words.partition("=")
    known = {one.value.lower(): one for one in EncryptionType}
    wanted = known.get(name.lower())
    if wanted is None:
        raise ConfigurationError(f"{words}: unknown encryption; write {ENCRYPTION_HELP}")
    secret = read_key(Path(value)) if wanted in _WITH_FILE else None
    key = None if wanted in _WITH_FILE else value or None
    asked = StoreEncryption(type=wanted, key=key, secret=secret)
    return ref.model_copy(update={"encryption": asked})


def read_key(path: Path) -> SecretStr:
    """The key in a file. Raises ConfigurationError."""
    try:
        return SecretStr(path.expanduser().read_text().strip())
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"{path}: the key can't be read; make one with `openssl rand -base64 32`"
        ) from None
