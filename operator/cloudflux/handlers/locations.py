"""Whether a location may be used from a namespace, and what a child needs to open it."""

import asyncio
import os.path
import socket
import time
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cloudflux.api.addresses import is_public, refused
from cloudflux.api.common import PROVIDER_OF_SCHEME, Location
from cloudflux.api.task import AnyCredentials, StoreEncryption, StoreRef
from cloudflux.errors import ConfigurationError, LocationRefused
from cloudflux.settings import Settings

_CLUSTER_SUFFIXES = (".svc", ".cluster.local", ".internal")


def file_roots(settings: Settings, namespace: str) -> tuple[str, ...]:
    """Directories that file:// may touch from this namespace, resolved."""
    granted = (*settings.file_roots.get(namespace, ()), *settings.file_roots.get("*", ()))
    return _resolved(granted, int(time.monotonic()))


@lru_cache(maxsize=64)
def _resolved(roots: tuple[str, ...], _second: int) -> tuple[str, ...]:
    """Real paths of what an administrator granted; remembered for a second, asked for often."""
    return tuple(os.path.realpath(root) for root in roots)


def check_file(uri: str, roots: tuple[str, ...], namespace: str) -> None:
    """Raise LocationRefused unless the real path is inside one of the roots."""
    path = unquote("/" + uri.removeprefix("file://").lstrip("/"))
    if ".." in path.split("/"):
        raise LocationRefused(f"{uri} contains '..'; write the path that is meant")
    real = os.path.realpath(path)
    if not any(real == root or real.startswith(root.rstrip("/") + "/") for root in roots):
        where = ", ".join(roots) or "none"
        raise LocationRefused(
            f"{uri} is outside the directories that namespace {namespace} may use ({where}); "
            "an administrator can allow it with CLOUDFLUX_FILE_ROOTS"
        )


def usable_root(uri: str, roots: tuple[str, ...], namespace: str) -> bool:
    """Whether a file tier's root is a directory that the namespace may use."""
    try:
        check_file(uri, roots, namespace)
    except LocationRefused:
        return False
    return Path(unquote("/" + uri.removeprefix("file://").lstrip("/"))).is_dir()


def check_scheme(uri: str) -> str:
    """The scheme of a supported URI. Raises ConfigurationError."""
    scheme, separator, rest = uri.partition("://")
    if scheme not in PROVIDER_OF_SCHEME or not separator:
        raise ConfigurationError(
            f"{uri}: the scheme must be one of s3://, az://, gs:// and file://"
        )
    if scheme != "file" and not rest.partition("/")[0]:
        raise ConfigurationError(f"{uri} names no bucket; write {scheme}://bucket/prefix")
    return scheme


def is_allowed(endpoint: str, allowed: tuple[str, ...]) -> bool:
    """Whether an administrator vouches for the endpoint, wherever it leads."""
    return endpoint.rstrip("/") in {item.rstrip("/") for item in allowed}


async def check_endpoint(endpoint: str, allowed: tuple[str, ...]) -> None:
    """Raise EndpointRefused for loopback, link-local, private and cluster addresses.

    A name is resolved: one that leads to such an address is refused too. A name that can't be
    resolved passes; opening it will say that it does not answer.
    """
    if is_allowed(endpoint, allowed):
        return
    split = urlsplit(endpoint)
    host = (split.hostname or "").rstrip(".").lower()
    if split.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"endpoint {endpoint} must be http://host[:port] or https://…")
    private = host == "localhost" or "." not in host.strip("[]") or host.endswith(_CLUSTER_SUFFIXES)
    if not private:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, None, type=socket.SOCK_STREAM
            )
        except OSError:
            return
        private = any(not is_public(str(item[4][0])) for item in found)
    if private:
        raise refused(endpoint)


async def check_location(location: Location, namespace: str, settings: Settings) -> None:
    """Raise unless this namespace may use this location."""
    scheme = check_scheme(location.uri)
    if scheme == "file":
        check_file(location.uri, file_roots(settings, namespace), namespace)
    elif location.endpoint:
        await check_endpoint(location.endpoint, settings.allowed_endpoints)


def store_ref(
    location: Location,
    namespace: str,
    settings: Settings,
    credentials: AnyCredentials | None,
    encryption: StoreEncryption | None = None,
) -> StoreRef:
    """What a child needs to open the location."""
    return StoreRef(
        uri=location.uri,
        endpoint=location.endpoint,
        region=location.region,
        credentials=credentials,
        encryption=encryption,
        ambient=namespace in settings.ambient_namespaces,
        public_only=bool(
            location.endpoint and not is_allowed(location.endpoint, settings.allowed_endpoints)
        ),
        file_roots=file_roots(settings, namespace) if location.uri.startswith("file://") else (),
    )
