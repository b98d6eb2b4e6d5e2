"""The three kinds as they are now, kept by watches; and the events that their statuses tell."""

import asyncio
import datetime as dt
from collections.abc import Callable

import structlog

from cloudflux.console.cluster import Cluster, Gone
from cloudflux.console.hub import RING_EVENTS, Gap, Hub
from cloudflux.console.sources import SourceState
from cloudflux.errors import ConfigurationError
from cloudflux.events.derive import transitions
from cloudflux.events.envelope import make_event, to_json
from cloudflux.events.seen import source_of
from cloudflux.handlers.cache import Cache
from cloudflux.handlers.kube import OURS, KubeError, Object
from cloudflux.handlers.resources import DATA_SET, JOB, DataSet, parse

BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0)
Clock = Callable[[], dt.datetime]


class World:
    """A cache of the three kinds, in some namespaces or in all."""

    def __init__(self, cluster: Cluster, namespaces: tuple[str, ...] = ()) -> None:
        self._cluster = cluster
        self.cache = Cache()
        self._scopes = [(kind, namespace) for kind in OURS for namespace in (namespaces or (None,))]
        self.problems: dict[tuple[str, str | None], str] = {}
        """Why a kind is not followed just now."""
        self._pending = set(self._scopes)
        self.synced = asyncio.Event()
        """Set when everything was listed once."""
        self.on_return: list[Callable[[str], None]] = []
        """Told of a kind that was listed again after its watch had been away."""
        self._log = structlog.get_logger("cloudflux.console")

    async def run(self) -> None:
        """Follow all kinds until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind, namespace in self._scopes:
                group.create_task(self._follow(kind, namespace))

    async def _follow(self, kind: str, namespace: str | None) -> None:
        failures, version, away = 0, "", False
        while True:
            try:
                if not version:
                    objects, version = await self._cluster.listing(OURS[kind], namespace)
                    self._replace(kind, namespace, objects)
                    self._heard(kind, namespace)
                    if away:
                        for tell in self.on_return:
                            tell(kind)
                    away = False
                async for event in self._cluster.changes(OURS[kind], namespace, version):
                    failures = 0
                    if event["type"] == "OPEN":
                        self.problems.pop((kind, namespace), None)
                        continue
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self.cache.apply(kind, event["type"], event["object"])
            except Gone:
                version, away = "", True
            except KubeError as error:
                self.problems[kind, namespace] = str(error)
                if failures == 0:
                    self._log.warning("a watch is away", kind=kind, error=str(error))
                await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
                failures += 1  # and on from the version that is known
            else:
                await asyncio.sleep(0.05)  # a server that closes at once must not be hammered

    def _replace(self, kind: str, namespace: str | None, objects: list[Object]) -> None:
        if namespace is None:
            self.cache.replace_all(kind, objects)
            return
        others = [o for o in self.cache.list(kind) if o["metadata"]["namespace"] != namespace]
        self.cache.replace_all(kind, [*others, *objects])

    def _heard(self, kind: str, namespace: str | None) -> None:
        self.problems.pop((kind, namespace), None)
        self._pending.discard((kind, namespace))
        if not self._pending:
            self.synced.set()


class KubernetesEvents:
    """Events derived from the statuses that a watch shows: those that the operator tells.

    Same statuses, same events, same ids: what is seen here and in Kafka is one and the same.
    """

    def __init__(
        self,
        world: World,
        hub: Hub,
        *,
        cluster: str = "default",
        clock: Clock = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._world, self._hub, self._name, self._clock = world, hub, cluster, clock
        self._told: dict[str, dict[str, str]] = {}
        self._uids: dict[tuple[str, str, str], str] = {}
        self._started = False
        world.cache.listen(self._changed)
        world.on_return.append(self._returned)

    @property
    def state(self) -> SourceState:
        """Connected while every kind is followed."""
        problems = sorted(set(self._world.problems.values()))
        if problems:
            return SourceState("Kubernetes", False, problems[0])
        if not self._world.synced.is_set():
            return SourceState("Kubernetes", False, "listing the resources")
        return SourceState("Kubernetes", True, "watching the resources")

    async def run(self) -> None:
        """Tell what the first listing holds, the newest of it; changes are told by the watch."""
        await self._world.synced.wait()
        found = [
            event for kind in OURS for raw in self._world.cache.list(kind)
            for event in self._derive(kind, raw)
        ]  # fmt: skip
        self._started = True
        found.sort(key=lambda event: dt.datetime.fromisoformat(str(event["time"])))
        await self._hub.publish_all(found[-RING_EVENTS:])

    def _changed(self, kind: str, key: tuple[str, str, str], raw: Object | None) -> None:
        if not self._started:
            return
        if raw is None:
            self._told.pop(self._uids.pop(key, ""), None)
            return
        self._uids[key] = raw["metadata"].get("uid", "")
        for event in self._derive(kind, raw):
            self._hub.publish(event)

    def _returned(self, kind: str) -> None:
        if self._started:
            self._hub.tell_gap(
                Gap("Source", f"the watch of {kind} was away: what came and went is not known")
            )

    def _derive(self, kind: str, raw: Object) -> list[dict[str, object]]:
        """Return the events of an object that were not told."""
        try:
            seen = parse(kind, raw)
        except ConfigurationError:
            return []
        told = self._told.setdefault(seen.uid, {})
        found = []
        for one in transitions(seen, self._clock(), self._data_set(seen) if kind == JOB else None):
            if told.get(one.slot) == one.mark:
                continue
            told[one.slot] = one.mark
            event = make_event(
                one.type, one.data, uid=seen.uid, generation=one.generation,
                transition=one.transition, source=source_of(seen, self._name),
                subject=one.subject, time=one.time,
            )  # fmt: skip
            found.append(to_json(event))
        return found

    def _data_set(self, job: object) -> DataSet | None:
        spec, namespace = job.spec, job.namespace  # type: ignore[attr-defined]
        raw = self._world.cache.get(DATA_SET, namespace, spec.data_set_ref.name)
        try:
            return None if raw is None else parse(DATA_SET, raw)
        except ConfigurationError:
            return None
