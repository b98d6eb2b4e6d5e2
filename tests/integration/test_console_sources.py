"""Where the console's events come from: a real Kafka, a real Kubernetes API."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.kafka_rig import need_kafka, settings, until
from tests.integration.operator_rig import fill, operating
from tests.unit.events.samples import event

from cloudflux.api.dataset import DataSetStatus
from cloudflux.console.cluster import Cluster
from cloudflux.console.hub import Hub
from cloudflux.console.kafka import KafkaEvents
from cloudflux.console.operator_log import OperatorEvents
from cloudflux.console.sources import EventSource
from cloudflux.console.world import KubernetesEvents, World
from cloudflux.events.kafka import KafkaSink
from cloudflux.settings import Settings
from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kafka_server import KafkaServer, running_kafka
from cloudflux_dev.kubeapi import CLOUDFLUX, KubeApi
from cloudflux_dev.ports import free_port


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    need_kafka()
    with running_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@contextlib.asynccontextmanager
async def following(source: EventSource) -> AsyncIterator[None]:
    task = asyncio.create_task(source.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def ids(hub: Hub) -> list[str]:
    return [entry.shown.id for entry in hub.after(0) if entry.shown]


@pytest.mark.slow
async def test_kafka_from_the_end_less_the_ring_and_on_after_the_broker_died(kafka):
    config = settings(kafka.bootstrap, events_topic="console")
    sink = KafkaSink(config)
    await sink.send([event(n, key=f"ds-{n % 5}") for n in range(40)])
    hub = Hub(size=200)
    source = KafkaEvents(config, hub, backlog=10)
    async with following(source):
        await until(lambda: hub.last == 10)
        assert source.state.connected
        # the newest by time of arrival, whatever their partitions
        assert set(ids(hub)) <= {event(n).id for n in range(40)}
        await sink.send([event(n, key=f"ds-{n % 5}") for n in range(100, 110)])
        await until(lambda: hub.last == 20)
        kafka.kill()
        await until(lambda: not source.state.connected, 60)
        assert source.state.message
        kafka.start()
        await until(lambda: source.state.connected, 60)
        await sink.send([event(n, key=f"ds-{n % 5}") for n in range(200, 210)])
        await until(lambda: hub.last >= 30, 60)
    assert {event(n).id for n in range(200, 210)} <= set(ids(hub))
    assert not [entry for entry in hub.after(0) if entry.gap]
    await sink.close()


@pytest.mark.slow
async def test_a_topic_that_is_not_there_yet_is_said_and_waited_for(kafka):
    config = settings(kafka.bootstrap, events_topic="console-later")
    hub = Hub()
    source = KafkaEvents(config, hub)
    async with following(source):
        await until(lambda: "does not exist yet" in source.state.message)
        sink = KafkaSink(config)
        await sink.send([event(1)])
        await until(lambda: hub.last == 1)
        await sink.close()


@pytest.mark.cluster
@pytest.mark.slow
async def test_the_operators_log_is_followed_over_its_death(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("a-token-of-more-than-sixteen")
    port = free_port()
    set_up = {"probe_port": port, "events_token_file": token_file}
    with operating(control_plane, "feed", tmp_path, **set_up) as world:
        for name in ("first", "second"):
            fill(tmp_path / name, 2)
        hub = Hub()
        source = OperatorEvents(f"http://127.0.0.1:{port}/events", token_file, hub)
        async with following(source):
            world.data_set("first", f"file://{tmp_path / 'first'}")
            await until(lambda: any("/first" in source_of(hub, n) for n in range(hub.last)), 60)
            before = ids(hub)
            world.operator.stop(signal.SIGKILL)
            await until(lambda: not source.state.connected, 60)
            world.operator.start()
            world.data_set("second", f"file://{tmp_path / 'second'}")
            await until(lambda: any("/second" in source_of(hub, n) for n in range(hub.last)), 60)
        assert ids(hub)[: len(before)] == before
        assert len(set(ids(hub))) == len(ids(hub))
        assert not [entry for entry in hub.after(0) if entry.gap]


def source_of(hub: Hub, number: int) -> str:
    [entry] = hub.after(number)[:1]
    return str(entry.shown.event["source"]) if entry.shown else ""


@pytest.mark.cluster
async def test_without_kafka_the_statuses_tell_the_same_events(
    control_plane: ControlPlane, kube_api: KubeApi, namespace: str
) -> None:
    def decided(temperature: str, at: str) -> None:
        status = DataSetStatus.model_validate(
            {"temperature": temperature, "confidencePercent": 90, "evaluatedAt": at}
        )
        body = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        kube_api.patch(
            CLOUDFLUX, "datasets", "a", {"status": body}, namespace, subresource="status"
        )

    metadata = {"namespace": namespace, "name": "a"}
    spec = {"location": {"uri": "file:///data"}}
    kube_api.create(
        {"apiVersion": CLOUDFLUX, "kind": "DataSet", "metadata": metadata, "spec": spec}
    )
    decided("Hot", "2026-03-14T10:00:00Z")
    cluster = await Cluster.connect(Settings(kubeconfig=control_plane.kubeconfig))
    world, hub = World(cluster, (namespace,)), Hub()
    source = KubernetesEvents(world, hub)
    watching = asyncio.create_task(world.run())
    try:
        await source.run()
        assert [entry.shown.type for entry in hub.after(0)] == ["access.pattern_detected"]
        uid = kube_api.get(CLOUDFLUX, "datasets", "a", namespace)["metadata"]["uid"]
        assert ids(hub)[0].startswith(f"{uid}:0:access.pattern_detected@20260314T100000")
        decided("Hot", "2026-03-14T11:00:00Z")  # the same as before: nothing to tell
        decided("Cold", "2026-03-14T12:00:00Z")
        await until(lambda: hub.last == 2)
        assert hub.after(1)[0].shown.event["data"]["temperature"] == "Cold"
        await until(lambda: source.state.connected)
        kube_api.delete(CLOUDFLUX, "datasets", "a", namespace)
        await until(lambda: not list(world.cache.list("DataSet")))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await cluster.close()
