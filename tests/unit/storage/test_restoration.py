"""What stores say of restores, read from headers and properties."""

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from cloudflux.errors import (
    ContainerNotFound,
    CredentialsInvalid,
    NotSupported,
    PermissionDenied,
    PreconditionFailed,
    StorageError,
    Throttled,
    Unavailable,
)
from cloudflux.storage.archive import Restoration, RestoreState
from cloudflux.storage.azure_tiers import rehydrate
from cloudflux.storage.azure_tiers import restoration_of as azure_restoration
from cloudflux.storage.bucket_facts import BucketFacts
from cloudflux.storage.s3_config import bucket_facts
from cloudflux.storage.s3_restore import archives_unseen, request_restore, restoration_of

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


class FakeBucket:
    """Answers as told, and keeps what was asked."""

    def __init__(self, storage_class: str = "GLACIER", answer: Any = b"<R/>") -> None:
        self.headers, self.answer = {"x-amz-storage-class": storage_class}, answer
        self.asked: list[tuple[str, bytes]] = []

    def head(self, key: str) -> dict[str, str]:
        return self.headers

    def name(self, key: str) -> str:
        return key

    def call(self, operation: str, method: str, name: str = "", **more: Any) -> Any:
        self.asked.append((operation, more.get("body", b"")))
        if isinstance(self.answer, Exception):
            raise self.answer
        return SimpleNamespace(body=self.answer)


def test_what_goes_back_for_good_is_asked_for_without_days() -> None:
    tier = b"<GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters>"
    for storage_class, body in (
        ("GLACIER", b"<RestoreRequest><Days>3</Days>" + tier + b"</RestoreRequest>"),
        ("INTELLIGENT_TIERING", b"<RestoreRequest>" + tier + b"</RestoreRequest>"),
    ):
        bucket = FakeBucket(storage_class)
        request_restore(bucket, "a", tier="Bulk", days=3)  # type: ignore[arg-type]
        assert bucket.asked == [("RestoreObject", body)]


def test_a_restore_that_is_under_way_is_as_good_and_other_refusals_are_said() -> None:
    under_way = PreconditionFailed("busy")
    under_way.code = "RestoreAlreadyInProgress"
    request_restore(FakeBucket(answer=under_way), "a", tier="Bulk", days=1)  # type: ignore[arg-type]
    with pytest.raises(PreconditionFailed):
        request_restore(FakeBucket(answer=PreconditionFailed("")), "a", tier="Bulk", days=1)  # type: ignore[arg-type]
    refused = FakeBucket(answer=NotSupported("no"))
    with pytest.raises(NotSupported, match="the tier Expedited; choose another"):
        request_restore(refused, "a", tier="Expedited", days=1)  # type: ignore[arg-type]


TIERS = b"<C><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering></C>"


@pytest.mark.parametrize(
    ("answer", "unseen"),
    [
        (TIERS, True),
        (b"<ListBucketIntelligentTieringConfigurationsOutput/>", False),
        (PermissionDenied("no"), True),
        (NotSupported("no"), False),
        (StorageError("some 400"), False),
    ],
)
def test_whether_a_listing_hides_the_archive_is_asked_of_the_bucket(
    answer: Any, unseen: bool
) -> None:
    assert archives_unseen(FakeBucket(answer=answer)) is unseen  # type: ignore[arg-type]


def test_a_look_that_may_succeed_later_is_no_answer() -> None:
    for error in (
        Unavailable("no"),
        Throttled("no"),
        CredentialsInvalid("no"),
        ContainerNotFound(""),
    ):
        with pytest.raises(type(error)):
            bucket_facts(FakeBucket(answer=error))  # type: ignore[arg-type]
    assert bucket_facts(FakeBucket(answer=StorageError("some 400"))) == BucketFacts()  # type: ignore[arg-type]
    denied = bucket_facts(FakeBucket(answer=PermissionDenied("no")))  # type: ignore[arg-type]
    assert len(denied.unknown) == 5
