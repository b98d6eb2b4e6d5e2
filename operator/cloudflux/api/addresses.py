"""Which addresses are public: the one answer for what is checked early and at the connection."""

import ipaddress
import socket

from cloudflux.errors import EndpointRefused


def is_public(address: str) -> bool:
    """Whether an IP address is neither loopback, link-local, private nor reserved."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_global


def refused(endpoint: str) -> EndpointRefused:
    """The error for an endpoint that leads to such an address."""
    return EndpointRefused(
        f"endpoint {endpoint} is a loopback, link-local, private or cluster address; "
        "an administrator can allow it with CLOUDFLUX_ALLOWED_ENDPOINTS"
    )


def require_public_peer(connected: socket.socket, endpoint: str) -> None:
    """Close a new connection that leads to an address that is not public, and raise.

    A name that was looked up and allowed may lead elsewhere a moment later; nothing was sent
    yet. Raises EndpointRefused.
    """
    try:
        peer = str(connected.getpeername()[0])
    except OSError:
        return  # it is gone already, and the first byte will say so
    if not is_public(peer):
        connected.close()
        raise refused(endpoint)
