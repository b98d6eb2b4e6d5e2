"""DataSet: where the data is, how its reads are seen, and what is known about it."""

from enum import StrEnum

from pydantic import Field

from cloudflux.api.common import (
    LocalRef,
    Location,
    Model,
)
from cloudflux.api.dataset_status import (
    AccessStatus,
    ActiveLocation,
    ActiveMigrationRef,
    DataSetStatus,
    ForecastStatus,
    HistoryEntry,
    InventoryStatus,
    Recommendation,
    Temperature,
    TierUsage,
    TrendStatus,
)

__all__ = [
    "Access",
    "AccessSource",
    "AccessSourceType",
    "AccessStatus",
    "ActiveLocation",
    "ActiveMigrationRef",
    "DataSetSpec",
    "DataSetStatus",
    "ForecastStatus",
    "HistoryEntry",
    "Inventory",
    "InventorySource",
    "InventoryStatus",
    "Recommendation",
    "Retention",
    "Temperature",
    "TierUsage",
    "TrendStatus",
    "Writers",
]


class Writers(StrEnum):
    """What may happen to the data while it moves."""

    QUIESCED = "Quiesced"
    APPEND_ONLY = "AppendOnly"
    ACTIVE = "Active"


class AccessSourceType(StrEnum):
    """Kinds of access signal."""

    S3_ACCESS_LOGS = "S3AccessLogs"
    CLOUD_TRAIL = "CloudTrail"
    AZURE_LOGS = "AzureLogs"
    GCS_USAGE_LOGS = "GCSUsageLogs"
    GCS_AUDIT_LOGS = "GCSAuditLogs"
    FILE_ATIME = "FileAtime"
    KAFKA = "Kafka"


LOG_SCHEMES = {
    AccessSourceType.S3_ACCESS_LOGS: "s3",
    AccessSourceType.CLOUD_TRAIL: "s3",
    AccessSourceType.AZURE_LOGS: "az",
    AccessSourceType.GCS_USAGE_LOGS: "gs",
    AccessSourceType.GCS_AUDIT_LOGS: "gs",
}
"""Kinds of access signal that are read from log objects, and whose data they tell of."""


class AccessSource(Model):
    """One signal of how the data is read."""

    type: AccessSourceType = Field(
        description=(
            "S3AccessLogs: server access logs of the bucket. CloudTrail: data events of S3. "
            "AzureLogs: resource logs of Azure Storage (StorageRead, StorageWrite). "
            "GCSUsageLogs, GCSAuditLogs: usage logs, and audit logs of data access, of Google "
            "Cloud Storage. FileAtime: access times of the "
            "file system, which prove the last read only. Kafka: access events that the "
            "readers of the data, or MinIO, send and `cloudflux collector` counts."
        )
    )
    logs: Location | None = Field(
        default=None,
        description=(
            "Where the access logs are delivered; needed for all that read logs, not allowed for "
            "FileAtime and Kafka."
        ),
    )


class Access(Model):
    """How reads are seen."""

    sources: list[AccessSource] = Field(
        default_factory=list,
        max_length=4,
        description=(
            "Signals of how the data is read. Without one the temperature stays Unknown and "
            "nothing moves colder."
        ),
    )


class InventorySource(StrEnum):
    """Ways to know what is there."""

    LISTING = "Listing"
    S3_INVENTORY = "S3Inventory"
    AZURE_BLOB_INVENTORY = "AzureBlobInventory"
    GCS_STORAGE_INSIGHTS = "GCSStorageInsights"


REPORT_SCHEMES = {
    InventorySource.S3_INVENTORY: "s3",
    InventorySource.AZURE_BLOB_INVENTORY: "az",
    InventorySource.GCS_STORAGE_INSIGHTS: "gs",
}
"""Kinds of inventory report, and whose data they tell of."""


class Inventory(Model):
    """How the operator knows what is there."""

    source: InventorySource = Field(
        default=InventorySource.LISTING,
        description=(
            "Listing: the location is listed. The others read the newest report of the provider's "
            "inventory instead (CSV or Parquet), which costs less for millions of objects; after a "
            "move the location is listed until a newer report is there."
        ),
    )
    reports: Location | None = Field(
        default=None,
        description="Where reports of this bucket are delivered; needed for all but Listing.",
    )


class Retention(Model):
    """How long history is kept."""

    access_history_days: int = Field(
        default=400, ge=30, le=3650, description="For how many days the history of reads is kept."
    )


class DataSetSpec(Model):
    """What the user says about a data set."""

    location: Location = Field(
        description=(
            "Where the data was when the DataSet was made. Where it is now says "
            "status.location. Its uri can't be changed: move the data with a MigrationJob."
        )
    )
    access: Access = Field(
        default_factory=Access, description="How the operator sees that data is read."
    )
    inventory: Inventory = Field(
        default_factory=Inventory, description="How the operator knows what is there."
    )
    writers: Writers = Field(
        default=Writers.ACTIVE,
        description=(
            "What may happen to the data while it moves. Quiesced: nothing writes. "
            "AppendOnly: objects are added, never changed. Active: anything."
        ),
    )
    retention: Retention = Field(default_factory=Retention, description="How long history is kept.")
    policy_ref: LocalRef | None = Field(
        default=None,
        description=(
            "The TieringPolicy for this data set. Absent: a policy selects it by its labels."
        ),
    )
    suspend: bool = Field(
        default=False, description="True stops observing and deciding; running jobs go on."
    )
