"""The event types: declared once, with what they mean, what they carry and how they are kept."""

from dataclasses import dataclass
from enum import StrEnum

from cloudflux.api import event_data as data
from cloudflux.api.event_data import EventData

SCHEMA_BASE = "https://cloudflux.io/schemas/"
"""`dataschema` of an event is this, its type and `.json`; docs/reference/schemas holds them."""


class EventType(StrEnum):
    """The types of CloudEvents that are emitted."""

    CLOUD_UPLOAD = "io.cloudflux.cloud.upload.v1"
    CLOUD_DOWNLOAD = "io.cloudflux.cloud.download.v1"
    CLOUD_DELETE = "io.cloudflux.cloud.delete.v1"
    PATTERN_DETECTED = "io.cloudflux.access.pattern_detected.v1"
    LATENCY_BREACHED = "io.cloudflux.access.latency_breached.v1"
    PREDICTION = "io.cloudflux.ml.prediction.v1"
    SAVINGS_FOUND = "io.cloudflux.cost.savings_found.v1"
    COST_ALERT = "io.cloudflux.cost.alert.v1"
    COST_MEASURED = "io.cloudflux.cost.measured.v1"
    MIGRATION_PLANNED = "io.cloudflux.migration.planned.v1"
    MIGRATION_QUEUED = "io.cloudflux.migration.queued.v1"
    MIGRATION_RESTORING = "io.cloudflux.migration.restoring.v1"
    MIGRATION_STARTED = "io.cloudflux.migration.started.v1"
    MIGRATION_PROGRESS = "io.cloudflux.migration.progress.v1"
    MIGRATION_VERIFIED = "io.cloudflux.migration.verified.v1"
    MIGRATION_SWITCHED = "io.cloudflux.migration.switched.v1"
    MIGRATION_COMPLETED = "io.cloudflux.migration.completed.v1"
    MIGRATION_FAILED = "io.cloudflux.migration.failed.v1"
    MIGRATION_CANCELLED = "io.cloudflux.migration.cancelled.v1"
    DATASET_SWITCHED = "io.cloudflux.dataset.switched.v1"
    POLICY_EVALUATED = "io.cloudflux.policy.evaluated.v1"
    EVENTS_DROPPED = "io.cloudflux.events.dropped.v1"


@dataclass(frozen=True, slots=True)
class EventInfo:
    """One type: what it means, what it carries, and whether it may be dropped when a log fills."""

    meaning: str
    model: type[EventData]
    droppable: bool = False
    severity: str = "info"


EVENTS: dict[EventType, EventInfo] = {
    EventType.CLOUD_UPLOAD: EventInfo("A job wrote objects to a location.", data.CloudTransfer),
    EventType.CLOUD_DOWNLOAD: EventInfo(
        "A job read objects of a location to copy them.", data.CloudTransfer
    ),
    EventType.CLOUD_DELETE: EventInfo(
        "A job deleted the objects that it had moved away.", data.CloudTransfer
    ),
    EventType.PATTERN_DETECTED: EventInfo(
        "The temperature of a data set changed.", data.PatternDetected, droppable=True
    ),
    EventType.LATENCY_BREACHED: EventInfo(
        "Reads of a policy's data sets wait longer for their first byte than its limit.",
        data.LatencyBreached,
        severity="warning",
    ),
    EventType.PREDICTION: EventInfo(
        "The forecast of a data set changed.", data.Prediction, droppable=True
    ),
    EventType.SAVINGS_FOUND: EventInfo("Other recommendations than before.", data.SavingsFound),
    EventType.COST_ALERT: EventInfo(
        "The cost of a policy's data sets crossed its limit.", data.CostAlert, severity="warning"
    ),
    EventType.COST_MEASURED: EventInfo(
        "What a data set costs by class: when it changed, and at least once a day.",
        data.CostMeasured,
        droppable=True,
    ),
    EventType.MIGRATION_PLANNED: EventInfo("A job has a plan.", data.MigrationPlanned),
    EventType.MIGRATION_QUEUED: EventInfo("A job waits for its turn.", data.MigrationQueued),
    EventType.MIGRATION_RESTORING: EventInfo(
        "A job asked for archived objects, and waits for them.", data.MigrationRestoring
    ),
    EventType.MIGRATION_STARTED: EventInfo("A job began to move data.", data.MigrationStarted),
    EventType.MIGRATION_PROGRESS: EventInfo(
        "How far a job is.", data.MigrationProgress, droppable=True
    ),
    EventType.MIGRATION_VERIFIED: EventInfo("A job proved its copies.", data.MigrationVerified),
    EventType.MIGRATION_SWITCHED: EventInfo(
        "A job switched its data set, or changed all classes.", data.MigrationSwitched
    ),
    EventType.MIGRATION_COMPLETED: EventInfo("A job is done.", data.MigrationCompleted),
    EventType.MIGRATION_FAILED: EventInfo(
        "A job failed.", data.MigrationFailed, severity="warning"
    ),
    EventType.MIGRATION_CANCELLED: EventInfo("A job was cancelled.", data.MigrationCancelled),
    EventType.DATASET_SWITCHED: EventInfo(
        "A data set has another location; its consumers must follow.", data.DataSetSwitched
    ),
    EventType.POLICY_EVALUATED: EventInfo("A policy evaluated.", data.PolicyEvaluated),
    EventType.EVENTS_DROPPED: EventInfo(
        "Events of the droppable types are missing here.", data.EventsDropped, severity="warning"
    ),
}
"""Every event type. Documentation, schemas and the AsyncAPI document are made from it."""


def schema_uri(event_type: EventType) -> str:
    """Return the `dataschema` attribute of a type."""
    return f"{SCHEMA_BASE}{event_type.value}.json"
