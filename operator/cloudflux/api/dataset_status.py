"""What the operator knows of a DataSet: where it is, how warm, what it costs and would save."""

import datetime as dt
from enum import StrEnum
from typing import Annotated

from pydantic import Field, computed_field

from cloudflux.api.common import (
    CONDITIONS_BY_TYPE,
    Condition,
    Encryption,
    Money,
    Name,
    PricedStatus,
    StatusPart,
    Text,
    Tier,
    Uri,
    VolumeClaim,
)
from cloudflux.api.display import display_amount, display_bytes
from cloudflux.api.results import OutcomeStatus, ReplayStatus


class Temperature(StrEnum):
    """How warm the data is; Unknown when there is no fresh, proven signal."""

    HOT = "Hot"
    WARM = "Warm"
    COLD = "Cold"
    UNKNOWN = "Unknown"


class ActiveLocation(StatusPart):
    """What consumers must read now."""

    uri: Uri = Field(description="Read the data here.")
    endpoint: str | None = Field(
        default=None,
        max_length=2048,
        description="S3-compatible server of this location, if not AWS.",
    )
    region: str | None = Field(default=None, max_length=64, description="Region of this location.")
    credentials_secret_name: str | None = Field(
        default=None, max_length=253, description="Name of the Secret for this location."
    )
    encryption: Encryption | None = Field(
        default=None, description="How the objects here are encrypted; absent: by the bucket."
    )
    volume_claim: VolumeClaim | None = Field(
        default=None, description="The claim by which worker pods reach a directory."
    )
    generation: int = Field(
        default=0,
        ge=0,
        description="How many times the data set has been switched to another location.",
    )
    since: dt.datetime = Field(description="When this became the location.")
    previous: Uri | None = Field(default=None, description="The location before the last switch.")


class InventoryStatus(StatusPart):
    """What the last listing found."""

    objects: int = Field(ge=0, description="Number of objects.")
    bytes: int = Field(ge=0, description="Their size in bytes.")
    scanned_at: dt.datetime = Field(description="When the listing ended.")

    @computed_field(description="Size in a fitting unit, for `kubectl get`.")  # type: ignore[prop-decorator]
    @property
    def bytes_display(self) -> Annotated[str, Field(max_length=32)]:
        """Size in a fitting unit."""
        return display_bytes(self.bytes)


class TierUsage(StatusPart):
    """Share of one storage class."""

    tier: Tier | None = Field(
        default=None, description="The tier that the policy gives this class, if any."
    )
    storage_class: str = Field(
        max_length=253, description="Storage class, or the root directory of a file tier."
    )
    objects: int = Field(ge=0, description="Objects in this class.")
    bytes: int = Field(ge=0, description="Bytes in this class.")
    monthly_cost: Money = Field(description="What they cost a month at present prices.")


class AccessStatus(StatusPart):
    """What is known about reads."""

    reads7d: int = Field(ge=0, description="Reads in the last 7 days.")
    reads30d: int = Field(ge=0, description="Reads in the last 30 days.")
    last_read_at: dt.datetime | None = Field(
        default=None, description="When the last read that was seen happened."
    )
    observed_days: int = Field(ge=0, description="Number of days for which a signal is proven.")
    coverage_percent: int = Field(
        ge=0,
        le=100,
        description="Share of the deciding window's days with a complete signal, in percent.",
    )
    first_byte_millis: int | None = Field(
        default=None,
        ge=0,
        description=(
            "What nineteen of twenty reads of today and yesterday waited for their first byte at "
            "most, within 19 %. Absent: fewer than 20 reads, or no signal tells it."
        ),
    )


class TrendStatus(StatusPart):
    """What is expected of the whole data set; low and high are the 10th and 90th percentile."""

    days: int = Field(ge=1, description="So many coming days.")
    reads: int = Field(ge=0, description="Reads expected in them.")
    reads_low: int = Field(ge=0, description="Low end of the reads.")
    reads_high: int = Field(ge=0, description="High end of the reads.")
    bytes: int = Field(ge=0, description="Bytes expected to be read.")
    bytes_low: int = Field(ge=0, description="Low end of the bytes.")
    bytes_high: int = Field(ge=0, description="High end of the bytes.")


class ForecastStatus(StatusPart):
    """Reads expected."""

    reads7d: int = Field(ge=0, description="Reads expected in the next 7 days.")
    reads30d: int = Field(ge=0, description="Reads expected in the next 30 days.")
    low: int = Field(ge=0, description="Low end for 7 days (10th percentile).")
    high: int = Field(ge=0, description="High end for 7 days (90th percentile).")
    model: str = Field(
        max_length=253,
        description="The model that was used, or the fall-back that stood in for it.",
    )
    trend: list[TrendStatus] = Field(
        default_factory=list,
        max_length=8,
        description=(
            "Reads and bytes of the whole data set in the next 7, 30 and 90 days, from its days "
            "and weeks so far. `cloudflux forecast` has every day."
        ),
    )


