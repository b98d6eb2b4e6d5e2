"""The client, the recorder and the probe against a real API server."""

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from cloudflux.errors import ConfigurationError
from cloudflux.events.recorder import Recorder
from cloudflux.handlers import kube as kube_module
from cloudflux.handlers.kube import (
    CONFIG_MAPS,
    CRDS,
    EVENTS,
    LEASES,
    Conflict,
    Kube,
    KubeError,
    KubeUnavailable,
    NotFound,
)
from cloudflux.handlers.lease import Lease
from cloudflux.handlers.probe import Limits, ProbeServer, Vitals
from cloudflux.handlers.queue import WorkQueue
from cloudflux.settings import Settings
from cloudflux_dev.cluster import ControlPlane

pytestmark = pytest.mark.cluster


@pytest_asyncio.fixture
async def kube(control_plane: ControlPlane) -> AsyncIterator[Kube]:
    kube = await Kube.connect(Settings(kubeconfig=control_plane.kubeconfig))
    yield kube
    await kube.close()


def config_map(namespace: str, name: str, **data: str) -> dict[str, object]:
    return {"metadata": {"namespace": namespace, "name": name}, "data": data}


async def test_a_stale_version_is_a_conflict_and_changes_nothing(
    kube: Kube, namespace: str
) -> None:
    first = await kube.create(CONFIG_MAPS, config_map(namespace, "a", x="1"))
    second = await kube.replace(CONFIG_MAPS, {**first, "data": {"x": "2"}})
    with pytest.raises(Conflict):
        await kube.replace(CONFIG_MAPS, {**first, "data": {"x": "3"}})
    stale = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}}
    with pytest.raises(Conflict):
        await kube.patch(CONFIG_MAPS, namespace, "a", {**stale, "data": {"x": "3"}})
    with pytest.raises(Conflict):
        await kube.create(CONFIG_MAPS, config_map(namespace, "a"))
    with pytest.raises(Conflict):
        await kube.delete(CONFIG_MAPS, namespace, "a", uid="another")
    assert await kube.get(CONFIG_MAPS, namespace, "a") == second
    await kube.delete(CONFIG_MAPS, namespace, "a", uid=second["metadata"]["uid"])
    await kube.delete(CONFIG_MAPS, namespace, "a")
    with pytest.raises(NotFound, match='"a" not found'):
        await kube.get(CONFIG_MAPS, namespace, "a")


async def test_lists_come_page_by_page_and_know_their_kind(
    kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_module, "PAGE_SIZE", 3)
    for n in range(8):
        await kube.create(CONFIG_MAPS, config_map(namespace, f"c{n}"))
    listed = await kube.list(CONFIG_MAPS, namespace)
    assert [o["metadata"]["name"] for o in listed] == [f"c{n}" for n in range(8)]
    assert {(o["kind"], o["apiVersion"]) for o in listed} == {("ConfigMap", "v1")}
    assert kube.writes == {("post", "configmaps"): 8}
    assert await kube.list(CRDS) is not None


async def test_a_watch_gives_the_present_state_and_every_change(kube: Kube, namespace: str) -> None:
    await kube.create(CONFIG_MAPS, config_map(namespace, "other"))
    created = await kube.create(CONFIG_MAPS, config_map(namespace, "a", x="1"))
    seen = []

    async def follow() -> None:
        async for event in kube.watch(CONFIG_MAPS, namespace, "a"):
            seen.append((event["type"], event["object"]["data"]["x"]))
            if len(seen) == 1:
                await kube.replace(CONFIG_MAPS, {**created, "data": {"x": "2"}})
            if len(seen) == 2:
                return

    await asyncio.wait_for(follow(), 10)
    assert seen == [("ADDED", "1"), ("MODIFIED", "2")]


async def test_a_refusal_carries_the_servers_words(kube: Kube, namespace: str) -> None:
    with pytest.raises(KubeError, match="Invalid value") as caught:
        await kube.create(CONFIG_MAPS, config_map(namespace, "Not_A_Name"))
    assert caught.value.status == 422
    assert not caught.value.retryable


async def test_no_cluster_is_used_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch, control_plane: ControlPlane
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("CLOUDFLUX_KUBECONFIG", raising=False)
    with pytest.raises(ConfigurationError, match="--kubeconfig"):
        await Kube.connect(Settings())


async def test_a_server_that_does_not_answer_is_tried_again_then_said(kube: Kube) -> None:
    kube._api.configuration.host = "https://127.0.0.1:9"
    started = time.monotonic()
    with pytest.raises(KubeUnavailable, match="does not answer") as caught:
        await kube.get(CONFIG_MAPS, "default", "a")
    assert caught.value.retryable
    assert time.monotonic() - started > 0.5


async def test_recorded_events_are_real_and_counted(kube: Kube, namespace: str) -> None:
    obj = await kube.create(CONFIG_MAPS, config_map(namespace, "a"))
    now = 0.0
    recorder = Recorder(kube, clock=lambda: now)
    writing = asyncio.create_task(recorder.run())
    recorder.event(obj, "AccessDenied", "ü" * 3000, action="Scan")
    for seconds in (1.0, 100.0):
        now = seconds
        recorder.event(obj, "AccessDenied", "ü" * 3000, action="Scan")
    await recorder.drain()
    writing.cancel()
    [event] = await kube.list(EVENTS, namespace)
    assert (event["reason"], event["type"], event["action"]) == ("AccessDenied", "Warning", "Scan")
    assert event["regarding"]["uid"] == obj["metadata"]["uid"]
    assert event["series"]["count"] == 3
    assert recorder.dropped == 0


async def test_the_probe_tells_the_truth(kube: Kube, namespace: str) -> None:
    lease = Lease(kube, namespace=namespace, name="leader", seconds=3, on_lost=lambda why: None)
    await lease.acquire()
    queue: WorkQueue[str] = WorkQueue()
    limits = Limits(watch_echo=2.0, queue_oldest=0.2)
    vitals = Vitals(kube, lease, queue, limits=limits)
    server = ProbeServer(host="127.0.0.1", port=0)
    server.lead(vitals)
    port = await server.start()
    tasks = [asyncio.create_task(lease.hold()), asyncio.create_task(vitals.run())]

    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

        async def health() -> tuple[int, list[str]]:
            async with session.get("/healthz") as answer:
                return answer.status, (await answer.json())["failed"]

        async def becomes(status: int, failed: str | None) -> None:
            deadline = time.monotonic() + 15
            while True:
                now_status, now_failed = await health()
                if now_status == status and (failed is None or failed in now_failed):
                    return
                assert time.monotonic() < deadline, (now_status, now_failed)
                await asyncio.sleep(0.05)

        # longer than the echo's limit: renewals come back through the watch
        healthy_until = time.monotonic() + 2.5
        while time.monotonic() < healthy_until:
            assert await health() == (200, [])
            await asyncio.sleep(0.1)
        queue.add("stuck")
        await becomes(503, "queue_oldest_seconds")
        queue.forget("stuck")
        await becomes(200, None)
        async with session.get("/metrics") as answer:
            text = await answer.text()
        assert 'cloudflux_api_writes_total{resource="leases",verb="put"}' in text
        assert "cloudflux_queue_depth 0.0" in text
        await kube.patch(LEASES, namespace, "leader", {"spec": {"holderIdentity": "a thief"}})
        await becomes(503, "lease_lost")
        await becomes(503, "watch_echo_age_seconds")
        async with session.get("/readyz") as answer:
            assert answer.status == 503
    for task in tasks:
        task.cancel()
    await server.stop()
