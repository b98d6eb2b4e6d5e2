"""The one vocabulary: condition types, reasons, keys of logs and labels of metrics.

Kubernetes events, conditions, CloudEvents, logs, metrics and the docs page take their words here;
the types of CloudEvents are in api/events.py.
"""

from dataclasses import dataclass
from enum import StrEnum


class ConditionType(StrEnum):
    """Types of conditions."""

    READY = "Ready"
    ACCESS_HISTORY_FRESH = "AccessHistoryFresh"
    SUCCEEDED = "Succeeded"
    PLANNED = "Planned"
    APPROVED = "Approved"
    COPIED = "Copied"
    VERIFIED = "Verified"
    SWITCHED = "Switched"
    SOURCE_RETIRED = "SourceRetired"
    STALLED = "Stalled"
    EVENTS_DELIVERED = "EventsDelivered"
    COST_WITHIN_LIMIT = "CostWithinLimit"
    MODEL_USABLE = "ModelUsable"
    SAVINGS_AS_PROMISED = "SavingsAsPromised"
    FIRST_BYTE_WITHIN_LIMIT = "FirstByteWithinLimit"


@dataclass(frozen=True, slots=True)
class ConditionInfo:
    """What a condition means when it is True, and on which kinds it stands."""

    meaning: str
    kinds: tuple[str, ...]


CONDITIONS: dict[ConditionType, ConditionInfo] = {
    ConditionType.READY: ConditionInfo(
        "A data set is listed and priced; a policy selects data sets and has evaluated them.",
        ("DataSet", "TieringPolicy"),
    ),
    ConditionType.ACCESS_HISTORY_FRESH: ConditionInfo(
        "Reads are seen, newly and completely enough to decide on. While it is not True, the "
        "temperature is Unknown and nothing moves colder.",
        ("DataSet",),
    ),
    ConditionType.SUCCEEDED: ConditionInfo(
        "The move is done: every object is verified and the data set is switched. False: it "
        "failed or was cancelled; the reason says which. Unknown: it goes on.",
        ("MigrationJob",),
    ),
    ConditionType.PLANNED: ConditionInfo(
        "The plan is made and frozen; status.plan shows it.", ("MigrationJob",)
    ),
    ConditionType.APPROVED: ConditionInfo(
        "The present plan may be carried out.", ("MigrationJob",)
    ),
    ConditionType.COPIED: ConditionInfo("Every object is at the target.", ("MigrationJob",)),
    ConditionType.VERIFIED: ConditionInfo(
        "Every object at the target is proven and the manifest is written.", ("MigrationJob",)
    ),
    ConditionType.SWITCHED: ConditionInfo(
        "The data set points to the new location.", ("MigrationJob",)
    ),
    ConditionType.SOURCE_RETIRED: ConditionInfo(
        "The source of a location move is deleted, object by object.", ("MigrationJob",)
    ),
    ConditionType.STALLED: ConditionInfo(
        "Nothing has moved for spec.progressDeadlineSeconds.", ("MigrationJob",)
    ),
    ConditionType.EVENTS_DELIVERED: ConditionInfo(
        "Kafka takes the operator's events. False: they wait and the local log fills. Absent: no "
        "Kafka is configured.",
        ("TieringPolicy",),
    ),
    ConditionType.COST_WITHIN_LIMIT: ConditionInfo(
        "The policy's data sets cost no more a month than spec.alerts.monthlyCostAbove.",
        ("TieringPolicy",),
    ),
    ConditionType.MODEL_USABLE: ConditionInfo(
        "The model of the strategy Predictive decides. False: the floors, which CostOptimal "
        "decides by, do; the message says why. Absent: the policy has another strategy.",
        ("DataSet",),
    ),
    ConditionType.SAVINGS_AS_PROMISED: ConditionInfo(
        "Moves save what they promised, as far as guardrails.maxDriftPercent allows. False: the "
        "policy has stopped itself and makes no jobs until spec.resume is set to a new value.",
        ("TieringPolicy",),
    ),
    ConditionType.FIRST_BYTE_WITHIN_LIMIT: ConditionInfo(
        "Nineteen of twenty reads of each data set of the policy wait no longer for their first "
        "byte than spec.alerts.firstByteMillisAbove. Unknown: no signal tells it.",
        ("TieringPolicy",),
    ),
}
"""Every condition. The docs page is made from it."""


