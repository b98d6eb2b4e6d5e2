"""Events out of Kafka: no consumer group, from the end less the ring, then whatever comes.

Any number of consoles read beside each other, and nothing is committed. Only this module of the
console imports aiokafka; it is imported only when Kafka is configured.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from cloudflux.console.hub import RING_EVENTS, Gap, Hub
from cloudflux.console.sources import SourceState
from cloudflux.errors import ConfigurationError
from cloudflux.events.envelope import from_message
from cloudflux.events.kafka_client import client_options, translate
from cloudflux.settings import KafkaSettings

CONNECT_SECONDS = 15.0
POLL_MILLIS = 1000
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0)
PARTITIONS_SECONDS = 30.0
SILENT_SECONDS = 3.0
"""After so long without an event the broker is asked whether it is there."""
ANSWER_SECONDS = 5.0
MAX_POLL_EVENTS = 2000


class KafkaEvents:
    """Follows the events topic."""

    def __init__(self, settings: KafkaSettings, hub: Hub, *, backlog: int = RING_EVENTS) -> None:
        self._settings, self._hub, self._backlog = settings, hub, backlog
        self._topic = settings.events_topic
        self._next: dict[TopicPartition, int] = {}
        """Offset of the next message of each partition: kept over connections."""
        self.state = SourceState("Kafka")
        self._log = structlog.get_logger("cloudflux.console")

    async def run(self) -> None:
        """Follow the topic; after a failure connect again and go on where it was."""
        failures = 0
        while True:
            try:
                await self._follow()
                failures = 0
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # the client cancels what it waits for when a connection dies under it
                failures = self._away("the connection broke", failures)
            except (KafkaError, OSError, TimeoutError, ConfigurationError) as error:
                failures = self._away(str(translate(error, self._settings)), failures)
            except Exception as error:  # noqa: BLE001 - logged; a source must outlive its client
                self._log.exception("reading events from Kafka failed")
                failures = self._away(type(error).__name__, failures)
            await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])

    def _away(self, why: str, failures: int) -> int:
        """Note that the source is away; returns the failures in a row."""
        counted = 0 if self.state.connected else failures + 1
        self.state.connected, self.state.message = False, why
        self._log.warning("events can't be read from Kafka", error=why)
        return counted

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            **client_options(self._settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=1 << 20,
        )
        try:
            await asyncio.wait_for(consumer.start(), CONNECT_SECONDS)
            await self._assign(consumer)
            self.state.connected, self.state.message = True, f"reading {self._topic}"
            loop = asyncio.get_running_loop()
            looked = heard = loop.time()
            while True:
                found = await consumer.getmany(timeout_ms=POLL_MILLIS, max_records=MAX_POLL_EVENTS)
                await self._take(message for some in found.values() for message in some)
                if found:
                    heard = loop.time()
                elif loop.time() - heard > SILENT_SECONDS:
                    # the client connects again for ever, and never says that nobody answers
                    await _answered(consumer.end_offsets(list(consumer.assignment())))
                    heard = loop.time()
                if loop.time() - looked > PARTITIONS_SECONDS:
                    looked = loop.time()
                    await self._check(consumer)
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(consumer.stop(), CONNECT_SECONDS)

    async def _assign(self, consumer: Any) -> None:
        """Stand where we were, or at the end less the backlog; take the backlog in."""
        partitions = await self._partitions(consumer)
        consumer.assign(partitions)
        begin = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
        missed, fresh = 0, []
        for one in partitions:
            position = self._next.get(one)
            if position is None:
                position = max(begin[one], end[one] - self._backlog)
                fresh.append(one)
            elif position < begin[one]:
                missed += begin[one] - position
                position = begin[one]
            elif position > end[one]:  # the topic was made anew
                missed += 1
                position = begin[one]
            self._next[one] = position
            consumer.seek(one, position)
        if missed:
            self._hub.tell_gap(Gap("Source", f"Kafka no longer holds {missed} events", missed))
        await self._read_backlog(consumer, {one: end[one] for one in fresh})

    async def _read_backlog(self, consumer: Any, end: dict[TopicPartition, int]) -> None:
        """Read new partitions up to their end, and put the newest into the ring in order."""
        found: list[Any] = []
        position = {one: self._next[one] for one in end}
        async with asyncio.timeout(CONNECT_SECONDS):
            while any(position[one] < end[one] for one in end):
                for one, messages in (await consumer.getmany(timeout_ms=200)).items():
                    found += messages
                    if one in position:
                        position[one] = messages[-1].offset + 1
                for one in end:  # an offset may be skipped by what the broker keeps for itself
                    position[one] = max(position[one], await consumer.position(one))
        found.sort(key=lambda message: int(message.timestamp))
        for message in found:
            self._next[TopicPartition(message.topic, message.partition)] = message.offset + 1
        for message in found[-self._backlog :]:
            self._put(message)

    async def _take(self, messages: Iterable[Any]) -> None:
        found = list(messages)
        found.sort(key=lambda message: int(message.timestamp))
        for number, message in enumerate(found, 1):
            self._next[TopicPartition(message.topic, message.partition)] = message.offset + 1
            self._put(message)
            if number % 200 == 0:
                await asyncio.sleep(0.02)  # the clients' turn

    def _put(self, message: Any) -> None:
        try:
            event = from_message(message.key, message.value, message.headers)
        except ValueError:  # another program's message: counted, and nothing of it shown
            self._hub.unreadable += 1
            return
        self._hub.publish(event)

    async def _check(self, consumer: Any) -> None:
        """Take partitions in that were added since."""
        if set(await self._partitions(consumer)) != set(consumer.assignment()):
            await self._assign(consumer)

    async def _partitions(self, consumer: Any) -> list[TopicPartition]:
        async with asyncio.timeout(CONNECT_SECONDS):
            await consumer._client.set_topics([self._topic])
            numbers = consumer.partitions_for_topic(self._topic)
        if not numbers:
            raise ConfigurationError(
                f"the topic {self._topic} does not exist yet: the operator makes it at its first "
                "event, or set CLOUDFLUX_KAFKA__EVENTS_TOPIC"
            )
        return [TopicPartition(self._topic, number) for number in sorted(numbers)]


async def _answered(question: Coroutine[Any, Any, object]) -> None:
    """Wait for an answer. Raises TimeoutError.

    In a task of its own: what the client does with a cancellation is its own affair.
    """
    task = asyncio.ensure_future(question)
    done, _ = await asyncio.wait({task}, timeout=ANSWER_SECONDS)
    if not done:
        task.cancel()
        raise TimeoutError(f"no answer within {ANSWER_SECONDS:.0f} s")
    task.result()
