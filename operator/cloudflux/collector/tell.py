"""Sending access events to Kafka, as an application that reads the data would."""

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from cloudflux.collector.simulate import message
from cloudflux.collector.workloads import Operation
from cloudflux.events.kafka_client import CONNECT_SECONDS, client_options, ensure_topics, translate
from cloudflux.settings import KafkaSettings

BATCH_BYTES = 128 * 1024
YIELD_EVERY = 200


async def send(operations: Iterable[Operation], uri: str, settings: KafkaSettings) -> int:
    """Send operations to the access topic; returns how many. Raises SinkError.

    Keyed by object, so that partitions share the load and repeats meet in one partition.
    """
    await ensure_topics(settings, {settings.access_topic: {}})
    producer = AIOKafkaProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
        linger_ms=5,
    )
    count = 0
    failed: list[BaseException] = []

    def settle(future: "asyncio.Future[object]") -> None:
        if not future.cancelled() and future.exception() is not None and not failed:
            failed.append(future.exception() or KafkaError())

    try:
        await asyncio.wait_for(producer.start(), CONNECT_SECONDS)
        for operation in operations:
            future = await producer.send(
                settings.access_topic, key=operation.key.encode(), value=message(operation, uri)
            )
            future.add_done_callback(settle)
            count += 1
            if count % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            if failed:
                raise failed[0]
        await producer.flush()
        if failed:
            raise failed[0]
    except (KafkaError, TimeoutError, OSError) as error:
        raise translate(error, settings) from error
    finally:
        await producer.stop()
    return count
