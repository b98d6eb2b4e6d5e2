"""Who stands where and in which line, so that a decision need not look at everybody."""

import asyncio
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cloudflux.api.migrationjob import JobPin, Phase
from cloudflux.errors import ConfigurationError
from cloudflux.handlers.admission import (
    FINISHED,
    MOVING,
    Turn,
    awaits_retirement,
    in_line,
    order,
    sweeping,
)
from cloudflux.handlers.overlap import Place, PlaceIndex, Uri, place
from cloudflux.handlers.resolve import in_place
from cloudflux.handlers.resources import DATA_SET, JOB, Job, Raw, Resource
from cloudflux.handlers.tasks import Key

Order = tuple[int, str, str, str]
REFRESH_SECONDS = 30.0
"""Every directory's real path is looked up again within so long: a symbolic link may change."""


@dataclass(frozen=True, slots=True)
class _DataSet:
    uid: str
    namespace: str
    reached: bool
    """Its location was opened once with its own credentials: it is no mere claim."""


@dataclass(frozen=True, slots=True)
class _Seen:
    uid: str
    data_set: tuple[str, str]
    line: Order | None
    """Its place in the line of those who wait for nothing but a slot."""
    waits: bool
    """It waits for a data set or a place."""
    moving: bool


def uris_of(pin: JobPin) -> tuple[Uri, ...]:
    """What a job reads and writes."""
    source = (pin.source.uri, pin.source.endpoint)
    return (source,) if in_place(pin) else (source, (pin.target.uri, pin.target.endpoint))


