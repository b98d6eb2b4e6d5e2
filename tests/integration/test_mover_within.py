"""Moves between two places on one server: it copies by itself, and proves it."""

import io
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.integration.moving import NOW, Move
from tests.integration.test_mover_s3 import objects_in, put_objects, s3_ref

from cloudflux.api.dataset import Writers
from cloudflux.storage import s3_copy, s3_multipart
from cloudflux.storage.interface import ObjectInfo, Written
from cloudflux.storage.registry import open_store
from cloudflux.storage.s3_bucket import Bucket
from cloudflux_dev.s3servers import S3Server


@pytest.fixture
def move(minio: S3Server, tmp_path: Path) -> Move:
    name = f"within-{uuid.uuid4().hex[:12]}"
    for side in ("source", "target"):
        minio.client().create_bucket(Bucket=f"{name}-{side}")
    found = Move(tmp_path, s3_ref(minio, f"{name}-source"), s3_ref(minio, f"{name}-target"))
    found.fields["writers"] = Writers.QUIESCED
    return found


def bucket_of(uri: str) -> str:
    return uri.split("/")[2]


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("an object was read")

    monkeypatch.setattr(Bucket, "get", never)


def test_no_byte_passes_through_us(
    move: Move, minio: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = minio.client()
    contents = put_objects(client, bucket_of(move.source.uri))
    move.plan()
    with monkeypatch.context() as patch:
        forbid_reading(patch)
        move.copy()
        proven = move.verify()
    assert (proven.matched, proven.method) == (len(contents), "md5 computed by the server")
    target = bucket_of(move.target.uri)
    assert objects_in(client, target) == contents
    head = client.head_object(Bucket=target, Key=f"data/{next(iter(contents))}")
    assert (head["Metadata"], head["ContentType"]) == ({"owner": "me"}, "text/x-test")


def test_an_object_of_someone_else_is_never_copied_over(move: Move, minio: S3Server) -> None:
    client = minio.client()
    contents = put_objects(client, bucket_of(move.source.uri))
    move.plan()
    target, stranger = bucket_of(move.target.uri), f"data/{next(iter(contents))}"
    client.put_object(Bucket=target, Key=stranger, Body=b"not ours")
    result = move.copy()
    assert [one.reason for one in result.failures] == ["TargetOccupied"]
    assert client.get_object(Bucket=target, Key=stranger)["Body"].read() == b"not ours"


def test_where_writers_are_active_and_conditions_do_not_count_bytes_are_streamed(
    move: Move, minio: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = put_objects(minio.client(), bucket_of(move.source.uri))
    move.fields["writers"] = Writers.APPEND_ONLY
    move.plan()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("copied without a condition that counts")

    monkeypatch.setattr(s3_copy, "copy_between", never)
    assert move.until_switched().matched == len(contents)


def test_a_copy_whose_digest_is_not_the_sources_is_undone_and_made_otherwise(
    move: Move, minio: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = minio.client()
    contents = put_objects(client, bucket_of(move.source.uri))
    original = s3_copy.copy_between

    def unproven(*arguments: Any, **named: Any) -> Written:
        return Written(original(*arguments, **named).version)

    monkeypatch.setattr(s3_copy, "copy_between", unproven)
    move.plan()
    proven = move.until_switched()
    assert (proven.matched, proven.method) == (len(contents), "crc64nvme computed by the server")
    assert objects_in(client, bucket_of(move.target.uri)) == contents


def put_in_parts(move: Move, data: bytes) -> None:
    known = ObjectInfo("big", len(data), "", "", NOW, metadata={"owner": "me"}, tags={"a": "b"})
    open_store(move.source).put("big", io.BytesIO(data), len(data), info=known)


def test_a_large_object_is_copied_by_the_parts_that_it_was_written_in(
    move: Move, minio: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom((17 << 20) + 3)
    put_in_parts(move, data)
    move.plan()
    with monkeypatch.context() as patch:
        forbid_reading(patch)
        move.copy()
        proven = move.verify()
    assert proven.method == "MD5 of each part computed by the server"
    source, target = open_store(move.source).head("big"), open_store(move.target).head("big")
    assert (target.version, target.tags) == (source.version, {"a": "b"})
    assert target.metadata == {"owner": "me"}
    found = minio.client().get_object(Bucket=bucket_of(move.target.uri), Key="data/big")
    assert found["Body"].read() == data
    assert list(open_store(move.target).uploads()) == []


def test_parts_that_make_another_version_are_undone_and_the_object_is_streamed(
    move: Move, minio: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom((17 << 20) + 3)
    put_in_parts(move, data)
    move.plan()
    original = s3_multipart.copy

    def elsewhere(upload: Any, source: str, size_bytes: int, **named: Any) -> Any:
        return original(upload, source, size_bytes, **{**named, "length": 9 << 20})

    monkeypatch.setattr(s3_multipart, "copy", elsewhere)
    assert "crc64nvme computed by the server" in move.until_switched().method
    found = minio.client().get_object(Bucket=bucket_of(move.target.uri), Key="data/big")
    assert found["Body"].read() == data
