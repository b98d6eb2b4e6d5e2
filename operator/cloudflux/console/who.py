"""Who asks, and what of it they may see: Kubernetes' own answers, kept for a moment.

A token is checked by TokenReview; what its owner sees of each kind and namespace by
SubjectAccessReview with the verb `list`, so that the console shows what `kubectl get` shows.
"""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from cloudflux.api.common import GROUP
from cloudflux.console.cluster import ACCESS_REVIEWS, TOKEN_REVIEWS, Cluster
from cloudflux.console.shown import Shown
from cloudflux.handlers.kube import OURS, KubeError

KEEP_SECONDS = 20.0
"""How long an answer of the API server is believed; a right that was taken away ends by then."""
SESSION_SECONDS = 8 * 3600.0
MAX_KEPT = 2000
MAX_TOKEN_BYTES = 16 * 1024
AT_A_TIME = 8
PLURALS = tuple(resource.plural for resource in OURS.values())

T = TypeVar("T")


class Kept(Generic[T]):
    """Answers by key for a while; the oldest go when there are too many."""

    def __init__(self, seconds: float, limit: int = MAX_KEPT) -> None:
        self._seconds, self._limit = seconds, limit
        self._found: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def get(self, key: str) -> T | None:
        """Return what is kept and not too old."""
        found = self._found.get(key)
        if found is None or time.monotonic() - found[0] > self._seconds:
            self._found.pop(key, None)
            return None
        return found[1]

    def put(self, key: str, value: T) -> None:
        """Keep it from now on."""
        self._found[key] = (time.monotonic(), value)
        self._found.move_to_end(key)
        if len(self._found) > self._limit:
            self._found.popitem(last=False)

    def drop(self, key: str) -> None:
        """Forget it."""
        self._found.pop(key, None)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    token: str | None = field(default=None, repr=False)
    """None: the console's own identity, which is the user's where it runs on his machine."""

    @property
    def key(self) -> str:
        """By which answers about them are kept."""
        return repr((self.name, self.groups, self.uid, self.extra))


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody may see: plurals everywhere, and by namespace."""

    everywhere: frozenset[str] = frozenset()
    within: frozenset[tuple[str, str]] = frozenset()
    """(namespace, plural)."""

    def sees(self, namespace: str, plural: str) -> bool:
        """Whether objects of a kind in a namespace may be seen."""
        return plural in self.everywhere or (namespace, plural) in self.within

    @property
    def sees_all(self) -> bool:
        """Whether nothing is hidden."""
        return len(self.everywhere) == len(PLURALS)

    @property
    def sees_nothing(self) -> bool:
        """Whether everything is hidden."""
        return not self.everywhere and not self.within

    def sees_event(self, shown: Shown) -> bool:
        """Whether an event may be seen: where its object may be, else where all kinds may be."""
        if self.sees_all:
            return True
        if not shown.namespace:
            return False
        if shown.plural in PLURALS:
            return self.sees(shown.namespace, shown.plural)
        return all(self.sees(shown.namespace, plural) for plural in PLURALS)


EVERYTHING = Scope(frozenset(PLURALS))


class Gate(Protocol):
    """Says who asks and what they may see."""

    asks_for_token: bool

    async def identify(self, token: str | None) -> Viewer | None:
        """Return who it is; None: nobody that is known."""
        ...

    async def scope(self, viewer: Viewer, namespaces: Iterable[str]) -> Scope:
        """Return what of these namespaces they may see."""
        ...


class OpenGate:
    """Who reaches this machine's loopback address is its user: sees what the kubeconfig sees."""

    asks_for_token = False

    async def identify(self, token: str | None) -> Viewer | None:  # noqa: ARG002 - the interface
        """Return the one user that there is."""
        return Viewer("you")

    async def scope(self, viewer: Viewer, namespaces: Iterable[str]) -> Scope:  # noqa: ARG002
        """Everything that the console itself was given."""
        return EVERYTHING


