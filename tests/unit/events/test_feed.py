"""The operator's events over HTTP: resuming, gaps, waiting, and that a token opens it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from tests.unit.events.samples import event

from cloudflux.events.envelope import to_json
from cloudflux.events.feed import EventFeed
from cloudflux.events.transitions import EventLog
from cloudflux.handlers.event_feed import MAX_EVENTS, FeedServer
from cloudflux.handlers.probe import ProbeServer

TOKEN = "a-token-of-thirty-two-characters"


def line(n: int) -> bytes:
    return json.dumps(to_json(event(n))).encode()


def filled(count: int, *, held: int = 10, epoch: str = "e") -> EventFeed:
    return EventFeed((line(n) for n in range(1, count + 1)), held=held, epoch=epoch)


def ids(lines: list[bytes]) -> list[str]:
    return [json.loads(one)["id"] for one in lines]


@pytest.mark.parametrize(
    ("position", "seen", "first", "missed"),
    [
        ("", 0, 16, False),
        ("e-20", 0, 21, False),
        ("e-15", 0, 16, False),
        ("e-14", 0, 16, True),
        ("e-26", 0, 16, True),
        ("old-3", 20, 21, False),
        ("old-3", 4, 16, True),
        ("old-3", 0, 16, True),
        ("nonsense", 25, None, False),
        ("e-²", 20, 21, False),
    ],
)
async def test_a_reader_goes_on_where_it_was_or_is_told_that_it_missed(
    position, seen, first, missed
):
    feed = filled(25)
    part = feed.after(position, event(seen).id if seen else "", limit=100)
    expected = [] if first is None else [event(n).id for n in range(first, 26)]
    assert (ids(part.lines), part.missed) == (expected, missed)
    assert part.position == "e-25"
    assert feed.after(part.position, "", limit=100).lines == []


async def test_much_is_given_in_parts():
    feed = filled(9)
    first = feed.after("", "", limit=4)
    second = feed.after(first.position, "", limit=100)
    assert ids(first.lines + second.lines) == [event(n).id for n in range(1, 10)]


async def test_who_has_all_waits_for_more():
    feed = filled(3)
    waiting = asyncio.create_task(feed.wait("e-3", 30))
    await asyncio.sleep(0)
    assert not waiting.done()
    feed.put(line(4))
    await asyncio.wait_for(waiting, 2)
    await asyncio.wait_for(feed.wait("e-2", 30), 2)


async def test_a_log_tells_its_feed_and_what_it_held_before(tmp_path: Path):
    before = EventLog(tmp_path)
    before.append(to_json(event(1)))
    (tmp_path / "events.jsonl").open("ab").write(b'{"id": "torn')
    log = EventLog(tmp_path)
    feed = log.open_feed()
    log.append(to_json(event(2)))
    assert ids(feed.after("", "", limit=10).lines) == [event(1).id, event(2).id]


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[str, FeedServer]]:
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN + "\n")
    events = FeedServer(token_file)
    server = ProbeServer(host="127.0.0.1", port=0, events=events)
    port = await server.start()
    yield f"http://127.0.0.1:{port}/events", events
    await server.stop()


async def ask(url: str, authorization: str | None = f"Bearer {TOKEN}") -> tuple[int, Any]:
    headers = {"Authorization": authorization} if authorization is not None else {}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_only_the_token_opens_it_and_it_can_be_changed(served, tmp_path: Path):
    url, events = served
    events.feed = filled(1)
    for wrong in (None, "", "Bearer", "Bearer ", "Bearer x", f"Basic {TOKEN}", TOKEN,
                  f"Bearer {TOKEN}x", "Bearer ü"):  # fmt: skip
        status, body = await ask(url, wrong)
        assert status == 401, wrong
        assert "events" not in body
    assert (await ask(url))[0] == 200
    (tmp_path / "token").write_text("another-token-of-some-length")
    assert (await ask(url))[0] == 401
    assert (await ask(url, "Bearer another-token-of-some-length"))[0] == 200
    (tmp_path / "token").write_text("short")
    assert (await ask(url, "Bearer short"))[0] == 401
    (tmp_path / "token").unlink()
    assert (await ask(url, "Bearer "))[0] == 401


async def test_it_answers_with_events_and_says_who_waits(served):
    url, events = served
    status, body = await ask(url)
    assert (status, "leads" in body["detail"]) == (503, True)
    events.feed = filled(3)
    status, body = await ask(url)
    assert [one["id"] for one in body["events"]] == [event(n).id for n in range(1, 4)]
    assert (body["position"], body["missed"]) == ("e-3", False)
    assert (await ask(f"{url}?wait=soon"))[0] == 400
    assert (await ask(f"{url}?after=e-3"))[1]["events"] == []
    events.feed = filled(MAX_EVENTS + 5, held=2 * MAX_EVENTS)
    assert len((await ask(url))[1]["events"]) == MAX_EVENTS


async def test_without_a_token_file_it_is_not_there():
    server = ProbeServer(host="127.0.0.1", port=0)
    port = await server.start()
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/events") as answer,
        ):
            assert answer.status == 404
    finally:
        await server.stop()
