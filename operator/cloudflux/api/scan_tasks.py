"""What is asked of the ingest child, and what it answers."""

import datetime as dt

from cloudflux.api.dataset import AccessSourceType, InventorySource
from cloudflux.api.task import StoreRef, Task


class AccessSourceRef(Task):
    """One access signal, resolved."""

    type: AccessSourceType
    logs: StoreRef | None = None


class InventoryRef(Task):
    """Where inventory reports are, resolved."""

    source: InventorySource
    reports: StoreRef
    since: dt.datetime | None = None
    """Older reports tell of what was before the last move: then the location is listed."""


OWN_USER_AGENT = "cloudflux/"
"""Part of the User-Agent of our own requests."""


class ScanRequest(Task):
    """ingest.scan: list the data set and read its access signals."""

    data_set_uid: str
    source: StoreRef
    sources: tuple[AccessSourceRef, ...] = ()
    inventory: InventoryRef | None = None
    """Read reports instead of listing."""
    tier_roots: tuple[str, ...] = ()
    """Roots of file tiers (file://…), to follow the links that tiering leaves."""
    retention_days: int = 400
    excluded_user_agents: tuple[str, ...] = (OWN_USER_AGENT,)
    excluded_principals: tuple[str, ...] = ()
    now: dt.datetime


class ClassUsage(Task):
    """Objects and bytes of one storage class (or file tier root)."""

    storage_class: str
    objects: int
    size_bytes: int


class ScanResult(Task):
    """What a scan found."""

    objects: int
    size_bytes: int
    classes: tuple[ClassUsage, ...]
    scanned_at: dt.datetime
    reads_7d: int = 0
    reads_30d: int = 0
    last_read_at: dt.datetime | None = None
    observed_days: int = 0
    """Days whose coverage is complete, up to the retention."""
    coverage_percent: int = 0
    first_byte_millis: int | None = None
    """95th percentile of what reads of today and yesterday waited; None: not known."""
    fresh: bool = False
    fresh_reason: str = ""
    """A Reason value: AccessLogsFresh, AccessLogsMissing, AccessLogsLate, AccessTimesOff …"""
    fresh_message: str = ""
    lines_read: int = 0
    lines_malformed: int = 0
