"""One data set goes from cloud to cloud through the mover, and every byte is read at each stop."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.moving import FakeContext, Killed, Move, contents_of, file_ref
from tests.servers import azure_ref, gcs_ref, s3_ref

from cloudflux.api.dataset import Writers
from cloudflux.api.task import StoreRef
from cloudflux_dev.cloudservers import AzureServer, GcsServer
from cloudflux_dev.gcsstub import GcsStub
from cloudflux_dev.s3servers import S3Server

EXPIRES = "Thu, 01 Jan 1970 00:00:00 GMT"
HEADERS = {"ContentType": "text/x-test", "CacheControl": "max-age=60", "Expires": EXPIRES}
CONTENTS = {
    "empty": b"",
    "a/b/c d+e%2F.bin": b"small",
    "ünï/☃": bytes(range(256)) * 300,
    "Case": b"upper",
    "case": b"lower",
    "large": b"0123456789abcdef" * (17 << 16),
}
Digested = dict[str, str]


def digested(contents: dict[str, bytes]) -> Digested:
    return {key: hashlib.sha256(data).hexdigest() for key, data in contents.items()}


@pytest.fixture
def at_minio(minio: S3Server) -> StoreRef:
    client = minio.client()
    client.create_bucket(Bucket="source")
    for key, data in CONTENTS.items():
        client.put_object(
            Bucket="source", Key=f"data/{key}", Body=data, Metadata={"owner": "anna"}, **HEADERS
        )
    yield s3_ref(minio, "s3://source/data")
    for entry in client.list_objects_v2(Bucket="source").get("Contents", ()):
        client.delete_object(Bucket="source", Key=entry["Key"])
    client.delete_bucket(Bucket="source")


def new_container(server: AzureServer, container: str) -> StoreRef:
    server.client().create_container(container)
    return azure_ref(server, f"az://{container}/deep/data")


def new_bucket(server: GcsServer, bucket: str) -> StoreRef:
    server.client().create_bucket(bucket)
    return gcs_ref(server, f"gs://{bucket}/data")


def in_minio(server: S3Server) -> Digested:
    client = server.client()
    listed = client.list_objects_v2(Bucket="source", Prefix="data/").get("Contents", ())
    return digested({
        entry["Key"].removeprefix("data/"):
        client.get_object(Bucket="source", Key=entry["Key"])["Body"].read()
        for entry in listed
        if "/.cloudflux/" not in entry["Key"]
    })  # fmt: skip


def in_azurite(server: AzureServer, container: str) -> Digested:
    client = server.client().get_container_client(container)
    names = [name for name in client.list_blob_names() if "/.cloudflux/" not in name]
    return digested({
        name.removeprefix("deep/data/"): client.download_blob(name).readall() for name in names
    })  # fmt: skip


def in_gcs(server: GcsServer, bucket: str) -> Digested:
    blobs = [b for b in server.client().list_blobs(bucket) if "/.cloudflux/" not in b.name]
    return digested({b.name.removeprefix("data/"): b.download_as_bytes() for b in blobs})


def moved(state: Path, source: StoreRef, target: StoreRef, read: Callable[[], Digested]) -> None:
    """Move everything, killed once on the way; then compare every byte and retire the source."""
    move = Move(state, source, target, {"writers": Writers.QUIESCED}, uid=f"to-{target.uri}")
    planned = move.plan()
    assert planned.problems == ()
    assert planned.objects == len(CONTENTS)
    move.context = FakeContext(state, stop_at="copy.checkpointed", hits=3)
    with pytest.raises(Killed):
        move.copy()
    move.context = FakeContext(state)
    proven = move.until_switched()
    assert proven.matched == len(CONTENTS)
    assert "size" not in proven.method
    assert read() == digested(CONTENTS)
    retired = move.retire(proven.digest)
    assert (retired.deleted, retired.remaining, retired.kept_objects) == (len(CONTENTS), 0, 0)


def test_a_data_set_goes_around_all_stores_and_comes_home_byte_by_byte(
    at_minio: StoreRef, minio: S3Server, azurite: AzureServer, fakegcs: GcsServer, tmp_path: Path
) -> None:
    azure = new_container(azurite, "around")
    google = new_bucket(fakegcs, "around-bucket")
    state = tmp_path / "state"
    moved(state, at_minio, azure, lambda: in_azurite(azurite, "around"))
    assert in_minio(minio) == {}
    moved(state, azure, google, lambda: in_gcs(fakegcs, "around-bucket"))
    assert in_azurite(azurite, "around") == {}
    home = file_ref(tmp_path / "home", tmp_path)
    moved(state, google, home, lambda: digested(contents_of(tmp_path / "home")))
    assert in_gcs(fakegcs, "around-bucket") == {}


def test_metadata_headers_and_tags_travel_through_azure_to_google(
    at_minio: StoreRef, minio: S3Server, azurite: AzureServer, gcs_stub: GcsStub, tmp_path: Path
) -> None:
    minio.client().put_object_tagging(
        Bucket="source",
        Key="data/Case",
        Tagging={"TagSet": [{"Key": "project", "Value": "sea + air"}]},
    )
    azure = new_container(azurite, "travel")
    google = new_bucket(GcsServer(gcs_stub.endpoint, 0), "travel-bucket")
    for source, target in ((at_minio, azure), (azure, google)):
        move = Move(tmp_path / "state", source, target, uid=f"to-{target.uri}")
        assert move.plan().problems == ()
        move.until_switched()
    found = gcs_stub.find("travel-bucket", "data/Case").resource
    blob = azurite.client().get_blob_client("travel", "deep/data/Case").get_blob_properties()
    assert (blob.content_settings.content_type, blob.content_settings.cache_control) == (
        "text/x-test",
        "max-age=60",
    )
    assert (found["contentType"], found["cacheControl"]) == ("text/x-test", "max-age=60")
    assert found["metadata"]["owner"] == "anna"
    assert found["metadata"]["cloudflux-header-expires"] == EXPIRES
    assert found["contexts"] == {"custom": {"project": {"value": "sea + air"}}}


def test_tags_that_a_target_drops_fail_the_object_and_keep_the_source(
    at_minio: StoreRef, minio: S3Server, fakegcs: GcsServer, tmp_path: Path
) -> None:
    minio.client().put_object_tagging(
        Bucket="source", Key="data/Case", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    )
    move = Move(tmp_path / "state", at_minio, new_bucket(fakegcs, "tagged-bucket"))
    move.plan()
    (failure,) = move.copy().failures
    assert (failure.key, failure.reason) == ("Case", "NotSupported")
    assert "Case: the server wrote it but dropped its tags" in failure.message
    assert in_minio(minio) == digested(CONTENTS)


def test_keys_that_a_target_can_not_keep_block_the_plan(
    at_minio: StoreRef, minio: S3Server, azurite: AzureServer, tmp_path: Path
) -> None:
    minio.client().put_object(Bucket="source", Key="data/dot./x", Body=b"")
    planned = Move(tmp_path / "state", at_minio, new_container(azurite, "blocked")).plan()
    assert any("dot./x has a segment that ends with ." in text for text in planned.problems)


def test_tiers_of_azure_change_in_place_only_beside_quiet_writers(
    azurite: AzureServer, tmp_path: Path
) -> None:
    ref = new_container(azurite, "tiers")
    container = azurite.client().get_container_client("tiers")
    for key, data in CONTENTS.items():
        container.upload_blob(f"deep/data/{key}", data, length=len(data))
    fields: dict[str, Any] = {"target_class": "Cold", "writers": Writers.ACTIVE}
    busy = Move(tmp_path / "state", ref, ref, fields, uid="busy")
    assert any("Quiesced" in text for text in busy.plan().problems)
    quiet = Move(tmp_path / "state", ref, ref, {"target_class": "Cold"}, uid="quiet")
    assert quiet.plan().problems == ()
    proven = quiet.until_switched()
    assert proven.matched == len(CONTENTS)
    assert {blob.blob_tier for blob in container.list_blobs("deep/")} == {"Cold"}
    assert in_azurite(azurite, "tiers") == digested(CONTENTS)


def test_classes_of_google_change_in_place(gcs_stub: GcsStub, tmp_path: Path) -> None:
    ref = new_bucket(GcsServer(gcs_stub.endpoint, 0), "classes")
    for key, data in CONTENTS.items():
        gcs_stub.insert("classes", {"name": f"data/{key}", "metadata": {"a": "1"}}, data, {})
    fields: dict[str, Any] = {"target_class": "COLDLINE", "writers": Writers.ACTIVE}
    move = Move(tmp_path / "state", ref, ref, fields)
    assert move.plan().problems == ()
    assert move.until_switched().matched == len(CONTENTS)
    found = gcs_stub.objects("classes")
    assert {one.resource["storageClass"] for one in found.values()} == {"COLDLINE"}
    assert {json.dumps(one.resource["metadata"]) for one in found.values()} == {'{"a": "1"}'}
