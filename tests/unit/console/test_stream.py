"""The stream as a client on the wire sees it."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from tests.unit.console.test_hub import sample

from cloudflux.console import socket, stream
from cloudflux.console.context import CONSOLE
from cloudflux.console.hub import RING_EVENTS


async def messages(response: aiohttp.ClientResponse, count: int) -> list[dict[str, Any]]:
    """Read so many messages; comments are left out."""
    found: list[dict[str, Any]] = []
    current: dict[str, Any] = {}
    async with asyncio.timeout(10):
        while len(found) < count:
            line = (await response.content.readline()).decode()
            assert line, "the stream ended"
            name, _, value = line.rstrip("\n").partition(": ")
            if line == "\n" and current:
                found.append(current)
                current = {}
            elif name == "data":
                current["data"] = json.loads(value)
            elif name in ("event", "id"):
                current[name] = value
    return found


def of_kind(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in found if one.get("event") == kind]


async def test_a_stream_says_hello_its_figures_and_then_events(client):
    hub = client.app[CONSOLE].hub
    async with client.get("/events/stream") as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in response.headers
        hello, stats = await messages(response, 2)
        assert hello["data"]["epoch"] == "e"
        assert stats["data"]["clients"] == 1
        hub.publish(sample(1))
        [found] = await messages(response, 1)
        assert (found["id"], found["event"], found["data"]) == ("e-1", "cloudevent", sample(1))


async def test_a_client_that_comes_back_gets_what_it_missed(client):
    hub = client.app[CONSOLE].hub
    for n in range(1, 6):
        hub.publish(sample(n))
    async with client.get("/events/stream", headers={"Last-Event-ID": "e-3"}) as response:
        found = await messages(response, 4)
    assert [one["id"] for one in of_kind(found, "cloudevent")] == ["e-4", "e-5"]
    assert not of_kind(found, "gap")


async def test_a_client_of_before_the_restart_is_told_of_the_gap(client):
    hub = client.app[CONSOLE].hub
    hub.publish(sample(1))
    async with client.get("/events/stream?after=old-17") as response:
        found = await messages(response, 4)
    assert [one["data"]["reason"] for one in of_kind(found, "gap")] == ["Restarted"]
    async with client.get(
        "/events/stream", params={"after": "old-17", "seen": sample(1)["id"]}
    ) as response:
        found = await messages(response, 2)
    assert not of_kind(found, "gap")


async def test_only_what_was_asked_for_comes(client):
    hub = client.app[CONSOLE].hub
    async with client.get("/events/stream?q=only-this") as response:
        await messages(response, 2)
        hub.publish(sample(1))
        hub.publish(sample(2, data={"message": "only-this"}))
        [found] = await messages(response, 1)
    assert found["id"] == "e-2"


async def test_a_client_that_does_not_read_is_told_and_dropped_and_nobody_waits(client):
    hub = client.app[CONSOLE].hub
    count = 6 * RING_EVENTS
    slow = await client.get("/events/stream")
    async with client.get("/events/stream") as fast:
        reading = asyncio.create_task(messages(fast, count))
        filler = {"message": "x" * 2000}  # more than the buffers of a connection hold
        await hub.publish_all(sample(n, data=filler) for n in range(count))
        found = await reading
        assert not of_kind(found, "gap")
    rest = (await asyncio.wait_for(slow.content.read(), 20)).decode()
    told = rest.rstrip().rpartition("\n\n")[2]
    assert told.startswith("event: gap")
    assert json.loads(told.partition("data: ")[2])["reason"] == "Slow"
    assert client.app[CONSOLE].dropped_clients == 1


@pytest.mark.parametrize("path", ["/events/stream", "/ws/stream"])
async def test_a_client_that_takes_nothing_is_cut_off(client, monkeypatch, path):
    monkeypatch.setattr(stream, "STALLED_SECONDS", 0.2)
    monkeypatch.setattr(socket, "STALLED_SECONDS", 0.2)
    console = client.app[CONSOLE]
    held = await (client.ws_connect(path) if path.startswith("/ws") else client.get(path))
    filler = {"message": "x" * 250_000}
    for n in range(200):  # 50 MB: more than any buffer of the system takes, fewer than the ring
        console.hub.publish(sample(n, data=filler))
    async with asyncio.timeout(10):
        while console.clients:
            await asyncio.sleep(0.02)
    assert console.dropped_clients == 1
    closing = held.close()
    if closing is not None:
        await closing


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
async def test_a_frame_of_any_size_is_read_as_it_was_written(client, size):
    hub = client.app[CONSOLE].hub
    async with client.ws_connect("/ws/stream?q=sized") as opened:
        while (await opened.receive_json())["type"] != "stats":
            pass
        hub.publish(sample(1, data={"message": "sized", "more": "x" * size}))
        hub.publish(sample(2, data={"message": "sized"}))
        first = await opened.receive_json(timeout=5)
        assert (first["id"], len(first["event"]["data"]["more"])) == ("e-1", size)
        assert (await opened.receive_json(timeout=5))["id"] == "e-2"
    for length in (0, 125, 126, 65_535, 65_536):
        frame = socket.text_frame(b"x" * length)
        assert frame[0] == 0x81
        assert frame.endswith(b"x" * length)
        assert len(frame) - length == (2 if length < 126 else 4 if length < 65_536 else 10)


async def test_a_stream_too_many_is_refused_and_a_place_is_free_again(client, monkeypatch):
    monkeypatch.setattr(stream, "MAX_CLIENTS", 1)
    async with client.get("/events/stream") as first:
        await messages(first, 1)
        async with client.get("/events/stream") as second:
            assert second.status == 503
            assert int(second.headers["Retry-After"]) > 0
            assert (await second.json())["status"] == 503
    for _ in range(100):
        if client.app[CONSOLE].clients == 0:
            break
        await asyncio.sleep(0.02)
    assert client.app[CONSOLE].clients == 0


async def test_a_silent_stream_has_a_heartbeat_and_figures(client, monkeypatch):
    monkeypatch.setattr(stream, "STATS_SECONDS", 0.1)
    monkeypatch.setattr(stream, "PING_SECONDS", 0.1)
    async with client.get("/events/stream") as response:
        await messages(response, 4)
        content = b""
        async with asyncio.timeout(5):
            while b": ping" not in content:
                content += await response.content.readany()


async def test_the_socket_gives_the_same_events_and_answers(client):
    hub = client.app[CONSOLE].hub
    hub.publish(sample(1))
    async with client.ws_connect("/ws/stream?after=e-0") as socket:
        assert (await socket.receive_json())["type"] == "hello"
        first = await socket.receive_json()
        assert (first["type"], first["id"], first["event"]) == ("event", "e-1", sample(1))
        assert (await socket.receive_json())["type"] == "stats"
        await socket.send_json({"ping": 7})
        assert await socket.receive_json() == {"type": "pong", "pong": 7}
        await socket.send_json({"subscribe": {"dataset": "no-such"}})
        assert (await socket.receive_json())["type"] == "subscribed"
        hub.publish(sample(2))
        await socket.send_json({"subscribe": {"type": ["migration"]}, "after": "e-1"})
        assert (await socket.receive_json())["type"] == "subscribed"
        hub.publish(sample(3))
        assert (await socket.receive_json())["id"] in ("e-2", "e-3")
        for bad in ("[", "[1]", '{"subscribe": 3}', '{"subscribe": {"x": "y"}}', "[" * 5000):
            await socket.send_str(bad)
        kinds = [(await socket.receive_json())["type"] for _ in range(5)]
        assert set(kinds) <= {"error", "event"}


async def test_another_sites_page_opens_no_socket(client):
    response = await client.get(
        "/ws/stream",
        headers={
            "Origin": "https://evil.example", "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    )  # fmt: skip
    assert response.status == 403
