"""The strategy Predictive in a cluster: what is learnt, what is said when there is no model."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from tests.integration.operator_rig import World, manifest, operating, wait_for

from cloudflux.work.advice import MOVED, SCHEMA, Book, save_book
from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import CLOUDFLUX
from cloudflux_dev.s3servers import S3Server, start_moto
from cloudflux_dev.tracegen import Behaviour, TracedObject, s3_sink, write_logs

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("operator-predictive")]
SIZE_BYTES = 1024 * 1024
OBJECTS = 12
DAYS = 100
TIERS = [
    {"name": "Hot", "s3StorageClass": "STANDARD"},
    {"name": "Warm", "s3StorageClass": "INTELLIGENT_TIERING"},
    {"name": "Cold", "s3StorageClass": "GLACIER_IR"},
]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """Objects that nobody reads, and a hundred days of logs that prove it."""
    with start_moto() as moto:
        client = moto.client()
        for bucket in ("data", "logs"):
            client.create_bucket(Bucket=bucket)
        keys = [f"set/dead-{number:03d}.bin" for number in range(OBJECTS)]
        for key in keys:
            client.put_object(Bucket="data", Key=key, Body=b"x" * SIZE_BYTES)
        traced = [TracedObject(key, SIZE_BYTES, Behaviour.DEAD, DAYS - 2) for key in keys]
        traced.append(TracedObject("other/hot.bin", 100, Behaviour.HOT, DAYS - 2))
        for number in range(3):
            key = f"woke/read-{number}.bin"
            client.put_object(
                Bucket="data", Key=key, Body=b"x" * SIZE_BYTES, StorageClass="GLACIER_IR"
            )
            traced.append(TracedObject(key, SIZE_BYTES, Behaviour.HOT, DAYS - 2))
        write_logs(
            traced, bucket="data", now=dt.datetime.now(dt.UTC), put=s3_sink(client, "logs", "all/"),
            days=DAYS,
        )  # fmt: skip
        yield moto


@pytest.fixture(scope="module")
def world(
    control_plane: ControlPlane, server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("predictive")
    settings = {"allowed_endpoints": json.dumps([server.endpoint])}
    with operating(control_plane, "predictive", directory, **settings) as found:
        keys = {"accessKeyId": server.access_key_id, "secretAccessKey": server.secret_access_key}
        labels = {"cloudflux.io/credentials": "true"}
        found.api.create_secret(found.namespace, "keys", keys, labels)
        yield found


def at(server: S3Server, uri: str) -> dict[str, Any]:
    return {"uri": uri, "endpoint": server.endpoint, "region": "us-east-1",
            "credentialsSecretRef": {"name": "keys"}}  # fmt: skip


def settled(world: World, name: str) -> Any:
    """The data set once its past was replayed and a decision stands on that."""
    return wait_for(
        f"a replay of {name}",
        lambda: (
            (status := world.status("datasets", name)).get("replay")
            and status["evaluatedAt"] >= status["replay"]["madeAt"]
            and status
        ),
        180,
    )


def test_without_enough_to_learn_from_the_floors_decide_and_it_is_said(
    world: World, server: S3Server
) -> None:
    logs = {"type": "S3AccessLogs", "logs": at(server, "s3://logs/all")}
    spec = {"mode": "Recommend", "tiers": TIERS, "strategy": "Predictive"}
    world.api.create(manifest("TieringPolicy", world.namespace, "learn", spec))
    world.data_set(
        "set", at(server, "s3://data/set"), access={"sources": [logs]}, policyRef={"name": "learn"}
    )
    status = settled(world, "set")
    replay = status["replay"]
    assert replay["objects"] == replay["ofObjects"] == OBJECTS
    assert replay["strategy"] == "CostOptimal"
    assert float(replay["optimumCost"]) <= float(replay["cost"])
    assert replay["summary"].startswith("CostOptimal cost ")
    assert "of always-hot" in replay["summary"]
    assert status["recommendations"], status.get("whyNot")
    said = world.wait_condition("datasets", "set", "ModelUsable", "False")
    assert said["reason"] == "ModelFallback"
    assert "too little history to learn from" in said["message"]
    assert world.wait_event("set", "ModelFallback")
    shown = wait_for("the replay", lambda: world.status("tieringpolicies", "learn").get("replay"))
    assert shown["summary"].startswith("Predictive cost ")


def test_a_policy_whose_moves_cost_more_than_they_promised_stops_itself_and_can_be_resumed(
    world: World, server: S3Server
) -> None:
    logs = {"type": "S3AccessLogs", "logs": at(server, "s3://logs/all")}
    selector = {"matchLabels": {"set": "woke"}}
    spec = {"mode": "Auto", "tiers": TIERS, "selector": selector}
    world.api.create(manifest("TieringPolicy", world.namespace, "promise", spec))
    world.data_set(
        "woke", at(server, "s3://data/woke"), access={"sources": [logs]}, labels={"set": "woke"},
        writers="Quiesced", policyRef={"name": "promise"},
    )  # fmt: skip
    wait_for("a decision", lambda: world.status("datasets", "woke").get("evaluatedAt"), 120)
    uid = world.get("datasets", "woke")["metadata"]["uid"]
    # as if the operator had moved them sixty days ago, before they woke
    day = (dt.datetime.now(dt.UTC).date() - dt.date(1970, 1, 1)).days - 60
    row = {"kind": MOVED, "day": day, "source": "STANDARD", "target": "GLACIER_IR",
           "reads_per_day": 0.0, "idle_days": 60.0, "promised_per_month": 0.001}  # fmt: skip
    rows = [{"key": f"read-{number}.bin", **row} for number in range(3)]
    book = Book(pa.Table.from_pylist(rows, SCHEMA))
    save_book(world.operator.state_dir / "models" / uid, book)
    world.api.patch(
        CLOUDFLUX, "datasets", "woke",
        {"metadata": {"annotations": {"cloudflux.io/scan-now": "1"}}}, world.namespace,
    )  # fmt: skip
    said = world.wait_condition("tieringpolicies", "promise", "SavingsAsPromised", "False", 120)
    assert said["reason"] == "SavingsDrifted"
    assert "set spec.resume" in said["message"]
    ready = world.wait_condition("tieringpolicies", "promise", "Ready", "False")
    assert ready["reason"] == "SavingsDrifted"
    assert "promised" in world.wait_event("promise", "SavingsDrifted")
    status = world.status("tieringpolicies", "promise")
    assert float(status["outcome"]["realised"]) < 0 < float(status["outcome"]["promised"])
    assert status["savingsMethod"] == "Modelled"
    world.patch("tieringpolicies", "promise", resume="seen")
    world.wait_condition("tieringpolicies", "promise", "SavingsAsPromised", "True")
    world.wait_condition("tieringpolicies", "promise", "Ready", "True")
    assert world.wait_event("promise", "PolicyResumed")
    bill = {"savingsPerMonth": "1.5", "currency": "USD", "since": "2026-01-01",
            "until": "2026-01-31"}  # fmt: skip
    note = {"metadata": {"annotations": {"cloudflux.io/billed-savings": json.dumps(bill)}}}
    world.api.patch(CLOUDFLUX, "tieringpolicies", "promise", note, world.namespace)
    billed = wait_for("the bill", lambda: world.status("tieringpolicies", "promise").get("billed"))
    assert billed == bill
    assert world.status("tieringpolicies", "promise")["savingsMethod"] == "Billed"


def test_a_strategy_that_is_none_is_refused(world: World) -> None:
    spec = {"tiers": TIERS, "strategy": "Guess"}
    with pytest.raises(Exception, match="Predictive"):
        world.api.create(manifest("TieringPolicy", world.namespace, "guess", spec))
