"""The mover with an S3 server: to and from files, and storage classes changed in place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.integration.moving import (
    FakeContext,
    Killed,
    Move,
    contents_of,
    file_ref,
    fill,
    plan_and_move,
)

from cloudflux.api.dataset import Writers
from cloudflux.api.migrationjob import VerifyMethod
from cloudflux.api.move_tasks import FindMarkerRequest
from cloudflux.api.task import Credentials, ProbeRequest, StoreRef
from cloudflux.errors import PlanChanged
from cloudflux.migration.steps import STOP_POINTS
from cloudflux.storage.s3 import S3Store
from cloudflux_dev.s3servers import S3Server, start_moto

IN_PLACE_POINTS = [p for p in STOP_POINTS if p.startswith(("plan.", "copy.o", "copy.c", "verify."))]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with start_moto() as running:
        yield running


@pytest.fixture
def bucket(server: S3Server, request: pytest.FixtureRequest) -> str:
    name = f"b{abs(hash(request.node.nodeid)):x}"
    server.client().create_bucket(Bucket=name)
    return name


def s3_ref(server: S3Server, bucket: str, prefix: str = "data") -> StoreRef:
    return StoreRef(
        uri=f"s3://{bucket}/{prefix}",
        endpoint=server.endpoint,
        region=server.region,
        credentials=Credentials(
            access_key_id=server.access_key_id,
            secret_access_key=SecretStr(server.secret_access_key),
        ),
    )


def objects_in(client: Any, bucket: str, prefix: str = "data/") -> dict[str, bytes]:
    listed = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {
        one["Key"].removeprefix(prefix): client.get_object(Bucket=bucket, Key=one["Key"])[
            "Body"
        ].read()
        for one in listed
        if "/.cloudflux/" not in one["Key"]
    }


def put_objects(client: Any, bucket: str, count: int = 5) -> dict[str, bytes]:
    contents = {f"a/object {n}": bytes([n]) * (200_000 + n) for n in range(count)}
    for key, data in contents.items():
        client.put_object(
            Bucket=bucket,
            Key=f"data/{key}",
            Body=data,
            ContentType="text/x-test",
            Metadata={"owner": "me"},
        )
    return contents


def classes_in(client: Any, bucket: str) -> dict[str, str]:
    listed = client.list_objects_v2(Bucket=bucket, Prefix="data/")["Contents"]
    return {one["Key"].removeprefix("data/"): one["StorageClass"] for one in listed}


def test_files_move_to_s3_and_back_with_proof_by_the_server(
    tmp_path: Path, server: S3Server, bucket: str
) -> None:
    old, again = tmp_path / "old", tmp_path / "again"
    contents = fill(old)
    move = Move(tmp_path / "state", file_ref(old, tmp_path), s3_ref(server, bucket))
    plan = move.plan()
    assert plan.problems == ()
    proven = move.until_switched()
    assert "computed by the server" in proven.method
    assert objects_in(server.client(), bucket) == contents
    marker = move.serve("mover.find_marker", FindMarkerRequest(source=move.source)).marker
    assert marker is not None
    assert marker.target_uri == move.target.uri
    assert move.retire(proven.digest).remaining == 0
    assert contents_of(old) == {}
    back = Move(tmp_path / "state", move.target, file_ref(again, tmp_path), uid="job-2")
    back.plan()
    back.until_switched()
    assert contents_of(again) == contents


@pytest.mark.parametrize("point", ["copy.object.after", "copy.checkpointed", "switch.marker"])
def test_a_kill_on_the_way_to_s3_copies_nothing_twice(
    tmp_path: Path, server: S3Server, bucket: str, point: str
) -> None:
    contents = fill(tmp_path / "old")
    move = Move(tmp_path / "state", file_ref(tmp_path / "old", tmp_path), s3_ref(server, bucket))
    move.context = FakeContext(move.state_dir, stop_at=point)
    move.plan()
    with pytest.raises(Killed):
        move.until_switched()
    client = server.client()
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    before = {one["Key"]: one["LastModified"] for one in listed if ".cloudflux" not in one["Key"]}
    move.context = FakeContext(move.state_dir)
    move.until_switched()
    after = {
        one["Key"]: one["LastModified"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]
    }
    assert {key: after[key] for key in before} == before
    assert objects_in(client, bucket) == contents


def test_a_sweep_removes_our_copies_and_uploads_only(
    tmp_path: Path, server: S3Server, bucket: str
) -> None:
    fill(tmp_path / "old")
    move = Move(tmp_path / "state", file_ref(tmp_path / "old", tmp_path), s3_ref(server, bucket))
    move.plan()
    move.copy()
    client = server.client()
    client.put_object(Bucket=bucket, Key="data/theirs", Body=b"x")
    for key in ("data/part-0/object 0.bin", "data/their upload"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    swept = move.sweep()
    assert (swept.removed_objects, swept.aborted_uploads) == (6, 1)
    assert objects_in(client, bucket) == {"theirs": b"x"}


@pytest.mark.parametrize("point", IN_PLACE_POINTS)
def test_a_class_changes_in_place_whatever_step_is_killed(
    tmp_path: Path, server: S3Server, bucket: str, point: str
) -> None:
    client = server.client()
    contents = put_objects(client, bucket)
    ref = s3_ref(server, bucket)
    move = Move(tmp_path, ref, ref, {"target_class": "GLACIER_IR"})
    move.context = FakeContext(move.state_dir, stop_at=point, hits=1)
    with pytest.raises(Killed):
        plan_and_move(move)
    move.context = FakeContext(move.state_dir)
    if not (tmp_path / "jobs/job-1/plan.json").exists():
        move.plan()
    proven = move.until_switched()
    assert (proven.matched, proven.method) == (5, "class and size attested by the server")
    assert set(classes_in(client, bucket).values()) == {"GLACIER_IR"}
    assert objects_in(client, bucket) == contents
    head = client.head_object(Bucket=bucket, Key="data/a/object 0")
    assert (head["ContentType"], head["Metadata"]["owner"]) == ("text/x-test", "me")


@pytest.mark.parametrize("writers", [Writers.ACTIVE, Writers.APPEND_ONLY])
def test_a_store_without_conditions_on_copies_needs_quiesced_writers(
    tmp_path: Path, server: S3Server, bucket: str, writers: Writers
) -> None:
    put_objects(server.client(), bucket)
    ref = s3_ref(server, bucket)
    fields = {"target_class": "GLACIER_IR", "data_set_name": "books"}
    move = Move(tmp_path, ref, ref, {**fields, "writers": writers})
    (problem,) = move.plan().problems
    assert "spec.writers: Quiesced on the DataSet books" in problem
    assert not [key for key in objects_in(server.client(), bucket) if "cloudflux" in key]
    assert Move(tmp_path, ref, ref, fields).plan().problems == ()
    # The writers come back after the plan: nothing moves under it.
    with pytest.raises(PlanChanged, match="quiesced"):
        move.copy()
    assert set(classes_in(server.client(), bucket).values()) == {"STANDARD"}


def test_a_store_that_enforces_conditions_lets_writers_go_on(
    tmp_path: Path, server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_objects(server.client(), bucket)
    ref = s3_ref(server, bucket)
    move = Move(tmp_path, ref, ref, {"target_class": "GLACIER_IR", "writers": Writers.ACTIVE})
    measured: list[str] = []

    def enforces(store: S3Store, key: str) -> tuple[bool, bool]:
        measured.append(key)
        return True, True

    monkeypatch.setattr(S3Store, "enforces_copy_conditions", enforces)
    assert move.plan().problems == ()
    assert move.copy().objects_done == 5
    assert measured
    listed = server.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert not [one["Key"] for one in listed if "probe" in one["Key"]], "nothing is left behind"


def test_an_object_written_since_the_plan_is_left_and_counted(
    tmp_path: Path, server: S3Server, bucket: str
) -> None:
    client = server.client()
    put_objects(client, bucket)
    ref = s3_ref(server, bucket)
    move = Move(tmp_path, ref, ref, {"target_class": "STANDARD_IA"})
    move.plan()
    client.put_object(Bucket=bucket, Key="data/a/object 1", Body=b"newer")
    client.delete_object(Bucket=bucket, Key="data/a/object 2")
    copied = move.copy()
    assert (copied.objects_done, copied.objects_skipped, copied.objects_failed) == (3, 2, 0)
    assert move.verify().matched == 3
    assert objects_in(client, bucket)["a/object 1"] == b"newer"
    assert classes_in(client, bucket)["a/object 1"] == "STANDARD"
    assert "3 objects changed already" in move.sweep().residue


def test_a_selection_moves_only_what_it_names(
    tmp_path: Path, server: S3Server, bucket: str
) -> None:
    client = server.client()
    put_objects(client, bucket)
    ref = s3_ref(server, bucket)
    move = Move(tmp_path, ref, ref, {"target_class": "STANDARD_IA"})
    assert move.plan(prefix="b/").objects == 0
    assert move.plan(min_size_bytes=200_004).objects == 1
    assert "idleDays" in move.plan(idle_days=30).problems[0]
    assert "is not known" in move.plan(recommendation="gone").problems[0]


def test_archived_objects_and_unknown_classes_block_the_plan(
    tmp_path: Path, server: S3Server, bucket: str
) -> None:
    client = server.client()
    client.put_object(Bucket=bucket, Key="data/old", Body=b"x", StorageClass="DEEP_ARCHIVE")
    ref = s3_ref(server, bucket)
    move = Move(tmp_path, ref, ref, {"target_class": "STANDARD"})
    assert "restored" in move.plan().problems[0]


def test_a_corrupted_copy_in_a_bucket_is_caught(
    tmp_path: Path, server: S3Server, bucket: str
) -> None:
    fill(tmp_path / "old")
    move = Move(tmp_path / "state", file_ref(tmp_path / "old", tmp_path), s3_ref(server, bucket))
    move.fields["verify"] = VerifyMethod.BYTES
    move.plan()
    move.copy()
    client, key = server.client(), "data/part-1/object 1.bin"
    data = bytearray(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    data[3] ^= 4
    client.put_object(Bucket=bucket, Key=key, Body=bytes(data))
    assert move.verify().mismatched == 1


def test_a_probe_says_what_is_there(tmp_path: Path, server: S3Server, bucket: str) -> None:
    move = Move(tmp_path, s3_ref(server, bucket), s3_ref(server, bucket))
    good = move.serve("mover.probe", ProbeRequest(store=move.source, write=True))
    assert (good.reachable, good.conditional_writes) == (True, True)
    assert objects_in(server.client(), bucket, "") == {}
    missing = move.serve("mover.probe", ProbeRequest(store=s3_ref(server, "no-such-bucket")))
    assert not missing.reachable
    assert "LocationNotFound" in missing.message
