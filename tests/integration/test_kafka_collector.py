"""Access events on a real broker: each counted once, over kills, rebalances and poison."""

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from tests.integration.kafka_rig import need_kafka, read_all, until

from cloudflux.access.places import Place, kafka_signal
from cloudflux.access.store import open_access_store
from cloudflux.collector.reader import Collector
from cloudflux.events.kafka_client import ensure_topics
from cloudflux.settings import KafkaSettings
from cloudflux_dev.kafka_server import KafkaServer, running_kafka
from cloudflux_dev.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
KEYS = 50


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    need_kafka()
    with running_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


def config(kafka: KafkaServer, topic: str) -> KafkaSettings:
    return KafkaSettings(
        brokers=kafka.bootstrap, access_topic=topic, dead_letter_topic=f"{topic}.dead",
        partitions=4, group=topic,
    )  # fmt: skip


def operation(n: int) -> bytes:
    now = dt.datetime.now(dt.UTC).isoformat()
    body = {"id": f"e{n}", "time": now, "op": "read", "uri": f"s3://data/k{n % KEYS}", "bytes": 1}
    return json.dumps({**body, "latencyMs": 900 if n % 10 == 0 else 8.5}).encode()


async def produce(settings: KafkaSettings, messages: list[bytes]) -> None:
    await ensure_topics(settings, {settings.access_topic: {}})
    producer = AIOKafkaProducer(bootstrap_servers=settings.brokers, enable_idempotence=True)
    await producer.start()
    try:
        for n, value in enumerate(messages):
            await producer.send(settings.access_topic, key=str(n % KEYS).encode(), value=value)
        await producer.flush()
    finally:
        await producer.stop()


def total_reads(state_dir: Path) -> int:
    store = open_access_store(state_dir)
    store.register("ds", Place(kafka_signal("s3://data"), "s3://data", ""), 400)
    today = dt.datetime.now(dt.UTC).date()
    return sum(store.daily_reads("ds", today - dt.timedelta(2), today)["reads"].to_pylist())


def collector(state_dir: Path, kafka: KafkaServer, topic: str) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable, "-m", "tests.integration.collector_process", str(state_dir),
        kafka.bootstrap, topic,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tools'}:{ROOT}"}
    return subprocess.Popen(command, env=environment, cwd=ROOT)