@dataclass(frozen=True, slots=True)
class ReasonInfo:
    """What a reason means and whether its event is a warning."""

    meaning: str
    warning: bool = False


REASONS: dict[str, ReasonInfo] = {
    # life
    "Pending": ReasonInfo("Seen; nothing done yet."),
    "Suspended": ReasonInfo("spec.suspend is true; set it to false to go on."),
    "InvalidSpec": ReasonInfo("The spec can't work; the message says what to change.", True),
    "InternalError": ReasonInfo(
        "A bug or an unforeseen state; the message and the log say more.", True
    ),
    # observing
    "Scanned": ReasonInfo("Listed and its access signals read."),
    "ScanFailed": ReasonInfo("The data could not be listed; the message says why.", True),
    "AccessLogsFresh": ReasonInfo("The access signal is fresh and complete enough to decide."),
    "AccessLogsMissing": ReasonInfo(
        "No access logs are found: logging is off, or goes elsewhere.", True
    ),
    "AccessLogsLate": ReasonInfo("The newest access log is too old to decide on.", True),
    "AccessHistoryShort": ReasonInfo("Fewer observed days than the policy asks for."),
    "AccessCoverageLow": ReasonInfo("Too many days without a proven signal.", True),
    "AccessTimesOff": ReasonInfo("The file system does not record reads (noatime).", True),
    "NoAccessSource": ReasonInfo("spec.access.sources is empty: reads are not seen."),
    # deciding
    "SavingsFound": ReasonInfo("Moving some objects would pay."),
    "NothingToGain": ReasonInfo("Everything is where it is cheapest."),
    "TemperatureUnknown": ReasonInfo("Without a fresh signal nothing moves colder."),
    "PriceUnknown": ReasonInfo("A price is missing; add it to the price overlay.", True),
    "DecisionWarning": ReasonInfo("A decision stands on something assumed; see the message.", True),
    "ModelDecides": ReasonInfo("The model decides: replay shows that it costs no more."),
    "ModelFallback": ReasonInfo("The forecast model could not be used; the fall-back was."),
    "StudyFailed": ReasonInfo(
        "Replaying and learning from the past failed; it is tried again, and decisions go on "
        "without.",
        True,
    ),
    "PolicyConflict": ReasonInfo("Two policies select the data set; neither acts.", True),
    "PolicyMatched": ReasonInfo("The policy selects data sets and has evaluated them."),
    "NoDataSets": ReasonInfo("The policy selects no data set."),
    "EvaluationFailed": ReasonInfo("Deciding failed; the message says why.", True),
    # jobs
    "Planned": ReasonInfo("The plan is made and frozen."),
    "PlanBlocked": ReasonInfo("No safe plan is possible; the message lists what blocks it.", True),
    "PlanChanged": ReasonInfo("The plan expired or the data changed; a new one was made."),
    "PlanMismatch": ReasonInfo("spec.approval is not the hash of the present plan.", True),
    "BudgetExceeded": ReasonInfo("The plan is dearer or larger than spec.budget.", True),
    "AwaitingApproval": ReasonInfo("Set spec.approval to status.plan.hash to go on."),
    "Approved": ReasonInfo("The plan was approved."),
    "Queued": ReasonInfo("Waits for its turn."),
    "WorkersStarted": ReasonInfo("Worker pods copy; the message names their Job."),
    "WorkersFailed": ReasonInfo(
        "Worker pods gave up; what they copied is kept, and what is left is shared anew.", True
    ),
    "VolumeClaimRefused": ReasonInfo(
        "A PersistentVolumeClaim is missing or not labelled for worker pods; the message says how.",
        warning=True,
    ),
    "MoverAccountMissing": ReasonInfo(
        "The namespace has no ServiceAccount labelled for worker pods; the message says how.", True
    ),
    "MovesStopped": ReasonInfo("The operator's settings stop all moves."),
    "DryRun": ReasonInfo("The operator's settings allow plans only."),
    "DataSetBusy": ReasonInfo("Another job works on the data set."),
    "DataSetNotFound": ReasonInfo("spec.dataSetRef names no data set.", True),
    "LocationOverlap": ReasonInfo("Source or target overlaps a location in use.", True),
    "Restoring": ReasonInfo("Archived objects are restored; this takes minutes to days."),
    "RestoreLapsed": ReasonInfo(
        "Restored copies expired again and again before they were moved.", True
    ),
    "Copying": ReasonInfo("Objects are moved."),
    "Verifying": ReasonInfo("Copies are proven."),
    "Switching": ReasonInfo("Consumers are pointed to the new location."),
    "Copied": ReasonInfo("Every object is at the target."),
    "Verified": ReasonInfo("Every copy is proven; the manifest is written."),
    "VerificationFailed": ReasonInfo("A copy differs from its source.", True),
    "Switched": ReasonInfo("The data set points to the new location."),
    "Completed": ReasonInfo("Moved, proven and switched."),
    "SourceKept": ReasonInfo("The source is kept until its grace is over."),
    "SourceRetained": ReasonInfo("The source is kept, as the job asks."),
    "SourceRetired": ReasonInfo("The source is deleted, object by object."),
    "SourceInUse": ReasonInfo("The source is in use again and is not deleted.", True),
    "NewObjectsAtSource": ReasonInfo("Objects that the manifest does not hold are kept.", True),
    "NotApplicable": ReasonInfo("This step does not exist for this kind of move."),
    "Retrying": ReasonInfo("A step failed and will be tried again."),
    "Stalled": ReasonInfo("No progress within progressDeadlineSeconds.", True),
    "Progressing": ReasonInfo("Work goes on."),
    "DeadlineExceeded": ReasonInfo("activeDeadlineSeconds is over.", True),
    "RetriesExhausted": ReasonInfo("A step failed maxAttempts times.", True),
    "Cancelling": ReasonInfo("Stops and cleans up."),
    "Cancelled": ReasonInfo("Stopped as asked; the residue is said."),
    "CancelRefused": ReasonInfo("Too late to cancel; go back with a new job.", True),
    "ConfigMapConflict": ReasonInfo(
        "The location ConfigMap's name is taken by someone else.", True
    ),
    "LocationAdopted": ReasonInfo("A marker told where the data is; it was adopted."),
    # storage
    "StorageError": ReasonInfo("A storage call failed.", True),
    "ObjectNotFound": ReasonInfo("An object is gone.", True),
    "ObjectChanged": ReasonInfo("An object changed while it was moved.", True),
    "ObjectArchived": ReasonInfo("An object must be restored before it can be read.", True),
    "UnsafeKey": ReasonInfo("A key can't be carried to the target.", True),
    "LocationNotFound": ReasonInfo("The bucket or directory does not exist.", True),
    "AccessDenied": ReasonInfo("A right is missing; the message names the action.", True),
    "CredentialsInvalid": ReasonInfo("The key is wrong.", True),
    "ClockSkewed": ReasonInfo(
        "The clocks of the operator's node and of the server differ by too much.", True
    ),
    "SecretNotFound": ReasonInfo("The Secret is missing, unlabelled or lacks a key.", True),
    "EndpointUnreachable": ReasonInfo("The endpoint does not answer.", True),
    "EndpointRefused": ReasonInfo("The endpoint is not allowed by the operator's settings.", True),
    "LocationRefused": ReasonInfo("The path is outside the directories that are allowed.", True),
    "TargetOccupied": ReasonInfo("The target holds objects that the job did not write.", True),
    "TargetFull": ReasonInfo("The target is full.", True),
    "NotSupported": ReasonInfo("The store can't do this.", True),
    "Throttled": ReasonInfo("The store asks to slow down."),
    "FencedOut": ReasonInfo("Another operator is the leader now."),
    # telling
    "SavingsKept": ReasonInfo("What moves saved is near enough to what they promised."),
    "SavingsDrifted": ReasonInfo(
        "Moves saved too little of what they promised; the policy has stopped itself. Set "
        "spec.resume to a new value to go on.",
        True,
    ),
    "PolicyResumed": ReasonInfo("A policy that had stopped itself goes on: spec.resume is new."),
    "CostWithinLimit": ReasonInfo("The data sets cost no more a month than the policy's limit."),
    "CostAboveLimit": ReasonInfo(
        "The data sets cost more a month than spec.alerts.monthlyCostAbove.", True
    ),
    "FirstByteWithinLimit": ReasonInfo("Reads wait no longer than the policy's limit."),
    "FirstByteLatencyBreach": ReasonInfo(
        "Reads wait longer for their first byte than spec.alerts.firstByteMillisAbove.", True
    ),
    "FirstByteUnknown": ReasonInfo(
        "No access signal tells how long reads waited, or there were too few."
    ),
    "EventsDelivered": ReasonInfo("Brokers take the events; few or none wait."),
    "OutboxFilling": ReasonInfo(
        "Brokers take no events and the local log fills; progress events are dropped first.", True
    ),
    "TopicMissing": ReasonInfo("A Kafka topic does not exist; create it.", True),
    # operator
    "ChildDied": ReasonInfo("A worker process ended; its task is tried again in a new one."),
    "StateFull": ReasonInfo("The operator's state directory is full.", True),
    "ResidueSwept": ReasonInfo("What a deleted or cancelled job left was removed."),
    "ResidueLeft": ReasonInfo("What a deleted or cancelled job left could not be removed.", True),
    "CrdMismatch": ReasonInfo("The installed CRD is older or newer than the operator.", True),
}
"""Every reason. A test holds the code against it."""


