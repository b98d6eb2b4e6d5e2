"""A data set moves between buckets of a server that enforces preconditions, by the operator."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.operator_rig import World, operating

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.s3servers import S3Server, start_versitygw

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("operator-versitygw")]
BUCKETS = ("old", "new")
LARGE_BYTES = (20 << 20) + 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with start_versitygw(tmp_path_factory.mktemp("versitygw")) as running:
        for bucket in BUCKETS:
            running.client().create_bucket(Bucket=bucket)
        yield running


@pytest.fixture(scope="module")
def world(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, server: S3Server
) -> Iterator[World]:
    directory, endpoints = tmp_path_factory.mktemp("operator"), json.dumps([server.endpoint])
    with operating(control_plane, "versity", directory, allowed_endpoints=endpoints) as world:
        keys = {"accessKeyId": server.access_key_id, "secretAccessKey": server.secret_access_key}
        world.api.create_secret(world.namespace, "keys", keys, {"cloudflux.io/credentials": "true"})
        yield world


def at(server: S3Server, uri: str) -> dict[str, Any]:
    return {"uri": uri, "endpoint": server.endpoint, "region": server.region,
            "credentialsSecretRef": {"name": "keys"}}  # fmt: skip


def contents(server: S3Server, bucket: str, prefix: str) -> dict[str, bytes]:
    """The objects below a prefix, without our own markers."""
    client = server.client()
    listed = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {
        one["Key"].removeprefix(prefix): client.get_object(Bucket=bucket, Key=one["Key"])[
            "Body"
        ].read()
        for one in listed
        if "/.cloudflux/" not in one["Key"] and not one["Key"].endswith("/")
    }


def put_all(server: S3Server, prefix: str, content: dict[str, bytes]) -> None:
    for key, body in content.items():
        server.client().put_object(Bucket="old", Key=prefix + key, Body=body)


def test_a_data_set_with_writers_moves_whole_and_its_source_is_retired(
    world: World, server: S3Server
) -> None:
    content = {f"part {n % 3}/object-{n:02d}": f"number {n} ".encode() * 50 for n in range(24)}
    content["large"] = bytes(range(256)) * (LARGE_BYTES // 256) + b"end"
    content["an empty one"] = b""
    put_all(server, "books/", content)
    world.data_set("books", at(server, "s3://old/books/"), writers="Active")
    world.job(
        "away", "books", {"location": at(server, "s3://new/library/")},
        sourceRetention={"policy": "Delete", "graceSeconds": 0},
    )  # fmt: skip
    world.wait_condition("migrationjobs", "away", "SourceRetired", "True")
    status = world.status("migrationjobs", "away")
    assert status["verification"]["matched"] == len(content)
    assert not [one for one in status["plan"].get("warnings", []) if "condition" in one]
    assert contents(server, "new", "library/") == content
    assert contents(server, "old", "books/") == {}
    location = world.status("datasets", "books")["location"]
    assert (location["uri"], location["generation"]) == ("s3://new/library/", 1)
    world.wait_ready("books")


def test_an_object_of_somebody_else_at_the_target_is_not_overwritten(
    world: World, server: S3Server
) -> None:
    content = {"one": b"ours 1", "two": b"ours 2"}
    put_all(server, "mine/", content)
    server.client().put_object(Bucket="new", Key="theirs/two", Body=b"somebody else's")
    world.data_set("mine", at(server, "s3://old/mine/"), writers="Active")
    world.job("onto", "mine", {"location": at(server, "s3://new/theirs/")})
    said = world.wait_condition("migrationjobs", "onto", "Succeeded", "False")
    assert "two" in said["message"]
    assert contents(server, "new", "theirs/")["two"] == b"somebody else's"
    assert contents(server, "old", "mine/") == content
    assert world.status("datasets", "mine")["location"]["generation"] == 0
