"""MigrationJob: one verified move."""

import datetime as dt
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from cloudflux.api.common import Condition, LocalRef, Location, Model, Money, StatusModel, Text, Tier


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

    policy: RetentionPolicy = Field(default=RetentionPolicy.RETAIN, description="Delete or Retain.")
    grace_seconds: int = Field(default=3600, ge=0, le=31_536_000, description="Kept so long.")


class Target(Model):
    """Where to; exactly one of the three."""

    tier: Tier | None = Field(default=None, description="Tier of the policy named by policyRef.")
    storage_class: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="Storage class, changed in place."
    )
    location: Location | None = Field(default=None, description="Another location for all of it.")


class Selection(Model):
    """Which objects; only for in-place changes."""

    recommendation: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="Id of a recommendation of the data set: exactly its objects."
    )
    prefix: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="Only keys that start so."
    )
    min_size_bytes: int | None = Field(default=None, ge=0, description="Only objects this large.")
    idle_days: int | None = Field(default=None, ge=1, le=36500, description="Only unread so long.")


class Execution(Model):
    """How hard it works."""

    parallelism: int = Field(default=4, ge=1, le=256, description="Objects at a time.")
    bandwidth_bytes_per_second: int | None = Field(default=None, ge=1, description="Limit.")


class Retry(Model):
    """How failures are retried."""

    max_attempts: int = Field(default=6, ge=1, le=100, description="Attempts of a step.")
    initial_backoff_seconds: int = Field(default=10, ge=1, le=3600, description="First wait.")
    max_backoff_seconds: int = Field(default=600, ge=1, le=86400, description="Longest wait.")


class Budget(Model):
    """Refuse a plan that is dearer or larger."""

    max_cost: Money | None = Field(default=None, description="One-off cost at most.")
    max_bytes: int | None = Field(default=None, ge=0, description="Bytes at most.")


class MigrationJobSpec(Model):
    """What to move; immutable but for suspend, cancel, approval and priority."""

    data_set_ref: LocalRef = Field(description="The data set.")
    policy_ref: LocalRef | None = Field(default=None, description="Policy that gives tiers a meaning.")
    target: Target = Field(description="Where to.")
    selection: Selection | None = Field(default=None, description="Which objects; absent: all.")
    execution: Execution = Field(default_factory=Execution, description="How hard it works.")
    verify: VerifyMethod = Field(default=VerifyMethod.CHECKSUM, description="What counts as proof.")
    source_retention: SourceRetention = Field(default_factory=SourceRetention, description="Source.")
    retry: Retry = Field(default_factory=Retry, description="Retries.")
    active_deadline_seconds: int | None = Field(default=None, ge=1, description="Fails after so long.")
    progress_deadline_seconds: int = Field(default=3600, ge=10, le=604800, description="Stalled after.")
    budget: Budget | None = Field(default=None, description="Bounds of the plan.")
    ttl_seconds_after_finished: int | None = Field(default=None, ge=0, description="Deleted after.")
    require_approval: bool = Field(default=False, description="Wait for spec.approval.")
    approval: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="Hash of the plan that a person approves."
    )
    priority: int = Field(default=0, ge=-1000, le=1000, description="Higher goes first.")
    suspend: bool = Field(default=False, description="True pauses.")
    cancel: bool = Field(default=False, description="True cancels; can't be taken back.")


class PlanStatus(StatusModel):
    """What will happen, frozen when shown."""

    hash: str = Field(max_length=64, description="Approve this.")
    objects: int = Field(ge=0, description="Objects.")
    bytes: int = Field(ge=0, description="Bytes.")
    one_off_cost: Money = Field(description="Fees of the move.")
    savings_per_month: Money = Field(description="Saved a month.")
    currency: str = Field(default="USD", max_length=3, description="Currency.")
    price_date: str = Field(default="", max_length=32, description="As-of date of the prices.")
    duration_seconds: int = Field(ge=0, description="Estimated.")
    payback_days: int | None = Field(default=None, ge=0, description="Days to payback.")
    expires_at: dt.datetime | None = Field(default=None, description="New plan after this.")
    list_uri: str = Field(max_length=2048, description="The list of objects.")
    warnings: list[Text] = Field(default_factory=list, max_length=10, description="Told before.")


