"""Following topics: a consumer group whose positions are kept with what was made of the messages.

A commit to a store holds rows, what was seen and the positions of all partitions it is about,
so that each message is counted once, whenever a collector is killed or a partition goes to
another one. Kafka's own offsets are not used. Messages that can't be counted go to the topic of
dead letters before the commit that passes them.
"""

import asyncio
import contextlib
import datetime as dt
import gc
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from cloudflux.access.store import open_access_store
from cloudflux.api.event_data import DeadLetter
from cloudflux.api.scan_tasks import OWN_USER_AGENT
from cloudflux.collector.counting import Counted, Ledger, Pending, PositionMoved, application
from cloudflux.collector.minio import parse_minio
from cloudflux.collector.parse import Parsed, Rejected, parse
from cloudflux.collector.topicid import topic_id
from cloudflux.events.kafka_client import (
    CONNECT_SECONDS,
    client_options,
    ensure_topics,
    translate,
)
from cloudflux.events.outbox import SinkError
from cloudflux.settings import KafkaSettings

COMMIT_EVENTS = 200_000
IDLE_COMMIT_EVENTS = 20_000
"""So many are worth a commit at once when no more follow."""
COMMIT_SECONDS = 5.0
POLL_EVENTS = 20_000
POLL_MILLIS = 500
RETRY_SECONDS = 2.0
TOPIC_SECONDS = 10.0
"""How often is looked whether the topic is still the same."""
MAX_TOPIC_MESSAGE_BYTES = 16 * 1024 * 1024
"""So large a message of a topic can be read, to be refused."""

GARBAGE_OBJECTS = 200_000
"""So many new objects are looked through for cycles at a time: messages have none, and there are
more of them in a batch than Python's own 700."""


def look_for_garbage_rarely() -> None:
    """Spend less of this process on looking for cycles; a quarter of its time went there."""
    gc.set_threshold(GARBAGE_OBJECTS, 50, 100)


@dataclass(slots=True)
class Totals:
    """What a collector did since its start."""

    reads: int = 0
    writes: int = 0
    duplicates: int = 0
    lost: int = 0
    """Messages that the topic had deleted before they were read."""
    commits: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    """Sessions with the brokers that failed, by reason."""
    lag: dict[tuple[str, int], int] = field(default_factory=dict)
    """Messages not yet counted, by topic and partition."""


@dataclass(slots=True)
class _Part:
    name: str
    pending: Pending


class Book(Protocol):
    """Where positions are committed with what was made of the messages before them."""

    def positions(self, applications: Sequence[str]) -> dict[str, int | None]:
        """Read the committed positions anew."""
        ...

    def commit(self, parts: Mapping[str, Pending], now: dt.datetime) -> Counted:
        """Commit several partitions at once. Raises PositionMoved."""
        ...


