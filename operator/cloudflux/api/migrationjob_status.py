"""What the operator says of a MigrationJob: plan, progress, proof and conditions."""

import datetime as dt
from enum import StrEnum

from pydantic import Field

from cloudflux.api.common import (
    CONDITIONS_BY_TYPE,
    Condition,
    Location,
    Money,
    ReportedStatus,
    StatusPart,
    Text,
)


class Phase(StrEnum):
    """Phase of a job, for people; machines read the conditions."""

    PENDING = "Pending"
    PLANNED = "Planned"
    AWAITING_APPROVAL = "AwaitingApproval"
    QUEUED = "Queued"
    RESTORING = "Restoring"
    COPYING = "Copying"
    VERIFYING = "Verifying"
    SWITCHING = "Switching"
    COMPLETED = "Completed"
    SUSPENDED = "Suspended"
    CANCELLING = "Cancelling"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


class RestorePlan(StatusPart):
    """What must be restored from the archive first; part of the plan's cost and duration."""

    objects: int = Field(ge=0, description="Number of objects that are archived.")
    bytes: int = Field(ge=0, description="Their size in bytes.")
    tier: str = Field(max_length=16, description="Bulk, Standard or Expedited.")
    hours: int = Field(ge=1, description="Hours until all can be read, at most.")
    days: int = Field(
        ge=0, description="Days that restored copies live; 0: they stay in another class."
    )
    cost: Money = Field(description="What it costs, copies for these days included.")


class RestoreStatus(StatusPart):
    """How far the restore is."""

    objects: int = Field(ge=0, description="Number of objects to restore.")
    ready: int = Field(ge=0, description="Objects that can be read.")
    requested: int = Field(ge=0, description="Requests that were made and are paid for.")
    cost: Money = Field(description="What these requests cost, about; it is not refunded.")
    expected_at: dt.datetime | None = Field(
        default=None, description="When all can be read, at the latest."
    )


class PlanStatus(StatusPart):
    """What will happen, frozen when shown."""

    hash: str = Field(
        max_length=64, description="Hash of the plan; to approve it, set spec.approval to this."
    )
    objects: int = Field(ge=0, description="Number of objects to move.")
    bytes: int = Field(ge=0, description="Their size in bytes.")
    one_off_cost: Money = Field(description="What the move costs, all fees included.")
    savings_per_month: Money = Field(description="What it saves a month.")
    currency: str = Field(
        default="USD", max_length=3, description="Currency of the amounts, such as USD."
    )
    price_date: str = Field(default="", max_length=32, description="Date of the prices.")
    duration_seconds: int = Field(ge=0, description="How long it will take, about, in seconds.")
    payback_days: int | None = Field(
        default=None,
        ge=0,
        description="Days until the savings have paid for the move; absent if never.",
    )
    expires_at: dt.datetime | None = Field(
        default=None, description="When the plan expires; a new one is made then."
    )
    restore: RestorePlan | None = Field(
        default=None, description="What is restored from the archive first."
    )
    list_uri: str = Field(max_length=2048, description="Where the list of objects is.")
    warnings: list[Text] = Field(
        default_factory=list, max_length=10, description="What to know before it starts."
    )


class ProgressStatus(StatusPart):
    """How far it is."""

    percent: int | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Share of the bytes that is done, in percent; absent when it can't be known.",
    )
    objects_total: int = Field(default=0, ge=0, description="Objects in all.")
    objects_done: int = Field(default=0, ge=0, description="Objects done.")
    objects_failed: int = Field(default=0, ge=0, description="Objects that failed.")
    objects_skipped: int = Field(
        default=0, ge=0, description="Objects that were left where they are; failures says why."
    )
    bytes_total: int = Field(default=0, ge=0, description="Bytes in all.")
    bytes_done: int = Field(default=0, ge=0, description="Bytes done.")
    bytes_per_second: int | None = Field(
        default=None, ge=0, description="Bytes a second at present."
    )
    estimated_remaining_seconds: int | None = Field(
        default=None, ge=0, description="Seconds left, about."
    )
    last_updated_time: dt.datetime | None = Field(
        default=None, description="When this was written."
    )


class StepStatus(StatusPart):
    """One step."""

    name: str = Field(max_length=32, description="Name of the step.")
    state: str = Field(max_length=32, description="Running, Done or Failed.")
    started_at: dt.datetime | None = Field(default=None, description="When it started.")
    finished_at: dt.datetime | None = Field(default=None, description="When it ended.")
    message: Text = Field(default="", description="What came of it.")


