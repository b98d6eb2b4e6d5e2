"""What each server gets wrong, proven on it without our code.

A test that fails here is good news: the server does right now. Then take the fault out of
`expected.py` or out of what the rig declares, and out of this file.
"""

import base64
import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from azure.storage.blob import StandardBlobTier
from botocore.exceptions import ClientError

from cloudflux_dev.cloudservers import AzureServer, GcsServer
from cloudflux_dev.s3servers import S3Server

_NUMBERS = itertools.count()
WRONG = "0" * 32
WRONG_GENERATION = 1


def s3_bucket(server: S3Server) -> tuple[Any, dict[str, str]]:
    client, bucket = server.client(), f"faults-{next(_NUMBERS)}"
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="k", Body=b"content", Metadata={"a": "1"})
    return client, {"Bucket": bucket, "Key": "k"}


def copy_onto_itself(client: Any, where: dict[str, str], **condition: str) -> None:
    client.copy_object(**where, CopySource=where, MetadataDirective="REPLACE", **condition)


# -- moto ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", ["CopySourceIfMatch", "IfMatch"])
def test_moto_ignores_conditions_on_copies(moto: S3Server, condition: str) -> None:
    client, where = s3_bucket(moto)
    copy_onto_itself(client, where, **{condition: WRONG})


def test_moto_accepts_a_wrong_checksum(moto: S3Server) -> None:
    client, where = s3_bucket(moto)
    wrong = base64.b64encode(bytes(8)).decode()
    client.put_object(
        **where, Body=b"other", ChecksumAlgorithm="CRC64NVME", ChecksumCRC64NVME=wrong
    )
    assert client.head_object(**where)["ContentLength"] == 5


def test_moto_restores_at_once(moto: S3Server) -> None:
    client, where = s3_bucket(moto)
    client.put_object(**where, Body=b"x", StorageClass="GLACIER")
    client.restore_object(
        **where, RestoreRequest={"Days": 1, "GlacierJobParameters": {"Tier": "Standard"}}
    )
    assert 'ongoing-request="false"' in client.head_object(**where)["Restore"]


# -- versitygw ----------------------------------------------------------------------------------


def test_versitygw_ignores_the_storage_class(versitygw: S3Server) -> None:
    client, where = s3_bucket(versitygw)
    client.put_object(**where, Body=b"x", StorageClass="STANDARD_IA")
    assert client.head_object(**where).get("StorageClass", "STANDARD") == "STANDARD"


def test_versitygw_ignores_conditions_on_the_target_of_copies(versitygw: S3Server) -> None:
    client, where = s3_bucket(versitygw)
    copy_onto_itself(client, where, IfMatch=WRONG)


def test_versitygw_stores_empty_segments_away(versitygw: S3Server) -> None:
    client, where = s3_bucket(versitygw)
    client.put_object(Bucket=where["Bucket"], Key="x//b", Body=b"")
    listed = client.list_objects_v2(Bucket=where["Bucket"], Prefix="x")["Contents"]
    assert [entry["Key"] for entry in listed] == ["x/b"]


# -- MinIO --------------------------------------------------------------------------------------


def test_minio_has_no_storage_classes_of_s3(minio: S3Server) -> None:
    client, where = s3_bucket(minio)
    with pytest.raises(ClientError, match="InvalidStorageClass"):
        client.put_object(**where, Body=b"x", StorageClass="STANDARD_IA")


def test_minio_ignores_conditions_on_deletions(minio: S3Server) -> None:
    client, where = s3_bucket(minio)
    client.delete_object(**where, IfMatch=WRONG)
    with pytest.raises(ClientError, match="404"):
        client.head_object(**where)


def test_minio_ignores_conditions_on_the_target_of_copies(minio: S3Server) -> None:
    client, where = s3_bucket(minio)
    copy_onto_itself(client, where, IfMatch=WRONG)


def test_minio_copies_no_part_into_an_upload_with_a_checksum(minio: S3Server) -> None:
    client, where = s3_bucket(minio)
    to = {"Bucket": where["Bucket"], "Key": "copy"}
    upload = client.create_multipart_upload(
        **to, ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT"
    )
    with pytest.raises(ClientError, match="checksum missing"):
        client.upload_part_copy(**to, UploadId=upload["UploadId"], PartNumber=1, CopySource=where)


# -- Azurite ------------------------------------------------------------------------------------


@pytest.fixture
def container(azurite: AzureServer) -> Any:
    return azurite.client().create_container(f"faults-{next(_NUMBERS)}")


def test_azurite_rehydrates_at_once(container: Any) -> None:
    blob = container.get_blob_client("k")
    blob.upload_blob(b"x", length=1)
    blob.set_standard_blob_tier(StandardBlobTier.ARCHIVE)
    blob.set_standard_blob_tier(StandardBlobTier.HOT)
    found = blob.get_blob_properties()
    assert (found.blob_tier, found.archive_status) == ("Hot", None)


def test_azures_own_client_stores_a_backslash_as_a_slash(container: Any) -> None:
    container.get_blob_client("a\\b").upload_blob(b"x", length=1)
    assert [blob.name for blob in container.list_blobs()] == ["a/b"]


# -- fake-gcs-server ----------------------------------------------------------------------------


@pytest.fixture
def blob(fakegcs: GcsServer) -> Iterator[Any]:
    found = fakegcs.client().create_bucket(f"faults-{next(_NUMBERS)}").blob("k")
    found.upload_from_string(b"content")
    found.reload()
    with contextlib.closing(found.client):
        yield found


def test_fake_gcs_drops_the_class_on_rewrites(blob: Any) -> None:
    blob.update_storage_class("NEARLINE")
    blob.reload()
    assert blob.storage_class == "STANDARD"


@pytest.mark.parametrize("side", ["if_generation_match", "if_source_generation_match"])
def test_fake_gcs_ignores_conditions_on_rewrites(blob: Any, side: str) -> None:
    blob.bucket.blob("k").rewrite(blob.bucket.blob("k"), **{side: WRONG_GENERATION})


def test_fake_gcs_ignores_conditions_on_downloads(blob: Any) -> None:
    assert blob.download_as_bytes(if_generation_match=WRONG_GENERATION) == b"content"


def test_fake_gcs_ignores_conditions_on_deletions(blob: Any) -> None:
    blob.delete(if_generation_match=WRONG_GENERATION)
    assert not blob.exists()


def test_fake_gcs_drops_contexts(blob: Any) -> None:
    tagged = blob.bucket.blob("tagged")
    tagged._properties["contexts"] = {"custom": {"a": {"value": "b"}}}
    tagged._changes.add("contexts")
    tagged.upload_from_string(b"x")
    tagged.reload()
    assert not tagged.contexts.custom


def test_fake_gcs_takes_the_question_how_far_an_upload_is_for_its_end(fakegcs: GcsServer) -> None:
    bucket = f"faults-{next(_NUMBERS)}"
    fakegcs.client().create_bucket(bucket)
    begin = f"{fakegcs.endpoint}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&name=k"
    session = requests.post(begin, json={"name": "k"}, timeout=10).headers["Location"]
    chunk, whole = bytes(256 << 10), 512 << 10
    span = f"bytes 0-{len(chunk) - 1}/{whole}"
    sent = requests.put(session, data=chunk, headers={"Content-Range": span}, timeout=10)
    assert sent.status_code == 308
    asked = requests.put(session, headers={"Content-Range": f"bytes */{whole}"}, timeout=10)
    assert asked.status_code == 200, "a server that does right answers 308 again"
