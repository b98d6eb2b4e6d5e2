"""What each event tells: the data of the CloudEvents, so that a consumer need not ask back.

Within a version only optional fields are added; a change of any other kind is a new type (.v2).
"""

import datetime as dt
from typing import Annotated

from pydantic import Field, StringConstraints

from cloudflux.api.common import Money, Name, StatusModel, Text, Tier

Uid = Annotated[str, StringConstraints(max_length=64)]
Word = Annotated[str, StringConstraints(max_length=253)]
LongUri = Annotated[str, StringConstraints(max_length=2048)]
Currency = Annotated[str, StringConstraints(max_length=3)]


class EventData(StatusModel):
    """What every event tells: whose it is. Unknown fields are ignored when read."""

    namespace: Name = Field(description="Namespace of the data set or policy.")
    data_set: Name | None = Field(default=None, description="Name of the data set.")
    data_set_uid: Uid | None = Field(default=None, description="UID of the data set.")


class MigrationData(EventData):
    """What every event of a MigrationJob tells."""

    job: Name = Field(description="Name of the MigrationJob.")
    job_uid: Uid = Field(description="UID of the MigrationJob.")
    policy: Name | None = Field(
        default=None, description="TieringPolicy that made the job; absent: a person did."
    )
    provider: Word | None = Field(
        default=None, description="Kind of storage read from: s3, az, gs or file."
    )
    source: LongUri | None = Field(default=None, alias="from", description="Where the data is.")
    target: LongUri | None = Field(
        default=None,
        alias="to",
        description="Where it goes: a storage class, a tier's directory or a location.",
    )
    tier: Tier | None = Field(default=None, description="Tier asked for, if the job names one.")
    objects: int | None = Field(default=None, ge=0, description="Objects of the plan.")
    bytes: int | None = Field(default=None, ge=0, description="Bytes of the plan.")
    one_off_cost: Money | None = Field(default=None, description="What the move costs, by plan.")
    savings_per_month: Money | None = Field(
        default=None, description="What it saves a month, by plan."
    )
    currency: Currency | None = Field(default=None, description="Currency of the amounts.")
    payback_days: int | None = Field(
        default=None, ge=0, description="Days until the savings have paid for the move."
    )
    confidence_percent: int | None = Field(
        default=None, ge=0, le=100, description="Confidence of the recommendation, in percent."
    )
    reason: Word | None = Field(default=None, description="Why, as a word of the vocabulary.")
    message: Text | None = Field(default=None, description="The same in a sentence.")


class MigrationPlanned(MigrationData):
    """The plan is made and frozen."""

    plan_hash: Uid = Field(description="Hash of the plan; approving names it.")
    duration_seconds: int = Field(ge=0, description="How long it will take, about.")
    expires_at: dt.datetime | None = Field(default=None, description="When the plan expires.")
    warnings: list[Text] = Field(default_factory=list, description="What to know before.")


class MigrationQueued(MigrationData):
    """The job waits for its turn, for its data set or for a location."""

    queue_position: int | None = Field(default=None, ge=1, description="Place in the queue.")


class MigrationRestoring(MigrationData):
    """Archived objects are asked for, before data begins to move; asked for again: told again."""

    restore_tier: Word = Field(description="Bulk, Standard or Expedited.")
    archived_objects: int = Field(ge=0, description="Objects to restore.")
    archived_bytes: int = Field(ge=0, description="Their bytes.")
    restore_hours: int = Field(ge=1, description="Hours until all can be read, at most.")
    restore_cost: Money = Field(
        description="What restoring them once costs, by plan; spent even if the job is cancelled."
    )
    restoring_since: dt.datetime = Field(description="When they were asked for.")


class MigrationStarted(MigrationData):
    """Data begins to move."""

    started_at: dt.datetime = Field(description="When.")


class MigrationProgress(MigrationData):
    """How far it is; told at most every ten seconds, and dropped first when a log fills."""

    percent: int | None = Field(default=None, ge=0, le=100, description="Share of bytes done.")
    objects_total: int = Field(ge=0, description="Objects in all.")
    objects_done: int = Field(ge=0, description="Objects done.")
    objects_failed: int = Field(ge=0, description="Objects that failed.")
    objects_skipped: int = Field(ge=0, description="Objects left where they are.")
    bytes_total: int = Field(ge=0, description="Bytes in all.")
    bytes_done: int = Field(ge=0, description="Bytes done.")
    bytes_per_second: int | None = Field(default=None, ge=0, description="Present speed.")
    estimated_remaining_seconds: int | None = Field(default=None, ge=0, description="Time left.")


class MigrationVerified(MigrationData):
    """Every object at the target is proven."""

    method: Word = Field(description="How it was proven.")
    matched: int = Field(ge=0, description="Objects that match their source.")
    mismatched: int = Field(ge=0, description="Objects that differ from it.")
    manifest_uri: LongUri = Field(description="Where the proof of each object is.")
    manifest_digest: Word = Field(description="SHA-256 of the manifest.")


