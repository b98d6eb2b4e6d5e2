"""Events of operators on a real broker become history: each kept once, over kills and poison."""

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from tests.integration.kafka_rig import need_kafka, read_all, until
from tests.unit.collector.test_historian import completed, cost
from typer.testing import CliRunner

from cloudflux.access.history import History, Wanted, open_history
from cloudflux.cli.main import app
from cloudflux.collector.historian import Historian
from cloudflux.events.kafka_client import ensure_topics
from cloudflux.settings import KafkaSettings
from cloudflux_dev.kafka_server import KafkaServer, running_kafka

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
DATA_SETS = 20


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    need_kafka()
    with running_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


def config(kafka: KafkaServer, topic: str) -> KafkaSettings:
    return KafkaSettings(
        brokers=kafka.bootstrap, access_topic=topic, events_topic=topic,
        dead_letter_topic=f"{topic}.dead", partitions=4, group=topic,
    )  # fmt: skip


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def move(n: int, at: dt.datetime) -> Any:
    name = f"d{n % DATA_SETS}"
    return completed(n, "1", at, dataSet=name, dataSetUid=name)


async def produce(settings: KafkaSettings, messages: list[Any]) -> None:
    await ensure_topics(settings, {settings.events_topic: {}})
    producer = AIOKafkaProducer(bootstrap_servers=settings.brokers, enable_idempotence=True)
    await producer.start()
    try:
        for one in messages:
            await producer.send(
                settings.events_topic, key=one.key, value=one.value, headers=list(one.headers)
            )
        await producer.flush()
    finally:
        await producer.stop()


def process(state_dir: Path, kafka: KafkaServer, topic: str) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable, "-m", "tests.integration.collector_process", str(state_dir),
        kafka.bootstrap, topic, "history",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tools'}:{ROOT}"}
    return subprocess.Popen(command, env=environment, cwd=ROOT)


def kept(history: History) -> int:
    today = now()
    day = dt.timedelta(days=1)
    return len(history.events(Wanted(), today - day, today + day, limit=10_000))


def wait_for(history: History, wanted: int, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while (found := kept(history)) < wanted:
        assert time.monotonic() < deadline, f"{found} of {wanted}"
        time.sleep(0.2)


def test_kills_lose_no_event_and_keep_none_twice(kafka, tmp_path):
    settings, history, at = config(kafka, "told"), open_history(tmp_path), now()
    asyncio.run(produce(settings, [move(n, at) for n in range(2000)]))
    running = [process(tmp_path, kafka, "told")]
    try:
        wait_for(history, 1)
        running.append(process(tmp_path, kafka, "told"))  # a rebalance
        asyncio.run(produce(settings, [move(n, at) for n in range(1500, 4000)]))  # some again
        wait_for(history, 2000)
        running[0].kill()
        running[0].wait()
        costs = [cost("2", at=at, name=f"d{n}", n=n) for n in range(DATA_SETS)]
        asyncio.run(produce(settings, [*costs, *(move(n, at) for n in range(3900, 5000))]))
        wait_for(history, 5000 + DATA_SETS)
    finally:
        for one in running:
            one.kill()
            one.wait()
    assert kept(history) == 5000 + DATA_SETS
    points = history.savings(Wanted(), at.date(), at.date())
    assert sum(one.realised for one in points) == Decimal(5000)
    shown = CliRunner().invoke(
        app, ["history", "costs", "--state-dir", str(tmp_path), "--days", "2", "--json"]
    )
    assert shown.exit_code == 0, shown.output
    sums = [row for row in json.loads(shown.output) if row["day"] == at.date().isoformat()]
    assert [(row["monthly_cost"], row["objects"]) for row in sums] == [("40", 60)]


async def test_poison_among_events_goes_to_the_dead_letters_and_is_counted(kafka, tmp_path):
    settings, at = config(kafka, "mixed"), now()
    poison = cost("1", at=at, name="poison")
    poison.value = b'{"dataSet": "secret'
    ahead = cost("1", at=at + dt.timedelta(hours=3), name="ahead")
    stray = cost("1", at=at, name="stray")
    stray.headers = []
    await produce(settings, [cost("1", at=at), poison, ahead, stray, cost("1", at=at, name="b")])
    stop = asyncio.Event()
    historian = Historian(settings, tmp_path, commit_seconds=0.2)
    task = asyncio.create_task(historian.run(stop))
    await until(lambda: historian.totals.reads == 2)
    await until(lambda: historian.totals.rejected.total() == 3)
    assert len(historian.fleet.measured(now())) == 2
    stop.set()
    await task
    letters = await read_all(kafka.bootstrap, "mixed.dead", enough=lambda m: len(m) == 3)
    reasons = {json.loads(one.value)["reason"] for one in letters}
    assert reasons == {"InvalidJson", "Future", "NoCloudEvent"}
    assert all(b"secret" not in one.value for one in letters)


def test_without_a_history_it_says_how_to_get_one(tmp_path):
    shown = CliRunner().invoke(app, ["history", "events", "--state-dir", str(tmp_path)])
    assert shown.exit_code == 2
    assert "cloudflux collector --state-dir" in shown.output


def test_a_type_that_does_not_exist_is_refused_with_those_that_do(tmp_path):
    shown = CliRunner().invoke(app, ["history", "events", "--type", "nonsense"])
    assert shown.exit_code == 2
    assert "migration.failed" in shown.output