LOG_KEYS: dict[str, str] = {
    "child": "Child process: mover, ingest or brain.",
    "count": "How many.",
    "crd": "CustomResourceDefinition.",
    "error": "What an operation said when it failed.",
    "events": "How many events.",
    "exit_code": "Exit status of a process.",
    "failures": "How many times in a row it failed.",
    "fencing_token": "Number of the leadership.",
    "holder": "Who holds the Lease.",
    "key": "Key of the work queue: kind, namespace and name.",
    "kind": "Kind of the resource.",
    "lease": "Lease, as namespace/name.",
    "name": "Name of the resource.",
    "namespace": "Namespace of the resource.",
    "note": "Text of a Kubernetes event.",
    "object_key": "Key of an object.",
    "op": "Operation of a child process.",
    "partition": "Partition of a topic.",
    "operation": "What was asked for.",
    "pid": "Process id.",
    "process": "control, or the name of the child process.",
    "reason": "Word of the list of reasons.",
    "seconds": "How long.",
    "server": "Address of the Kubernetes API or of a broker.",
    "shard": "Number of a shard of a work list.",
    "state_dir": "State directory.",
    "topic": "Kafka topic.",
    "uid": "UID of the resource.",
    "worker": "Index of a worker pod.",
    "until": "Until when.",
    "why": "Why, in words.",
}
"""Every key of a log line beside `event`, `level`, `logger` and `timestamp`; a test holds it."""


