"""The strategy Predictive in a cluster: what is learnt, what is said when there is no model."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.operator_rig import World, manifest, operating, wait_for

from cloudflux_dev.cluster import ControlPlane
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
    world.data_set("set", at(server, "s3://data/set"), access={"sources": [logs]})
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


def test_a_strategy_that_is_none_is_refused(world: World) -> None:
    spec = {"tiers": TIERS, "strategy": "Guess"}
    with pytest.raises(Exception, match="Predictive"):
        world.api.create(manifest("TieringPolicy", world.namespace, "guess", spec))
