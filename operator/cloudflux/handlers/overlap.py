"""Whether two locations touch. Pure, but for the symbolic links of directories."""

import math
import os.path
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote, urlsplit

Uri = tuple[str, str | None]
"""A location's URI and endpoint."""

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
    if host == "storage.googleapis.com":
        return "google"
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
    server = normalise_endpoint(endpoint)
    if server == "google" or (scheme == "gs" and not endpoint):
        return Place("google", (bucket, *parts))  # by its own protocol or by S3's
    return Place(f"{scheme}:{server}", (bucket, *parts))


def touches(one: Place, other: Place) -> bool:
    """Whether one equals, contains or lies inside the other."""
    shorter = min(len(one.parts), len(other.parts))
    return one.server == other.server and one.parts[:shorter] == other.parts[:shorter]


class PlaceIndex:
    """Owners by their places: who touches a place is found without looking at everybody."""

    def __init__(self) -> None:
        self._owned: OrderedDict[str, tuple[tuple[Uri, ...], list[Place]]] = OrderedDict()
        self._at: dict[Place, set[str]] = {}
        self._inside: dict[Place, set[str]] = {}
        """By every directory above a place: the owners of what is inside it."""

    def put(self, owner: str, uris: tuple[Uri, ...]) -> None:
        """Say where an owner is; what it said before no longer counts."""
        known = self._owned.get(owner)
        if known is None or known[0] != uris:
            self._put(owner, uris, [place(*uri) for uri in uris])

    def replace(self, owner: str, uris: tuple[Uri, ...], places: list[Place]) -> None:
        """Give the places anew that these URIs lead to, unless the owner has moved meanwhile."""
        known = self._owned.get(owner)
        if known is None or known[0] != uris:
            return
        self._owned.move_to_end(owner)
        if known[1] != places:
            self._put(owner, uris, places)

    def drop(self, owner: str) -> None:
        """Forget an owner."""
        known = self._owned.pop(owner, None)
        for one in known[1] if known else ():
            self._discard(self._at, one, owner)
            for above in _above(one):
                self._discard(self._inside, above, owner)

    def touching(self, one: Place) -> set[str]:
        """Owners of a place that equals, contains or lies inside this one."""
        found = set(self._at.get(one, ())) | self._inside.get(one, set())
        for above in _above(one):
            found |= self._at.get(above, set())
        return found

    def oldest_files(self, share: float) -> list[tuple[str, tuple[Uri, ...]]]:
        """The owners whose directories were looked up longest ago, such a share of all."""
        count = math.ceil(len(self._owned) * share)
        found = []
        for owner, (uris, _) in list(islice(self._owned.items(), count)):
            if any(uri.startswith("file:") for uri, _ in uris):
                found.append((owner, uris))
            else:
                self._owned.move_to_end(owner)
        return found

    def _put(self, owner: str, uris: tuple[Uri, ...], places: list[Place]) -> None:
        self.drop(owner)
        self._owned[owner] = (uris, places)
        for one in places:
            self._at.setdefault(one, set()).add(owner)
            for above in _above(one):
                self._inside.setdefault(above, set()).add(owner)

    @staticmethod
    def _discard(index: dict[Place, set[str]], one: Place, owner: str) -> None:
        owners = index.get(one)
        if owners is not None:
            owners.discard(owner)
            if not owners:
                del index[one]


def _above(one: Place) -> Iterator[Place]:
    for length in range(len(one.parts)):
        yield Place(one.server, one.parts[:length])
