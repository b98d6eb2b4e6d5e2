"""Opens the wire to an endpoint: who we are, where it is, one wire per endpoint and key.

botocore is asked where Amazon's endpoints are and who the operator itself is; its clients
carry no requests. It is not even loaded where endpoint and keys are both given.
"""

import os
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cloudflux import __version__
from cloudflux.api.task import Credentials, StoreRef
from cloudflux.errors import ConfigurationError
from cloudflux.storage.s3_errors import translated
from cloudflux.storage.s3_sign import Keys
from cloudflux.storage.s3_wire import Wire, no_keys

USER_AGENT = f"cloudflux/{__version__}"
"""The User-Agent of every request, so that access logs tell our requests from demand."""

DEFAULT_REGION = "us-east-1"
_BUCKET = re.compile(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")


def wire_for(ref: StoreRef) -> Wire:
    """The wire to a location. Raises ConfigurationError when no identity is given for it."""
    credentials = ref.credentials
    if credentials is None and not ref.ambient:
        raise ConfigurationError(
            f"{ref.uri}: no credentials; set credentialsSecretRef, or have the operator's "
            "settings grant its own identity to this namespace (ambient_namespaces)"
        )
    if credentials is not None and not isinstance(credentials, Credentials):
        raise ConfigurationError(f"{ref.uri}: the credentials are not those of S3")
    if credentials is None:
        return _wire(ref.endpoint, ref.region, None, ref.public_only)
    token = credentials.session_token
    keys = Keys(
        credentials.access_key_id,
        credentials.secret_access_key.get_secret_value(),
        token.get_secret_value() if token else None,
    )
    return _wire(ref.endpoint, ref.region, keys, ref.public_only)


@lru_cache(maxsize=64)
def _wire(endpoint: str | None, region: str | None, keys: Keys | None, public_only: bool) -> Wire:
    if endpoint is not None and keys is not None:
        given = keys
        return Wire(
            endpoint.rstrip("/"),
            region or DEFAULT_REGION,
            lambda: given,
            user_agent=USER_AGENT,
            ca_file=os.environ.get("AWS_CA_BUNDLE"),
            public_only=public_only,
        )
    return _resolved_wire(endpoint, region, keys, public_only)


def _resolved_wire(
    endpoint: str | None, region: str | None, keys: Keys | None, public_only: bool
) -> Wire:
    import boto3
    from botocore.config import Config
    from botocore.httpsession import get_cert_path

    with translated("endpoint"):
        session = boto3.session.Session()
        client = session.client(
            "s3",
            endpoint_url=endpoint,
            region_name=region or session.region_name or DEFAULT_REGION,
            config=Config(
                # the published stubs do not know this option yet
                ignore_configured_endpoint_urls=keys is not None,  # type: ignore[call-arg]
            ),
        )
    return Wire(
        str(client.meta.endpoint_url).rstrip("/"),
        str(client.meta.region_name),
        _ambient_keys(session) if keys is None else lambda: keys,
        user_agent=USER_AGENT,
        ca_file=os.environ.get("AWS_CA_BUNDLE") or get_cert_path(True),
        public_only=public_only,
    )


def _ambient_keys(session: Any) -> Callable[[], Keys]:
    """The SDK's own chain; it renews what expires."""
    found = session.get_credentials()
    if found is None:
        return no_keys

    def current() -> Keys:
        with translated("credentials"):
            frozen = found.get_frozen_credentials()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)

    return current


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and prefix (empty, or ending with a slash). Raises ConfigurationError."""
    bucket, _, prefix = uri.partition("://")[2].partition("/")
    if not _BUCKET.match(bucket):
        raise ConfigurationError(f"{uri}: not a bucket name; write s3://bucket/prefix")
    prefix = prefix.strip("/")
    if any(segment in ("", ".", "..") for segment in prefix.split("/")) and prefix:
        raise ConfigurationError(f"{uri}: empty, . and .. segments are not allowed")
    return bucket, f"{prefix}/" if prefix else ""