class MigrationSwitched(MigrationData):
    """The data set points to the new place, or its objects have their new class."""

    switched_at: dt.datetime = Field(description="When.")
    location_generation: int | None = Field(
        default=None, ge=0, description="status.location.generation that was written."
    )


class MigrationCompleted(MigrationData):
    """Moved, proven and switched. From here on `savingsPerMonth` is realised."""

    started_at: dt.datetime | None = Field(default=None, description="When data began to move.")
    completed_at: dt.datetime | None = Field(default=None, description="When it was done.")
    objects_done: int = Field(ge=0, description="Objects moved.")
    objects_failed: int = Field(ge=0, description="Objects that failed.")
    objects_skipped: int = Field(ge=0, description="Objects left where they are.")
    bytes_done: int = Field(ge=0, description="Bytes moved.")
    manifest_uri: LongUri | None = Field(default=None, description="Where the proof is.")


class FailedObject(StatusModel):
    """One object that failed."""

    key: Annotated[str, StringConstraints(max_length=3072)] = Field(
        description="Key, percent-encoded."
    )
    reason: Word = Field(description="Why, as a word of the vocabulary.")


class MigrationFailed(MigrationData):
    """The job ended without having moved everything."""

    objects_done: int = Field(ge=0, description="Objects moved before.")
    objects_failed: int = Field(ge=0, description="Objects that failed.")
    failures: list[FailedObject] = Field(default_factory=list, description="The first ten.")
    residue: Text | None = Field(default=None, description="What is left behind, and where.")


class MigrationCancelled(MigrationData):
    """Stopped as asked."""

    objects_done: int = Field(ge=0, description="Objects moved before.")
    residue: Text | None = Field(default=None, description="What is left behind, and where.")


class CloudTransfer(EventData):
    """Objects that a job wrote, read or deleted at a location."""

    job: Name = Field(description="Name of the MigrationJob.")
    job_uid: Uid = Field(description="UID of the MigrationJob.")
    provider: Word = Field(description="Kind of storage: s3, az, gs or file.")
    uri: LongUri = Field(description="The location.")
    storage_class: Word | None = Field(default=None, description="Class of what was written.")
    objects: int = Field(ge=0, description="Objects.")
    bytes: int = Field(ge=0, description="Bytes.")


class PatternDetected(EventData):
    """The data set became warmer or colder."""

    temperature: Word = Field(description="Hot, Warm, Cold or Unknown.")
    confidence_percent: int | None = Field(default=None, ge=0, le=100, description="How sure.")
    reads7d: int | None = Field(
        default=None, alias="reads7d", ge=0, description="Reads in the last 7 days."
    )
    reads30d: int | None = Field(
        default=None, alias="reads30d", ge=0, description="Reads in the last 30 days."
    )
    last_read_at: dt.datetime | None = Field(default=None, description="Newest read seen.")
    observed_days: int | None = Field(default=None, ge=0, description="Days with a signal.")
    coverage_percent: int | None = Field(
        default=None, ge=0, le=100, description="Days with a complete signal, in percent."
    )
    first_byte_millis: int | None = Field(
        default=None, ge=0, description="What 19 of 20 reads waited for their first byte at most."
    )


class Prediction(EventData):
    """Reads expected."""

    reads7d: int = Field(alias="reads7d", ge=0, description="Expected in the next 7 days.")
    reads30d: int = Field(alias="reads30d", ge=0, description="Expected in the next 30 days.")
    low: int = Field(ge=0, description="Low end for 7 days (10th percentile).")
    high: int = Field(ge=0, description="High end for 7 days (90th percentile).")
    model: Word = Field(description="Model, or the fall-back that stood in for it.")
    confidence_percent: int | None = Field(default=None, ge=0, le=100, description="How sure.")


class FoundSaving(StatusModel):
    """One recommendation."""

    id: Uid = Field(description="Id of the recommendation; a job may select it.")
    source: Word = Field(alias="from", description="Storage class or tier root now.")
    target: Word = Field(alias="to", description="Storage class or tier root then.")
    tier: Tier = Field(description="Tier of the target.")
    objects: int = Field(ge=0, description="Objects.")
    bytes: int = Field(ge=0, description="Bytes.")
    savings_per_month: Money = Field(description="Saved a month.")
    one_off_cost: Money = Field(description="Cost of the move.")
    payback_days: int | None = Field(default=None, ge=0, description="Days until it has paid.")
    confidence_percent: int = Field(ge=0, le=100, description="How sure.")
    reason: Text = Field(description="Why, in words.")


class SavingsFound(EventData):
    """Moving some objects would pay."""

    provider: Word | None = Field(default=None, description="s3, az, gs or file.")
    monthly_cost: Money | None = Field(default=None, description="Cost a month now.")
    savings_per_month: Money = Field(description="Saved a month by all of them.")
    currency: Currency | None = Field(default=None, description="Currency of the amounts.")
    recommendations: list[FoundSaving] = Field(description="At most ten.")


