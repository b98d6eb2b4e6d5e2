"""The headers of server-side encryption: which request needs which.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
"""

import base64
import hashlib
from collections.abc import Mapping

from cloudflux.api.common import EncryptionType
from cloudflux.storage.encryption import Asked

SSE = "x-amz-server-side-encryption"
KMS_TYPES = ("aws:kms", "aws:kms:dsse")
_CUSTOMER = f"{SSE}-customer"
_SOURCE = "x-amz-copy-source-server-side-encryption-customer"
_WRITES = frozenset({"PutObject", "CreateMultipartUpload"})
_COPIES = frozenset({"CopyObject", "UploadPartCopy"})
_TOUCHES = _WRITES | _COPIES | {"UploadPart", "HeadObject", "GetObject"}


class ServerSide:
    """What a location's requests say; nothing where it asks for nothing."""

    def __init__(self, asked: Asked | None) -> None:
        self._write: dict[str, str] = {}
        self._customer: dict[str, str] = {}
        self._source: dict[str, str] = {}
        if asked is None:
            return
        match asked.type:
            case EncryptionType.PROVIDER:
                self._write = {SSE: "AES256"}
            case EncryptionType.KMS:
                self._write = {SSE: "aws:kms"}
                if asked.key:
                    self._write[f"{SSE}-aws-kms-key-id"] = asked.key
            case EncryptionType.CUSTOMER:
                self._customer = _key_headers(_CUSTOMER, asked.secret)
                self._source = _key_headers(_SOURCE, asked.secret)

    def headers(self, operation: str) -> Mapping[str, str]:
        """What a request of this operation adds. A copy keeps the object's own encryption."""
        found = self._write if operation in _WRITES else {}
        if operation in _TOUCHES:
            found = {**found, **self._customer}
        if operation in _COPIES:
            found = {**found, **self._source}
        return found


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers that keep an object's encryption on a copy, whatever the bucket's default is."""
    if headers.get(SSE) in KMS_TYPES:
        names = (SSE, f"{SSE}-aws-kms-key-id", f"{SSE}-bucket-key-enabled")
        return {name: headers[name] for name in names if name in headers}
    return {SSE: headers[SSE]} if headers.get(SSE) else {}


def _key_headers(start: str, key: bytes) -> dict[str, str]:
    # MD5 is S3's own check that the key came over whole
    digest = hashlib.md5(key, usedforsecurity=False).digest()
    return {
        f"{start}-algorithm": "AES256",
        f"{start}-key": base64.b64encode(key).decode(),
        f"{start}-key-md5": base64.b64encode(digest).decode(),
    }
