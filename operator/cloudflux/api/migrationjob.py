"""MigrationJob: one verified move."""

import datetime as dt
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from cloudflux.api.common import (
    CONDITIONS_BY_TYPE,
    Condition,
    LocalRef,
    Location,
    Model,
    Money,
    StatusModel,
    Text,
    Tier,
)


class Phase(StrEnum):
    """Phase of a job, for people; machines read the conditions."""

    PENDING = "Pending"
    PLANNED = "Planned"
    AWAITING_APPROVAL = "AwaitingApproval"
    QUEUED = "Queued"
    COPYING = "Copying"
    VERIFYING = "Verifying"
    SWITCHING = "Switching"
    COMPLETED = "Completed"
    SUSPENDED = "Suspended"
    CANCELLING = "Cancelling"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


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


class Execution(Model):
    """How hard it works."""

    parallelism: int = Field(
        default=4, ge=1, le=256, description="How many objects are moved at a time."
    )
    bandwidth_bytes_per_second: int | None = Field(
        default=None,
        ge=1,
        description="How many bytes a second are moved at most. Absent: no limit.",
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


class PlanStatus(StatusModel):
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
    list_uri: str = Field(max_length=2048, description="Where the list of objects is.")
    warnings: list[Text] = Field(
        default_factory=list, max_length=10, description="What to know before it starts."
    )


class ProgressStatus(StatusModel):
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


class StepStatus(StatusModel):
    """One step."""

    name: str = Field(max_length=32, description="Name of the step.")
    state: str = Field(max_length=32, description="Running, Done or Failed.")
    started_at: dt.datetime | None = Field(default=None, description="When it started.")
    finished_at: dt.datetime | None = Field(default=None, description="When it ended.")
    message: Text = Field(default="", description="What came of it.")


class VerificationStatus(StatusModel):
    """Proof."""

    method: str = Field(max_length=64, description="How the copies were proven.")
    matched: int = Field(ge=0, description="Objects that match their source.")
    mismatched: int = Field(ge=0, description="Objects that differ from their source.")
    manifest_uri: str = Field(
        max_length=2048, description="Where the manifest is: each object and its proof."
    )
    digest: str = Field(max_length=80, description="SHA-256 of the manifest.")


class Failure(StatusModel):
    """One object that failed."""

    key: str = Field(max_length=3072, description="Key of the object, percent-encoded.")
    reason: str = Field(max_length=64, description="Why, in one word of the list of reasons.")
    message: Text = Field(default="", description="What happened and what to do.")


class JobPin(StatusModel):
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


class MigrationJobStatus(StatusModel):
    """What happened."""

    observed_generation: int = Field(
        default=0, ge=0, description="metadata.generation of the spec that this status is about."
    )
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