class Recommendation(StatusPart):
    """One move that would pay."""

    id: str = Field(
        max_length=64,
        description=(
            "Id of the recommendation: a hash of its content. A MigrationJob may select "
            "exactly these objects by it."
        ),
    )
    objects: int = Field(ge=0, description="Number of objects to move.")
    bytes: int = Field(ge=0, description="Their size in bytes.")
    source: str = Field(
        alias="from", max_length=253, description="Storage class or tier root where they are."
    )
    target: str = Field(
        alias="to", max_length=253, description="Storage class or tier root where they would go."
    )
    tier: Tier = Field(description="Tier of the target.")
    savings_per_month: Money = Field(description="What is saved a month once they are moved.")
    one_off_cost: Money = Field(description="What the move itself costs, all fees included.")
    payback_days: int | None = Field(
        default=None,
        ge=0,
        description="Days until the savings have paid for the move; absent if never.",
    )
    confidence_percent: int = Field(
        ge=0, le=100, description="How sure the operator is, in percent."
    )
    reason: Text = Field(description="Why, in words.")


class HistoryEntry(StatusPart):
    """One finished move."""

    job: Name = Field(description="Name of the MigrationJob.")
    completed_at: dt.datetime = Field(description="When it completed.")
    source: str = Field(alias="from", max_length=2048, description="Where the data was.")
    target: str = Field(alias="to", max_length=2048, description="Where it went.")
    objects: int = Field(ge=0, description="Objects moved.")
    bytes: int = Field(ge=0, description="Bytes moved.")
    manifest_uri: str = Field(
        max_length=2048,
        description="Where the manifest is: what was moved, and how each object was proven.",
    )


class ActiveMigrationRef(StatusPart):
    """The job that may write to this data set now."""

    name: Name = Field(description="Name of the MigrationJob.")
    uid: str = Field(
        max_length=64,
        description=(
            "Its UID; when no job has it any more, the claim is stale and the next job takes over."
        ),
    )


class DataSetStatus(PricedStatus):
    """What the operator knows."""

    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        json_schema_extra=CONDITIONS_BY_TYPE,
        description=(
            "Conditions: Ready and AccessHistoryFresh; ModelUsable under the strategy Predictive."
        ),
    )
    location: ActiveLocation | None = Field(
        default=None,
        description=(
            "Where the data is now; consumers must read it here. The ConfigMap "
            "<name>-location says the same."
        ),
    )
    inventory: InventoryStatus | None = Field(
        default=None, description="What the last listing found."
    )
    tiers: list[TierUsage] = Field(
        default_factory=list,
        max_length=16,
        description="How the data is spread over storage classes, and what each costs.",
    )
    monthly_cost: Money | None = Field(
        default=None, description="What the data costs a month at present prices."
    )
    savings_per_month: Money | None = Field(
        default=None, description="What all recommendations together would save a month."
    )
    temperature: Temperature = Field(
        default=Temperature.UNKNOWN,
        description="How warm the data is; Unknown without a fresh, proven signal.",
    )
    confidence_percent: int | None = Field(
        default=None, ge=0, le=100, description="How sure the temperature is, in percent."
    )
    access: AccessStatus | None = Field(default=None, description="Reads that were seen.")
    forecast: ForecastStatus | None = Field(default=None, description="Reads that are expected.")
    recommendations: list[Recommendation] = Field(
        default_factory=list, max_length=10, description="Moves that would pay, the best first."
    )
    replay: ReplayStatus | None = Field(
        default=None,
        description="What the recent past would have cost by the policy's strategy and others.",
    )
    outcome: OutcomeStatus | None = Field(
        default=None, description="What advice was worth since it was given."
    )
    why_not: Text | None = Field(default=None, description="Why nothing is recommended.")
    evaluated_at: dt.datetime | None = Field(default=None, description="When this was decided.")
    served_scan_token: str | None = Field(
        default=None, max_length=64, description="Annotation cloudflux.io/scan-now served last."
    )
    active_migration_ref: ActiveMigrationRef | None = Field(
        default=None, description="The one job that may move this data now."
    )
    history: list[HistoryEntry] = Field(
        default_factory=list, max_length=10, description="The last ten moves, the newest last."
    )

    @computed_field(description="Cost a month, for `kubectl get`.")  # type: ignore[prop-decorator]
    @property
    def monthly_cost_display(self) -> Annotated[str, Field(max_length=64)] | None:
        """Cost a month with its currency; None while it is not known."""
        return display_amount(self.monthly_cost, self.currency)

    @computed_field(description="Savings a month, for `kubectl get`.")  # type: ignore[prop-decorator]
    @property
    def savings_display(self) -> Annotated[str, Field(max_length=64)] | None:
        """What recommendations would save a month; None while it is not known."""
        return display_amount(self.savings_per_month, self.currency)
