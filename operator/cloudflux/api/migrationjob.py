"""MigrationJob: one verified move."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from cloudflux.api.common import (
    LocalRef,
    Location,
    Model,
    Money,
    Tier,
)
from cloudflux.api.migrationjob_status import (
    Failure,
    JobPin,
    MigrationJobStatus,
    Phase,
    PlanStatus,
    ProgressStatus,
    RestorePlan,
    RestoreStatus,
    StepStatus,
    VerificationStatus,
)
from cloudflux.api.worker_pods import WorkerPods

__all__ = [
    "Budget",
    "Execution",
    "ExecutionMode",
    "Failure",
    "JobPin",
    "MigrationJobSpec",
    "MigrationJobStatus",
    "Phase",
    "PlanStatus",
    "ProgressStatus",
    "Restore",
    "RestorePlan",
    "RestoreStatus",
    "RestoreTier",
    "RetentionPolicy",
    "Retry",
    "Selection",
    "SourceRetention",
    "StepStatus",
    "Target",
    "VerificationStatus",
    "VerifyMethod",
]


class VerifyMethod(StrEnum):
    """What counts as proof of a copy."""

    CHECKSUM = "Checksum"
    BYTES = "Bytes"
    SIZE = "Size"


class RetentionPolicy(StrEnum):
    """What happens to the source after the switch and the grace."""

    DELETE = "Delete"
    RETAIN = "Retain"


class SourceRetention(Model):
    """What happens to the source of a location move."""

    policy: RetentionPolicy = Field(
        default=RetentionPolicy.RETAIN,
        description=(
            "Delete: delete the source after the grace time, object by object. Retain: keep it."
        ),
    )
    grace_seconds: int = Field(
        default=3600,
        ge=0,
        le=31_536_000,
        description=(
            "For how many seconds after the switch the source is kept at least, so that "
            "readers can follow."
        ),
    )


class Target(Model):
    """Where to; exactly one of the three."""

    tier: Tier | None = Field(
        default=None,
        description="To the storage class or directory that the policy gives this tier, in place.",
    )
    storage_class: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="To this storage class, in place, as in GLACIER_IR."
    )
    location: Location | None = Field(
        default=None,
        description="To another place; the whole data set moves and is switched to it.",
    )


class Selection(Model):
    """Which objects; only for in-place changes."""

    recommendation: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description="Exactly the objects of this recommendation (its id in the data set's status).",
    )
    prefix: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="Only objects whose key, relative to the data set, starts so."
    )
    min_size_bytes: int | None = Field(
        default=None, ge=0, description="Only objects of at least so many bytes."
    )
    idle_days: int | None = Field(
        default=None,
        ge=1,
        le=36500,
        description="Only objects that were not read for so many days.",
    )


class ExecutionMode(StrEnum):
    """Where the copying is done."""

    AUTO = "Auto"
    LOCAL = "Local"
    JOB = "Job"


class Execution(Model):
    """How hard it works, and where."""

    mode: ExecutionMode = Field(
        default=ExecutionMode.AUTO,
        description=(
            "Where objects are copied. Local: in the operator. Job: by worker pods in this "
            "namespace, as an Indexed Job. Auto: by worker pods when the plan is large and the "
            "operator has them enabled. Changes in place are always the operator's."
        ),
    )
    workers: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="How many worker pods at most; each moves `parallelism` objects at a time.",
    )
    parallelism: int = Field(
        default=4, ge=1, le=256, description="How many objects are moved at a time."
    )
    bandwidth_bytes_per_second: int | None = Field(
        default=None,
        ge=1,
        description=(
            "How many bytes a second are moved at most. Absent: no limit. It may be changed "
            "while the job runs."
        ),
    )
    pods: WorkerPods | None = Field(
        default=None,
        description=(
            "How large worker pods are and where they run, as far as the operator's settings let "
            "jobs say that. Absent: as the data set's policy says, else the operator's default."
        ),
    )


class Retry(Model):
    """How failures are retried."""

    max_attempts: int = Field(
        default=6, ge=1, le=100, description="How many times a step is tried before the job fails."
    )
    initial_backoff_seconds: int = Field(
        default=10,
        ge=1,
        le=3600,
        description="Seconds to wait before the second attempt; doubled each time.",
    )
    max_backoff_seconds: int = Field(
        default=600, ge=1, le=86400, description="Seconds to wait at most."
    )


class RestoreTier(StrEnum):
    """How fast archived objects are restored."""

    BULK = "Bulk"
    STANDARD = "Standard"
    EXPEDITED = "Expedited"
    NEVER = "Never"


class Restore(Model):
    """How archived objects are restored before they are moved."""

    tier: RestoreTier = Field(
        default=RestoreTier.STANDARD,
        description=(
            "Bulk is the cheapest and takes up to 48 hours, Expedited takes minutes and is dear "
            "(Azure: high priority, an hour; it has no Bulk). Never: archived objects block the "
            "plan. The plan says hours and price."
        ),
    )
    days: int | None = Field(
        default=None,
        ge=1,
        le=365,
        description=(
            "For how many days restored copies are kept. Absent: as long as the move may take. "
            "Azure keeps no copies: a blob stays in the tier that it is restored to."
        ),
    )


class Budget(Model):
    """Refuse a plan that is dearer or larger."""

    max_cost: Money | None = Field(
        default=None, description="What the move may cost at most, in the currency of the prices."
    )
    max_bytes: int | None = Field(
        default=None, ge=0, description="How many bytes may be moved at most."
    )


class MigrationJobSpec(Model):
    """What to move; immutable but for suspend, cancel, approval and priority."""

    data_set_ref: LocalRef = Field(description="The data set to move, in this namespace.")
    policy_ref: LocalRef | None = Field(
        default=None,
        description="The TieringPolicy that says what a tier is. Absent: the one of the data set.",
    )
    target: Target = Field(description="Where to: exactly one of tier, storageClass and location.")
    selection: Selection | None = Field(
        default=None, description="Which objects; for in-place moves only. Absent: all of them."
    )
    execution: Execution = Field(default_factory=Execution, description="How fast the job works.")
    verify: VerifyMethod = Field(
        default=VerifyMethod.CHECKSUM,
        description=(
            "What counts as proof of a copy. Checksum: one that the server computed. Bytes: "
            "the copy is read back. Size: the length alone, which proves little."
        ),
    )
    source_retention: SourceRetention = Field(
        default_factory=SourceRetention,
        description="What happens to the source of a move to another location.",
    )
    retry: Retry = Field(default_factory=Retry, description="How failed steps are tried again.")
    restore: Restore = Field(
        default_factory=Restore,
        description="How archived objects are restored before they are moved.",
    )
    active_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        description="The job fails when it is not done after so many seconds. Absent: no limit.",
    )
    progress_deadline_seconds: int = Field(
        default=3600,
        ge=10,
        le=604800,
        description="The job is called Stalled when nothing moves for so many seconds.",
    )
    budget: Budget | None = Field(
        default=None, description="A plan that is dearer or larger than this is refused."
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        description=(
            "The job is deleted so many seconds after it has finished and its source is "
            "dealt with. Absent: never."
        ),
    )
    require_approval: bool = Field(
        default=False,
        description="True: nothing moves until spec.approval is the hash of the plan.",
    )
    approval: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description="The hash of the plan that a person approves: copy status.plan.hash here.",
    )
    priority: int = Field(
        default=0,
        ge=-1000,
        le=1000,
        description="Of the jobs that wait, the one with the highest priority goes first.",
    )
    suspend: bool = Field(
        default=False, description="True pauses the job; false lets it go on where it stopped."
    )
    cancel: bool = Field(
        default=False,
        description=(
            "True stops the job for good, as long as it has not begun to switch. It can't "
            "be taken back."
        ),
    )
