"""DataSet: where the data is, how its reads are seen, and what is known about it."""

import datetime as dt
from enum import StrEnum

from pydantic import Field

from cloudflux.api.common import Condition, LocalRef, Location, Model, Money, Name, StatusModel, Text, Tier, Uri


class Writers(StrEnum):
    """What may happen to the data while it moves."""

    QUIESCED = "Quiesced"
    APPEND_ONLY = "AppendOnly"
    ACTIVE = "Active"


class AccessSourceType(StrEnum):
    """Kinds of access signal."""

    S3_ACCESS_LOGS = "S3AccessLogs"
    FILE_ATIME = "FileAtime"


class AccessSource(Model):
    """One signal of how the data is read."""

    type: AccessSourceType = Field(description="Kind of signal.")
    logs: Location | None = Field(
        default=None, description="Where the access logs are delivered; only for S3AccessLogs."
    )


class Access(Model):
    """How reads are seen."""

    sources: list[AccessSource] = Field(default_factory=list, max_length=4, description="Signals.")


class Retention(Model):
    """How long history is kept."""

    access_history_days: int = Field(default=400, ge=30, le=3650, description="Days of history kept.")


class DataSetSpec(Model):
    """What the user says about a data set."""

    location: Location = Field(description="Origin of the data; its uri can't be changed.")
    access: Access = Field(default_factory=Access, description="How reads are seen.")
    writers: Writers = Field(default=Writers.ACTIVE, description="What writers may do during a move.")
    retention: Retention = Field(default_factory=Retention, description="How long history is kept.")
    policy_ref: LocalRef | None = Field(
        default=None, description="Policy for this data set; absent: policies select it by label."
    )
    suspend: bool = Field(default=False, description="True stops observation and decisions.")


class Temperature(StrEnum):
    """How warm the data is; Unknown when there is no fresh, proven signal."""

    HOT = "Hot"
    WARM = "Warm"
    COLD = "Cold"
    UNKNOWN = "Unknown"


class ActiveLocation(StatusModel):
    """What consumers must read now."""

    uri: Uri = Field(description="Active location.")
    endpoint: str | None = Field(default=None, max_length=2048, description="Its endpoint.")
    region: str | None = Field(default=None, max_length=64, description="Its region.")
    credentials_secret_name: str | None = Field(default=None, max_length=253, description="Its Secret.")
    generation: int = Field(default=0, ge=0, description="Counts the switches.")
    since: dt.datetime = Field(description="When it became active.")
    previous: Uri | None = Field(default=None, description="Location before the last switch.")


class InventoryStatus(StatusModel):
    """What the last listing found."""

    objects: int = Field(ge=0, description="Objects.")
    bytes: int = Field(ge=0, description="Bytes.")
    scanned_at: dt.datetime = Field(description="When the listing ended.")


class TierUsage(StatusModel):
    """Share of one storage class."""

    tier: Tier | None = Field(default=None, description="Tier by the policy, if any.")
    storage_class: str = Field(max_length=253, description="Storage class, or root of a file tier.")
    objects: int = Field(ge=0, description="Objects.")
    bytes: int = Field(ge=0, description="Bytes.")
    monthly_cost: Money = Field(description="Cost a month.")


class AccessStatus(StatusModel):
    """What is known about reads."""

    reads7d: int = Field(ge=0, description="Reads in the last 7 days.")
    reads30d: int = Field(ge=0, description="Reads in the last 30 days.")
    last_read_at: dt.datetime | None = Field(default=None, description="Last read seen.")
    observed_days: int = Field(ge=0, description="Days with a proven signal.")
    coverage_percent: int = Field(ge=0, le=100, description="Share of the window's days covered.")


class ForecastStatus(StatusModel):
    """Reads expected."""

    reads7d: int = Field(ge=0, description="Reads expected in 7 days.")
    reads30d: int = Field(ge=0, description="Reads expected in 30 days.")
    low: int = Field(ge=0, description="Low end for 7 days (10th percentile).")
    high: int = Field(ge=0, description="High end for 7 days (90th percentile).")
    model: str = Field(max_length=253, description="Model used, or the fall-back.")


class Recommendation(StatusModel):
    """One move that would pay."""

    id: str = Field(max_length=64, description="Content hash; names the list of objects.")
    objects: int = Field(ge=0, description="Objects.")
    bytes: int = Field(ge=0, description="Bytes.")
    source: str = Field(alias="from", max_length=253, description="Storage class or tier root now.")
    target: str = Field(alias="to", max_length=253, description="Storage class or tier root then.")
    tier: Tier = Field(description="Tier of the target.")
    savings_per_month: Money = Field(description="Saved a month after the move.")
    one_off_cost: Money = Field(description="Fees of the move.")
    payback_days: int | None = Field(default=None, ge=0, description="Days until the fees are back.")
    confidence_percent: int = Field(ge=0, le=100, description="Confidence.")
    reason: Text = Field(description="Why, in words.")


class HistoryEntry(StatusModel):
    """One finished move."""

    job: Name = Field(description="MigrationJob.")
    completed_at: dt.datetime = Field(description="When it completed.")
    source: str = Field(alias="from", max_length=2048, description="From.")
    target: str = Field(alias="to", max_length=2048, description="To.")
    objects: int = Field(ge=0, description="Objects moved.")
    bytes: int = Field(ge=0, description="Bytes moved.")
    manifest_uri: str = Field(max_length=2048, description="Manifest of the proof.")


class ActiveMigrationRef(StatusModel):
    """The job that may write to this data set now."""

    name: Name = Field(description="MigrationJob.")
    uid: str = Field(max_length=64, description="Its UID; a claim whose UID is gone is stale.")


class DataSetStatus(StatusModel):
    """What the operator knows."""

    observed_generation: int = Field(default=0, ge=0, description="Generation seen.")
    conditions: list[Condition] = Field(default_factory=list, max_length=16, description="Conditions.")
    location: ActiveLocation | None = Field(default=None, description="Active location.")
    inventory: InventoryStatus | None = Field(default=None, description="Last listing.")
    tiers: list[TierUsage] = Field(default_factory=list, max_length=16, description="Use by class.")
    monthly_cost: Money | None = Field(default=None, description="Cost a month now.")
    savings_per_month: Money | None = Field(default=None, description="What the recommendations save.")
    currency: str | None = Field(default=None, max_length=3, description="Currency of the money here.")
    temperature: Temperature = Field(default=Temperature.UNKNOWN, description="Temperature.")
    confidence_percent: int | None = Field(default=None, ge=0, le=100, description="Its confidence.")
    access: AccessStatus | None = Field(default=None, description="Reads seen.")
    forecast: ForecastStatus | None = Field(default=None, description="Reads expected.")
    recommendations: list[Recommendation] = Field(
        default_factory=list, max_length=10, description="Moves that would pay."
    )
    why_not: Text | None = Field(default=None, description="Why nothing is recommended.")
    evaluated_at: dt.datetime | None = Field(default=None, description="When it was decided last.")
    active_migration_ref: ActiveMigrationRef | None = Field(default=None, description="Claim.")
    history: list[HistoryEntry] = Field(default_factory=list, max_length=10, description="Last moves.")
