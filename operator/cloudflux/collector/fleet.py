"""What the events of many clusters say is so now: costs, savings, running moves.

A collector knows this of its own partitions alone, reads it out of the history when it takes one
over and forgets it with the partition, so that no two collectors show the same data set.
"""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

from cloudflux.access.history import CARRIED_DAYS
from cloudflux.access.history_rows import COST, EVENT, POSSIBLE, PROGRESS, REALISED
from cloudflux.api.events import EventType

Owner = tuple[str, str, str]
"""Cluster, namespace and data set."""
MAX_CLUSTERS = 50
OTHER = "other"
RESULTS = {
    EventType.MIGRATION_COMPLETED.value: "completed",
    EventType.MIGRATION_FAILED.value: "failed",
    EventType.MIGRATION_CANCELLED.value: "cancelled",
}
JOB_TYPES = (EventType.MIGRATION_STARTED.value, *RESULTS)
TYPES = (*(kind.value for kind in EventType), OTHER)


@dataclass(slots=True)
class Measured:
    """The last measurement of a data set."""

    at: dt.datetime
    identity: int
    currency: str = ""
    classes: list[tuple[str, int, int, Decimal]] = field(default_factory=list)
    """Tier, objects, bytes and cost."""
    possible: Decimal | None = None


@dataclass(slots=True)
class _Part:
    measured: dict[Owner, Measured] = field(default_factory=dict)
    realised: dict[tuple[str, str, str, str], Decimal] = field(default_factory=dict)
    jobs: dict[tuple[str, str], bool] = field(default_factory=dict)
    """By cluster and UID: whether it moves; of those that ended nothing more is told."""


class Fleet:
    """What is known of all partitions that are ours; safe to read from another thread."""

    def __init__(self) -> None:
        self._parts: dict[str, _Part] = {}
        self._lock = threading.Lock()
        self._clusters: set[str] = set()
        self.events: Counter[tuple[str, str]] = Counter()
        """Events kept since the start, by cluster and type."""
        self.ended: Counter[tuple[str, str]] = Counter()
        """Jobs that ended since the start, by cluster and result."""
        self.newest: dict[str, float] = {}
        """When the newest event of a cluster happened, in seconds since 1970."""

    def restore(self, name: str, rows: pa.Table) -> None:
        """Know of one partition what the history knows, and nothing else."""
        with self._lock:
            part = self._parts[name] = _Part()
            for row in rows.sort_by("at").to_pylist():
                self._put(part, row, count=False)

    def keep(self, names: Iterable[str]) -> None:
        """Forget all partitions but these."""
        with self._lock:
            for name in self._parts.keys() - set(names):
                del self._parts[name]

    def take(self, rows: pa.Table) -> None:
        """Hear of what was committed."""
        with self._lock:
            for row in rows.sort_by("at").to_pylist():
                part = self._parts.get(row["application"])
                if part is not None:
                    self._put(part, row, count=True)

    def cluster(self, name: str) -> str:
        """Return the name to show: beyond the limit it is `other`."""
        if name not in self._clusters:
            if len(self._clusters) >= MAX_CLUSTERS:
                return OTHER
            self._clusters.add(name)
        return name

    @property
    def clusters(self) -> list[str]:
        """Clusters that were heard of, as they are shown."""
        with self._lock:
            return sorted(self.newest)

    def measured(self, now: dt.datetime) -> dict[Owner, Measured]:
        """Return the data sets that are still there."""
        oldest = now - dt.timedelta(CARRIED_DAYS, hours=2)
        with self._lock:
            for part in self._parts.values():
                gone = [who for who, one in part.measured.items() if one.at < oldest]
                for who in gone:
                    del part.measured[who]
            found: dict[Owner, Measured] = {}
            for part in self._parts.values():  # two hold one whose topic got more partitions
                for who, one in part.measured.items():
                    if who not in found or found[who].at < one.at:
                        found[who] = one
            return found

    def realised(self) -> dict[tuple[str, str, str, str], Decimal]:
        """Return what completed jobs save a month, by owner and currency."""
        with self._lock:
            sums: dict[tuple[str, str, str, str], Decimal] = {}
            for part in self._parts.values():
                for who, amount in part.realised.items():
                    sums[who] = sums.get(who, Decimal(0)) + amount
            return sums

    def moving(self) -> Counter[str]:
        """Count jobs that move, by cluster."""
        with self._lock:
            return Counter(
                self.cluster(cluster)
                for part in self._parts.values()
                for (cluster, _), moves in part.jobs.items()
                if moves
            )

    def _put(self, part: _Part, row: dict[str, Any], *, count: bool) -> None:
        if row["kind"] in (EVENT, PROGRESS):
            self._event(part, row, count=count)
        elif row["kind"] == REALISED:
            who = (row["cluster"], row["namespace"], row["data_set"], row["currency"])
            part.realised[who] = part.realised.get(who, Decimal(0)) + row["amount"]
        else:
            _measure(part.measured, row)

    def _event(self, part: _Part, row: Mapping[str, Any], *, count: bool) -> None:
        cluster, kind = self.cluster(row["cluster"]), row["type"]
        self.newest[cluster] = max(self.newest.get(cluster, 0.0), row["at"].timestamp())
        if kind in JOB_TYPES:
            job = (row["cluster"], row["job_uid"])
            # a job can't begin again: what is told late changes nothing
            part.jobs[job] = kind not in RESULTS and part.jobs.get(job, True)
        if count:
            self.events[cluster, kind if kind in TYPES else OTHER] += 1
            if kind in RESULTS:
                self.ended[cluster, RESULTS[kind]] += 1


def _measure(measured: dict[Owner, Measured], row: Mapping[str, Any]) -> None:
    owner = (row["cluster"], row["namespace"], row["data_set"])
    known = measured.get(owner)
    if known is None or row["at"] > known.at:
        known = measured[owner] = Measured(row["at"], row["hash"], row["currency"])
    if row["hash"] != known.identity:
        return  # an older one that was told late
    if row["kind"] == POSSIBLE:
        known.possible = row["amount"]
    elif row["kind"] == COST:
        known.classes.append(
            (row["tier"] or "none", row["objects"] or 0, row["bytes"] or 0, row["amount"])
        )
