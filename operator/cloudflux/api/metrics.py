"""Every metric: declared once, with its labels and unit. Collectors and the docs page use it."""

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "cloudflux_"


class MetricKind(StrEnum):
    """Kinds of metrics, as Prometheus calls them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """One metric. `kind` is for Prometheus, `unit` for people and dashboards."""

    kind: MetricKind
    meaning: str
    unit: str
    labels: tuple[str, ...] = ()
    process: str = "operator"
    """Which command serves it: operator, collector or console."""
    when: str = ""
    """Under which circumstances there is a series at all; empty: from the start."""
    buckets: tuple[float, ...] = ()


RECONCILE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
MIGRATION_BUCKETS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0)

_KAFKA = "Kafka is configured"
_DATA_SETS = 'of each data set, up to the limit; the rest as dataset="other"'
_SHOWN = "of each data set that is shown by name"


def _counter(meaning: str, unit: str, *labels: str, when: str = "") -> MetricInfo:
    return MetricInfo(MetricKind.COUNTER, meaning, unit, labels, when=when)


def _gauge(meaning: str, unit: str, *labels: str, when: str = "") -> MetricInfo:
    return MetricInfo(MetricKind.GAUGE, meaning, unit, labels, when=when)


def _collected(kind: MetricKind, meaning: str, unit: str, *labels: str) -> MetricInfo:
    return MetricInfo(kind, meaning, unit, labels, process="collector")


_CONTROL = {
    "build_info": _gauge(
        "Always 1, of the process that leads; the labels tell the versions.",
        "",
        "version",
        "python",
    ),
    "reconciliations_total": _counter(
        "Visits of resources, by how they ended.", "visits", "kind", "result"
    ),
    "reconcile_duration_seconds": MetricInfo(
        MetricKind.HISTOGRAM,
        "How long visits of resources took.",
        "seconds",
        ("kind",),
        buckets=RECONCILE_BUCKETS,
    ),
    "queue_depth": _gauge("Keys that are due and not yet in hand.", "keys"),
    "queue_in_hand": _gauge("Keys that are being worked on.", "keys"),
    "queue_oldest_seconds": _gauge("By how much the most overdue key is late.", "seconds"),
    "longest_reconcile_seconds": _gauge("Age of the longest visit that goes on.", "seconds"),
    "watch_echo_age_seconds": _gauge(
        "Time since the watch brought our own Lease's renewal; grows when the watch is deaf.",
        "seconds",
    ),
    "lease_age_seconds": _gauge("Time since the Lease was renewed.", "seconds"),
    "lease_lost": _gauge("1 when this process leads no longer.", ""),
    "event_loop_lag_seconds": _gauge("By how much the event loop is late.", "seconds"),
    "executor_wait_seconds": _gauge("How long a trifle waits for a free thread.", "seconds"),
    "child_tasks": _gauge("Open tasks of a child process.", "tasks", "child"),
    "child_deaths_total": _counter("Ends of a child process.", "ends", "child"),
    "api_writes_total": _counter(
        "Writes to the Kubernetes API.", "requests", "verb", "resource", when="it was written"
    ),
    "api_reads_total": _counter(
        "Reads of the Kubernetes API.", "requests", "resource", when="it was read"
    ),
    "api_requests_total": _counter(
        "Requests to the Kubernetes API by HTTP status; none: no answer came.",
        "requests",
        "verb",
        "resource",
        "code",
        when="one was sent",
    ),
    "backend_requests_total": _counter(
        "Requests that the operator's children sent to S3, Azure and GCS, every attempt counted.",
        "requests",
        "backend",
        "operation",
        "result",
        when="the operation was used; then with every result",
    ),
    "resources": _gauge(
        "Resources by their summary condition: Ready, and Succeeded of MigrationJobs.",
        "resources",
        "kind",
        "ready",
    ),
    "resources_not_ready": _gauge(
        "Resources whose summary condition is False, by reason.",
        "resources",
        "kind",
        "reason",
        when="there is one",
    ),
    "kubernetes_events_dropped_total": _counter("Kubernetes events not written.", "events"),
}
_MIGRATIONS = {
    "migrations_total": _counter(
        "MigrationJobs that ended since this process leads.",
        "jobs",
        "source_backend",
        "target_backend",
        "result",
    ),
    "migration_objects_total": _counter(
        "Objects of MigrationJobs by the stage that they reached.",
        "objects",
        "target_backend",
        "stage",
    ),
    "migration_bytes_total": _counter(
        "Bytes of MigrationJobs by the stage that they reached.",
        "bytes",
        "target_backend",
        "stage",
    ),
    "migration_duration_seconds": MetricInfo(
        MetricKind.HISTOGRAM,
        "From the start of moving to completion.",
        "seconds",
        ("target_backend",),
        buckets=MIGRATION_BUCKETS,
    ),
    "migration_retries_total": _counter("Steps that failed and are tried again.", "attempts"),
    "migration_failures_total": _counter(
        "MigrationJobs that failed, by class of the failure.", "jobs", "class"
    ),
    "integrity_failures_total": _counter(
        "Objects at a target that differ from their source; such a job never switches.",
        "objects",
        "target_backend",
    ),
    "migrations": _gauge("MigrationJobs by phase.", "jobs", "phase"),
    "migrations_in_progress": _gauge("MigrationJobs that move, prove or switch.", "jobs"),
    "migrations_stalled": _gauge("MigrationJobs whose condition Stalled is True.", "jobs"),
    "migration_oldest_pending_timestamp_seconds": _gauge(
        "When the oldest job was created that has not begun and waits for no person; 0: none.",
        "seconds since 1970",
    ),
    "migration_progress_ratio": _gauge(
        "Share of the present step that is done.",
        "ratio",
        "namespace",
        "dataset",
        "migration",
        "phase",
        when="of each job in progress, up to the limit",
    ),
    "migration_bytes_per_second": _gauge(
        "Present speed of a job.",
        "bytes per second",
        "namespace",
        "dataset",
        "migration",
        when="of each job that says it, up to the limit",
    ),
    "migration_remaining_seconds": _gauge(
        "Time that a job still needs, about.",
        "seconds",
        "namespace",
        "dataset",
        "migration",
        when="of each job that says it, up to the limit",
    ),
}
_NAMED = ("namespace", "dataset")
_DATA = {
    "dataset_objects": _gauge("Objects by tier.", "objects", *_NAMED, "tier", when=_DATA_SETS),
    "dataset_bytes": _gauge("Bytes by tier.", "bytes", *_NAMED, "tier", when=_DATA_SETS),
    "dataset_cost_per_month": _gauge(
        "What the data costs a month by tier, at the prices of the last evaluation.",
        "currency per month",
        *_NAMED,
        "tier",
        "currency",
        when=_DATA_SETS,
    ),
    "dataset_savings_possible_per_month": _gauge(
        "What all recommendations would save a month.",
        "currency per month",
        *_NAMED,
        "currency",
        when=_DATA_SETS,
    ),
    "dataset_savings_realised_per_month": _gauge(
        "What completed jobs save a month, by their plans, while the jobs exist.",
        "currency per month",
        *_NAMED,
        "currency",
        when=_DATA_SETS,
    ),
    "dataset_temperature": _gauge(
        "1 for the temperature that the data set has, 0 for the others.",
        "",
        *_NAMED,
        "temperature",
        when=_SHOWN,
    ),
    "dataset_reads": _gauge(
        "Reads seen in the last days.", "reads", *_NAMED, "window", when=_DATA_SETS
    ),
    "dataset_forecast_reads": _gauge(
        "Reads expected in the next days.", "reads", *_NAMED, "window", when=_SHOWN
    ),
    "dataset_forecast_bound_reads": _gauge(
        "10th and 90th percentile of the reads expected in the next 7 days.",
        "reads",
        *_NAMED,
        "bound",
        when=_SHOWN,
    ),
    "dataset_model_usable": _gauge(
        "1 while the model of the strategy Predictive decides, 0 while the floors stand in.",
        "",
        *_NAMED,
        when="the strategy is Predictive, " + _SHOWN,
    ),
    "dataset_model_trained_timestamp_seconds": _gauge(
        "Day on which the model of the forecast was trained.",
        "seconds since 1970",
        *_NAMED,
        when="a model forecasts, no fall-back, " + _SHOWN,
    ),
    "dataset_access_fresh": _gauge(
        "1 when reads are seen newly and completely enough to decide on.",
        "",
        *_NAMED,
        when=_SHOWN,
    ),
    "dataset_access_coverage_ratio": _gauge(
        "Share of the deciding window's days with a complete signal.",
        "ratio",
        *_NAMED,
        when=_SHOWN,
    ),
    "dataset_first_byte_seconds": _gauge(
        "What 19 of 20 reads of today and yesterday waited for their first byte at most.",
        "seconds",
        *_NAMED,
        when="a signal tells it, " + _SHOWN,
    ),
    "dataset_last_scan_timestamp_seconds": _gauge(
        "When the last listing ended.", "seconds since 1970", *_NAMED, when=_SHOWN
    ),
    "dataset_last_read_timestamp_seconds": _gauge(
        "When the newest read that was seen happened.",
        "seconds since 1970",
        *_NAMED,
        when="a read was seen, " + _SHOWN,
    ),
    "datasets_unshown": _gauge(
        'Data sets beyond the limit, which are summed as dataset="other".', "data sets"
    ),
    "forecast_datasets": _gauge(
        "Data sets by the model that forecasts their reads; all but the forest are fall-backs.",
        "data sets",
        "model",
    ),
    "access_lines_total": _counter(
        "Lines of access logs that were read: counted, or malformed and kept aside.",
        "lines",
        "result",
    ),
    "scans_total": _counter("Listings of data sets that ended.", "scans"),
}
_POLICIES = {
    "policy_datasets": _gauge("Data sets of a policy.", "data sets", "namespace", "policy"),
    "policy_evaluations_total": _counter(
        "Evaluations of a policy since this process leads.", "evaluations", "namespace", "policy"
    ),
    "policy_failures_total": _counter(
        "Times that a policy became unable to act.", "times", "namespace", "policy"
    ),
    "policy_last_evaluation_timestamp_seconds": _gauge(
        "When a policy evaluated last.",
        "seconds since 1970",
        "namespace",
        "policy",
        when="it did",
    ),
    "policy_next_evaluation_timestamp_seconds": _gauge(
        "When a policy evaluates next.",
        "seconds since 1970",
        "namespace",
        "policy",
        when="it has a schedule",
    ),
    "policy_cost_per_month": _gauge(
        "What the policy's data sets cost a month.",
        "currency per month",
        "namespace",
        "policy",
        "currency",
        when="it is known",
    ),
    "policy_cost_limit_per_month": _gauge(
        "spec.alerts.monthlyCostAbove.",
        "currency per month",
        "namespace",
        "policy",
        "currency",
        when="it is set",
    ),
    "policy_first_byte_seconds": _gauge(
        "What 19 of 20 reads of the policy's slowest data set waited for their first byte at most.",
        "seconds",
        "namespace",
        "policy",
        when="it is known",
    ),
    "policy_first_byte_limit_seconds": _gauge(
        "spec.alerts.firstByteMillisAbove.", "seconds", "namespace", "policy", when="it is set"
    ),
    "policy_regret_ratio": _gauge(
        "By how much the policy cost more in the replayed past than with every read known; 0.1 "
        "is 10 % more.",
        "ratio",
        "namespace",
        "policy",
        when="it was replayed",
    ),
    "policy_replay_cost": _gauge(
        "What the replayed past cost: under the strategy, always hot, or at the optimum.",
        "currency",
        "namespace",
        "policy",
        "case",
        "currency",
        when="it was replayed",
    ),
    "policy_promise_kept_ratio": _gauge(
        "What moves saved, by replay of the reads that came, as a share of what they promised.",
        "ratio",
        "namespace",
        "policy",
        when="moves are old enough to tell",
    ),
    "policy_savings_per_month": _gauge(
        "Savings of a policy: projected by recommendations, realised by completed jobs.",
        "currency per month",
        "namespace",
        "policy",
        "state",
        "currency",
        when="it is known",
    ),
}
_EVENTS = {
    "events_told_total": _counter(
        "CloudEvents told to the local log and, with Kafka, to the outbox.", "events", "type"
    ),
    "events_produced_total": _counter("Events that brokers took.", "events", "type", when=_KAFKA),
    "events_dropped_total": _counter(
        "Events dropped, the local log being full.", "events", "type", when=_KAFKA
    ),
    "events_failures_total": _counter(
        "Hand-overs that brokers did not take.", "hand-overs", "reason", when=_KAFKA
    ),
    "outbox_events": _gauge("Events waiting.", "events", when=_KAFKA),
    "outbox_oldest_age_seconds": _gauge(
        "How long the oldest event has been waiting.", "seconds", when=_KAFKA
    ),
    "outbox_filled_ratio": _gauge("Share of the local log's limit in use.", "ratio", when=_KAFKA),
}
_COLLECTOR = {
    "access_events_reads_total": _collected(MetricKind.COUNTER, "Reads counted.", "reads"),
    "access_events_writes_total": _collected(MetricKind.COUNTER, "Writes counted.", "writes"),
    "access_events_duplicates_total": _collected(
        MetricKind.COUNTER, "Operations told twice and counted once.", "operations"
    ),
    "access_events_lost_total": _collected(
        MetricKind.COUNTER, "Messages deleted by the topic before they were read.", "messages"
    ),
    "access_events_commits_total": _collected(
        MetricKind.COUNTER, "Commits to the access store.", "commits"
    ),
    "access_events_rejected_total": _collected(
        MetricKind.COUNTER, "Messages that can't be counted.", "messages", "reason"
    ),
    "access_events_failures_total": _collected(
        MetricKind.COUNTER, "Sessions with the brokers that failed.", "sessions", "reason"
    ),
    "access_events_lag": _collected(
        MetricKind.GAUGE, "Messages not yet counted.", "messages", "topic", "partition"
    ),
}
_FLEET_NAMED = ("cluster", "namespace", "dataset")
_FLEET_DATA = "of each data set that told of its costs in the last two days, up to the limit"
_HEARD = "of each cluster that was heard of"


def _fleet(kind: MetricKind, meaning: str, unit: str, *labels: str, when: str = "") -> MetricInfo:
    return MetricInfo(kind, meaning, unit, labels, process="collector", when=when)


_FLEET = {
    "fleet_events_total": _fleet(
        MetricKind.COUNTER, "Events kept in the history.", "events", "cluster", "type", when=_HEARD
    ),
    "fleet_events_duplicates_total": _fleet(
        MetricKind.COUNTER, "Events told again and kept once.", "events"
    ),
    "fleet_events_lost_total": _fleet(
        MetricKind.COUNTER, "Events deleted by the topic before they were read.", "events"
    ),
    "fleet_events_rejected_total": _fleet(
        MetricKind.COUNTER, "Messages of the events topic that can't be kept.", "messages", "reason"
    ),
    "fleet_events_failures_total": _fleet(
        MetricKind.COUNTER, "Sessions with the brokers that failed.", "sessions", "reason"
    ),
    "fleet_events_lag": _fleet(
        MetricKind.GAUGE, "Events not yet kept.", "events", "topic", "partition"
    ),
    "fleet_last_event_timestamp_seconds": _fleet(
        MetricKind.GAUGE,
        "When the newest event of a cluster happened.",
        "seconds since 1970",
        "cluster",
        when=_HEARD,
    ),
    "fleet_migrations_total": _fleet(
        MetricKind.COUNTER,
        "MigrationJobs of a cluster that ended since the collector runs.",
        "jobs",
        "cluster",
        "result",
        when=_HEARD,
    ),
    "fleet_migrations_in_progress": _fleet(
        MetricKind.GAUGE,
        "MigrationJobs of a cluster that began to move data and did not end.",
        "jobs",
        "cluster",
        when=_HEARD,
    ),
    "fleet_dataset_objects": _fleet(
        MetricKind.GAUGE, "Objects by tier.", "objects", *_FLEET_NAMED, "tier", when=_FLEET_DATA
    ),
    "fleet_dataset_bytes": _fleet(
        MetricKind.GAUGE, "Bytes by tier.", "bytes", *_FLEET_NAMED, "tier", when=_FLEET_DATA
    ),
    "fleet_dataset_cost_per_month": _fleet(
        MetricKind.GAUGE,
        "What the data costs a month by tier.",
        "currency per month",
        *_FLEET_NAMED,
        "tier",
        "currency",
        when=_FLEET_DATA,
    ),
    "fleet_dataset_savings_possible_per_month": _fleet(
        MetricKind.GAUGE,
        "What all recommendations would save a month.",
        "currency per month",
        *_FLEET_NAMED,
        "currency",
        when=_FLEET_DATA,
    ),
    "fleet_dataset_savings_realised_per_month": _fleet(
        MetricKind.GAUGE,
        "What all completed jobs that the history holds save a month, by their plans.",
        "currency per month",
        *_FLEET_NAMED,
        "currency",
        when=_FLEET_DATA,
    ),
    "fleet_datasets_unshown": _fleet(
        MetricKind.GAUGE,
        'Data sets beyond the limit, which are summed by cluster as dataset="other".',
        "data sets",
    ),
}
_CONSOLE = {
    "console_clients": MetricInfo(
        MetricKind.GAUGE, "Streams that are open; 50 is the most.", "streams", process="console"
    ),
    "console_clients_dropped_total": MetricInfo(
        MetricKind.COUNTER,
        "Streams closed because their client read too slowly.",
        "streams",
        process="console",
    ),
    "console_events_total": MetricInfo(
        MetricKind.COUNTER, "Events taken from the source.", "events", process="console"
    ),
    "console_source_connected": MetricInfo(
        MetricKind.GAUGE, "1 while the source of events is followed.", "", process="console"
    ),
}

METRICS: dict[str, MetricInfo] = {
    PREFIX + name: info
    for group in (_CONTROL, _MIGRATIONS, _DATA, _POLICIES, _EVENTS, _COLLECTOR, _FLEET, _CONSOLE)
    for name, info in group.items()
}
"""Every metric by its name as Prometheus shows it."""
