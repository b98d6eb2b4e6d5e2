"""The outbox: nothing is lost, nothing is out of order, nothing waits for the sink."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from tests.unit.events.samples import NOW, MemorySink, event
from tests.unit.events.test_publisher import completed

from cloudflux.api.events import EventType
from cloudflux.events import outbox as module
from cloudflux.events.metrics import OutboxCollector
from cloudflux.events.outbox import Outbox
from cloudflux.events.publisher import Publisher
from cloudflux.events.transitions import EventLog


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def running(
    path: Path, sink: MemorySink, *, max_bytes: int = 8 << 20, clean: bool = True
) -> AsyncIterator[Outbox]:
    outbox = Outbox(path, sink, max_bytes=max_bytes)
    task = asyncio.create_task(outbox.run())
    try:
        yield outbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if clean:
            await outbox.close()


def ids(numbers: range) -> list[str]:
    return [f"job-{n}:1:t" for n in numbers]


async def test_everything_arrives_in_order(tmp_path: Path) -> None:
    sink = MemorySink()
    async with running(tmp_path, sink) as outbox:
        for n in range(500):
            outbox.put(event(n))
        assert await outbox.drain(10)
        assert sink.ids == ids(range(500))
        assert outbox.produced["io.cloudflux.migration.started.v1"] == 500
    assert sink.closed


async def test_a_dead_sink_holds_nobody_up_and_gets_everything_later(tmp_path: Path) -> None:
    sink = MemorySink(broken="EndpointUnreachable")
    async with running(tmp_path, sink) as outbox:
        started = time.monotonic()
        for n in range(3000):
            outbox.put(event(n))
        assert time.monotonic() - started < 2
        await until(lambda: outbox.last_error is not None)
        assert outbox.failures["EndpointUnreachable"] > 0
        assert outbox.depth >= 3000
        sink.broken = ""
        assert await outbox.drain(30)
        assert sink.ids == ids(range(3000))
        assert outbox.last_error is None


async def test_a_batch_that_failed_half_way_comes_again_with_the_same_ids(tmp_path: Path) -> None:
    sink = MemorySink(broken="EndpointUnreachable", take_before_failing=7)
    async with running(tmp_path, sink) as outbox:
        for n in range(50):
            outbox.put(event(n))
        await until(lambda: len(sink.taken) >= 7)
        sink.broken = ""
        assert await outbox.drain(30)
    assert len(sink.ids) > 50
    assert list(dict.fromkeys(sink.ids)) == ids(range(50))


async def test_what_was_not_taken_is_sent_by_the_next_process(tmp_path: Path) -> None:
    dead = MemorySink(broken="EndpointUnreachable")
    async with running(tmp_path, dead, clean=False) as outbox:  # ends as by SIGKILL
        for n in range(200):
            outbox.put(event(n))
        await until(lambda: outbox._behind == 200)
    sink = MemorySink()
    async with running(tmp_path, sink) as again:
        assert again.depth == 200
        again.put(event(200))
        assert await again.drain(10)
        assert sink.ids == ids(range(201))


async def test_more_than_memory_holds_is_read_back_from_disk(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_EVENTS", 20)
    monkeypatch.setattr(module, "BATCH_EVENTS", 13)
    sink = MemorySink(broken="EndpointUnreachable")
    async with running(tmp_path, sink, max_bytes=256 << 10) as outbox:
        for n in range(300):
            outbox.put(event(n))
            if n % 10 == 0:
                await asyncio.sleep(0)
        await until(lambda: outbox._behind >= 300)
        sink.broken = ""
        assert await outbox.drain(30)
        for n in range(300, 320):
            outbox.put(event(n))
        assert await outbox.drain(10)
    assert sink.ids == ids(range(320))


async def test_a_full_log_drops_progress_and_says_so_and_keeps_transitions(tmp_path: Path) -> None:
    sink = MemorySink(broken="CredentialsInvalid")
    async with running(tmp_path, sink, max_bytes=128 << 10) as outbox:
        for n in range(1000):
            outbox.put(event(n, droppable=n % 20 != 0))
            if n % 5 == 0:
                await asyncio.sleep(0.001)
        await until(lambda: not outbox._incoming and outbox.failures["CredentialsInvalid"] > 0, 60)
        trouble = outbox.trouble()
        assert trouble is not None
        assert trouble[0] == "OutboxFilling"
        assert "broken" in trouble[1]
        sink.broken = ""
        assert await outbox.drain(30)
        assert outbox.trouble() is None
        lost = sum(outbox.dropped.values())
    arrived = [one for one in sink.ids if one.startswith("job-")]
    gaps = [one for one in sink.taken if one.type == "io.cloudflux.events.dropped.v1"]
    assert lost > 0
    assert gaps
    assert len(arrived) == len(set(arrived)) == 1000 - lost
    assert set(ids(range(0, 1000, 20))) <= set(arrived)
    numbers = [int(one.split(":")[0][4:]) for one in arrived]
    assert numbers == sorted(numbers)


async def test_hours_of_a_dead_broker_and_a_restart_lose_no_transition(tmp_path: Path) -> None:
    sink = MemorySink(broken="EndpointUnreachable")
    hours, jobs = 12, 40
    wanted: list[str] = []

    def told(box: Outbox, hour: int) -> None:
        """What an operator tells in an hour: jobs that complete, amid a flood of progress."""
        now = NOW + dt.timedelta(hours=hour)
        publisher = Publisher(tmp_path, EventLog(tmp_path), clock=lambda: now)
        publisher.attach(box)
        box._on_durable = publisher.durable
        for n in range(jobs):
            seen = completed()
            seen.uid = f"job-{hour}-{n}"
            publisher.saw(seen)
            wanted.append(f"{seen.uid}:4:migration.completed")
            for flood in range(20):
                box.put(event(hour * 100_000 + n * 100 + flood, droppable=True))

    for hour in range(hours):
        async with running(tmp_path / "box", sink, max_bytes=1 << 20) as outbox:
            told(outbox, hour)
            await until(lambda box=outbox: not box._incoming and not box._writing)
    sink.broken = ""
    async with running(tmp_path / "box", sink, max_bytes=1 << 20) as outbox:
        assert await outbox.drain(30)
        told(outbox, hours - 1)  # the next leader sees the same statuses, and tells none again
        assert await outbox.drain(30)
    arrived = [one.id for one in sink.taken if one.type == EventType.MIGRATION_COMPLETED]
    assert arrived == wanted[: hours * jobs]
    assert any(one.type == EventType.EVENTS_DROPPED for one in sink.taken)


async def test_a_bug_in_the_sink_is_a_failure_like_others(tmp_path: Path) -> None:
    class Buggy(MemorySink):
        async def send(self, events) -> None:
            if self.broken:
                raise KeyError("oops")
            await super().send(events)

    sink = Buggy(broken="x")
    async with running(tmp_path, sink) as outbox:
        outbox.put(event(1))
        await until(lambda: outbox.failures["InternalError"] > 0)
        sink.broken = ""
        assert await outbox.drain(10)


async def test_metrics_have_every_series_from_the_start(tmp_path: Path) -> None:
    async with running(tmp_path, MemorySink()) as outbox:
        registry = CollectorRegistry()
        registry.register(OutboxCollector(outbox))
        text = generate_latest(registry).decode()
    assert 'cloudflux_events_produced_total{type="io.cloudflux.migration.failed.v1"} 0.0' in text
    assert 'cloudflux_events_failures_total{reason="CredentialsInvalid"} 0.0' in text
    assert "cloudflux_outbox_filled_ratio" in text
