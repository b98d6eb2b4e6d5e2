"""The probe tells of what keeps the process from working, by name."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace as Fake
from typing import Any

from cloudflux.handlers.probe import Limits, Vitals


def vitals(not_ready: tuple[str, ...] = ()) -> Any:
    lease = Fake(age_seconds=0.0, seconds=10, held=True)
    limits = Limits(executor_wait=0.05)
    return Vitals(Fake(), lease, not_ready=lambda: not_ready, limits=limits)  # type: ignore[arg-type]


async def test_threads_that_all_hang_are_told() -> None:
    mine, free = vitals(), threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    asking = asyncio.create_task(mine._ask_executor())
    try:
        await asyncio.sleep(0)
        assert mine.not_ready() == []
        hanging = loop.run_in_executor(None, free.wait)
        async with asyncio.timeout(10):
            while "executor_wait_seconds" not in mine.not_ready():
                await asyncio.sleep(0.01)
    finally:
        free.set()
        asking.cancel()
    await hanging


async def test_what_start_up_waits_for_is_named() -> None:
    assert vitals(("CrdMismatch",)).not_ready() == ["CrdMismatch"]
