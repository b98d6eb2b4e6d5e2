"""Connects to Google Cloud Storage: bounded timeouts, our user agent, one session per identity."""

import json
import os
import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

import google.auth
from google.api_core.client_info import ClientInfo
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import storage
from google.oauth2 import service_account

from cloudflux import __version__
from cloudflux.api.task import GcsCredentials, StoreRef
from cloudflux.errors import ConfigurationError
from cloudflux.storage.gcs_send import Sender
from cloudflux.storage.limits import SHARED
from cloudflux.storage.pooling import adapter
from cloudflux.storage.retry import Retrier

USER_AGENT = f"cloudflux/{__version__}"
TIMEOUTS_SECONDS = (5, 60)
"""To connect, and to wait for bytes."""
DEFAULT_ENDPOINT = "https://storage.googleapis.com"
SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
TOKEN_ENDPOINTS = (
    "https://oauth2.googleapis.com/token",
    "https://accounts.google.com/o/oauth2/token",
)
"""Where a key file may send us for a token; another place would be told what only Google should."""

# Else the SDK asks for each bucket's metadata behind our back, for traces that nobody makes.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")

_BUCKET = re.compile(r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")


@dataclass(frozen=True, slots=True)
class Connection:
    """An authorized session, the SDK's client over it, and our own way to write small objects."""

    session: Any
    client: Any
    sender: Sender
    endpoint: str
    retrier: Retrier

    def url(self, kind: str, bucket: str, name: str = "") -> str:
        """URL of objects for `kind` storage, upload/storage or download/storage."""
        path = f"{self.endpoint}/{kind}/v1/b/{quote(bucket, safe='')}/o"
        return f"{path}/{quote(name, safe='')}" if name else path


class Connector:
    """Connects at the first use: the operator's own identity may have to ask for a token."""

    def __init__(self, ref: StoreRef) -> None:
        """Raises ConfigurationError when no identity is given for the location."""
        self._key, self._endpoint = _identity(ref), (ref.endpoint or DEFAULT_ENDPOINT).rstrip("/")
        self._uri, self._lock = ref.uri, threading.Lock()
        self._public_only = ref.public_only

    def connect(self) -> Connection:
        """The connection; stores of one identity share it. Raises ConfigurationError."""
        with self._lock:
            try:
                return _connection(self._endpoint, self._key, self._public_only)
            except (GoogleAuthError, ValueError):
                raise ConfigurationError(
                    f"{self._uri}: the service account's key or the operator's own identity can't "
                    "be used; correct the Secret of credentialsSecretRef"
                ) from None


def _identity(ref: StoreRef) -> str | None:
    """The key file, "" for anonymous requests, None for the operator's own identity."""
    credentials = ref.credentials
    if credentials is not None and not isinstance(credentials, GcsCredentials):
        raise ConfigurationError(f"{ref.uri}: the credentials are not those of Google Cloud")
    if credentials is not None:
        key = credentials.service_account
        return key.get_secret_value() if key else ""
    if not ref.ambient:
        raise ConfigurationError(
            f"{ref.uri}: no credentials; set credentialsSecretRef, or have the operator's "
            "settings grant its own identity to this namespace (ambient_namespaces)"
        )
    host = urlsplit(ref.endpoint or DEFAULT_ENDPOINT)
    if host.scheme != "https" or not f".{host.hostname}".endswith(".googleapis.com"):
        raise ConfigurationError(
            f"{ref.uri}: the operator's own identity is sent to https://….googleapis.com only, "
            f"not to {ref.endpoint}"
        )
    return None


@lru_cache(maxsize=64)
def _connection(endpoint: str, key: str | None, public_only: bool) -> Connection:
    if key is None:
        credentials, _ = google.auth.default(scopes=SCOPES)
    elif key:
        credentials = _from_key_file(key)
    else:
        credentials = AnonymousCredentials()
    session = AuthorizedSession(credentials)
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter(public_only=public_only))
    session.headers["User-Agent"] = USER_AGENT
    client = storage.Client(
        project="unused",  # only making buckets needs one
        credentials=credentials,
        _http=session,
        client_info=ClientInfo(user_agent=USER_AGENT),
        client_options={"api_endpoint": endpoint},
    )
    sender = Sender(
        endpoint, credentials, Request(), user_agent=USER_AGENT, public_only=public_only
    )
    retrier = Retrier(pace=SHARED.requests_to(endpoint))
    return Connection(session, client, sender, endpoint, retrier)


def _from_key_file(key: str) -> Any:
    info = json.loads(key)
    if info.get("token_uri") not in TOKEN_ENDPOINTS:
        raise ValueError
    return service_account.Credentials.from_service_account_info(info, scopes=SCOPES)


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and prefix (empty, or ending with a slash). Raises ConfigurationError."""
    bucket, _, prefix = uri.partition("://")[2].partition("/")
    if not _BUCKET.match(bucket):
        raise ConfigurationError(f"{uri}: not a bucket's name; write gs://bucket/prefix")
    prefix = prefix.strip("/")
    if any(segment in ("", ".", "..") for segment in prefix.split("/")) and prefix:
        raise ConfigurationError(f"{uri}: empty, . and .. segments are not allowed")
    return bucket, f"{prefix}/" if prefix else ""
