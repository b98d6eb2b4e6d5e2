"""The keyed work queue."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable

import pytest

from cloudflux.handlers.queue import WorkQueue

Reconcile = Callable[[str], Awaitable[float | None]]


async def run_until(
    queue: WorkQueue[str], reconcile: Reconcile, done: Callable[[], bool], workers: int = 4
) -> None:
    task = asyncio.create_task(queue.run(workers, reconcile))
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline, "it never came to an end"
        assert not task.done(), task
        await asyncio.sleep(0.002)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_key_added_many_times_is_worked_on_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    seen: list[str] = []
    for key in "aabab":
        queue.add(key)
    assert queue.depth == 2

    async def reconcile(key: str) -> None:
        seen.append(key)

    await run_until(queue, reconcile, lambda: len(seen) == 2 and queue.in_hand == 0)
    assert seen == ["a", "b"]
    assert (queue.depth, queue.scheduled, queue.oldest_age) == (0, 0, 0.0)


async def test_the_earlier_due_time_wins_and_order_is_by_due_time() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("late", after=3600)
    queue.add("soon", after=0.05)
    queue.add("late", after=0.02)
    queue.add("soon", after=3600)
    seen: list[str] = []

    async def reconcile(key: str) -> None:
        seen.append(key)

    await run_until(queue, reconcile, lambda: len(seen) == 2)
    assert seen == ["late", "soon"]


async def test_a_key_is_never_in_two_hands_and_what_came_meanwhile_is_not_lost() -> None:
    queue: WorkQueue[str] = WorkQueue()
    present, most, turns = 0, 0, 0

    async def reconcile(key: str) -> None:
        nonlocal present, most, turns
        present += 1
        most = max(most, present)
        turns += 1
        if turns <= 3:
            queue.add(key)
        await asyncio.sleep(0.01)
        present -= 1

    queue.add("a")
    await run_until(queue, reconcile, lambda: turns == 4 and queue.in_hand == 0)
    assert most == 1
    assert queue.scheduled == 0


async def test_different_keys_run_side_by_side_up_to_the_limit() -> None:
    queue: WorkQueue[str] = WorkQueue()
    present, most, finished = 0, 0, 0

    async def reconcile(key: str) -> None:
        nonlocal present, most, finished
        present += 1
        most = max(most, present)
        await asyncio.sleep(0.01)
        present -= 1
        finished += 1

    for key in "abcdefgh":
        queue.add(key)
    await run_until(queue, reconcile, lambda: finished == 8, workers=3)
    assert most == 3


async def test_a_returned_delay_brings_the_key_back() -> None:
    queue: WorkQueue[str] = WorkQueue()
    times: list[float] = []

    async def reconcile(key: str) -> float | None:
        times.append(time.monotonic())
        return 0.05 if len(times) == 1 else None

    queue.add("a")
    await run_until(queue, reconcile, lambda: len(times) == 2)
    assert times[1] - times[0] >= 0.05


async def test_failures_back_off_exponentially_are_logged_once_and_harm_nobody_else() -> None:
    queue: WorkQueue[str] = WorkQueue(first_backoff_seconds=0.02, max_backoff_seconds=0.1)
    bad: list[float] = []
    good = 0

    async def reconcile(key: str) -> float | None:
        nonlocal good
        if key == "bad" and len(bad) < 5:
            bad.append(time.monotonic())
            raise RuntimeError("the same again")
        good += 1
        return None

    logged: list[str] = []

    class Log:
        def error(self, text: str, **_: object) -> None:
            logged.append(text)

        info = error

    queue._log = Log()
    queue.add("bad")
    queue.add("good")
    await run_until(queue, reconcile, lambda: good == 2)
    gaps = [b - a for a, b in itertools.pairwise(bad)]
    assert gaps[0] >= 0.015
    assert gaps[2] > gaps[0]
    assert logged == ["reconcile failed", "works again"]


async def test_waiting_and_working_times_are_told() -> None:
    now = 100.0
    queue: WorkQueue[str] = WorkQueue(clock=lambda: now)
    queue.add("a")
    queue.add("b", after=50)
    now = 130.0
    assert (queue.depth, queue.scheduled, queue.oldest_age) == (1, 2, 30.0)


async def test_resync_spreads_all_keys_over_the_interval() -> None:
    queue: WorkQueue[str] = WorkQueue()
    task = asyncio.create_task(queue.resync(lambda: [f"k{n}" for n in range(100)], 60))
    await asyncio.sleep(0)
    task.cancel()
    delays = sorted(due - asyncio.get_running_loop().time() for due in queue._due.values())
    assert len(delays) == 100
    assert delays[0] < 10
    assert delays[-1] > 50


async def test_work_that_comes_with_the_end_does_not_keep_it_running() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("later", after=3600)

    async def reconcile(key: str) -> None:
        pytest.fail(f"{key} was worked on after the end")

    running = asyncio.create_task(queue.run(1, reconcile))
    await asyncio.sleep(0.01)  # it waits for what is due in an hour
    queue.add("now")
    running.cancel()
    ended, _ = await asyncio.wait([running], timeout=5)
    assert ended
    assert running.cancelled()
