"""The Kafka sink: an idempotent producer that waits for all replicas.

The control process imports this module only when Kafka is configured.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import murmur2

from cloudflux.errors import ConfigurationError
from cloudflux.events.envelope import Event, headers
from cloudflux.events.kafka_client import (
    CONNECT_SECONDS,
    client_options,
    ensure_topics,
    translate,
)
from cloudflux.events.outbox import SinkError
from cloudflux.settings import Compression, KafkaSettings

SEND_SECONDS = 60.0
"""After so long without an answer the connection is given up and made anew, credentials too."""
BATCH_BYTES = 512 * 1024
MAX_REQUEST_BYTES = 4 * 1024 * 1024


class KafkaSink:
    """Sends events to one topic. Connects at the first one, and again after a failure."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings, self._topic = settings, settings.events_topic
        self._producer: AIOKafkaProducer | None = None
        self._partitions = 0
        self._single = False
        """One event a batch: to find the one that is too large."""
        self._too_large: set[str] = set()
        self.refused = 0
        """Events that were larger than the brokers take; logged and left out."""
        self._log = structlog.get_logger("cloudflux.events")

    async def send(self, events: Sequence[Event]) -> None:
        """Send all; returns when all replicas have them. Raises SinkError.

        One batch of a partition at a time: what fails is sent again before what follows it.
        """
        try:
            producer = self._producer or await self._connect()
            by_partition: dict[int, list[Event]] = {}
            for event in events:
                partition = partition_of(event.key, self._partitions)
                by_partition.setdefault(partition, []).append(event)
            async with asyncio.timeout(SEND_SECONDS), asyncio.TaskGroup() as group:
                for partition, some in by_partition.items():
                    group.create_task(self._send_partition(producer, partition, some))
            self._single = False
            self._too_large.clear()
        except SinkError:
            raise
        except ConfigurationError as error:
            raise SinkError(str(error), "InvalidSpec") from error
        except (KafkaError, TimeoutError, OSError, ExceptionGroup) as error:
            await self._abandon()
            first = _first(error)
            raise (
                first if isinstance(first, SinkError) else translate(first, self._settings)
            ) from error

    async def close(self) -> None:
        """Close the connection; nothing is waited for."""
        await self._abandon()

    async def _connect(self) -> AIOKafkaProducer:
        counts = await ensure_topics(self._settings, {self._topic: {}})
        compression = self._settings.compression
        producer = AIOKafkaProducer(
            **client_options(self._settings),
            acks="all",
            enable_idempotence=True,
            compression_type=None if compression is Compression.NONE else compression.value,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
        )
        self._producer = producer
        try:
            await asyncio.wait_for(producer.start(), CONNECT_SECONDS)
        except BaseException:
            await self._abandon()
            raise
        self._partitions = counts[self._topic]
        self._log.info("connected to Kafka", server=self._settings.brokers, topic=self._topic)
        return producer

    async def _send_partition(
        self, producer: AIOKafkaProducer, partition: int, events: Sequence[Event]
    ) -> None:
        position = 0
        while position < len(events):
            batch = producer.create_batch()
            first = position
            while position < len(events) and not (self._single and position > first):
                event = events[position]
                if event.id not in self._too_large and not _added(batch, event):
                    break
                position += 1
            if position == first:
                self._refuse(events[position], "larger than a batch may be")
            elif batch.record_count():
                await self._deliver(producer, partition, batch, events[first:position])

    async def _deliver(
        self, producer: AIOKafkaProducer, partition: int, batch: Any, events: Sequence[Event]
    ) -> None:
        try:
            await (await producer.send_batch(batch, self._topic, partition=partition))
        except MessageSizeTooLargeError as error:
            # the producer counted the batch that was refused: only a new one can go on
            if len(events) > 1:
                self._single = True
            else:
                self._refuse(events[0], str(error))
            await self._abandon()
            raise SinkError("an event is too large for the brokers", "InvalidSpec") from error

    def _refuse(self, event: Event, why: str) -> None:
        self.refused += 1
        self._too_large.add(event.id)
        self._log.error(
            "an event is too large for the brokers and left out",
            topic=self._topic, uid=event.key, kind=event.type, why=why,
        )  # fmt: skip

    async def _abandon(self) -> None:
        """Drop the producer without waiting for what it still wants to send."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        sender = getattr(producer, "_sender", None)
        task = getattr(sender, "sender_task", None)
        if task is not None:
            task.cancel()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(producer.stop(), 5)


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int) -> int:
    """Return the partition that every Kafka client gives a key."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def _added(batch: Any, event: Event) -> bool:
    """Put an event into a batch; False when it is full."""
    found = batch.append(
        # retention counts from the hand-over: `ce_time` tells when it happened
        key=event.key.encode(),
        value=event.data,
        timestamp=None,
        headers=headers(event),
    )
    return found is not None


def _first(error: BaseException) -> BaseException:
    found = error
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