class CostAlert(EventData):
    """What the policy's data sets cost a month crossed spec.alerts.monthlyCostAbove."""

    policy: Name = Field(description="Name of the TieringPolicy.")
    monthly_cost: Money = Field(description="Cost a month of the policy's data sets.")
    limit: Money = Field(description="The limit that was crossed.")
    currency: Currency | None = Field(default=None, description="Currency of the amounts.")
    data_sets: int = Field(ge=0, description="Data sets of the policy.")
    savings_per_month: Money | None = Field(default=None, description="Savings possible.")


class LatencyBreached(EventData):
    """Reads of a policy's data sets wait longer than spec.alerts.firstByteMillisAbove."""

    policy: Name = Field(description="Name of the TieringPolicy.")
    first_byte_millis: int = Field(
        ge=0, description="What 19 of 20 reads of the slowest data set waited at most."
    )
    limit_millis: int = Field(ge=0, description="The limit that was crossed.")
    message: Text = Field(description="Which data sets.")


class MeasuredClass(StatusModel):
    """What lies in one storage class."""

    tier: Tier | None = Field(
        default=None, description="Tier that the policy gives the class, if any."
    )
    storage_class: Word = Field(description="Storage class, or the root of a file tier.")
    objects: int = Field(ge=0, description="Objects.")
    bytes: int = Field(ge=0, description="Bytes.")
    monthly_cost: Money = Field(description="What they cost a month.")


class CostMeasured(EventData):
    """What the data set costs a month, class by class: costs over time are made of these."""

    provider: Word | None = Field(default=None, description="s3, az, gs or file.")
    currency: Currency | None = Field(default=None, description="Currency of the amounts.")
    monthly_cost: Money = Field(description="Cost a month of all classes.")
    savings_per_month: Money | None = Field(
        default=None, description="What all recommendations would save a month."
    )
    tiers: list[MeasuredClass] = Field(description="The same by class; at most sixteen.")


class DataSetSwitched(EventData):
    """Consumers must read the data elsewhere from now on."""

    uri: LongUri = Field(description="Read the data here.")
    endpoint: LongUri | None = Field(default=None, description="S3-compatible server, if any.")
    region: Word | None = Field(default=None, description="Region.")
    provider: Word = Field(description="Kind of storage: s3, az, gs or file.")
    previous: LongUri | None = Field(default=None, description="The location before.")
    location_generation: int = Field(ge=0, description="How many times it was switched.")
    since: dt.datetime = Field(description="Since when.")


class PolicyEvaluated(EventData):
    """The policy evaluated its data sets."""

    policy: Name = Field(description="Name of the TieringPolicy.")
    mode: Word = Field(description="Observe, Recommend, Approve or Auto.")
    data_sets_matched: int = Field(ge=0, description="Data sets of the policy.")
    projected_savings_per_month: Money | None = Field(default=None, description="Possible.")
    realised_savings_per_month: Money | None = Field(default=None, description="Achieved.")
    currency: Currency | None = Field(default=None, description="Currency of the amounts.")
    next_evaluation_time: dt.datetime | None = Field(default=None, description="Next one.")


class EventsDropped(EventData):
    """A gap: so many events of progress and observation were dropped while no broker took them."""

    dropped: int = Field(ge=1, description="Events dropped.")
    dropped_by_type: dict[str, int] = Field(description="The same by type.")
    first: dt.datetime = Field(description="Time of the first of them.")
    last: dt.datetime = Field(description="Time of the last of them.")


class AccessOperation(StatusModel):
    """One read or write of an object, as a consumer of the data tells it to us."""

    id: Annotated[str, StringConstraints(max_length=128)] | None = Field(
        default=None,
        description=(
            "The producer's own id of the operation; without it a repeated message counts twice."
        ),
    )
    time: dt.datetime = Field(description="When it happened, with a time zone.")
    op: Annotated[str, StringConstraints(pattern="^(read|write)$")] = Field(
        description="read or write."
    )
    uri: LongUri | None = Field(
        default=None,
        description="The object: scheme://bucket/key, or the location that key is relative to.",
    )
    data_set_uid: Uid | None = Field(
        default=None, description="UID of the data set, instead of uri."
    )
    key: Annotated[str, StringConstraints(max_length=3072)] | None = Field(
        default=None, description="Key relative to the data set; needed with dataSetUid."
    )
    bytes: int = Field(default=0, ge=0, description="Bytes transferred.")
    latency_ms: float | None = Field(
        default=None, ge=0, description="Time to the first byte that the client saw."
    )
    principal: Word | None = Field(
        default=None, description="Who; compared with the excluded principals, never stored."
    )
    synthetic: bool = Field(default=False, description="True: made by `cloudflux simulate`.")


class DeadLetter(StatusModel):
    """A message of the access topic that could not be counted, without what it said."""

    reason: Word = Field(description="What is wrong, in one word.")
    message: Text = Field(description="What is wrong, in a sentence.")
    topic: Word = Field(description="Topic that it came from.")
    partition: int = Field(ge=0, description="Its partition.")
    offset: int = Field(ge=0, description="Its offset.")
    size_bytes: int = Field(ge=0, description="Its size.")
    shape: Annotated[str, StringConstraints(max_length=512)] = Field(
        description="Its beginning with every letter as a and every digit as 0."
    )
