"""Whether two locations touch. Pure, but for the symbolic links of directories."""

import os.path
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """A location in a form that can be compared: who serves it, and the path in parts."""

    server: str
    parts: tuple[str, ...]


def normalise_endpoint(endpoint: str | None) -> str:
    """An endpoint as scheme-less lower-case host and port; none and AWS's own are one."""
    if not endpoint:
        return "aws"
    split = urlsplit(endpoint)
    host = (split.hostname or "").rstrip(".").lower()
    if host.endswith(".amazonaws.com"):
        return "aws"
    if host in ("localhost", "::1"):
        host = "127.0.0.1"
    return f"{host}:{split.port or _DEFAULT_PORTS.get(split.scheme, 0)}"


def place(uri: str, endpoint: str | None = None) -> Place:
    """The comparable form of a location; file:// directories by their real path."""
    scheme, _, rest = uri.partition("://")
    if scheme == "file":
        real = os.path.realpath(unquote("/" + rest.lstrip("/")))
        return Place("file", tuple(part for part in real.split("/") if part))
    bucket, _, prefix = rest.partition("/")
    # an S3 prefix is a string, not a directory, but a location always ends at a "/"
    parts = tuple(prefix.rstrip("/").split("/")) if prefix.rstrip("/") else ()
    return Place(f"{scheme}:{normalise_endpoint(endpoint)}", (bucket, *parts))


def touches(one: Place, other: Place) -> bool:
    """Whether one equals, contains or lies inside the other."""
    shorter = min(len(one.parts), len(other.parts))
    return one.server == other.server and one.parts[:shorter] == other.parts[:shorter]


def touches_any(one: Place, others: Iterable[Place]) -> bool:
    """Whether it touches any of these."""
    return any(touches(one, other) for other in others)
