"""`make bench-events`: events through the durable outbox to a real broker, and access events in.

Each side is a process of its own, on one broker on this machine:
* out: events of 300 bytes through the outbox, every one fsynced before it is sent; beside it the
  plain aiokafka producer with the same messages and no disk;
* latency: 1,000 events a second, from the moment of `put` to a consumer in another process;
* in: access events that are in the topic, through one collector into the access store; beside
  it a plain consumer that reads the same topic and parses nothing;
* logs: lines of S3 access logs into the access store; beside it their parsing alone, one by one.

On a machine that does other work, too, the processor time of one event or line says more than
how many there were in a second; the broker's own, on the same machine, is told apart.

CLOUDFLUX_BENCH_SCALE=0.2 runs a fifth of it.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.figures import Figure, print_figures
from cloudflux.collector import reader
from cloudflux.collector.workloads import Kind, objects_of, operations
from cloudflux.events.envelope import Event, headers
from cloudflux.events.kafka import KafkaSink
from cloudflux.events.kafka_client import ensure_topics
from cloudflux.events.outbox import Outbox
from cloudflux.settings import KafkaSettings
from cloudflux_dev.kafka_server import running_kafka

SCALE = float(os.environ.get("CLOUDFLUX_BENCH_SCALE", "1"))
LOG_LINES = int(1_000_000 * SCALE)
EVENTS, ACCESS_EVENTS = int(200_000 * SCALE), int(400_000 * SCALE)
LATENCY_SECONDS, LATENCY_RATE = max(3, int(20 * SCALE)), 1000
DATA = b'{"text":"' + b"x" * 289 + b'"}'
KEYS = 500


def event(n: int, at_ms: int) -> Event:
    """One event with 300 bytes of data."""
    key = f"ds-{n % KEYS}"
    return Event(
        "io.cloudflux.migration.progress.v1",
        f"job-{n % KEYS}:1:migration.progress@{n}",
        "/clusters/bench/namespaces/n/migrationjobs/j",
        "n/d",
        "2026-03-14T10:00:00.123456Z",
        key,
        "00-51e1771d7c7b129f2bc340fd48ad80cc-17dd72918ea2160f-01",
        at_ms,
        DATA,
    )


def config(brokers: str) -> KafkaSettings:
    """The operator's own defaults, but for the name of the group."""
    return KafkaSettings(brokers=brokers, group="bench")


async def produce(brokers: str, count: int) -> dict[str, float]:
    """Put events as fast as the outbox takes them, until all are confirmed."""
    with tempfile.TemporaryDirectory() as directory:
        outbox = Outbox(Path(directory), KafkaSink(config(brokers)), max_bytes=1 << 30)
        task = asyncio.create_task(outbox.run())
        outbox.put(event(0, 0))
        await outbox.drain(60)
        started, cpu = time.monotonic(), time.process_time()
        for n in range(count):
            outbox.put(event(n, int(time.time() * 1000)))
            if n % 500 == 0:
                await asyncio.sleep(0)
                while outbox.depth > 30_000:
                    await asyncio.sleep(0.002)
        if not await outbox.drain(120):
            raise SystemExit(f"not delivered: {outbox.last_error}")
        seconds, used = time.monotonic() - started, time.process_time() - cpu
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()
    return {"per_second": count / seconds, "cpu_micros": used / count * 1e6}


async def plain(brokers: str, count: int) -> dict[str, float]:
    """The same messages through aiokafka's producer alone."""
    settings = config(brokers).model_copy(update={"events_topic": "plain"})
    await ensure_topics(settings, {"plain": {}})
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers, acks="all", enable_idempotence=True,
        compression_type="lz4", max_batch_size=128 * 1024,
    )  # fmt: skip
    await producer.start()
    started = time.monotonic()
    for n in range(count):
        one = event(n, int(time.time() * 1000))
        await producer.send("plain", key=one.key.encode(), value=one.data, headers=headers(one))
    await producer.flush()
    seconds = time.monotonic() - started
    await producer.stop()
    return {"per_second": count / seconds}


