"""What stores say of restores, read from headers and properties."""

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from cloudflux.storage.archive import Restoration, RestoreState
from cloudflux.storage.azure_tiers import rehydrate
from cloudflux.storage.azure_tiers import restoration_of as azure_restoration
from cloudflux.storage.s3_restore import restoration_of

UNTIL = dt.datetime(2026, 12, 21, tzinfo=dt.UTC)
READY = 'ongoing-request="false", expiry-date="Mon, 21 Dec 2026 00:00:00 GMT"'


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-amz-storage-class": "GLACIER"}, Restoration(RestoreState.ARCHIVED)),
        (
            {"x-amz-storage-class": "GLACIER", "x-amz-restore": 'ongoing-request="true"'},
            Restoration(RestoreState.UNDERWAY),
        ),
        (
            {"x-amz-storage-class": "DEEP_ARCHIVE", "x-amz-restore": READY},
            Restoration(RestoreState.READABLE, UNTIL),
        ),
        ({"x-amz-storage-class": "STANDARD_IA"}, Restoration(RestoreState.READABLE)),
        (
            {
                "x-amz-storage-class": "INTELLIGENT_TIERING",
                "x-amz-archive-status": "ARCHIVE_ACCESS",
            },
            Restoration(RestoreState.ARCHIVED),
        ),
        (
            {
                "x-amz-storage-class": "INTELLIGENT_TIERING",
                "x-amz-archive-status": "ARCHIVE_ACCESS",
                "x-amz-restore": 'ongoing-request="true"',
            },
            Restoration(RestoreState.UNDERWAY),
        ),
        ({"x-amz-storage-class": "INTELLIGENT_TIERING"}, Restoration(RestoreState.READABLE)),
    ],
)
def test_s3_tells_by_two_headers(headers: dict[str, str], expected: Restoration) -> None:
    assert restoration_of(headers) == expected


@pytest.mark.parametrize(
    ("tier", "status", "state"),
    [
        ("Archive", None, RestoreState.ARCHIVED),
        ("Archive", "rehydrate-pending-to-hot", RestoreState.UNDERWAY),
        ("Hot", None, RestoreState.READABLE),
    ],
)
def test_azure_tells_by_tier_and_archive_status(
    tier: str, status: str | None, state: RestoreState
) -> None:
    found = SimpleNamespace(blob_tier=tier, archive_status=status)
    assert azure_restoration(found) == Restoration(state)


@pytest.mark.parametrize(("tier", "priority"), [("Standard", "Standard"), ("Expedited", "High")])
def test_azure_pays_for_priority_only_where_asked_to(tier: str, priority: str) -> None:
    sent: list[Any] = []
    requests = SimpleNamespace(send=lambda _operation, _key, request: request())
    blob = SimpleNamespace(
        set_standard_blob_tier=lambda to, rehydrate_priority: sent.append((to, rehydrate_priority))
    )
    rehydrate(requests, blob, "a", tier, "Cool")  # type: ignore[arg-type]
    ((to, asked),) = sent
    assert (to.value, asked.value) == ("Cool", priority)