class Standing:
    """Fed by the cache. Jobs are found by UID, data set, place and turn; data sets by place."""

    def __init__(
        self, find: Callable[[Key], Resource[Any, Any] | None], most_each: int | None = None
    ) -> None:
        """`most_each` is how many slots one namespace may hold; None: all of them."""
        self._find, self._most_each = find, most_each
        self._seen: dict[Key, _Seen] = {}
        self._key_of: dict[str, Key] = {}
        self._of_data_set: dict[tuple[str, str], set[Key]] = {}
        self._line: list[tuple[Order, Key]] = []
        self._job_places: PlaceIndex = PlaceIndex()
        self._data_set_places: PlaceIndex = PlaceIndex()
        self._data_sets: dict[Key, _DataSet] = {}
        self._data_set_of: dict[str, _DataSet] = {}
        self.moving: set[str] = set()
        """UIDs of the jobs that hold a slot."""
        self.waiting: set[Key] = set()
        """Queued jobs that wait for a data set or a place."""

    def hear(self, kind: str, key: Key, raw: Raw | None) -> None:
        """Take a change in; None: the object is gone."""
        if kind == JOB:
            self._hear_job(key, raw)
        elif kind == DATA_SET:
            self._hear_data_set(key, raw)

    def data_sets_touching(self, mine: Place, namespace: str) -> set[str]:
        """UIDs of the data sets, of this namespace or reached, whose location touches the place.

        Anybody may write any bucket into a DataSet: as long as it was never opened with the
        DataSet's own credentials, the name alone stops nobody in another namespace.
        """
        touching = (self._data_set_of[uid] for uid in self._data_set_places.touching(mine))
        return {one.uid for one in touching if one.reached or one.namespace == namespace}

    def claimed_unreached(self, mine: Place, namespace: str) -> bool:
        """Whether a data set of another namespace, never reached so far, names the place."""
        touching = (self._data_set_of[uid] for uid in self._data_set_places.touching(mine))
        return any(not one.reached and one.namespace != namespace for one in touching)

    def jobs_touching(self, mine: Iterable[Place], also: Iterable[str] = ()) -> Iterator[Job]:
        """Jobs whose pinned places touch one of these, unless nothing is left for them to do.

        `also` are UIDs that are to be looked at in any case.
        """
        uids = set(also).union(*(self._job_places.touching(one) for one in mine))
        for key in sorted(self._key_of[uid] for uid in uids if uid in self._key_of):
            found = self._find(key)
            if found is not None:
                yield found

    def knows(self, uid: str) -> bool:
        """Whether a job of this UID exists."""
        return uid in self._key_of

    def jobs_of(self, namespace: str, data_set: str) -> list[Key]:
        """Keys of the jobs that name the data set."""
        return sorted(self._of_data_set.get((namespace, data_set), ()))

    def first_in_line(self, count: int) -> list[Key]:
        """Keys of the jobs whose turn is next, but for those whose namespace holds its share."""
        return [key for _, key in islice(self._eligible(self._line, self.moving), count)]

    def turn(self, job: Job, admitted: Collection[str], limit: int) -> Turn:
        """The job's turn. Only jobs that wait for nothing but a slot are ahead of it.

        `admitted` are UIDs of jobs let in just now, whose status may not say so yet.
        """
        moving = self.moving.union(admitted)
        if job.uid in moving:
            return Turn(True)
        if self._most_each is not None:
            return self._fair_turn(job, moving, limit)
        ahead = self._ahead(order(job), admitted)
        return Turn(True) if ahead < limit - len(moving) else Turn(False, ahead + 1)

    def _fair_turn(self, job: Job, moving: set[str], limit: int) -> Turn:
        """The turn where no namespace may hold all slots: a full one's jobs are in nobody's way."""
        mine = order(job)
        before = [
            one
            for one in self._line[: bisect_left(self._line, (mine,))]
            if self._seen[one[1]].uid not in moving
        ]
        theirs = list(self._eligible([*before, (mine, job.key)], moving))
        allowed = bool(theirs) and theirs[-1][1] == job.key
        if allowed and len(theirs) <= limit - len(moving):
            return Turn(True)
        return Turn(False, len(before) + 1)

    def _eligible(
        self, line: Iterable[tuple[Order, Key]], moving: Iterable[str]
    ) -> Iterator[tuple[Order, Key]]:
        """Those of a line whose namespace would hold no more than its share, in order."""
        if self._most_each is None:
            yield from line
            return
        held = Counter(self._key_of[uid][1] for uid in moving if uid in self._key_of)
        for one in line:
            if held[one[1][1]] < self._most_each:
                held[one[1][1]] += 1
                yield one

    def _ahead(self, mine: Order, admitted: Iterable[str]) -> int:
        before = bisect_left(self._line, (mine,))
        for uid in admitted:
            seen = self._seen.get(self._key_of.get(uid, ("", "", "")))
            if seen is not None and seen.line is not None and seen.line < mine:
                before -= 1
        return before

    async def keep_fresh(self) -> None:
        """Look up real paths again, a slice a second; until cancelled."""
        while True:
            for index in (self._job_places, self._data_set_places):
                stale = index.oldest_files(1 / REFRESH_SECONDS)
                found = await asyncio.to_thread(
                    lambda owners: [(o, u, [place(*one) for one in u]) for o, u in owners], stale
                )
                for owner, uris, places in found:
                    index.replace(owner, uris, places)
            await asyncio.sleep(1.0)

    def _hear_data_set(self, key: Key, raw: Raw | None) -> None:
        uid = raw["metadata"].get("uid", "") if raw is not None else ""
        before = self._data_sets.pop(key, None)
        if before is not None and before.uid != uid:
            self._data_set_places.drop(before.uid)
            self._data_set_of.pop(before.uid, None)
        if raw is None:
            return
        active = (raw.get("status") or {}).get("location")
        seen = _DataSet(uid, namespace=key[1], reached=active is not None)
        self._data_sets[key] = self._data_set_of[uid] = seen
        location = active or raw["spec"]["location"]
        self._data_set_places.put(uid, ((location["uri"], location.get("endpoint")),))

    def _hear_job(self, key: Key, raw: Raw | None) -> None:
        before = self._seen.pop(key, None)
        if before is not None:
            self._leave(key, before)
        job: Job | None = None
        if raw is not None:
            try:
                job = self._find(key)
            except ConfigurationError:
                job = None
        if before is not None and (job is None or job.uid != before.uid):
            self._job_places.drop(before.uid)
            self._key_of.pop(before.uid, None)
        if job is not None:
            self._enter(key, job)

    def _leave(self, key: Key, seen: _Seen) -> None:
        self._of_data_set[seen.data_set].discard(key)
        if not self._of_data_set[seen.data_set]:
            del self._of_data_set[seen.data_set]
        self.moving.discard(seen.uid)
        self.waiting.discard(key)
        if seen.line is not None:
            del self._line[bisect_left(self._line, (seen.line, key))]

    def _enter(self, key: Key, job: Job) -> None:
        status, queued = job.status, job.status.phase == Phase.QUEUED
        stands = in_line(status) and not job.spec.suspend and not job.spec.cancel
        seen = self._seen[key] = _Seen(
            uid=job.uid,
            data_set=(job.namespace, job.spec.data_set_ref.name),
            line=order(job) if stands else None,
            waits=queued and status.reason in ("DataSetBusy", "LocationOverlap"),
            moving=status.phase in MOVING,
        )
        self._key_of[job.uid] = key
        self._of_data_set.setdefault(seen.data_set, set()).add(key)
        if seen.moving:
            self.moving.add(job.uid)
        if seen.waits:
            self.waiting.add(key)
        if seen.line is not None:
            insort(self._line, (seen.line, key))
        works = status.phase not in FINISHED or sweeping(job) or awaits_retirement(job)
        if status.pin is not None and works:
            self._job_places.put(job.uid, uris_of(status.pin))
        else:
            self._job_places.drop(job.uid)
