"""A real broker for tests, and what reads from it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from cloudflux.events.envelope import from_message
from cloudflux.settings import KafkaSettings
from cloudflux_dev.assets import AssetsError
from cloudflux_dev.kafka_server import find_java, find_kafka


def need_kafka() -> None:
    """Skip where Kafka can't be had."""
    try:
        find_java()
        find_kafka()
    except AssetsError as error:
        pytest.skip(str(error))


async def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.02)


async def read_all(
    bootstrap: str, topic: str, *, enough: Callable[[list[Any]], bool], seconds: float = 60
) -> list[Any]:
    """Read a topic from its beginning, per partition in order, until enough is there."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Any] = []
    try:
        deadline = time.monotonic() + seconds
        while not (partitions := consumer.partitions_for_topic(topic)):
            assert time.monotonic() < deadline, f"no topic {topic}"
            await consumer._client.force_metadata_update()
            await asyncio.sleep(0.05)
        assigned = [TopicPartition(topic, number) for number in sorted(partitions)]
        consumer.assign(assigned)
        await consumer.seek_to_beginning(*assigned)
        while not enough(found):
            assert time.monotonic() < deadline, f"only {len(found)} messages"
            for messages in (await consumer.getmany(timeout_ms=200)).values():
                found += messages
    finally:
        await consumer.stop()
    return found


def as_events(messages: list[Any]) -> list[dict[str, Any]]:
    """Messages of the binary mode as CloudEvents."""
    return [from_message(one.key, one.value, one.headers) for one in messages]


def settings(bootstrap: str, **more: Any) -> KafkaSettings:
    """Settings for a test's broker."""
    return KafkaSettings(brokers=bootstrap, partitions=3, **more)