async def steady(brokers: str, count: int) -> dict[str, float]:
    """Put events at a steady rate, each with the time at which it was put."""
    settings = config(brokers).model_copy(update={"events_topic": "steady"})
    with tempfile.TemporaryDirectory() as directory:
        outbox = Outbox(Path(directory), KafkaSink(settings), max_bytes=1 << 30)
        task = asyncio.create_task(outbox.run())
        started = time.monotonic()
        for n in range(count):
            await asyncio.sleep(max(0.0, started + n / LATENCY_RATE - time.monotonic()))
            now = json.dumps({"at": time.time(), "pad": "x" * 260}).encode()
            outbox.put(event(n, 0)._replace(data=now))
        await outbox.drain(30)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()
    return {}


async def listen(brokers: str, count: int) -> dict[str, float]:
    """Read the steady events as they come; percentiles of their age in milliseconds."""
    await ensure_topics(config(brokers), {"steady": {}})
    consumer = AIOKafkaConsumer("steady", bootstrap_servers=brokers, auto_offset_reset="earliest")
    await consumer.start()
    print("ready", flush=True)
    ages: list[float] = []
    async for message in consumer:
        ages.append((time.time() - json.loads(message.value)["at"]) * 1000)
        if len(ages) >= count:
            break
    await consumer.stop()
    settled = sorted(ages[LATENCY_RATE:])  # the first second connects
    return {
        "p50": settled[len(settled) // 2],
        "p99": settled[int(len(settled) * 0.99)],
    }


async def fill(brokers: str, count: int) -> dict[str, float]:
    """Fill the access topic."""
    import datetime as dt

    from cloudflux.collector.tell import send

    objects = objects_of(Kind.WEB, 5000, 1)
    made = operations(
        Kind.WEB, objects, start=dt.datetime.now(dt.UTC), duration_seconds=1e9,
        rate_per_second=count, seed=1,
    )  # fmt: skip
    some = (one for one, _ in zip(made, range(count), strict=False))
    await send(some, "s3://bench/data", config(brokers))
    return {}


async def collect(brokers: str, count: int) -> dict[str, float]:
    """Count them with one collector."""
    with tempfile.TemporaryDirectory() as directory:
        reader.look_for_garbage_rarely()  # as `cloudflux collector` does
        counting = reader.Collector(config(brokers), Path(directory))
        stop = asyncio.Event()
        task = asyncio.create_task(counting.run(stop))
        while not counting.totals.lag:
            await asyncio.sleep(0.005)
        started, cpu = time.monotonic(), time.process_time()
        while counting.totals.reads + counting.totals.writes < count:
            await asyncio.sleep(0.01)
        seconds, used = time.monotonic() - started, time.process_time() - cpu
        stop.set()
        await task
    return {"per_second": count / seconds, "cpu_micros": used / count * 1e6}


async def consume(brokers: str, count: int) -> dict[str, float]:
    """Read them with a plain consumer."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers)
    await consumer.start()
    topic = config(brokers).access_topic
    await consumer._client.add_topic(topic)
    parts = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(parts)
    await consumer.seek_to_beginning(*parts)
    started, seen = time.monotonic(), 0
    while seen < count:
        found = await consumer.getmany(timeout_ms=200, max_records=20_000)
        seen += sum(map(len, found.values()))
    seconds = time.monotonic() - started
    await consumer.stop()
    return {"per_second": count / seconds}


async def read_logs(brokers: str, count: int) -> dict[str, float]:  # noqa: ARG001
    """Read S3 access logs into the access store; beside it one regular expression a line."""
    import datetime as dt
    import io

    from cloudflux.access.logs import ingest_logs
    from cloudflux.access.s3logs import parse_line
    from cloudflux.access.store import AccessStore
    from cloudflux.collector.simulate import write_s3_logs
    from cloudflux.storage.memory import MemoryStore

    start = dt.datetime(2026, 3, 14, tzinfo=dt.UTC)
    made = operations(
        Kind.WEB, objects_of(Kind.WEB, 20_000, 1), start=start, duration_seconds=1e9,
        rate_per_second=100, seed=1,
    )  # fmt: skip
    logs, lines = MemoryStore(), []
    with tempfile.TemporaryDirectory() as directory:
        some = (one for one, _ in zip(made, range(count), strict=False))
        write_s3_logs(some, "s3://bench/data", Path(directory))
        for path in sorted(Path(directory).iterdir()):
            body = path.read_bytes()
            lines += body.decode().splitlines()
            logs.put(path.name, io.BytesIO(body), len(body))
    with tempfile.TemporaryDirectory() as directory:
        started, cpu = time.monotonic(), time.process_time()
        now = start + dt.timedelta(1)
        ingest_logs(AccessStore(Path(directory)), "s3logs:bench", logs, now=now, retention_days=400)
        seconds, used = time.monotonic() - started, time.process_time() - cpu
    started = time.monotonic()
    for line in lines[: count // 10]:
        parse_line(line)
    alone = count // 10 / (time.monotonic() - started)
    return {"per_second": count / seconds, "cpu_micros": used / count * 1e6, "lines_alone": alone}


SIDES: dict[str, Callable[[str, int], Any]] = {
    "produce": produce, "plain": plain, "steady": steady, "listen": listen, "fill": fill,
    "collect": collect, "consume": consume, "logs": read_logs,
}  # fmt: skip


def side(name: str, brokers: str, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.bench_events", name, brokers, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def result(process: "subprocess.Popen[str]") -> dict[str, float]:
    output, _ = process.communicate(timeout=400)
    if process.returncode:
        raise SystemExit(f"a side ended with {process.returncode}: {output}")
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def cpu_of(pid: int) -> float:
    """Processor seconds of a process so far; 0 where the system has no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run() -> None:
    """Run all sides and print the figures."""
    with tempfile.TemporaryDirectory() as directory, running_kafka(Path(directory)) as kafka:
        brokers = kafka.bootstrap
        alone = result(side("plain", brokers, EVENTS))
        before = cpu_of(kafka.pid)
        out = result(side("produce", brokers, EVENTS))
        broker_out = (cpu_of(kafka.pid) - before) / EVENTS * 1e6
        count = LATENCY_SECONDS * LATENCY_RATE
        listening = side("listen", brokers, count)
        assert listening.stdout is not None
        while listening.stdout.readline().strip() != "ready":
            pass
        result(side("steady", brokers, count))
        ages = result(listening)
        result(side("fill", brokers, ACCESS_EVENTS))
        read = result(side("consume", brokers, ACCESS_EVENTS))
        before = cpu_of(kafka.pid)
        counted = result(side("collect", brokers, ACCESS_EVENTS))
        broker_in = (cpu_of(kafka.pid) - before) / ACCESS_EVENTS * 1e6
    read_lines = result(side("logs", "-", LOG_LINES))
    print_figures(
        [
            Figure("events out, durable", out["per_second"], "1/s", 40_000, alone["per_second"],
                   floor=True),
            Figure("CPU of one event out", out["cpu_micros"], "us"),
            Figure("CPU of the broker beside it", broker_out, "us"),
            Figure("occurrence to consumer, p50", ages["p50"], "ms"),
            Figure("occurrence to consumer, p99", ages["p99"], "ms", 100),
            Figure("access events counted", counted["per_second"], "1/s", 50_000,
                   read["per_second"], floor=True),
            Figure("CPU of one access event", counted["cpu_micros"], "us"),
            Figure("CPU of the broker for one access event", broker_in, "us"),
            Figure("lines of S3 access logs", read_lines["per_second"], "1/s", 200_000,
                   read_lines["lines_alone"], floor=True),
            Figure("CPU of one line", read_lines["cpu_micros"], "us"),
        ]
    )  # fmt: skip


def main() -> int:
    """Run everything, or one side in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", nargs="?", choices=SIDES)
    parser.add_argument("brokers", nargs="?")
    parser.add_argument("count", nargs="?", type=int)
    arguments = parser.parse_args()
    if arguments.side is None:
        run()
    else:
        from cloudflux.handlers.logs import set_up_logs

        set_up_logs(process="bench")
        print(json.dumps(asyncio.run(SIDES[arguments.side](arguments.brokers, arguments.count))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
