"""The ring: resuming, gaps, repeats, and that nobody waits for the slowest."""

import asyncio
import json
from typing import Any

import pytest
from tests.unit.events.samples import event

from cloudflux.console import hub as hub_module
from cloudflux.console.hub import Gap, Hub
from cloudflux.console.shown import MAX_EVENT_BYTES, show
from cloudflux.events.envelope import to_json


def sample(n: int, **more: Any) -> dict[str, Any]:
    return {**to_json(event(n)), **more}


async def filled(count: int, *, size: int = 10) -> Hub:
    hub = Hub(epoch="e", size=size)
    for n in range(1, count + 1):
        assert hub.publish(sample(n))
    return hub


def numbers(hub: Hub, position: int) -> list[int]:
    return [entry.number for entry in hub.after(position)]


async def test_a_client_reads_what_came_after_its_place():
    hub = await filled(4)
    assert numbers(hub, 0) == [1, 2, 3, 4]
    assert numbers(hub, 3) == [4]
    assert numbers(hub, 4) == []
    assert hub.joined(2) == b"".join(entry.frame for entry in hub.after(2))


async def test_a_frame_is_one_message_with_id_kind_and_the_whole_event():
    hub = await filled(1)
    lines = hub.joined(0).decode().split("\n")
    assert lines[0] == "id: e-1"
    assert lines[1] == "event: cloudevent"
    assert json.loads(lines[2].removeprefix("data: ")) == sample(1)
    assert lines[3:] == ["", ""]


async def test_a_line_end_in_an_event_does_not_end_its_message():
    hub = Hub(epoch="e")
    hub.publish(sample(1, data={"message": "a\n\nevent: gap\r\ndata: {}\u2028\x00"}))
    assert hub.joined(0).count(b"\n") == 4
    assert b"\r" not in hub.joined(0)


@pytest.mark.parametrize(
    ("last_id", "position", "reason", "missed"),
    [
        ("", 25, None, None),
        ("e-25", 25, None, None),
        ("e-20", 20, None, None),
        ("e-15", 15, None, None),
        ("e-14", 15, "Expired", 1),
        ("e-1", 15, "Expired", 14),
        ("e-26", 15, "Restarted", None),
        ("before-3", 15, "Restarted", None),
        ("nonsense", 15, "Restarted", None),
        ("e--1", 15, "Restarted", None),
        ("e-²", 15, "Restarted", None),
    ],
)
async def test_a_client_goes_on_where_it_was_or_is_told_what_it_missed(
    last_id, position, reason, missed
):
    hub = await filled(25)
    found, gap = hub.resume(last_id)
    assert found == position
    assert (gap.reason if gap else None) == reason
    assert (gap.missed if gap else None) == missed


async def test_after_a_restart_a_client_is_found_by_the_event_it_saw_last():
    hub = await filled(25)
    assert hub.resume("before-3", sample(20)["id"]) == (20, None)
    position, gap = hub.resume("before-3", sample(3)["id"])
    assert (position, gap and gap.reason) == (15, "Restarted")


async def test_a_repeated_event_is_shown_once_also_when_it_left_the_ring():
    hub = await filled(25)
    assert not hub.publish(sample(25))
    assert not hub.publish(sample(1))
    assert (hub.last, hub.repeated) == (25, 2)


async def test_what_is_no_event_is_counted_and_not_shown():
    hub = Hub()
    for bad in ({}, {"id": 1, "type": "t", "source": "s"}, sample(1, data="x" * MAX_EVENT_BYTES)):
        assert not hub.publish(bad)
    assert (hub.last, hub.unreadable) == (0, 3)


async def test_a_waiting_client_is_woken_and_a_gap_of_the_source_reaches_it(monkeypatch):
    monkeypatch.setattr(hub_module, "BEAT_SECONDS", 30)
    hub = await filled(2)
    await hub.turn()
    waiting = asyncio.create_task(hub.wait(2))
    await asyncio.sleep(0)
    hub.tell_gap(Gap("Source", "Kafka no longer holds 3 events", 3))
    await asyncio.wait_for(waiting, 2)
    assert b"event: gap" in hub.joined(2)
    assert b"id: e-3" in hub.joined(2)


async def test_those_who_want_the_same_are_given_the_same_piece(monkeypatch):
    hub = await filled(4)
    asked = []

    def gives(entry):
        asked.append(entry.number)
        return entry.number % 2 == 0

    first = hub.joined(0, gives=gives, who="even")
    assert first == b"".join(entry.frame for entry in hub.after(0) if entry.number % 2 == 0)
    assert hub.joined(0, gives=gives, who="even") is first
    assert asked == [1, 2, 3, 4]
    assert hub.joined(0) != first
    monkeypatch.setattr(hub_module, "MAX_JOINED", 2)
    assert hub.joined(1) == b"".join(entry.frame for entry in hub.after(1))


async def test_a_waiting_client_looks_up_now_and_then_without_any_event(monkeypatch):
    monkeypatch.setattr(hub_module, "BEAT_SECONDS", 0.01)
    hub = await filled(1)
    await asyncio.wait_for(hub.wait(1), 5)
    await asyncio.wait_for(hub.wait(1), 5)


async def test_a_burst_gives_the_clients_their_turn():
    hub = Hub(size=1000)
    seen = 0

    async def read() -> None:
        nonlocal seen
        position = 0
        while seen < 3000:
            assert hub.oldest - 1 <= position, "dropped by a burst"
            found = hub.after(position)
            position, seen = hub.last, seen + len(found)
            await hub.wait(position)

    reader = asyncio.create_task(read())
    assert await hub.publish_all(sample(n) for n in range(3000)) == 3000
    await asyncio.wait_for(reader, 5)


def test_an_event_is_read_with_what_filters_need():
    shown = show(sample(1))
    assert (shown.type, shown.severity, shown.data_set) == (
        "migration.started", "info", "telemetry",
    )  # fmt: skip
    placed = show(sample(1, source="/clusters/c/namespaces/team-b/migrationjobs/j"))
    assert (placed.namespace, placed.plural) == ("team-b", "migrationjobs")
