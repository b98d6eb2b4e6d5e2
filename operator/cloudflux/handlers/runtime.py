"""What every reconciler is given: the API, what is known of it, the queue, the children."""

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog
from pydantic import BaseModel

from cloudflux.api.common import Location
from cloudflux.api.migrationjob import JobPin, MigrationJobStatus
from cloudflux.api.task import AnyCredentials, StoreEncryption, StoreRef
from cloudflux.errors import ConfigurationError
from cloudflux.events.outbox import Outbox
from cloudflux.events.publisher import Publisher
from cloudflux.events.recorder import Recorder
from cloudflux.handlers import overlap
from cloudflux.handlers.cache import Cache
from cloudflux.handlers.credentials import (
    SecretNotFound,
    SecretRefused,
    from_secret,
    how_to_create,
    how_to_create_key,
    key_from_secret,
)
from cloudflux.handlers.finding import Trail
from cloudflux.handlers.kube import OURS, SECRETS, Forbidden, Kube, NotFound
from cloudflux.handlers.locations import check_location, is_allowed, store_ref
from cloudflux.handlers.queue import WorkQueue
from cloudflux.handlers.resources import DATA_SET, JOB, Clock, Resource, dump, parse
from cloudflux.handlers.standing import Standing
from cloudflux.handlers.tally import Tally
from cloudflux.handlers.tasks import Key, Tasks
from cloudflux.handlers.unwritten import Unwritten
from cloudflux.settings import Settings

PLACE_SECONDS = 30.0
MAX_PLACES = 1000
MAP_SEEN_SECONDS, MAX_MAPS_SEEN = 60.0, 10_000
MAX_PARSED = 1000
"""Parsed objects that are remembered; the raw ones all are."""


def utc_now() -> dt.datetime:
    """The wall clock."""
    return dt.datetime.now(dt.UTC)


@dataclass(slots=True)
class Observed:
    """What this process remembers of a data set between visits; lost at a restart, harmlessly."""

    evaluated_for: tuple[str, int] | None = None
    """UID and generation of the policy of the last evaluation; of several, their names and 0."""
    evaluation_wanted: bool = False
    scanned_generation: int | None = None
    trail: Trail | None = None
    """How far the markers were followed, while its data is looked for."""
    unwritten: Unwritten = field(default_factory=Unwritten)
    failures: int = 0
    not_before: dt.datetime | None = None
    study_due: str | None = None
    """Why its past should be studied anew."""
    study_not_before: dt.datetime | None = None


@dataclass(slots=True)
class Held:
    """A job's status that is not written yet, because the next one is about to follow."""

    status: MigrationJobStatus
    seconds: float
    """For how long it may wait."""
    since: float = field(default_factory=time.monotonic)

    @property
    def left_seconds(self) -> float:
        """For how long it may still wait."""
        return self.seconds - (time.monotonic() - self.since)


@dataclass(slots=True)
class Round:
    """One evaluation of a policy that has a schedule."""

    data_sets: set[str]
    """UIDs of those that it has not reached."""
    acts: bool
    """The policy's mode was one that acts when it began; a later edit does not change that."""


@dataclass(slots=True)
class MapsSeen:
    """Location ConfigMaps seen in order, by namespace and data set; remembered for a minute."""

    _seen: dict[tuple[str, str], tuple[int | None, float]] = field(default_factory=dict)

    def note(self, key: tuple[str, str], generation: int | None) -> None:
        """Remember that it says this generation; None: that its name is free, or it is ours."""
        self._seen.pop(key, None)
        self._seen[key] = (generation, time.monotonic())
        if len(self._seen) > MAX_MAPS_SEEN:
            del self._seen[next(iter(self._seen))]

    def lately(self, key: tuple[str, str], generation: int | None) -> bool:
        """Whether this was seen within the last minute."""
        seen = self._seen.get(key)
        if seen is None or time.monotonic() - seen[1] > MAP_SEEN_SECONDS:
            return False
        return generation is None or seen[0] == generation


