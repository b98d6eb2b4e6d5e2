"""Put Blob over our lean HTTP client: the SDK spends several times the processor time on it.

Everything that is not sent once for each small object stays with the SDK. How requests are
signed: https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key
"""

import base64
import hmac
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import quote, urlsplit

from azure.storage.blob import BlobServiceClient

from cloudflux.storage.http_client import Pool
from cloudflux.storage.pooling import ca_bundle

SCOPE = "https://storage.azure.com/.default"
RENEW_SECONDS = 300
"""A token that ends so soon is replaced."""
_SIGNED = (
    "content-encoding", "content-language", "content-length", "content-md5", "content-type",
    "date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; headers by lower-case name."""

    status: int
    headers: Mapping[str, str]


class Sender:
    """Sends requests of one account and identity; thread-safe."""

    def __init__(self, client: BlobServiceClient, *, user_agent: str, public_only: bool) -> None:
        """Use the identity and the service version of the SDK's client."""
        split = urlsplit(client.url)
        self._host, self._base = split.netloc, split.path.rstrip("/")
        self._pool = Pool(
            f"{split.scheme}://{split.netloc}", ca_file=ca_bundle(), public_only=public_only
        )
        self._account = str(client.account_name)
        self._credential = client.credential
        self._fixed = {"host": self._host, "user-agent": user_agent}
        self._version = client.api_version
        self._lock = threading.Lock()
        self._token: tuple[str, float] = ("", 0.0)

    def put(self, container: str, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send Put Blob. Raises TransportError, and the identity's own errors."""
        path = f"{self._base}/{quote(container)}/{quote(name, safe='/~')}"
        sent = {
            **self._fixed,
            **headers,
            "x-ms-version": self._version,
            "x-ms-date": formatdate(usegmt=True),
        }
        query = self._authorize("PUT", path, sent, len(body))
        with_query = f"{path}?{query}" if query else path
        response = self._pool.request("PUT", with_query, sent, body)
        response.read()
        return Answer(response.status, response.headers)

    def _authorize(self, method: str, path: str, headers: dict[str, str], size: int) -> str:
        """Add what proves who we are; returns the query, which a shared signature is."""
        credential: Any = self._credential
        if hasattr(credential, "account_key"):
            account = credential.account_name
            signed = {**headers, **({"content-length": str(size)} if size else {})}
            text = string_to_sign(method, path, signed, account)
            digest = hmac.digest(base64.b64decode(credential.account_key), text.encode(), "sha256")
            headers["authorization"] = f"SharedKey {account}:{base64.b64encode(digest).decode()}"
        elif hasattr(credential, "signature"):
            return str(credential.signature).lstrip("?")
        elif credential is not None:
            headers["authorization"] = f"Bearer {self._bearer(credential)}"
        return ""

    def _bearer(self, credential: Any) -> str:
        with self._lock:
            token, ends_at = self._token
            if time.time() > ends_at - RENEW_SECONDS:
                found = credential.get_token(SCOPE)
                token, ends_at = found.token, float(found.expires_on)
                self._token = token, ends_at
            return token


def string_to_sign(method: str, path: str, headers: Mapping[str, str], account: str) -> str:
    """What the key signs, for a request without a query."""
    lower = {name.lower(): value for name, value in headers.items()}
    plain = "\n".join(lower.get(name, "") for name in _SIGNED)
    ours = sorted((name for name in lower if name.startswith("x-ms-")), key=_service_order)
    marked = "".join(f"{name}:{lower[name]}\n" for name in ours)
    return f"{method}\n{plain}\n{marked}/{account}{path}"


def _service_order(name: str) -> str:
    """The service sorts as words are sorted: hyphens don't count, underscores before digits."""
    return name.replace("-", "").replace("_", " ")


def blob_headers(
    arguments: Mapping[str, Any], encryption: Mapping[str, Any], conditions: Mapping[str, str]
) -> dict[str, str]:
    """The SDK's arguments of an upload as headers of Put Blob; `conditions` are headers already."""
    headers = {
        "x-ms-blob-type": "BlockBlob",
        "content-type": "application/octet-stream",
        **conditions,
    }
    settings = arguments.get("content_settings")
    if settings is not None:
        for name in ("type", "encoding", "language", "disposition"):
            headers[f"x-ms-blob-content-{name}"] = getattr(settings, f"content_{name}")
        headers["x-ms-blob-cache-control"] = settings.cache_control
    for name, value in arguments["metadata"].items():
        headers[f"x-ms-meta-{name}"] = value.strip()
    if "standard_blob_tier" in arguments:
        headers["x-ms-access-tier"] = arguments["standard_blob_tier"].value
    if "tags" in arguments:
        headers["x-ms-tags"] = "&".join(
            f"{quote(name, safe='.-')}={quote(value, safe='.-')}"
            for name, value in arguments["tags"].items()
        )
    if "encryption_scope" in encryption:
        headers["x-ms-encryption-scope"] = encryption["encryption_scope"]
    if "cpk" in encryption:
        key = encryption["cpk"]
        headers["x-ms-encryption-key"] = key.key_value
        headers["x-ms-encryption-key-sha256"] = key.key_hash
        headers["x-ms-encryption-algorithm"] = "AES256"
    return {name: value for name, value in headers.items() if value is not None}
