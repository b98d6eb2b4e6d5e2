"""The outbox: events are put down durably at once and handed to a sink in order, at least once.

`put` never waits and never fails. A writer fsyncs what came in, in groups; a sender hands it to
the sink and starts again from the last confirmed event after any failure, so that what a sink
took without our hearing of it comes twice, with the same id, and never out of order.
"""

import asyncio
import datetime as dt
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog

from cloudflux.api.event_data import EventsDropped
from cloudflux.api.events import EventType
from cloudflux.errors import CloudFluxError
from cloudflux.events.envelope import Event, make_event
from cloudflux.events.segments import Dropped, Position, Segments

BATCH_EVENTS = 10_000
"""Events handed to the sink at a time."""
REMEMBERED_EVENTS = 40_000
"""Events kept in memory too until they are sent; beyond it they are read back from disk."""
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.2, 15.0
CONFIRM_SECONDS = 0.2
"""How old the written position of the confirmed ones may be; after a kill so much comes twice."""
MAX_WAITING_EVENTS = 100_000
"""Events waiting for the disk; droppable ones beyond it are dropped."""
FAILURE_REASONS = (
    "EndpointUnreachable", "CredentialsInvalid", "AccessDenied", "TopicMissing", "InvalidSpec",
    "InternalError", "TargetFull",
)  # fmt: skip
"""Why a hand-over fails: a bounded list, for metrics."""
FILLING = 0.8
"""From this share of the limit on the log counts as filling."""


class SinkError(CloudFluxError):
    """The sink took nothing, or only some of it. The message says what to do."""

    retryable = True

    def __init__(self, message: str, reason: str = "EndpointUnreachable") -> None:
        super().__init__(message)
        self.reason = reason


