"""Makes Azure clients: bounded timeouts, our user agent, one client per account and key."""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobServiceClient

from cloudflux import __version__
from cloudflux.api.task import AzureCredentials, StoreRef
from cloudflux.errors import ConfigurationError
from cloudflux.storage.azure_send import Sender
from cloudflux.storage.limits import SHARED
from cloudflux.storage.pooling import adapter
from cloudflux.storage.retry import Retrier

USER_AGENT = f"cloudflux/{__version__}"
CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
READ_AHEAD_BYTES = 4 << 20
"""Each open stream holds so much of its blob in memory, and asks for so much at a time; of more
the service tells no MD5."""

_CONTAINER = re.compile(r"^(\$root|\$web|\$logs|[a-z0-9](-?[a-z0-9]){2,62})$")


def client_for(ref: StoreRef) -> tuple[BlobServiceClient, Retrier, Sender]:
    """The SDK's client for a location, what repeats its requests, and our own way to write.

    Raises ConfigurationError.
    """
    credentials = ref.credentials
    if credentials is not None and not isinstance(credentials, AzureCredentials):
        raise ConfigurationError(f"{ref.uri}: the credentials are not those of Azure Storage")
    if credentials is None and not ref.ambient:
        raise ConfigurationError(
            f"{ref.uri}: no credentials; set credentialsSecretRef, or have the operator's "
            "settings grant its own identity to this namespace (ambient_namespaces)"
        )
    endpoint = ref.endpoint
    if endpoint is None:
        if credentials is None:
            raise ConfigurationError(
                f"{ref.uri}: the account is not known; set endpoint to "
                "https://ACCOUNT.blob.core.windows.net"
            )
        endpoint = f"https://{credentials.account}.blob.core.windows.net"
    if credentials is None:
        if urlsplit(endpoint).scheme != "https":
            raise ConfigurationError(
                f"{ref.uri}: the operator's own identity is sent over https only, not to {endpoint}"
            )
        return _client(endpoint, None, None, None, ref.public_only)
    key, sas = credentials.account_key, credentials.sas_token
    return _client(
        endpoint,
        credentials.account,
        key.get_secret_value() if key else None,
        sas.get_secret_value() if sas else None,
        ref.public_only,
    )


@lru_cache(maxsize=64)
def _client(
    endpoint: str, account: str | None, key: str | None, sas: str | None, public_only: bool
) -> tuple[BlobServiceClient, Retrier, Sender]:
    credential: Any
    if account and key:
        credential = AzureNamedKeyCredential(account, key)
    elif sas:
        credential = AzureSasCredential(sas)
    else:
        from azure.identity import DefaultAzureCredential  # half of the SDK's time to load

        credential = DefaultAzureCredential()
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter(public_only=public_only))
    session.trust_env = True
    client = BlobServiceClient(
        endpoint,
        credential=credential,
        transport=RequestsTransport(session=session, session_owner=False),
        # One layer repeats requests, and it is ours.
        retry_total=0,
        user_agent=USER_AGENT,
        connection_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        max_single_get_size=READ_AHEAD_BYTES,
        max_chunk_get_size=READ_AHEAD_BYTES,
    )
    sender = Sender(client, user_agent=USER_AGENT, public_only=public_only)
    return client, Retrier(pace=SHARED.requests_to(endpoint)), sender


def split_uri(uri: str) -> tuple[str, str]:
    """Container and prefix (empty, or ending with a slash). Raises ConfigurationError."""
    container, _, prefix = uri.partition("://")[2].partition("/")
    if not _CONTAINER.match(container):
        raise ConfigurationError(f"{uri}: not a container's name; write az://container/prefix")
    prefix = prefix.strip("/")
    if any(segment in ("", ".", "..") for segment in prefix.split("/")) and prefix:
        raise ConfigurationError(f"{uri}: empty, . and .. segments are not allowed")
    return container, f"{prefix}/" if prefix else ""
