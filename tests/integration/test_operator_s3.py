"""Policies over S3: logs are read, savings found, jobs made, approved and done in place."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator_rig import Operator, World, manifest, wait_for

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import KubeApi
from cloudflux_dev.s3servers import S3Server, start_moto
from cloudflux_dev.tracegen import Behaviour, TracedObject, s3_sink, write_logs

pytestmark = pytest.mark.cluster
MEBI = 1024 * 1024
TIERS = [
    {"name": "Hot", "s3StorageClass": "STANDARD"},
    {"name": "Cold", "s3StorageClass": "GLACIER_IR"},
]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with start_moto() as moto:
        client = moto.client()
        client.create_bucket(Bucket="data")
        client.create_bucket(Bucket="logs")
        sizes = {f"set/dead-{number:03d}.bin": 2 * MEBI for number in range(60)}
        for key, size in sizes.items():
            client.put_object(Bucket="data", Key=key, Body=b"x" * size)
        traced = [TracedObject(key, size, Behaviour.DEAD, 118) for key, size in sizes.items()]
        traced.append(TracedObject("other/hot.bin", 100, Behaviour.HOT, 118))
        write_logs(
            traced, bucket="data", now=dt.datetime.now(dt.UTC), put=s3_sink(client, "logs", "all/")
        )
        yield moto


@pytest.fixture
def world(
    control_plane: ControlPlane, kube_api: KubeApi, namespace: str, tmp_path: Path, server: S3Server
) -> Iterator[World]:
    operator = Operator(
        control_plane.kubeconfig, namespace, tmp_path,
        allowed_endpoints=f'["{server.endpoint}"]',
    ).start()  # fmt: skip
    yield World(kube_api, namespace)
    operator.stop()


def secret(world: World, server: S3Server, **labels: str) -> None:
    values = {"accessKeyId": server.access_key_id, "secretAccessKey": server.secret_access_key}
    world.api.create_secret(world.namespace, "keys", values, labels)


def at(server: S3Server, uri: str) -> dict[str, Any]:
    return {"uri": uri, "endpoint": server.endpoint, "region": "us-east-1",
            "credentialsSecretRef": {"name": "keys"}}  # fmt: skip


def data_set(world: World, server: S3Server, name: str, **spec: Any) -> None:
    logs = {"type": "S3AccessLogs", "logs": at(server, "s3://logs/all")}
    world.data_set(name, at(server, "s3://data/set"), access={"sources": [logs]}, **spec)


def policy(world: World, name: str, mode: str, **spec: Any) -> None:
    body = {"mode": mode, "tiers": TIERS, **spec}
    world.api.create(manifest("TieringPolicy", world.namespace, name, body))


def jobs(world: World) -> list[Any]:
    return world.api.list("cloudflux.io/v1alpha1", "migrationjobs", world.namespace)


def in_class(server: S3Server, name: str) -> int:
    listed = server.client().list_objects_v2(Bucket="data", Prefix="set/")["Contents"]
    return sum(item.get("StorageClass", "STANDARD") == name for item in listed)


def test_approve_waits_for_a_person_and_then_changes_the_class_in_place(
    world: World, server: S3Server
) -> None:
    policy(world, "tier", "Approve")
    data_set(world, server, "books", writers="Quiesced")
    ready = wait_for(
        "Secret missing", lambda: world.condition("datasets", "books", "Ready").get("reason")
        == "SecretNotFound" and world.condition("datasets", "books", "Ready"),
    )  # fmt: skip
    assert "kubectl" in ready["message"]
    secret(world, server, **{"cloudflux.io/credentials": "true"})
    world.wait_ready("books")
    world.wait_condition("datasets", "books", "AccessHistoryFresh", "True")
    status = wait_for(
        "a decision",
        lambda: (
            (found := world.status("datasets", "books")).get("evaluatedAt")
            and found.get("temperature") != "Unknown"
            and found
        ),
    )
    assert status["recommendations"], status.get("whyNot")
    made = wait_for("the policy's job", lambda: jobs(world))
    assert len(made) == 1
    name = made[0]["metadata"]["name"]
    recommendation = status["recommendations"][0]["id"]
    assert name == f"books-{recommendation[:8]}"
    waiting = world.wait_phase(name, "AwaitingApproval")
    assert in_class(server, "STANDARD") == 60, "nothing moves before it is approved"
    approval = {"spec": {"approval": waiting["plan"]["hash"]}}
    world.api.patch("cloudflux.io/v1alpha1", "migrationjobs", name, approval, world.namespace)
    world.wait_condition("migrationjobs", name, "Succeeded", "True")
    moved = world.status("migrationjobs", name)["verification"]["matched"]
    assert moved == status["recommendations"][0]["objects"] == 60, "equal objects move alike"
    assert in_class(server, "GLACIER_IR") == moved
    summary = world.status("tieringpolicies", "tier")
    assert summary["dataSetsMatched"] == 1
    wait_for(
        "realised savings",
        lambda: world.status("tieringpolicies", "tier").get("realisedSavingsPerMonth", "0") != "0",
        90,
    )


def test_a_class_change_beside_writers_is_refused_where_the_store_holds_no_conditions(
    world: World, server: S3Server
) -> None:
    secret(world, server, **{"cloudflux.io/credentials": "true"})
    world.data_set("books", at(server, "s3://data/set"), writers="AppendOnly")
    world.job("colder", "books", {"storageClass": "GLACIER_IR"}, selection={"prefix": "dead-00"})
    found = world.wait_condition("migrationjobs", "colder", "Succeeded", "False")
    assert found["reason"] == "PlanBlocked"
    assert "spec.writers: Quiesced on the DataSet books" in found["message"]


def test_archived_objects_are_restored_before_their_class_is_changed(
    world: World, server: S3Server
) -> None:
    client = server.client()
    for number in range(3):
        client.put_object(Bucket="data", Key=f"cold/{number}", Body=b"x", StorageClass="GLACIER")
    secret(world, server, **{"cloudflux.io/credentials": "true"})
    world.data_set("vault", at(server, "s3://data/cold"), writers="Quiesced")
    world.job("warmer", "vault", {"storageClass": "STANDARD"}, restore={"tier": "Bulk"})
    world.wait_condition("migrationjobs", "warmer", "Succeeded", "True")
    status = world.status("migrationjobs", "warmer")
    assert (status["plan"]["restore"]["hours"], status["plan"]["restore"]["tier"]) == (12, "Bulk")
    assert (status["restore"]["requested"], status["restore"]["ready"]) == (3, 3)
    listed = client.list_objects_v2(Bucket="data", Prefix="cold/")["Contents"]
    assert {item.get("StorageClass", "STANDARD") for item in listed} == {"STANDARD"}


def test_two_policies_that_select_one_data_set_act_on_neither(
    world: World, server: S3Server
) -> None:
    secret(world, server, **{"cloudflux.io/credentials": "true"})
    policy(world, "one", "Auto")
    policy(world, "two", "Auto")
    data_set(world, server, "books")
    for name in ("one", "two"):
        found = world.wait_condition("tieringpolicies", name, "Ready", "False")
        assert found["reason"] == "PolicyConflict"
        assert "policyRef" in found["message"]
    said = world.wait_condition("datasets", "books", "Ready", "False")
    wait_for(
        "the data set says so",
        lambda: world.condition("datasets", "books", "Ready").get("reason") == "PolicyConflict",
    )
    assert said
    assert jobs(world) == []
