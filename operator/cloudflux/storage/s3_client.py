"""Makes botocore clients: bounded timeouts, our user agent, one client per endpoint and key."""

import re
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config

from cloudflux import __version__
from cloudflux.api.tasks import Credentials, StoreRef
from cloudflux.errors import ConfigurationError

USER_AGENT = f"cloudflux/{__version__}"
"""At the end of every request's User-Agent, so that access logs tell our requests from demand."""

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
RETRIES = 2
DEFAULT_REGION = "us-east-1"
_BUCKET = re.compile(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")


def client_for(ref: StoreRef) -> Any:
    """The client for a location. Raises ConfigurationError when no identity is given for it."""
    credentials = ref.credentials
    if credentials is None and not ref.ambient:
        raise ConfigurationError(
            f"{ref.uri}: no credentials; set credentialsSecretRef, or have the operator's "
            "settings grant its own identity to this namespace (ambient_namespaces)"
        )
    if credentials is not None and not isinstance(credentials, Credentials):
        raise ConfigurationError(f"{ref.uri}: the credentials are not those of S3")
    if credentials is None:
        return _client(ref.endpoint, ref.region, None)
    token = credentials.session_token
    keys = (
        credentials.access_key_id,
        credentials.secret_access_key.get_secret_value(),
        token.get_secret_value() if token else None,
    )
    return _client(ref.endpoint, ref.region, keys)


@lru_cache(maxsize=64)
def _client(
    endpoint: str | None, region: str | None, keys: tuple[str, str, str | None] | None
) -> Any:
    # Making a client costs about 50 ms and a thread-safe one serves any number of stores.
    access_key, secret_key, token = keys if keys else (None, None, None)
    session = boto3.session.Session(
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
    )
    config = Config(
        signature_version="s3v4",
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"total_max_attempts": 1 + RETRIES, "mode": "standard"},
        # Other servers than AWS refuse the default trailing checksums; we ask for one by name.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra=USER_AGENT,
        max_pool_connections=32,
        tcp_keepalive=True,
        # the published stubs do not know this option yet
        ignore_configured_endpoint_urls=keys is not None,  # type: ignore[call-arg]
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    return session.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region or session.region_name or DEFAULT_REGION,
        config=config,
    )


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and prefix (empty, or ending with a slash). Raises ConfigurationError."""
    bucket, _, prefix = uri.partition("://")[2].partition("/")
    if not _BUCKET.match(bucket):
        raise ConfigurationError(f"{uri}: not a bucket name; write s3://bucket/prefix")
    prefix = prefix.strip("/")
    if any(segment in ("", ".", "..") for segment in prefix.split("/")) and prefix:
        raise ConfigurationError(f"{uri}: empty, . and .. segments are not allowed")
    return bucket, f"{prefix}/" if prefix else ""