class ProgressStatus(StatusModel):
    """How far it is."""

    percent: int | None = Field(default=None, ge=0, le=100, description="Absent when unknown.")
    objects_total: int = Field(default=0, ge=0, description="Objects in all.")
    objects_done: int = Field(default=0, ge=0, description="Done.")
    objects_failed: int = Field(default=0, ge=0, description="Failed.")
    objects_skipped: int = Field(default=0, ge=0, description="Skipped, with reasons.")
    bytes_total: int = Field(default=0, ge=0, description="Bytes in all.")
    bytes_done: int = Field(default=0, ge=0, description="Done.")
    bytes_per_second: int | None = Field(default=None, ge=0, description="Rate.")
    estimated_remaining_seconds: int | None = Field(default=None, ge=0, description="ETA.")
    last_updated_time: dt.datetime | None = Field(default=None, description="When.")


class StepStatus(StatusModel):
    """One step."""

    name: str = Field(max_length=32, description="Step.")
    state: str = Field(max_length=32, description="Running, Done or Failed.")
    started_at: dt.datetime | None = Field(default=None, description="Start.")
    finished_at: dt.datetime | None = Field(default=None, description="End.")
    message: Text = Field(default="", description="Result.")


class VerificationStatus(StatusModel):
    """Proof."""

    method: str = Field(max_length=64, description="How it was proven.")
    matched: int = Field(ge=0, description="Objects that match.")
    mismatched: int = Field(ge=0, description="Objects that don't.")
    manifest_uri: str = Field(max_length=2048, description="The manifest.")
    digest: str = Field(max_length=80, description="sha256 of the manifest.")


class Failure(StatusModel):
    """One object that failed."""

    key: str = Field(max_length=3072, description="Key, percent-encoded.")
    reason: str = Field(max_length=64, description="Reason.")
    message: Text = Field(default="", description="What to do.")


class JobPin(StatusModel):
    """The job's own copy of where it reads and writes; a deleted DataSet changes nothing."""

    source: Location = Field(description="Source, resolved.")
    target: Location = Field(description="Target, resolved; equals source for in-place changes.")
    source_generation: int = Field(ge=0, description="location.generation when planned.")
    target_class: str | None = Field(default=None, max_length=253, description="Storage class.")
    target_root: str | None = Field(default=None, max_length=2048, description="Root of a file tier.")
    data_set_uid: str = Field(max_length=64, description="UID of the data set.")
    written_generation: int | None = Field(default=None, ge=0, description="Generation after switch.")


class MigrationJobStatus(StatusModel):
    """What happened."""

    observed_generation: int = Field(default=0, ge=0, description="Generation seen.")
    phase: Phase = Field(default=Phase.PENDING, description="Phase, for people.")
    reason: str | None = Field(default=None, max_length=64, description="Why it is as it is.")
    message: Text | None = Field(default=None, description="The same in words.")
    conditions: list[Condition] = Field(default_factory=list, max_length=16, description="Conditions.")
    source_display: str | None = Field(default=None, max_length=253, description="FROM column.")
    target_display: str | None = Field(default=None, max_length=253, description="TO column.")
    progress_display: str | None = Field(default=None, max_length=32, description="PROGRESS column.")
    objects_display: str | None = Field(default=None, max_length=64, description="OBJECTS column.")
    bytes_display: str | None = Field(default=None, max_length=64, description="BYTES column.")
    eta_display: str | None = Field(default=None, max_length=32, description="ETA column.")
    pin: JobPin | None = Field(default=None, description="Pinned source and target.")
    plan: PlanStatus | None = Field(default=None, description="The plan.")
    queue_position: int | None = Field(default=None, ge=1, description="Place in the queue.")
    progress: ProgressStatus | None = Field(default=None, description="Progress.")
    steps: list[StepStatus] = Field(default_factory=list, max_length=8, description="Steps.")
    attempts: int = Field(default=0, ge=0, description="Attempts of the present step.")
    next_attempt_time: dt.datetime | None = Field(default=None, description="Backing off until.")
    suspended_from: Phase | None = Field(default=None, description="Phase to resume.")
    verification: VerificationStatus | None = Field(default=None, description="Proof.")
    failures: list[Failure] = Field(default_factory=list, max_length=10, description="First failures.")
    residue: Text | None = Field(default=None, description="What a cancelled job left.")
    started_at: dt.datetime | None = Field(default=None, description="Start.")
    completed_at: dt.datetime | None = Field(default=None, description="End.")
    retire_after: dt.datetime | None = Field(default=None, description="Source kept until.")
