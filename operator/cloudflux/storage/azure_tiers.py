"""Changing a blob's tier: Set Blob Tier, which has no condition, made as safe as it can be."""

from contextlib import suppress
from typing import Any

from azure.core import MatchConditions
from azure.storage.blob import BlobClient, RehydratePriority, StandardBlobTier

from cloudflux.errors import NotSupported, ObjectArchived, PreconditionFailed, StorageError
from cloudflux.storage import azure_attributes as attributes
from cloudflux.storage.archive import Restoration, RestoreState
from cloudflux.storage.azure_errors import Requests
from cloudflux.storage.digests import compare
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import printable

LEASE_SECONDS = 15


def set_tier(requests: Requests, blob: BlobClient, before: ObjectInfo, target: str) -> None:
    """Send the request; into Archive under a lease, which keeps writers off meanwhile.

    A blob that was overwritten and then archived can neither be read nor written again for
    hours, so that there the two requests more are worth it. The lease is taken only of the
    version that is meant, and ends by itself.
    """
    key = before.key
    tier = StandardBlobTier(target)
    if target != attributes.ARCHIVE:
        priority: Any = RehydratePriority.standard if before.archived else None
        requests.send(
            "Set Blob Tier",
            key,
            lambda: blob.set_standard_blob_tier(tier, rehydrate_priority=priority),
        )
        return
    etag = f'"{before.version}"'
    lease = requests.send(
        "Lease Blob",
        key,
        lambda: blob.acquire_lease(
            LEASE_SECONDS, etag=etag, match_condition=MatchConditions.IfNotModified
        ),
    )
    try:
        requests.send("Set Blob Tier", key, lambda: blob.set_standard_blob_tier(tier, lease=lease))
    finally:
        with suppress(StorageError):
            requests.send("Lease Blob", key, lease.release)


def restoration_of(found: Any) -> Restoration:
    """What the properties of a blob say of its rehydration."""
    if getattr(found, "archive_status", None):
        return Restoration(RestoreState.UNDERWAY)
    tier = str(getattr(found.blob_tier, "value", found.blob_tier) or "")
    state = RestoreState.ARCHIVED if tier == attributes.ARCHIVE else RestoreState.READABLE
    return Restoration(state)


def rehydrate(requests: Requests, blob: BlobClient, key: str, tier: str, to_class: str) -> None:
    """Ask for the blob in an online tier; it stays there. Only Expedited pays for priority."""
    fast = tier == "Expedited"
    priority: Any = RehydratePriority.high if fast else RehydratePriority.standard

    def request() -> None:
        blob.set_standard_blob_tier(StandardBlobTier(to_class), rehydrate_priority=priority)

    requests.send("Set Blob Tier", key, request)


def require_changed(before: ObjectInfo, after: ObjectInfo, target: str) -> ObjectInfo:
    """Return `after` when the tier is changed and nothing else.

    Raises PreconditionFailed when a writer changed the blob meanwhile, ObjectArchived while a
    rehydration is under way, NotSupported when the server changed nothing.
    """
    name = printable(after.key)
    if after.version != before.version:
        raise PreconditionFailed(
            f"{name} was written while its tier was changed, and the new content may be in "
            f"{after.storage_class}; stop its writers and run the job again",
            backend="azure",
            operation="change_class",
            key=after.key,
        )
    if after.storage_class != target and before.archived:
        raise ObjectArchived(
            f"{name}: its rehydration to {target} was requested and takes up to 15 hours; until "
            "then it can't be read",
            backend="azure",
            operation="change_class",
            key=after.key,
        )
    if after.storage_class != target:
        raise NotSupported(
            f"the server answered with success but left {name} in {after.storage_class}; "
            f"it has no tier {target}",
            backend="azure",
            operation="change_class",
            key=after.key,
        )
    sizes = ({"size": str(before.size_bytes)}, {"size": str(after.size_bytes)})
    compare(*sizes, name)
    compare(before.checksums, after.checksums, name)
    return after
