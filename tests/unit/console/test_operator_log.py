"""The console fed by the operator's log: on after a death of either, repeats out, gaps told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.unit.console.test_hub import sample
from tests.unit.events.test_feed import TOKEN, filled, line

from cloudflux.console import operator_log, start
from cloudflux.console.hub import Hub
from cloudflux.console.operator_log import OperatorEvents
from cloudflux.errors import ConfigurationError
from cloudflux.events.feed import EventFeed
from cloudflux.handlers.event_feed import FeedServer
from cloudflux.handlers.probe import ProbeServer
from cloudflux.settings import Settings


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def operator(token_file: Path, feed: EventFeed | None, port: int = 0) -> AsyncIterator[int]:
    events = FeedServer(token_file)
    events.feed = feed
    server = ProbeServer(host="127.0.0.1", port=port, events=events)
    yield await server.start()
    await server.stop()


@contextlib.asynccontextmanager
async def following(source: OperatorEvents) -> AsyncIterator[None]:
    task = asyncio.create_task(source.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def ids(hub: Hub) -> list[str]:
    return [entry.shown.id if entry.shown else "gap" for entry in hub.after(0)]


@pytest.fixture
def token_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(operator_log, "BACKOFF_SECONDS", (0.02,))
    monkeypatch.setattr(operator_log, "WAIT_SECONDS", 0.5)
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return path


async def test_events_come_as_they_are_told_and_go_on_after_the_operator_died(token_file):
    hub = Hub()
    feed = filled(3, epoch="first")
    async with operator(token_file, feed) as port:
        source = OperatorEvents(f"http://127.0.0.1:{port}/events", token_file, hub)
        async with following(source):
            await until(lambda: hub.last == 3)
            assert source.state.connected
            feed.put(line(4))
            await until(lambda: hub.last == 4)
    wanted = [sample(n)["id"] for n in range(1, 5)]
    assert ids(hub) == wanted

    # another operator: its log held 3 to 6, and our last event is found by its id
    again = EventFeed((line(n) for n in range(3, 7)), held=10, epoch="second")
    async with operator(token_file, again, port), following(source):
        await until(lambda: hub.last == 6)
    assert ids(hub) == [*wanted, sample(5)["id"], sample(6)["id"]]

    # and one that no longer holds it: an explicit gap, then what there is, repeats left out
    later = EventFeed((line(n) for n in (2, 8, 9)), held=10, epoch="third")
    async with operator(token_file, later, port), following(source):
        await until(lambda: hub.last == 9)
    assert ids(hub)[6:] == ["gap", sample(8)["id"], sample(9)["id"]]
    assert hub.repeated == 1


async def test_what_keeps_events_away_is_said(token_file, tmp_path):
    source = OperatorEvents("http://127.0.0.1:1/events", token_file, Hub())
    async with following(source):
        await until(lambda: "does not answer" in source.state.message)
    async with operator(token_file, None) as port:
        source = OperatorEvents(f"http://127.0.0.1:{port}/events", token_file, Hub())
        async with following(source):
            await until(lambda: "the one that leads" in source.state.message)
        other = tmp_path / "other"
        other.write_text("x" * 20)
        source = OperatorEvents(f"http://127.0.0.1:{port}/events", other, Hub())
        async with following(source):
            await until(lambda: "refuses the token" in source.state.message)
            other.unlink()
            await until(lambda: "can't be read" in source.state.message)
        source = OperatorEvents(f"http://127.0.0.1:{port}/healthz", token_file, Hub())
        async with following(source):
            await until(lambda: "is no operator" in source.state.message)
        assert not source.state.connected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"console": {"events_url": "http://x/events"}}, "EVENTS_TOKEN_FILE"),
        ({"console": {"events_url": "x:8080"}, "events_token_file": "/t"}, "http://HOST:PORT"),
    ],
)
def test_half_of_the_settings_is_refused(given, words):
    with pytest.raises(ConfigurationError, match=words):
        start.check(Settings.model_validate(given))
