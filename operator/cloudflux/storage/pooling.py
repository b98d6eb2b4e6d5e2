"""Kept connections for the SDKs that speak through requests, guarded where it is asked for."""

import socket
from typing import Any

from requests import Session, certs
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from cloudflux.api.addresses import require_public_peer

POOLED_CONNECTIONS = 64


def adapter(*, public_only: bool) -> HTTPAdapter:
    """A transport adapter; with `public_only`, connections to private addresses are refused.

    Redirects go through it too. What goes through a proxy leads to the proxy, which the
    environment of the operator names.
    """
    kind = _PublicOnly if public_only else HTTPAdapter
    return kind(pool_maxsize=POOLED_CONNECTIONS)


def ca_bundle() -> str:
    """The file or directory of authorities that requests trusts, for connections of our own."""
    found = Session().merge_environment_settings("https://host", {}, None, None, None)["verify"]
    return found if isinstance(found, str) else certs.where()


class _PublicConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        require_public_peer(connected, f"http://{self.host}")
        return connected


class _PublicSecureConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        require_public_peer(connected, f"https://{self.host}")
        return connected


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicSecurePool(HTTPSConnectionPool):
    ConnectionCls = _PublicSecureConnection


class _PublicOnly(HTTPAdapter):  # type: ignore[misc]  # requests publishes no types
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _PublicPool,
            "https": _PublicSecurePool,
        }