class VerificationStatus(StatusPart):
    """Proof."""

    method: str = Field(max_length=256, description="How the copies were proven.")
    matched: int = Field(ge=0, description="Objects that match their source.")
    mismatched: int = Field(ge=0, description="Objects that differ from their source.")
    manifest_uri: str = Field(
        max_length=2048, description="Where the manifest is: each object and its proof."
    )
    digest: str = Field(max_length=80, description="SHA-256 of the manifest.")


class Failure(StatusPart):
    """One object that failed."""

    key: str = Field(max_length=3072, description="Key of the object, percent-encoded.")
    reason: str = Field(max_length=64, description="Why, in one word of the list of reasons.")
    message: Text = Field(default="", description="What happened and what to do.")


class JobPin(StatusPart):
    """The job's own copy of where it reads and writes; a deleted DataSet changes nothing."""

    source: Location = Field(description="Where the data is read.")
    target: Location = Field(
        description="Where it is written; the same as source for a change in place."
    )
    source_generation: int = Field(
        ge=0, description="status.location.generation of the data set when the plan was made."
    )
    target_class: str | None = Field(
        default=None, max_length=253, description="Storage class to change to."
    )
    target_root: str | None = Field(
        default=None, max_length=2048, description="Root directory of the file tier to move to."
    )
    data_set_uid: str = Field(max_length=64, description="UID of the data set.")
    written_generation: int | None = Field(
        default=None,
        ge=0,
        description="status.location.generation that this job wrote when it switched.",
    )


class MigrationJobStatus(ReportedStatus):
    """What happened."""

    phase: Phase = Field(
        default=Phase.PENDING,
        description="Where the job is in its life, for people; programs read the conditions.",
    )
    reason: str | None = Field(
        default=None, max_length=64, description="Why the job is where it is, in one word."
    )
    message: Text | None = Field(
        default=None, description="The same in a sentence, with what to do next."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        json_schema_extra=CONDITIONS_BY_TYPE,
        description=(
            "Conditions: Succeeded, Planned, Approved, Copied, Verified, Switched, "
            "SourceRetired and Stalled."
        ),
    )
    source_display: str | None = Field(
        default=None, max_length=253, description="Where from, for `kubectl get`."
    )
    target_display: str | None = Field(
        default=None, max_length=253, description="Where to, for `kubectl get`."
    )
    progress_display: str | None = Field(
        default=None, max_length=32, description="Share done, for `kubectl get`."
    )
    objects_display: str | None = Field(
        default=None, max_length=64, description="Objects done of all, for `kubectl get`."
    )
    bytes_display: str | None = Field(
        default=None, max_length=64, description="Bytes done of all, for `kubectl get`."
    )
    eta_display: str | None = Field(
        default=None, max_length=32, description="Time left, for `kubectl get`."
    )
    pin: JobPin | None = Field(
        default=None,
        description="The job's own copy of where it reads and writes, taken when it was planned.",
    )
    plan: PlanStatus | None = Field(default=None, description="What will happen and what it costs.")
    queue_position: int | None = Field(
        default=None, ge=1, description="Place in the queue; the first is 1."
    )
    restore: RestoreStatus | None = Field(
        default=None, description="How far the restore from the archive is."
    )
    progress: ProgressStatus | None = Field(default=None, description="How far it is.")
    steps: list[StepStatus] = Field(
        default_factory=list, max_length=8, description="The steps and what came of each."
    )
    attempts: int = Field(default=0, ge=0, description="How many times the present step was tried.")
    next_attempt_time: dt.datetime | None = Field(
        default=None, description="When the present step is tried again."
    )
    suspended_from: Phase | None = Field(
        default=None, description="The phase that a suspended job goes back to."
    )
    verification: VerificationStatus | None = Field(
        default=None, description="How the copies were proven."
    )
    failures: list[Failure] = Field(
        default_factory=list,
        max_length=10,
        description="The first ten objects that failed; the report beside the manifest holds all.",
    )
    residue: Text | None = Field(
        default=None, description="What a cancelled or failed job left behind, and where."
    )
    started_at: dt.datetime | None = Field(
        default=None, description="When it started to move data."
    )
    completed_at: dt.datetime | None = Field(
        default=None, description="When it completed, failed or was cancelled."
    )
    retire_after: dt.datetime | None = Field(
        default=None, description="The source is kept until then."
    )
