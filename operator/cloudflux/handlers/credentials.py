"""Secrets to credentials: by name, labelled, and only for the endpoints that they list."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from cloudflux.api.tasks import Credentials
from cloudflux.errors import CloudFluxError
from cloudflux.handlers.resources import CREDENTIALS_LABEL, ENDPOINTS_ANNOTATION


class SecretNotFound(CloudFluxError):
    """The Secret is missing, unlabelled, or lacks a key."""

    reason = "SecretNotFound"


class SecretRefused(CloudFluxError):
    """The Secret is not meant for this endpoint."""

    reason = "EndpointRefused"


def how_to_create(namespace: str, name: str) -> str:
    """The commands that make the Secret."""
    return (
        f"kubectl -n {namespace} create secret generic {name} --from-literal=accessKeyId=… "
        f"--from-literal=secretAccessKey=… && kubectl -n {namespace} label secret {name} "
        f"{CREDENTIALS_LABEL}=true"
    )


def from_secret(raw: Mapping[str, Any], endpoint: str | None) -> Credentials:
    """Credentials of a Secret. Raises SecretNotFound or SecretRefused, never showing a value."""
    meta = raw["metadata"]
    name, namespace = meta["name"], meta.get("namespace", "default")
    if CREDENTIALS_LABEL not in (meta.get("labels") or {}):
        raise SecretNotFound(
            f"Secret {name} is not labelled {CREDENTIALS_LABEL}: run "
            f"kubectl -n {namespace} label secret {name} {CREDENTIALS_LABEL}=true"
        )
    listed = [
        item.strip().rstrip("/")
        for item in (meta.get("annotations") or {}).get(ENDPOINTS_ANNOTATION, "").split(",")
        if item.strip()
    ]
    if listed and (endpoint or "aws").rstrip("/") not in listed:
        raise SecretRefused(
            f"Secret {name} may be sent to {', '.join(listed)} only; add the endpoint to its "
            f"annotation {ENDPOINTS_ANNOTATION}"
        )
    data = raw.get("data") or {}
    missing = [key for key in ("accessKeyId", "secretAccessKey") if not data.get(key)]
    if missing:
        raise SecretNotFound(
            f"Secret {name} lacks {' and '.join(missing)}: run kubectl -n {namespace} delete "
            f"secret {name}, then {how_to_create(namespace, name)}"
        )
    token = data.get("sessionToken")
    return Credentials(
        access_key_id=_decode(name, data["accessKeyId"]),
        secret_access_key=SecretStr(_decode(name, data["secretAccessKey"])),
        session_token=SecretStr(_decode(name, token)) if token else None,
    )


def _decode(name: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        raise SecretNotFound(f"Secret {name} holds a value that is not text") from None
