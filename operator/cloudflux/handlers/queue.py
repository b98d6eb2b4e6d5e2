"""The work queue: keys with delays, each key in at most one pair of hands at a time."""

import asyncio
import contextlib
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Generic, TypeVar

import structlog

K = TypeVar("K", bound=Hashable)

FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.5, 300.0


class WorkQueue(Generic[K]):
    """Hands out keys when they are due; adding a key twice means the earlier time.

    A key that is added while it is being worked on is handed out again afterwards.
    """

    def __init__(
        self,
        *,
        first_backoff_seconds: float = FIRST_BACKOFF_SECONDS,
        max_backoff_seconds: float = MAX_BACKOFF_SECONDS,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._first_backoff, self._max_backoff = first_backoff_seconds, max_backoff_seconds
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._running: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._last_error: dict[K, str] = {}
        self._wake = asyncio.Event()
        self._random = random.Random()  # noqa: S311 - jitter, no secret
        self._log = structlog.get_logger("cloudflux.queue")

    def add(self, key: K, after: float = 0.0) -> None:
        """Have the key worked on in `after` seconds; an earlier due time wins."""
        due = self._clock() + max(0.0, after)
        present = self._due.get(key)
        if present is not None and present <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._order), key))
        self._wake.set()

    def forget(self, key: K) -> None:
        """Drop a key and its history of failures; for objects that are gone."""
        self._due.pop(key, None)
        self._failures.pop(key, None)
        self._last_error.pop(key, None)

    @property
    def depth(self) -> int:
        """Keys that are due now and not yet in hand."""
        now = self._clock()
        return sum(due <= now for due in self._due.values())

    @property
    def scheduled(self) -> int:
        """Keys waiting, due or not."""
        return len(self._due)

    @property
    def in_hand(self) -> int:
        """Keys being worked on."""
        return len(self._running)

    @property
    def oldest_age(self) -> float:
        """Seconds by which the most overdue key waits; 0 when none does."""
        now = self._clock()
        waits = [now - due for key, due in self._due.items() if key not in self._running]
        return max(0.0, max(waits, default=0.0))

    @property
    def longest_run(self) -> float:
        """Seconds that the longest present piece of work has taken."""
        now = self._clock()
        return max((now - since for since in self._running.values()), default=0.0)

    async def run(self, workers: int, reconcile: Callable[[K], Awaitable[float | None]]) -> None:
        """Work until cancelled. `reconcile` returns seconds until it wants the key again, or None.

        When it raises, the key comes back after an exponential, jittered back-off.
        """
        async with asyncio.TaskGroup() as group:
            slots = asyncio.Semaphore(workers)
            while True:
                await slots.acquire()
                key = await self._next()
                self._running[key] = self._clock()
                task = group.create_task(self._work(key, reconcile))
                task.add_done_callback(lambda _: slots.release())

    async def resync(self, keys: Callable[[], Iterable[K]], interval_seconds: float) -> None:
        """Add every key once an interval, spread over it; until cancelled."""
        while True:
            for key in keys():
                self.add(key, after=self._random.uniform(0.0, interval_seconds))
            await asyncio.sleep(interval_seconds)

    async def _next(self) -> K:
        while True:
            self._wake.clear()
            key, wait_seconds = self._take()
            if key is not None:
                return key
            # not wait_for: in Python 3.11 it loses a cancellation that comes with the wake-up
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await self._wake.wait()

    def _take(self) -> tuple[K | None, float | None]:
        """Take the first key that is due, or say how long until one is."""
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key) != due or key in self._running:
                heapq.heappop(self._heap)  # superseded, or pushed again when its work is done
                continue
            wait_seconds = due - self._clock()
            if wait_seconds > 0:
                return None, wait_seconds
            heapq.heappop(self._heap)
            del self._due[key]
            return key, None
        return None, None

    async def _work(self, key: K, reconcile: Callable[[K], Awaitable[float | None]]) -> None:
        try:
            again_seconds = await reconcile(key)
        except Exception as error:  # noqa: BLE001 - one bad object must not stop the others
            self._failed(key, error)
        else:
            self._failures.pop(key, None)
            if self._last_error.pop(key, None) is not None:
                self._log.info("works again", key=str(key))
            if again_seconds is not None:
                self.add(key, after=again_seconds)
        finally:
            del self._running[key]
            if key in self._due:
                heapq.heappush(self._heap, (self._due[key], next(self._order), key))
            self._wake.set()

    def _failed(self, key: K, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        backoff = min(self._first_backoff * 2 ** min(failures - 1, 30), self._max_backoff)
        self.add(key, after=backoff * self._random.uniform(0.75, 1.25))
        text = f"{type(error).__name__}: {error}"
        if self._last_error.get(key) != text:  # the same failure again is not news
            self._last_error[key] = text
            self._log.error("reconcile failed", key=str(key), failures=failures, exc_info=error)
