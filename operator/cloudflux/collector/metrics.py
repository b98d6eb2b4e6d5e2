"""A collector's totals, and what the events of all clusters say, as metrics read when asked."""

import datetime as dt
import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from cloudflux.access.history_rows import REASONS as EVENT_REASONS
from cloudflux.api.common import Tier
from cloudflux.collector.fleet import OTHER, RESULTS, TYPES, Fleet, Measured, Owner
from cloudflux.collector.parse import REASONS
from cloudflux.collector.reader import Totals
from cloudflux.events.families import Labels, family
from cloudflux.events.outbox import FAILURE_REASONS

TIERS = (*(tier.value for tier in Tier), "none")


class TotalsCollector(MetricsCollector):
    """Operations counted and refused, and what waits."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterable[Metric]:
        """Return the present values; every reason is there from the start."""
        totals = self._totals
        for name in ("reads", "writes", "duplicates", "lost", "commits"):
            yield family(f"access_events_{name}_total", getattr(totals, name))
        yield family(
            "access_events_rejected_total", {(word,): totals.rejected[word] for word in REASONS}
        )
        yield family("access_events_failures_total", _failures(totals))
        lag = {
            (topic, str(partition)): waiting
            for (topic, partition), waiting in list(totals.lag.items())
        }
        yield family("access_events_lag", lag)


class FleetCollector(MetricsCollector):
    """Costs, savings and moves of all clusters, out of their events alone."""

    def __init__(
        self,
        totals: Totals,
        fleet: Fleet,
        data_sets: int,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._totals, self._fleet, self._limit, self._clock = totals, fleet, data_sets, clock

    def collect(self) -> Iterable[Metric]:
        """Return the present values; of a cluster that was heard of, every type and result."""
        totals, fleet = self._totals, self._fleet
        clusters = fleet.clusters
        yield family(
            "fleet_events_total",
            {(one, kind): fleet.events[one, kind] for one in clusters for kind in TYPES},
        )
        yield family("fleet_events_duplicates_total", totals.duplicates)
        yield family("fleet_events_lost_total", totals.lost)
        yield family(
            "fleet_events_rejected_total",
            {(word,): totals.rejected[word] for word in EVENT_REASONS},
        )
        yield family("fleet_events_failures_total", _failures(totals))
        waiting = {(t, str(p)): count for (t, p), count in list(totals.lag.items())}
        yield family("fleet_events_lag", waiting)
        newest = {(one,): fleet.newest[one] for one in clusters if one in fleet.newest}
        yield family("fleet_last_event_timestamp_seconds", newest)
        ended = {(c, word): fleet.ended[c, word] for c in clusters for word in RESULTS.values()}
        yield family("fleet_migrations_total", ended)
        moving = fleet.moving()
        yield family("fleet_migrations_in_progress", {(one,): moving[one] for one in clusters})
        yield from self._data_sets()

    def _data_sets(self) -> Iterable[Metric]:
        measured = self._fleet.measured(self._clock())
        shown = set(heapq.nlargest(self._limit, measured, key=lambda who: _bytes(measured[who])))
        series: dict[str, defaultdict[Labels, float]] = {
            name: defaultdict(float)
            for name in ("objects", "bytes", "cost", "possible", "realised")
        }
        for who, one in measured.items():
            labels = self._labels(who, shown)
            for tier in TIERS:
                for name in ("objects", "bytes"):
                    series[name][*labels, tier] += 0
            for tier, objects, size_bytes, cost in one.classes:
                tier = tier if tier in TIERS else "none"
                series["objects"][*labels, tier] += objects
                series["bytes"][*labels, tier] += size_bytes
                series["cost"][*labels, tier, one.currency] += float(cost)
            if one.possible is not None:
                series["possible"][*labels, one.currency] += float(one.possible)
            series["realised"][*labels, one.currency] += 0
        for (*owner, currency), amount in self._fleet.realised().items():
            of: Any = tuple(owner)
            if of in measured:  # a data set that is gone saves nothing
                series["realised"][*self._labels(of, shown), currency] += float(amount)
        yield family("fleet_dataset_objects", series["objects"])
        yield family("fleet_dataset_bytes", series["bytes"])
        yield family("fleet_dataset_cost_per_month", series["cost"])
        yield family("fleet_dataset_savings_possible_per_month", series["possible"])
        yield family("fleet_dataset_savings_realised_per_month", series["realised"])
        yield family("fleet_datasets_unshown", len(measured) - len(shown))

    def _labels(self, who: Owner, shown: set[Owner]) -> Labels:
        cluster = self._fleet.cluster(who[0])
        named = who in shown and cluster != OTHER
        return (cluster, *who[1:]) if named else (cluster, "", OTHER)


def _failures(totals: Totals) -> dict[Labels, float]:
    return {(word,): totals.failures[word] for word in FAILURE_REASONS}


def _bytes(one: Measured) -> int:
    return sum(size_bytes for _, _, size_bytes, _ in one.classes)