@dataclass(slots=True)
class Runtime:
    """One operator's world. Reconcilers read it, compute, and write through it."""

    settings: Settings
    kube: Kube
    cache: Cache
    queue: WorkQueue[Key]
    recorder: Recorder
    publisher: Publisher
    tasks: Tasks
    price_overlay: dict[str, object] | None = None
    outbox: Outbox | None = None
    """Where events wait for a broker; None without one."""
    clock: Clock = utc_now
    observed: dict[str, Observed] = field(default_factory=dict)
    admitted: dict[str, JobPin] = field(default_factory=dict)
    """Jobs let in whose status may not say so yet."""
    sweeps: dict[str, JobPin] = field(default_factory=dict)
    """What deleted jobs, by UID, left and is being removed now."""
    due_rounds: dict[str, Round] = field(default_factory=dict)
    """By policy: its last scheduled evaluation."""
    held: dict[str, Held] = field(default_factory=dict)
    """By job: the status that waits to share a write."""
    yielding: set[Key] = field(default_factory=set)
    """Data sets whose scan after a move gives way to other moves."""
    maps_seen: MapsSeen = field(default_factory=MapsSeen)
    """Which location ConfigMaps were looked at a moment ago and found in order."""
    _parsed: dict[Key, Resource[Any, Any]] = field(default_factory=dict)
    _places: dict[tuple[str, str | None], tuple[float, overlap.Place]] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    """What happened since this process leads."""
    _log: structlog.stdlib.BoundLogger = field(init=False)
    standing: Standing = field(init=False)
    """Who stands where: jobs by data set, place and turn, data sets by place."""

    def __post_init__(self) -> None:
        self._log = structlog.get_logger("cloudflux").bind()
        self.standing = Standing(self.find, self.settings.max_running_jobs_per_namespace)
        self.cache.listen(self.standing.hear)
        self.cache.listen(self.tally.hear)

    def find(self, key: Key) -> Resource[Any, Any] | None:
        """The object as last seen, parsed once per version. Raises ConfigurationError."""
        kind, namespace, name = key
        raw = self.cache.get(kind, namespace, name)
        if raw is None:
            self._parsed.pop(key, None)
            return None
        known = self._parsed.get(key)
        if known is None or known.resource_version != raw["metadata"].get("resourceVersion"):
            known = self._parsed[key] = parse(kind, raw)
            if len(self._parsed) > MAX_PARSED:
                del self._parsed[next(iter(self._parsed))]
        return known

    def all(self, kind: str, namespace: str | None = None) -> Iterator[Resource[Any, Any]]:
        """All objects of a kind that can be parsed; the others say so at their own visit."""
        for raw in self.cache.list(kind, namespace):
            meta = raw["metadata"]
            try:
                found = self.find((kind, meta["namespace"], meta["name"]))
            except ConfigurationError:
                continue
            if found is not None:
                yield found

    def place(self, uri: str, endpoint: str | None) -> overlap.Place:
        """The comparable form of a location, remembered for half a minute."""
        now = time.monotonic()
        known = self._places.get((uri, endpoint))
        if known is None or now - known[0] > PLACE_SECONDS:
            if len(self._places) > MAX_PLACES:
                self._places.clear()
            known = self._places[uri, endpoint] = (now, overlap.place(uri, endpoint))
        return known[1]

    async def write_status(
        self, resource: Resource[Any, Any], status: BaseModel
    ) -> Resource[Any, Any]:
        """Replace the status by compare-and-swap. Raises Conflict when the object changed."""
        body = {**resource.raw, "status": dump(status)}
        written = await self.kube.replace_status(OURS[resource.kind], body)
        raw = self.cache.put(resource.kind, written)
        self.tell(resource.key)
        found = self.find(resource.key)
        # one that was deleted meanwhile is not in the cache
        return (
            found if found is not None and found.uid == resource.uid else parse(resource.kind, raw)
        )

    def tell(self, key: Key) -> None:
        """Tell as events what the object's status says and was not told. Never raises."""
        try:
            seen = self.find(key)
        except ConfigurationError:
            return
        if seen is None:
            return
        data_set = None
        if seen.kind == JOB:
            with contextlib.suppress(ConfigurationError):
                data_set = self.find((DATA_SET, seen.namespace, seen.spec.data_set_ref.name))
        self.publisher.saw(seen, data_set)

    def event(self, resource: Resource[Any, Any], reason: str, message: str) -> None:
        """A Kubernetes event about the object; repeated ones are counted, not repeated."""
        self._log.info(
            message, reason=reason, kind=resource.kind,
            namespace=resource.namespace, name=resource.name,
        )  # fmt: skip
        self.recorder.event(resource.raw, reason, message)

    def memory(self, uid: str) -> Observed:
        """What is remembered of a data set."""
        return self.observed.setdefault(uid, Observed())

    async def credentials(
        self, location: Location, namespace: str, *, hearsay: bool = False
    ) -> AnyCredentials | None:
        """The location's credentials, read by name. Raises SecretNotFound or SecretRefused.

        `hearsay`: the endpoint was named by no one who may use the Secret; it must list it.
        """
        if location.credentials_secret_ref is None:
            if hearsay:
                raise SecretRefused(
                    f"a marker leads to {location.endpoint}, which is sent no identity of the "
                    "operator's; create the DataSet with its present location as spec.location"
                )
            return None
        name = location.credentials_secret_ref.name
        raw = await self._secret(namespace, name, how_to_create(namespace, name, location.uri))
        return from_secret(raw, location.endpoint, location.uri, must_list=hearsay)

    async def _secret(self, namespace: str, name: str, how: str) -> dict[str, Any]:
        try:
            return await self.kube.get(SECRETS, namespace, name)
        except NotFound:
            raise SecretNotFound(f"Secret {name} does not exist: run {how}") from None
        except Forbidden:
            raise SecretNotFound(
                f"the operator may not read Secrets of namespace {namespace}: run kubectl -n "
                f"{namespace} create rolebinding {self.settings.secrets_role} "
                f"--clusterrole={self.settings.secrets_role} "
                f"--serviceaccount={self.settings.service_account}"
            ) from None

    async def encryption(self, location: Location, namespace: str) -> StoreEncryption | None:
        """How the location's objects are encrypted, with its key. Raises SecretNotFound."""
        wanted = location.encryption
        if wanted is None:
            return None
        secret = None
        if wanted.key_secret_ref is not None:
            name = wanted.key_secret_ref.name
            how = how_to_create_key(namespace, name)
            secret = key_from_secret(await self._secret(namespace, name, how))
        return StoreEncryption(type=wanted.type, key=wanted.key, secret=secret)

    async def store(self, location: Location, namespace: str, *, hearsay: bool = False) -> StoreRef:
        """The location checked and with its credentials, as a child opens it."""
        await check_location(location, namespace, self.settings)
        if hearsay and is_allowed(location.endpoint or "", self.settings.allowed_endpoints):
            hearsay = False
        credentials = await self.credentials(location, namespace, hearsay=hearsay)
        encryption = await self.encryption(location, namespace)
        return store_ref(location, namespace, self.settings, credentials, encryption)
