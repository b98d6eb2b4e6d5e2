"""What every request needs: kept in the application, and what was found out about the request."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from cloudflux.console.cluster import Cluster
from cloudflux.console.hub import Hub
from cloudflux.console.sources import EventSource
from cloudflux.console.trend import Trend
from cloudflux.console.who import EVERYTHING, Gate, Scope, Sessions, Viewer
from cloudflux.console.world import World
from cloudflux.handlers.kube import Object
from cloudflux.handlers.resources import DATA_SET, JOB, POLICY
from cloudflux.settings import Settings

PLURAL_OF = {DATA_SET: "datasets", POLICY: "tieringpolicies", JOB: "migrationjobs"}


@dataclass(slots=True)
class Console:
    """The parts of a console."""

    settings: Settings
    hub: Hub
    source: EventSource
    gate: Gate
    world: World | None
    """None: no cluster is named, only events are shown."""
    cluster: Cluster | None = None
    trend: Trend | None = None
    sessions: Sessions = field(default_factory=Sessions)
    clients: int = 0
    dropped_clients: int = 0
    """Clients that were told that they were too slow."""
    started: float = field(default_factory=time.monotonic)
    csrf_key: bytes = b""

    def objects(self, kind: str, scope: Scope, namespace: str | None = None) -> Iterator[Object]:
        """Yield the objects of a kind that may be seen, by namespace and name."""
        if self.world is None:
            return
        plural = PLURAL_OF[kind]
        for raw in self.world.cache.list(kind, namespace):
            if scope.sees(raw["metadata"].get("namespace", ""), plural):
                yield raw

    def object(self, kind: str, scope: Scope, namespace: str, name: str) -> Object | None:
        """Return one object if it is there and may be seen."""
        if self.world is None or not scope.sees(namespace, PLURAL_OF[kind]):
            return None
        return self.world.cache.get(kind, namespace, name)

    def namespaces(self) -> set[str]:
        """Return the namespaces that something is known of."""
        found = {entry.shown.namespace for entry in self.hub.after(0) if entry.shown is not None}
        if self.world is not None:
            for kind in PLURAL_OF:
                found |= {o["metadata"].get("namespace", "") for o in self.world.cache.list(kind)}
        return found - {""}

    async def scope_of(self, viewer: Viewer) -> Scope:
        """Return what somebody may see now. Raises KubeError."""
        if not self.gate.asks_for_token:
            return EVERYTHING
        return await self.gate.scope(viewer, sorted(self.namespaces()))

    def stats(self, scope: Scope) -> dict[str, Any]:
        """Return figures; who may not see everything is told no address of a server."""
        state = self.source.state
        return {
            "epoch": self.hub.epoch,
            "last": self.hub.last,
            "held": self.hub.last - self.hub.oldest + 1,
            "eventsPerSecond": round(self.hub.per_second(), 1),
            "events": self.hub.published.total(),
            "repeated": self.hub.repeated,
            "unreadable": self.hub.unreadable,
            "clients": self.clients,
            "clientsDropped": self.dropped_clients,
            "source": {
                "kind": state.kind,
                "connected": state.connected,
                "message": state.message if scope.sees_all else "",
            },
            "uptimeSeconds": round(time.monotonic() - self.started),
        }


CONSOLE = web.AppKey("console", Console)
VIEWER = web.RequestKey("viewer", Viewer)
SCOPE = web.RequestKey("scope", Scope)


def console_of(request: web.Request) -> Console:
    """Return the console that a request came to."""
    return request.app[CONSOLE]


def viewer_of(request: web.Request) -> Viewer:
    """Return who asks."""
    return request[VIEWER]


def scope_of(request: web.Request) -> Scope:
    """Return what they may see."""
    return request[SCOPE]
