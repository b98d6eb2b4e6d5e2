"""The operator with Kafka: what it commits is told; Kafka down holds no move up."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.kafka_rig import as_events, need_kafka, read_all
from tests.integration.operator_rig import Operator, World, fill

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kafka_server import KafkaServer, running_kafka
from cloudflux_dev.kubeapi import KubeApi
from cloudflux_dev.ports import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]
LIFE = [
    "migration.planned", "migration.started", "cloud.download", "cloud.upload",
    "migration.verified", "migration.switched", "migration.completed",
]  # fmt: skip


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    need_kafka()
    with running_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


def move(world: World, tmp_path: Path) -> str:
    source, target = tmp_path / "data" / "source", tmp_path / "data" / "target"
    source.mkdir(parents=True)
    target.mkdir()
    fill(source, 20)
    world.data_set("books", source.as_uri(), writers="Quiesced")
    world.wait_ready("books")
    world.job("move", "books", {"location": {"uri": target.as_uri()}})
    world.wait_condition("migrationjobs", "move", "Succeeded", "True")
    return str(world.get("datasets", "books")["metadata"]["uid"])


def test_a_move_is_told_in_order_under_the_data_set_also_over_a_kill_and_a_dead_broker(
    control_plane: ControlPlane, kube_api: KubeApi, namespace: str, tmp_path: Path, kafka
) -> None:
    settings = {"kafka__brokers": f"127.0.0.1:{free_port()}"}
    operator = Operator(control_plane.kubeconfig, namespace, tmp_path, **settings).start()
    world = World(kube_api, namespace)
    try:
        uid = move(world, tmp_path)  # nobody answers at that address, and the move is done
        assert "events are not taken" in operator.log()
        operator.stop(signal.SIGKILL)
    finally:
        operator.stop()
    operator = Operator(
        control_plane.kubeconfig, namespace, tmp_path, kafka__brokers=kafka.bootstrap
    ).start()
    try:
        messages = asyncio.run(
            read_all(
                kafka.bootstrap,
                "cloudflux.events.v1",
                enough=lambda found: sum(b"completed" in m.headers[5][1] for m in found) > 0,
            )
        )
    finally:
        operator.stop()
    told = [one for one in as_events(messages) if one["partitionkey"] == uid]
    words = [one["type"].removeprefix("io.cloudflux.").removesuffix(".v1") for one in told]
    assert [word for word in dict.fromkeys(words) if word in LIFE] == LIFE
    assert "dataset.switched" in words
    started = next(one for one in told if one["type"].endswith("migration.started.v1"))
    assert started["data"]["objects"] == 20
    assert started["subject"] == f"{namespace}/books"
    local = [json.loads(line) for line in (tmp_path / "state/events.jsonl").open()]
    assert {one["id"] for one in told} <= {one["id"] for one in local}
