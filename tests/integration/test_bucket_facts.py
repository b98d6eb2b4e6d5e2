"""What a bucket does with changes is found in its configuration, and counted or refused."""

import io
import itertools
from pathlib import Path
from typing import Any

import pytest
from tests.integration.moving import Move, file_ref
from tests.servers import azure_ref, gcs_ref, s3_ref

from cloudflux.cli.local import store_ref
from cloudflux.errors import PermissionDenied
from cloudflux.storage.bucket_facts import BucketFacts
from cloudflux.storage.registry import open_store
from cloudflux.storage.s3_bucket import Bucket as Requests
from cloudflux_dev.cloudservers import AzureServer, GcsServer
from cloudflux_dev.gcsstub import GcsStub
from cloudflux_dev.s3servers import S3Server

_NUMBERS = itertools.count()
GB = 1 << 30


class Bucket:
    """An S3 bucket with some objects, and a class change of them."""

    def __init__(self, moto: S3Server, state: Path, **made: Any) -> None:
        self.client, self.name = moto.client(), f"facts-{next(_NUMBERS)}"
        self.client.create_bucket(Bucket=self.name, **made)
        for number in range(2):
            self.client.put_object(Bucket=self.name, Key=f"data/{number}", Body=bytes(1 << 20))
        self.ref = s3_ref(moto, f"s3://{self.name}/data")
        self.move = Move(state, self.ref, self.ref, {"target_class": "GLACIER_IR"})

    def facts(self) -> BucketFacts:
        return open_store(self.ref).bucket_facts()  # type: ignore[attr-defined, no-any-return]

    def versions(self) -> None:
        versioning = {"Status": "Enabled"}
        self.client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration=versioning)


def test_a_plain_bucket_adds_nothing_to_the_plan(moto: S3Server, tmp_path: Path) -> None:
    bucket = Bucket(moto, tmp_path)
    assert bucket.facts() == BucketFacts()
    plan = bucket.move.plan()
    assert plan.problems == ()
    assert float(plan.savings_per_month) > 0
    assert not any("version" in words for words in plan.warnings)


def test_versions_that_stay_are_counted_and_priced(moto: S3Server, tmp_path: Path) -> None:
    bucket = Bucket(moto, tmp_path)
    before = bucket.move.plan()
    bucket.versions()
    assert bucket.facts().versioned
    plan = bucket.move.plan()
    # what stays in STANDARD costs what it did, so that only the new copies are saved on: nothing
    rent = 2 * (1 << 20) / GB * 0.023
    lost = float(before.savings_per_month) - float(plan.savings_per_month)
    assert lost == pytest.approx(rent, rel=0.01)
    assert plan.payback_days is None
    assert any("stay as noncurrent versions in their old class" in w for w in plan.warnings)


def test_what_copies_set_off_is_said(moto: S3Server, tmp_path: Path) -> None:
    bucket = Bucket(moto, tmp_path)
    queue = moto.client("sqs").create_queue(QueueName=bucket.name)["QueueUrl"]
    assert queue
    arn = f"arn:aws:sqs:us-east-1:123456789012:{bucket.name}"
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    bucket.client.put_bucket_notification_configuration(
        Bucket=bucket.name, NotificationConfiguration=told
    )
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 900}}
    bucket.client.put_bucket_lifecycle_configuration(
        Bucket=bucket.name, LifecycleConfiguration={"Rules": [rule]}
    )
    facts = bucket.facts()
    assert (facts.notifies, facts.expires, facts.replicated) == (True, True, False)
    words = "; ".join(bucket.move.plan().warnings)
    assert "2 objects are told of as if written" in words
    assert "lifecycle rules by age" in words


def test_object_lock_is_not_lost_by_a_class_change(moto: S3Server, tmp_path: Path) -> None:
    bucket = Bucket(moto, tmp_path, ObjectLockEnabledForBucket=True)
    assert bucket.facts().locked
    (problem,) = bucket.move.plan().problems
    assert "object lock" in problem
    assert "lifecycle rule" in problem


def test_a_move_away_says_what_stays(moto: S3Server, tmp_path: Path) -> None:
    bucket = Bucket(moto, tmp_path / "state", ObjectLockEnabledForBucket=True)
    move = bucket.move
    move.target, move.fields = file_ref(tmp_path / "to", tmp_path), {}
    plan = move.plan(deletes_source=True)
    assert plan.problems == ()
    words = "; ".join(plan.warnings)
    assert "only the current version" in words
    assert "deleting the source leaves more of them" in words
    assert "legal holds stay at the source" in words


def test_a_right_that_is_missing_is_named(
    moto: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(moto, tmp_path)
    call = Requests.call

    def denied(self: Requests, operation: str, *args: Any, **more: Any) -> Any:
        if operation == "GetBucketReplication":
            raise PermissionDenied("no")
        return call(self, operation, *args, **more)

    monkeypatch.setattr(Requests, "call", denied)
    plan = bucket.move.plan()
    assert plan.problems == ()
    assert any("s3:GetReplicationConfiguration" in words for words in plan.warnings)


@pytest.mark.parametrize(
    ("settings", "facts", "problem"),
    [
        ({"versioning": {"enabled": True}}, BucketFacts(versioned=True), None),
        (
            {"retentionPolicy": {"retentionPeriod": "3600"}},
            BucketFacts(retained=True),
            "retention policy",
        ),
        ({"autoclass": {"enabled": True}}, BucketFacts(own_classes=True), "Autoclass"),
        (
            {"softDeletePolicy": {"retentionDurationSeconds": "604800"}},
            BucketFacts(kept_days=7),
            None,
        ),
        (
            {"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 9}}]}},
            BucketFacts(expires=True),
            None,
        ),
    ],
)
def test_google_tells_in_the_bucket(
    gcs_stub: GcsStub,
    tmp_path: Path,
    settings: dict[str, Any],
    facts: BucketFacts,
    problem: str | None,
) -> None:
    name = f"facts-{next(_NUMBERS)}"
    server = GcsServer(gcs_stub.endpoint, 0)
    server.client().create_bucket(name)
    gcs_stub.settings[name] = settings
    ref = gcs_ref(server, f"gs://{name}/data")
    store = open_store(ref)
    assert store.bucket_facts() == facts  # type: ignore[attr-defined]
    store.put("a", io.BytesIO(bytes(1000)), 1000)
    plan = Move(tmp_path, ref, ref, {"target_class": "NEARLINE"}).plan()
    assert [problem in words for words in plan.problems] == ([True] if problem else [])
    if facts.kept_days:
        assert any("kept" in words or "keeps" in words for words in plan.warnings)


def test_azure_and_directories_answer_too(azurite: AzureServer, tmp_path: Path) -> None:
    name = f"facts-{next(_NUMBERS)}"
    azurite.client().create_container(name)
    ref = azure_ref(azurite, f"az://{name}/data")
    assert open_store(ref).bucket_facts() == BucketFacts()  # type: ignore[attr-defined]
    assert not hasattr(open_store(store_ref(str(tmp_path))), "bucket_facts")