class KubernetesGate:
    """Asks the API server. Raises KubeError when it does not answer: then nobody gets in."""

    asks_for_token = True

    def __init__(self, cluster: Cluster, *, keep_seconds: float | None = None) -> None:
        self._cluster = cluster
        keep_seconds = KEEP_SECONDS if keep_seconds is None else keep_seconds
        self._viewers: Kept[Viewer] = Kept(keep_seconds)
        self._strangers: Kept[bool] = Kept(min(keep_seconds, 5.0))
        self._answers: Kept[bool] = Kept(keep_seconds, 20 * MAX_KEPT)
        self._limit = asyncio.Semaphore(AT_A_TIME)
        self.reviews = 0
        """Questions put to the API server since the start."""

    async def identify(self, token: str | None) -> Viewer | None:
        """Return whose token it is; None for none, or one that the server does not know."""
        if not token or len(token) > MAX_TOKEN_BYTES or not token.isascii():
            return None
        key = hashlib.sha256(token.encode()).hexdigest()
        known = self._viewers.get(key)
        if known is not None:
            return known
        if self._strangers.get(key):
            return None
        status = await self._ask(TOKEN_REVIEWS, {"token": token})
        if not status.get("authenticated"):
            self._strangers.put(key, True)
            return None
        user = status.get("user") or {}
        viewer = Viewer(
            name=str(user.get("username", "")),
            groups=tuple(user.get("groups") or ()),
            uid=str(user.get("uid", "")),
            extra=tuple(sorted((k, tuple(v)) for k, v in (user.get("extra") or {}).items())),
            token=token,
        )
        self._viewers.put(key, viewer)
        return viewer

    async def scope(self, viewer: Viewer, namespaces: Iterable[str]) -> Scope:
        """Return what they may see: each kind everywhere, else in each namespace."""
        asked = await asyncio.gather(*(self._may_list(viewer, "", one) for one in PLURALS))
        everywhere = frozenset(one for one, yes in zip(PLURALS, asked, strict=True) if yes)
        pairs = [(n, p) for n in namespaces for p in PLURALS if p not in everywhere]
        answers = await asyncio.gather(*(self._may_list(viewer, n, p) for n, p in pairs))
        return Scope(everywhere, frozenset(p for p, yes in zip(pairs, answers, strict=True) if yes))

    async def _may_list(self, viewer: Viewer, namespace: str, plural: str) -> bool:
        key = f"{namespace}/{plural} {viewer.key}"
        known = self._answers.get(key)
        if known is not None:
            return known
        attributes = {"group": GROUP, "resource": plural, "verb": "list", "namespace": namespace}
        spec: dict[str, Any] = {"user": viewer.name, "resourceAttributes": attributes}
        if viewer.groups:
            spec["groups"] = list(viewer.groups)
        if viewer.uid:
            spec["uid"] = viewer.uid
        if viewer.extra:
            spec["extra"] = {name: list(values) for name, values in viewer.extra}
        async with self._limit:
            status = await self._ask(ACCESS_REVIEWS, spec)
        allowed = bool(status.get("allowed")) and not status.get("denied")
        self._answers.put(key, allowed)
        return allowed

    async def _ask(self, resource: Any, spec: dict[str, Any]) -> dict[str, Any]:
        self.reviews += 1
        answer = await self._cluster.post(resource, {"spec": spec})
        status = answer.get("status")
        if not isinstance(status, dict):
            raise KubeError("the API server answered a review without a status")
        return status


class Sessions:
    """Tokens of browsers, which can't set headers on a stream: kept here, named by a cookie."""

    def __init__(self) -> None:
        self._tokens: Kept[str] = Kept(SESSION_SECONDS, 1000)

    def open(self, token: str) -> str:
        """Keep a token; returns the value of the cookie."""
        name = secrets.token_urlsafe(32)
        self._tokens.put(name, token)
        return name

    def token(self, name: str) -> str | None:
        """Return the token of a session."""
        return self._tokens.get(name)

    def close(self, name: str) -> None:
        """Forget it."""
        self._tokens.drop(name)