METRIC_LABELS: dict[str, str] = {
    "backend": "Kind of storage: s3, azure or gcs.",
    "bound": "low (10th percentile) or high (90th).",
    "case": "strategy, always_hot or optimum.",
    "child": "Child process: mover, ingest or brain.",
    "class": "Class of a failure: a word of a bounded list.",
    "cluster": "Cluster that an event came from; `other` stands for those beyond fifty.",
    "code": "HTTP status; none: no answer came.",
    "currency": "Currency of an amount, such as USD.",
    "dataset": "Name of a data set; `other` stands for those beyond the limit.",
    "kind": "Kind of the resource.",
    "migration": "Name of a MigrationJob that is in progress.",
    "model": "Model of a forecast, or the fall-back that stands in for it.",
    "namespace": "Namespace of the resource.",
    "operation": "Operation as the provider names it, such as GetObject.",
    "partition": "Partition of a Kafka topic.",
    "topic": "Kafka topic.",
    "phase": "Phase of a MigrationJob.",
    "policy": "Name of a TieringPolicy.",
    "python": "Version of Python.",
    "ready": "true, false or unknown.",
    "reason": "Word of a bounded list.",
    "resource": "Resource of the Kubernetes API.",
    "result": "How it ended: a word of a bounded list.",
    "source_backend": "Kind of storage read from: s3, azure, gcs or file.",
    "stage": "copied, verified, switched or deleted (at the source).",
    "state": "projected or realised.",
    "target_backend": "Kind of storage written to: s3, azure, gcs or file.",
    "temperature": "Hot, Warm, Cold or Unknown.",
    "tier": "Hot, Warm or Cold by the policy; none: the policy names no tier for the class.",
    "type": "Type of a CloudEvent.",
    "verb": "Verb of the Kubernetes API.",
    "version": "Version of the operator.",
    "window": "7d or 30d.",
}
"""Every label of a metric. Each has few values, or is bounded by a limit of series; addresses,
keys of objects and texts are never labels."""
