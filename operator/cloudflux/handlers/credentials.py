"""Secrets to credentials: by name, labelled, and only for the endpoints that they list."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from cloudflux.api.task import AnyCredentials, AzureCredentials, Credentials, GcsCredentials
from cloudflux.errors import CloudFluxError
from cloudflux.handlers.resources import CREDENTIALS_LABEL, ENDPOINTS_ANNOTATION

_LITERALS = {
    "s3": "--from-literal=accessKeyId=… --from-literal=secretAccessKey=…",
    "az": "--from-literal=accountName=… --from-literal=accountKey=…",
    "gs": "--from-file=serviceAccountJson=key.json",
}


class SecretNotFound(CloudFluxError):
    """The Secret is missing, unlabelled, or lacks a key."""

    reason = "SecretNotFound"


class SecretRefused(CloudFluxError):
    """The Secret is not meant for this endpoint."""

    reason = "EndpointRefused"


def how_to_create(namespace: str, name: str, uri: str) -> str:
    """The commands that make the Secret for a location."""
    literals = _LITERALS.get(_scheme(uri), _LITERALS["s3"])
    return (
        f"kubectl -n {namespace} create secret generic {name} {literals} && "
        f"kubectl -n {namespace} label secret {name} {CREDENTIALS_LABEL}=true"
    )


def from_secret(
    raw: Mapping[str, Any], endpoint: str | None, uri: str, *, must_list: bool = False
) -> AnyCredentials:
    """Credentials of a Secret for a location; `must_list`: only if it lists the endpoint.

    Raises SecretNotFound or SecretRefused, never showing a value.
    """
    meta = raw["metadata"]
    name, namespace = meta["name"], meta.get("namespace", "default")
    if CREDENTIALS_LABEL not in (meta.get("labels") or {}):
        raise SecretNotFound(
            f"Secret {name} is not labelled {CREDENTIALS_LABEL}: run "
            f"kubectl -n {namespace} label secret {name} {CREDENTIALS_LABEL}=true"
        )
    secret = _Secret(name, namespace, uri, raw.get("data") or {})
    found: AnyCredentials
    match _scheme(uri):
        case "az":
            used, found = endpoint or "", _azure(secret, endpoint or "")
        case "gs":
            used, found = endpoint or "https://storage.googleapis.com", _gcs(secret)
        case _:
            used, found = endpoint or "aws", _s3(secret)
    listed = [
        item.strip().rstrip("/")
        for item in (meta.get("annotations") or {}).get(ENDPOINTS_ANNOTATION, "").split(",")
        if item.strip()
    ]
    if must_list and not listed:
        raise SecretRefused(
            f"{used} comes from a marker that anybody who may write to the bucket could have left "
            f"there; if it is right, let Secret {name} be sent there: kubectl -n {namespace} "
            f"annotate secret {name} {ENDPOINTS_ANNOTATION}={used}"
        )
    if listed and used.rstrip("/") not in listed:
        raise SecretRefused(
            f"Secret {name} may be sent to {', '.join(listed)} only; add the endpoint to its "
            f"annotation {ENDPOINTS_ANNOTATION}"
        )
    return found


def how_to_create_key(namespace: str, name: str) -> str:
    """The commands that make a Secret with a new encryption key."""
    return (
        f"kubectl -n {namespace} create secret generic {name} "
        "--from-literal=encryptionKey=$(openssl rand -base64 32) && "
        f"kubectl -n {namespace} label secret {name} {CREDENTIALS_LABEL}=true"
    )


def key_from_secret(raw: Mapping[str, Any]) -> SecretStr:
    """The encryption key of a Secret. Raises SecretNotFound, never showing it."""
    meta = raw["metadata"]
    name, namespace = meta["name"], meta.get("namespace", "default")
    if CREDENTIALS_LABEL not in (meta.get("labels") or {}):
        raise SecretNotFound(
            f"Secret {name} is not labelled {CREDENTIALS_LABEL}: run "
            f"kubectl -n {namespace} label secret {name} {CREDENTIALS_LABEL}=true"
        )
    found = _Secret(name, namespace, "", raw.get("data") or {}).get("encryptionKey")
    if found is None:
        raise SecretNotFound(
            f"Secret {name} lacks encryptionKey: run {how_to_create_key(namespace, name)}"
        )
    return SecretStr(found)


class _Secret:
    """The data of one Secret, read key by key."""

    def __init__(self, name: str, namespace: str, uri: str, data: Mapping[str, str]) -> None:
        self.name, self._namespace, self._uri, self._data = name, namespace, uri, data

    def get(self, key: str) -> str | None:
        """A value as text; None where the key is absent or empty."""
        value = self._data.get(key)
        if not value:
            return None
        try:
            return base64.b64decode(value, validate=True).decode().strip()
        except (binascii.Error, UnicodeDecodeError):
            raise SecretNotFound(f"Secret {self.name} holds a value that is not text") from None

    def require(self, *keys: str) -> tuple[str, ...]:
        """Values that must all be there."""
        found = [self.get(key) for key in keys]
        missing = [key for key, value in zip(keys, found, strict=True) if value is None]
        if missing:
            raise self.lacks(" and ".join(missing))
        return tuple(value or "" for value in found)

    def lacks(self, what: str) -> SecretNotFound:
        """The error that says what is missing and how to make the Secret anew."""
        return SecretNotFound(
            f"Secret {self.name} lacks {what}: run kubectl -n {self._namespace} delete "
            f"secret {self.name}, then {how_to_create(self._namespace, self.name, self._uri)}"
        )


def _s3(secret: _Secret) -> Credentials:
    key_id, key = secret.require("accessKeyId", "secretAccessKey")
    token = secret.get("sessionToken")
    return Credentials(
        access_key_id=key_id,
        secret_access_key=SecretStr(key),
        session_token=SecretStr(token) if token else None,
    )


def _azure(secret: _Secret, endpoint: str) -> AzureCredentials:
    text = secret.get("connectionString")
    if text is None:
        (account,) = secret.require("accountName")
        key, sas = secret.get("accountKey"), secret.get("sasToken")
    else:
        pairs = dict(part.partition("=")[::2] for part in text.split(";") if part)
        host = urlsplit(pairs.get("BlobEndpoint", "")).hostname or ""
        account = pairs.get("AccountName") or host.partition(".")[0]
        key, sas = pairs.get("AccountKey"), pairs.get("SharedAccessSignature")
        _require_same_endpoint(secret, pairs, account, endpoint)
    if not account:
        raise secret.lacks("the account's name")
    if not key and not sas:
        raise secret.lacks("accountKey or sasToken")
    return AzureCredentials(
        account=account,
        account_key=SecretStr(key) if key else None,
        sas_token=SecretStr(sas.lstrip("?")) if sas else None,
    )


def _require_same_endpoint(
    secret: _Secret, pairs: Mapping[str, str], account: str, endpoint: str
) -> None:
    """Refuse a connection string that leads elsewhere: only the location's endpoint is checked."""
    suffix = pairs.get("EndpointSuffix", "core.windows.net")
    named = pairs.get("BlobEndpoint") or f"https://{account}.blob.{suffix}"
    if named.rstrip("/") != endpoint.rstrip("/"):
        raise SecretRefused(
            f"the connection string of Secret {secret.name} is for {named}; write that into the "
            "location's endpoint, or correct it"
        )


def _gcs(secret: _Secret) -> GcsCredentials:
    if (secret.get("anonymous") or "").lower() == "true":
        return GcsCredentials()
    (key,) = secret.require("serviceAccountJson")
    try:
        kind = json.loads(key)["type"]
    except (ValueError, LookupError, TypeError):
        kind = None
    if kind != "service_account":
        raise secret.lacks("the key file of a service account in serviceAccountJson")
    return GcsCredentials(service_account=SecretStr(key))


def _scheme(uri: str) -> str:
    return uri.partition("://")[0]