class Follower:
    """One member of a consumer group."""

    def __init__(
        self,
        settings: KafkaSettings,
        book: Book,
        *,
        topics: tuple[str, ...],
        dead_letters: str,
        group: str,
        commit_seconds: float = COMMIT_SECONDS,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._settings, self._clock = settings, clock
        self._book = book
        self._dead_letters, self._group = dead_letters, group
        self._commit_seconds = commit_seconds
        self._parts: dict[TopicPartition, _Part] = {}
        self._lock = asyncio.Lock()
        """Held while partitions change hands and while something is committed."""
        self._committed_at = time.monotonic()
        self._topics = topics
        self._topic_ids: dict[str, str] = {}
        self._topic_seen_at = time.monotonic()
        self.totals = Totals()
        self._log = structlog.get_logger("cloudflux.collector")

    def _parse(
        self, name: str, partition: TopicPartition, messages: list[Any], now: dt.datetime
    ) -> Parsed:
        """Make rows of messages of one partition. Never raises for what they hold."""
        raise NotImplementedError

    def _held(self, names: Iterable[str]) -> None:
        """Hear of all partitions that are ours now, by their names in the store."""

    async def run(self, stop: asyncio.Event) -> None:
        """Count until `stop`; a broker that goes away is waited for."""
        said = ""
        while not stop.is_set():
            try:
                await self._session(stop)
                said = ""
            except (SinkError, KafkaError, OSError, TimeoutError) as problem:
                error = (
                    problem
                    if isinstance(problem, SinkError)
                    else translate(problem, self._settings)
                )
                self.totals.failures[error.reason] += 1
                if str(error) != said:
                    self._log.warning("a topic can't be read; tried again", error=str(error))
                said = str(error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RETRY_SECONDS)

    async def _session(self, stop: asyncio.Event) -> None:
        settings = self._settings
        await ensure_topics(settings, {name: {} for name in (*self._topics, self._dead_letters)})
        options = client_options(settings)
        consumer = AIOKafkaConsumer(
            **options,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_TOPIC_MESSAGE_BYTES,
            fetch_max_bytes=4 * MAX_TOPIC_MESSAGE_BYTES,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
        )
        letters = AIOKafkaProducer(**options, acks="all", enable_idempotence=True)
        try:
            await asyncio.wait_for(consumer.start(), CONNECT_SECONDS)
            await asyncio.wait_for(letters.start(), CONNECT_SECONDS)
            consumer.subscribe(list(self._topics), listener=_Listener(self, consumer))
            while not stop.is_set():
                await self._step(consumer, letters)
            await self.commit()
        finally:
            self._parts.clear()
            for client in (consumer, letters):
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(client.stop(), CONNECT_SECONDS)

    async def _step(self, consumer: Any, letters: Any) -> None:
        found = await consumer.getmany(timeout_ms=POLL_MILLIS, max_records=POLL_EVENTS)
        async with self._lock:  # parsing is mostly Arrow's work: partitions share the cores
            taken = [
                self._take(self._parts[partition].pending, partition, messages, letters)
                for partition, messages in found.items()
                if partition in self._parts
            ]
            for problem in await asyncio.gather(*taken, return_exceptions=True):
                if problem is not None:
                    raise problem
        await self._look_after(consumer)
        self._measure_lag(consumer)
        waiting = sum(part.pending.events for part in self._parts.values())
        due = time.monotonic() - self._committed_at > self._commit_seconds
        caught_up = not found and waiting >= IDLE_COMMIT_EVENTS
        if waiting >= COMMIT_EVENTS or (due and waiting) or caught_up:
            try:
                await self.commit()
            except PositionMoved as error:
                self._log.warning("a batch is dropped and read again", why=str(error))
                await self.assigned(consumer, list(self._parts))

    async def _look_after(self, consumer: Any) -> None:
        """Take over what a failed hand-over left, and notice a topic that was made anew."""
        missing = [one for one in consumer.assignment() if one not in self._parts]
        if missing:
            await self.assigned(consumer, missing)
        if time.monotonic() - self._topic_seen_at > TOPIC_SECONDS and self._parts:
            self._topic_seen_at = time.monotonic()
            for topic, known in list(self._topic_ids.items()):
                if await topic_id(consumer._client, topic) != known:
                    self._log.warning(
                        "the topic was made anew; counting from its beginning", topic=topic
                    )
                    await self.commit()
                    await self.assigned(consumer, [p for p in self._parts if p.topic == topic])

    async def _take(
        self, pending: Pending, partition: TopicPartition, messages: list[Any], letters: Any
    ) -> None:
        """Parse messages of one partition; those before our position were counted before."""
        messages = [one for one in messages if one.offset >= pending.following]
        if not messages:
            return
        name = self._parts[partition].name
        parsed = await asyncio.to_thread(self._parse, name, partition, messages, self._clock())
        if parsed.rejected:
            await self._bury(partition, messages, parsed.rejected, letters)
        pending.tables.append(parsed.table)
        pending.events += len(messages)
        pending.following = messages[-1].offset + 1

    async def _bury(
        self,
        partition: TopicPartition,
        messages: list[Any],
        rejected: Iterable[Rejected],
        letters: Any,
    ) -> None:
        """Send dead letters; what is read again after a kill has the same key."""
        topic = self._dead_letters
        futures = []
        for one in rejected:
            offset = messages[one.row].offset
            letter = DeadLetter(
                reason=one.reason,
                message=one.message[:1024],
                topic=partition.topic,
                partition=partition.partition,
                offset=offset,
                size_bytes=one.size_bytes,
                shape=one.shape[:512],
            )
            key = f"{self._topic_ids[partition.topic]}:{partition.partition}:{offset}".encode()
            value = letter.model_dump_json(by_alias=True).encode()
            futures.append(await letters.send(topic, key=key, value=value))
            self.totals.rejected[one.reason] += 1
        await asyncio.gather(*futures)

    async def commit(self) -> None:
        """Commit what was read. Raises PositionMoved."""
        async with self._lock:
            parts = {p.name: p.pending for p in self._parts.values() if p.pending.events}
            self._committed_at = time.monotonic()
            if not parts:
                return
            counted = await asyncio.to_thread(self._book.commit, parts, self._clock())
            self.totals.commits += 1
            self.totals.reads += counted.reads
            self.totals.writes += counted.writes
            self.totals.duplicates += counted.duplicates
            for part in self._parts.values():
                following = part.pending.following
                part.pending = Pending(following, following)

    async def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        """Let go of partitions: what is not committed is read by whoever gets them."""
        async with self._lock:
            for partition in partitions:
                self._parts.pop(partition, None)
                self.totals.lag.pop((partition.topic, partition.partition), None)
            self._held(part.name for part in self._parts.values())

    async def assigned(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        """Take partitions over from the position that the store holds."""
        async with self._lock:
            for topic in {one.topic for one in partitions}:
                self._topic_ids[topic] = await topic_id(consumer._client, topic)
            names = {
                one: application(self._topic_ids[one.topic], one.partition) for one in partitions
            }
            held = await asyncio.to_thread(self._book.positions, list(names.values()))
            begin = await consumer.beginning_offsets(partitions) if partitions else {}
            for partition, name in names.items():
                position, first = held[name], begin[partition]
                if position is not None and first > position:
                    self.totals.lost += first - position
                    self._log.error(
                        "messages were deleted before they were counted; keep the topic longer",
                        topic=partition.topic, partition=partition.partition,
                        count=first - position,
                    )  # fmt: skip
                start = max(position or 0, first)
                consumer.seek(partition, start)
                self._parts[partition] = _Part(name, Pending(position or 0, start))
            self._held(part.name for part in self._parts.values())
        self._log.info("partitions are ours", count=len(self._parts))

    def _measure_lag(self, consumer: Any) -> None:
        for partition, part in self._parts.items():
            end = consumer.highwater(partition)
            if end is not None:
                self.totals.lag[partition.topic, partition.partition] = max(
                    0, end - part.pending.first
                )


class Collector(Follower):
    """Counts access events into the access store."""

    def __init__(
        self,
        settings: KafkaSettings,
        state_dir: Path,
        *,
        excluded_principals: tuple[str, ...] = (),
        excluded_user_agents: tuple[str, ...] = (),
        commit_seconds: float = COMMIT_SECONDS,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        super().__init__(
            settings,
            Ledger(open_access_store(state_dir), excluded_principals),
            topics=(settings.access_topic, *settings.minio_topics),
            dead_letters=settings.dead_letter_topic,
            group=settings.group,
            commit_seconds=commit_seconds,
            clock=clock,
        )
        self._user_agents = (OWN_USER_AGENT, *excluded_user_agents)

    def _parse(
        self,
        name: str,  # noqa: ARG002
        partition: TopicPartition,
        messages: list[Any],
        now: dt.datetime,
    ) -> Parsed:
        values = [one.value for one in messages]
        if partition.topic == self._settings.access_topic:
            return parse(values, now)
        return parse_minio(values, now, self._user_agents)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, collector: Follower, consumer: Any) -> None:
        self._collector, self._consumer = collector, consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Drop what is not committed."""
        await self._collector.revoked(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Go on where the store stands."""
        await self._collector.assigned(self._consumer, list(assigned))
