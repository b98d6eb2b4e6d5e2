"""What the operator knows as metrics, read from its caches when Prometheus asks."""

import platform
from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

import cloudflux
from cloudflux.api.events import EventType
from cloudflux.api.migrationjob import Phase
from cloudflux.events.families import Labels, family
from cloudflux.handlers.admission import BEFORE_MOVING, MOVING
from cloudflux.handlers.metrics_data import data_series
from cloudflux.handlers.resources import JOB, KINDS, Raw, parse_time
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tally import (
    BACKENDS,
    FAILURE_CLASSES,
    OUTCOMES,
    RECONCILED,
    RESULTS,
    STAGES,
    condition,
)

SUMMARY = {JOB: "Succeeded"}
"""The condition that says of a kind whether all is well; Ready where none is named."""
_IN_PROGRESS = frozenset(phase.value for phase in MOVING)
_PENDING = frozenset(p.value for p in BEFORE_MOVING if p is not Phase.AWAITING_APPROVAL)


class RuntimeCollector(Collector):
    """Control loop, migrations, data sets, policies and events."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterable[Metric]:
        """Return the present values; known labels are there from the start."""
        yield from self._control()
        yield from self._counted()
        yield from self._present()
        for name, values in data_series(self._runtime).items():
            yield family(name, values)

    def _control(self) -> Iterable[Metric]:
        runtime, tally = self._runtime, self._runtime.tally
        versions = (cloudflux.__version__, platform.python_version())
        yield family("build_info", {versions: 1})
        visits = {(k, o): tally.reconciled[k, o] for k in RECONCILED for o in OUTCOMES}
        yield family("reconciliations_total", visits)
        yield tally.reconcile_seconds.family()
        yield family("kubernetes_events_dropped_total", runtime.recorder.dropped)
        told = runtime.publisher.told
        yield family("events_told_total", {(k.value,): told[k.value] for k in EventType})
        ready: Counter[Labels] = Counter()
        reasons: Counter[Labels] = Counter()
        for kind in KINDS:
            ready.update({(kind, word): 0 for word in ("true", "false", "unknown")})
            for raw in runtime.cache.list(kind):
                found = condition(raw.get("status") or {}, SUMMARY.get(kind, "Ready"))
                ready[kind, found.get("status", "Unknown").lower()] += 1
                if found.get("status") == "False":
                    reasons[kind, found.get("reason", "")] += 1
        yield family("resources", ready)
        yield family("resources_not_ready", reasons)

    def _counted(self) -> Iterable[Metric]:
        tally = self._runtime.tally
        words = RESULTS.values()
        ends = [(s, t, word) for s in BACKENDS for t in BACKENDS for word in words]
        yield family("migrations_total", {end: tally.ended[end] for end in ends})
        stages = [(target, stage) for target in BACKENDS for stage in STAGES]
        yield family("migration_objects_total", {one: tally.objects[one] for one in stages})
        yield family("migration_bytes_total", {one: tally.bytes[one] for one in stages})
        yield tally.migration_seconds.family()
        yield family("migration_retries_total", tally.retries)
        yield family(
            "migration_failures_total", {(word,): tally.failures[word] for word in FAILURE_CLASSES}
        )
        yield family(
            "integrity_failures_total", {(kind,): tally.mismatched[kind] for kind in BACKENDS}
        )
        lines = {(word,): tally.lines[word] for word in ("counted", "malformed")}
        yield family("access_lines_total", lines)
        yield family("scans_total", tally.scans)

    def _present(self) -> Iterable[Metric]:
        runtime = self._runtime
        phases = Counter(record.phase for record in runtime.tally.jobs.values())
        yield family("migrations", {(phase.value,): phases[phase.value] for phase in Phase})
        yield family("migrations_in_progress", sum(phases[word] for word in _IN_PROGRESS))
        stalled, oldest = 0, 0.0
        named: dict[str, dict[Labels, float]] = {
            "migration_progress_ratio": {},
            "migration_bytes_per_second": {},
            "migration_remaining_seconds": {},
        }
        for key, record in runtime.tally.jobs.items():
            if record.phase not in _IN_PROGRESS and record.phase not in _PENDING:
                continue
            raw = runtime.cache.get(*key)
            if raw is None:
                continue
            stalled += condition(raw.get("status") or {}, "Stalled").get("status") == "True"
            if record.phase in _PENDING:
                created = parse_time(raw["metadata"]["creationTimestamp"]).timestamp()
                oldest = min(oldest or created, created)
            elif len(named["migration_progress_ratio"]) < runtime.settings.metrics_data_sets:
                _add_progress(named, raw)
        yield family("migrations_stalled", stalled)
        yield family("migration_oldest_pending_timestamp_seconds", oldest)
        for name, values in named.items():
            yield family(name, values)


def _add_progress(named: Mapping[str, dict[Labels, float]], raw: Raw) -> None:
    status, metadata = raw["status"], raw["metadata"]
    progress = status.get("progress") or {}
    labels = (metadata["namespace"], raw["spec"]["dataSetRef"]["name"], metadata["name"])
    percent = progress.get("percent")
    if percent is not None:
        named["migration_progress_ratio"][*labels, status["phase"]] = percent / 100
    for word, name in (
        ("bytesPerSecond", "migration_bytes_per_second"),
        ("estimatedRemainingSeconds", "migration_remaining_seconds"),
    ):
        if progress.get(word) is not None:
            named[name][labels] = progress[word]