def wait_for_reads(state_dir: Path, wanted: int, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while (found := total_reads(state_dir)) < wanted:
        assert time.monotonic() < deadline, f"{found} of {wanted}"
        time.sleep(0.3)


def test_kills_and_rebalances_lose_nothing_and_count_nothing_twice(kafka, tmp_path):
    topic, settings = "kills", config(kafka, "kills")
    asyncio.run(produce(settings, [operation(n) for n in range(4000)]))
    running = [collector(tmp_path, kafka, topic)]
    try:
        wait_for_reads(tmp_path, 1)
        running.append(collector(tmp_path, kafka, topic))  # a rebalance
        asyncio.run(produce(settings, [operation(n) for n in range(4000, 8000)]))
        wait_for_reads(tmp_path, 4000)
        running[0].kill()  # in the middle of something, and another rebalance
        running[0].wait()
        asyncio.run(produce(settings, [operation(n) for n in range(8000, 12_000)]))
        running.append(collector(tmp_path, kafka, topic))
        wait_for_reads(tmp_path, 12_000)
        # producers that saw no answer send again
        asyncio.run(produce(settings, [operation(n) for n in range(11_000, 12_500)]))
        wait_for_reads(tmp_path, 12_500)
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert total_reads(tmp_path) == 12_500
    today = dt.datetime.now(dt.UTC).date()
    waited = open_access_store(tmp_path).first_byte("ds", today - dt.timedelta(1), today)
    assert waited is not None
    assert (waited.reads, 900 <= waited.millis < 1080) == (12_500, True)


async def test_poison_goes_to_the_dead_letters_without_its_content(kafka, tmp_path):
    settings = config(kafka, "poison")
    secret = b'{"op": "read", "principal": "alice"'
    await produce(settings, [*(operation(n) for n in range(20)), secret, b"x" * 100_000])
    stop = asyncio.Event()
    counting = Collector(settings, tmp_path, commit_seconds=0.2)
    task = asyncio.create_task(counting.run(stop))
    await until(lambda: counting.totals.reads == 20)
    await until(lambda: counting.totals.rejected.total() == 2)
    stop.set()
    await task
    letters = await read_all(kafka.bootstrap, "poison.dead", enough=lambda m: len(m) == 2)
    assert {json.loads(one.value)["reason"] for one in letters} == {"InvalidJson", "TooLarge"}
    assert all(b"alice" not in one.value for one in letters)
    assert total_reads(tmp_path) == 20


async def test_a_collector_waits_for_a_broker_that_is_away(kafka, tmp_path):
    settings = config(kafka, "away")
    await produce(settings, [operation(n) for n in range(10)])
    kafka.kill()
    stop = asyncio.Event()
    counting = Collector(settings, tmp_path, commit_seconds=0.2)
    task = asyncio.create_task(counting.run(stop))
    kafka.start()
    await until(lambda: counting.totals.reads == 10, 60)
    stop.set()
    await task
    assert total_reads(tmp_path) == 10


async def test_a_message_of_ten_mebibytes_holds_nobody_up(kafka, tmp_path):
    settings = config(kafka, "huge")
    await ensure_topics(settings, {"huge": {"max.message.bytes": str(16 << 20)}})
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, max_request_size=16 << 20)
    await producer.start()
    for value in (operation(1), b"x" * (10 << 20), operation(2)):
        await producer.send_and_wait("huge", value=value, key=b"k")
    await producer.stop()
    counting = Collector(settings, tmp_path, commit_seconds=0.2)
    stop = asyncio.Event()
    task = asyncio.create_task(counting.run(stop))
    await until(lambda: counting.totals.reads == 2)
    stop.set()
    await task
    assert counting.totals.rejected == {"TooLarge": 1}
    [letter] = await read_all(kafka.bootstrap, "huge.dead", enough=lambda m: len(m) == 1)
    assert json.loads(letter.value)["sizeBytes"] == 10 << 20
    assert len(letter.value) < 2000


async def test_a_wrong_address_is_counted_and_said_once(tmp_path, capsys):
    settings = KafkaSettings(brokers=f"127.0.0.1:{free_port()}")
    counting = Collector(settings, tmp_path)
    stop = asyncio.Event()
    task = asyncio.create_task(counting.run(stop))
    await until(lambda: counting.totals.failures["EndpointUnreachable"] >= 2, 60)
    stop.set()
    await task
    assert capsys.readouterr().out.count("no answer from the brokers at 127.0.0.1") == 1


async def test_a_topic_made_anew_is_counted_from_its_beginning(kafka, tmp_path):
    from aiokafka.admin import AIOKafkaAdminClient

    settings = config(kafka, "anew")
    for first in (0, 100):
        await produce(settings, [operation(n) for n in range(first, first + 30)])
        stop = asyncio.Event()
        counting = Collector(settings, tmp_path, commit_seconds=0.2)
        task = asyncio.create_task(counting.run(stop))
        await until(lambda counting=counting: counting.totals.reads == 30)
        stop.set()
        await task
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.delete_topics(["anew"])
        while "anew" in await admin.list_topics():
            await asyncio.sleep(0.1)
        await admin.close()
    assert total_reads(tmp_path) == 60


async def test_minio_s_own_messages_are_counted_beside_access_events(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    settings = config(kafka, "beside").model_copy(update={"minio_topics": ("minio",)})
    now = dt.datetime.now(dt.UTC).isoformat()
    call = {"name": "GetObject", "bucket": "data", "object": "m", "statusCode": 200, "tx": 5}
    audit = json.dumps({"time": now, "api": call, "requestID": "R1"}).encode()
    await produce(settings, [operation(1)])
    await produce(settings.model_copy(update={"access_topic": "minio"}), [audit, b"{"])
    counting = Collector(settings, tmp_path, commit_seconds=0.2)
    stop = asyncio.Event()
    task = asyncio.create_task(counting.run(stop))
    await until(lambda: counting.totals.reads == 2 and counting.totals.rejected.total() == 1)
    stop.set()
    await task
    assert total_reads(tmp_path) == 2
    assert {topic for topic, _ in counting.totals.lag} == {"beside", "minio"}
