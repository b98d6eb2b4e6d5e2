"""The arguments of Azure's SDK that say how a blob is encrypted."""

import base64
import hashlib
from typing import Any

from azure.storage.blob import CustomerProvidedEncryptionKey

from cloudflux.api.common import EncryptionType
from cloudflux.errors import ConfigurationError
from cloudflux.storage.encryption import Asked

TYPES = (EncryptionType.PROVIDER, EncryptionType.SCOPE, EncryptionType.CUSTOMER)


def arguments_of(asked: Asked | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of writes and of reads."""
    if asked is None or asked.type is EncryptionType.PROVIDER:
        return {}, {}
    if asked.type is EncryptionType.SCOPE:
        if not asked.key:
            raise ConfigurationError("encryption.type Scope needs key: the encryption scope's name")
        return {"encryption_scope": asked.key}, {}
    key = CustomerProvidedEncryptionKey(
        base64.b64encode(asked.secret).decode(),
        base64.b64encode(hashlib.sha256(asked.secret).digest()).decode(),
    )
    return {"cpk": key}, {"cpk": key}