class Sink(Protocol):
    """Where events go."""

    async def send(self, events: Sequence[Event]) -> None:
        """Hand over all events, those of one key in order. Raises SinkError."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class _Chunk(NamedTuple):
    start: Position
    end: Position
    events: list[Event]


class Outbox:
    """One directory's outbox; one process at a time."""

    def __init__(
        self,
        directory: Path,
        sink: Sink,
        *,
        max_bytes: int,
        source: str = "/clusters/default",
        namespace: str = "default",
        on_durable: Callable[[Sequence[Event]], None] = lambda _: None,
    ) -> None:
        self._sink, self._source, self._namespace = sink, source, namespace
        self._on_durable = on_durable
        self._segments = Segments(directory, max_bytes=max_bytes, say=self._gap)
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._incoming: list[Event] = []
        self._came, self._durable = asyncio.Event(), asyncio.Event()
        self._remembered: deque[_Chunk] = deque()
        self._remembered_events = self._rewritten = self._writing = 0
        self._cursor = self._segments.confirmed
        self._behind = self._count_unconfirmed()
        self._confirmed_written_at = 0.0
        self._confirming: Future[None] = Future()
        self._confirming.set_result(None)
        self._dropped_before = 0
        self._oldest: deque[tuple[Position, float]] = deque()
        if self._behind:
            self._oldest.append((self._segments.end, time.time()))
        self.produced: Counter[str] = Counter()
        """Events that the sink took, by type, since the start."""
        self.failures: Counter[str] = Counter()
        """Failed hand-overs by reason."""
        self.last_error: SinkError | None = None
        """Why nothing is handed over now; None when it is."""
        self._log = structlog.get_logger("cloudflux.events")

    # -- putting -------------------------------------------------------------------------

    def put(self, event: Event) -> None:
        """Take an event. Never waits, never raises."""
        if len(self._incoming) >= MAX_WAITING_EVENTS and event.droppable:
            self._segments.dropped.add(event)
            return
        self._incoming.append(event)
        self._came.set()

    @property
    def depth(self) -> int:
        """Events not yet taken by the sink."""
        return len(self._incoming) + self._writing + self._behind

    @property
    def filled(self) -> float:
        """Share of the log's limit in use."""
        return self._segments.filled(self._cursor)

    @property
    def dropped(self) -> Counter[str]:
        """Events dropped since the start, by type."""
        return self._segments.dropped.by_type

    @property
    def oldest_age_seconds(self) -> float:
        """How long the oldest event has waited for the sink."""
        return max(0.0, time.time() - self._oldest[0][1]) if self._oldest else 0.0

    def trouble(self) -> tuple[str, str] | None:
        """Reason and message when the log fills or has overflowed; None while all is well."""
        overflowed = self.last_error is not None and (
            self._segments.dropped.count > self._dropped_before
        )
        if self.filled < FILLING and not overflowed:
            return None
        why = f": {self.last_error}" if self.last_error else ""
        return "OutboxFilling", (
            f"{self.depth} events wait and fill {self.filled:.0%} of the local log; progress "
            f"events are dropped, the oldest first{why}"
        )

    # -- running -------------------------------------------------------------------------

    async def run(self) -> None:
        """Write and send until cancelled. Failures of the sink are counted and tried again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write())
            group.create_task(self._send())

    async def drain(self, seconds: float) -> bool:
        """Wait until everything is with the sink, at most so long; whether it is."""
        deadline = time.monotonic() + seconds
        while self.depth and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return self.depth == 0

    async def close(self) -> None:
        """Put down what came in, remember what was confirmed, close the sink."""
        events, self._incoming = self._incoming, []
        loop = asyncio.get_running_loop()
        if events:
            await loop.run_in_executor(self._disk, self._append_last, events)
            self._on_durable(events)
        await loop.run_in_executor(self._disk, self._segments.confirm, self._cursor)
        self._disk.shutdown(wait=True)
        self._segments.close()
        await self._sink.close()

    def _append_last(self, events: list[Event]) -> None:
        try:
            self._segments.append(events)
        except OSError as error:
            self._log.error("events left unwritten", events=len(events), error=str(error))

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        backoff_seconds = FIRST_BACKOFF_SECONDS
        while True:
            await self._came.wait()
            self._came.clear()
            events, self._incoming = self._incoming, []
            if not events:
                continue
            self._writing = len(events)
            try:
                start, end, kept = await loop.run_in_executor(
                    self._disk, self._segments.append, events
                )
            except OSError as error:
                self._incoming, self._writing = events + self._incoming, 0
                self.failures["TargetFull"] += 1
                self._log.error("the outbox can't be written", error=str(error))
                await asyncio.sleep(backoff_seconds)
                backoff_seconds = min(backoff_seconds * 2, MAX_BACKOFF_SECONDS)
                self._came.set()
                continue
            except asyncio.CancelledError:
                # told again by whoever closes: twice with one id is allowed, never is not
                self._incoming = events + self._incoming
                raise
            backoff_seconds = FIRST_BACKOFF_SECONDS
            self._on_durable(events)
            self._written(_Chunk(start, end, kept))

    def _written(self, chunk: _Chunk) -> None:
        self._writing = 0
        self._behind += len(chunk.events)
        self._oldest.append((chunk.end, time.time()))
        if len(self._oldest) > 10_000:  # a long outage: the ages between are not needed
            self._oldest = deque(list(self._oldest)[::2])
        if self._segments.rewritten != self._rewritten:
            self._forget()
        last = self._remembered[-1].end if self._remembered else self._cursor
        room = self._remembered_events + len(chunk.events) <= REMEMBERED_EVENTS
        if room and chunk.start == last:  # no holes: what follows one is read from disk
            self._remembered.append(chunk)
            self._remembered_events += len(chunk.events)
        self._durable.set()

    def _forget(self) -> None:
        """Forget what is in memory: its positions in the files are void."""
        self._rewritten = self._segments.rewritten
        self._remembered.clear()
        self._remembered_events = 0

    async def _send(self) -> None:
        backoff_seconds = FIRST_BACKOFF_SECONDS
        while True:
            events, end = await self._next()
            if not events:
                await self._wait()
                continue
            try:
                await self._sink.send(events)
            except Exception as error:  # noqa: BLE001 - a bug of the sink must not end us
                self._failed(error, len(events))
                await asyncio.sleep(backoff_seconds)
                backoff_seconds = min(backoff_seconds * 2, MAX_BACKOFF_SECONDS)
                continue
            if self.last_error is not None:
                self._log.info("events are taken again", events=self.depth)
            self.last_error, backoff_seconds = None, FIRST_BACKOFF_SECONDS
            self._confirm(events, end)

    def _failed(self, problem: Exception, events: int) -> None:
        error = (
            problem
            if isinstance(problem, SinkError)
            else SinkError(f"{type(problem).__name__}: {problem}", "InternalError")
        )
        self.failures[error.reason] += 1
        if self.last_error is None or self.last_error.reason != error.reason:
            self._log.warning(
                "events are not taken; they wait in the outbox",
                reason=error.reason, error=str(error), events=max(events, self.depth),
            )  # fmt: skip
        if self.last_error is None:
            self._dropped_before = self._segments.dropped.count
        self.last_error = error

    def _confirm(self, events: list[Event], end: Position) -> None:
        self.produced.update(Counter(event.type for event in events))
        self._cursor = end
        self._behind = max(0, self._behind - len(events))
        while self._remembered and self._remembered[0].end <= end:
            self._remembered_events -= len(self._remembered.popleft().events)
        while self._oldest and self._oldest[0][0] <= end:
            self._oldest.popleft()
        now = time.monotonic()
        done = end == self._segments.end
        if now - self._confirmed_written_at > CONFIRM_SECONDS and self._confirming.done():
            # not waited for: it stands behind an fsync, and what follows need not
            self._confirmed_written_at = now
            self._confirming = self._disk.submit(self._segments.confirm, end)
            self._confirming.add_done_callback(self._confirm_failed)
        if done:
            self._behind = 0

    def _confirm_failed(self, done: "Future[None]") -> None:
        error = done.exception()
        if error is not None:
            self._log.error("what was confirmed can't be written", error=str(error))

    async def _wait(self) -> None:
        """Wait for events; meanwhile write down what is confirmed."""
        self._durable.clear()
        try:
            timeout = CONFIRM_SECONDS if self._cursor != self._segments.confirmed else None
            await asyncio.wait_for(self._durable.wait(), timeout)
        except TimeoutError:
            self._confirming = self._disk.submit(self._segments.confirm, self._cursor)
            self._confirming.add_done_callback(self._confirm_failed)
            await asyncio.wait([asyncio.wrap_future(self._confirming)])

    async def _next(self) -> tuple[list[Event], Position]:
        """Return the next events after the cursor: from memory, else from disk."""
        loop = asyncio.get_running_loop()
        if self._remembered and self._remembered[0].start == self._cursor:
            events: list[Event] = []
            end = self._cursor
            for chunk in self._remembered:
                if chunk.start != end or (events and len(events) >= BATCH_EVENTS):
                    break
                events += chunk.events
                end = chunk.end
            if end.segment > self._segments.held:
                await loop.run_in_executor(self._disk, self._segments.hold, end.segment)
            if self._segments.rewritten == self._rewritten:
                return events, end
            self._forget()
        if self._cursor >= self._segments.end:
            return [], self._cursor
        return await loop.run_in_executor(
            self._disk, lambda: self._segments.read(self._cursor, max_events=BATCH_EVENTS)
        )

    def _count_unconfirmed(self) -> int:
        return sum(1 for _ in self._segments.unconfirmed())

    def _gap(self, dropped: Dropped, number: int) -> Event:
        first, last = dropped.span()
        data = EventsDropped(
            namespace=self._namespace,
            dropped=dropped.count,
            dropped_by_type=dict(dropped.by_type),
            first=first,
            last=last,
        )
        return make_event(
            EventType.EVENTS_DROPPED,
            data,
            uid="outbox",
            generation=0,
            transition=f"dropped@{number}-{dropped.first_ms}",
            source=self._source,
            subject=f"{self._namespace}/events",
            time=last if dropped.last_ms else dt.datetime.now(dt.UTC),
        )
