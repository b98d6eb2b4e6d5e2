"""`make bench-console`: from an event in Kafka to fifty clients of the console.

Broker, producer, console and clients are processes of their own on this machine. 1,000 events a
second are sent; each carries the time at which it was sent, and each client takes the difference
when it has read it. Beside it, in the same run, a plain Kafka consumer takes the same difference:
what the console adds is the ratio.

CLOUDFLUX_BENCH_SECONDS=3600 runs for an hour, which shows that memory stays flat.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.figures import Figure, print_figures
from benchmarks.stream_clients import SENT, listen
from cloudflux.api.event_examples import EXAMPLES
from cloudflux.api.events import EventType
from cloudflux.events.envelope import Event, headers
from cloudflux.events.kafka_client import ensure_topics
from cloudflux.settings import KafkaSettings
from cloudflux_dev.kafka_server import running_kafka
from cloudflux_dev.ports import free_port

SECONDS = float(os.environ.get("CLOUDFLUX_BENCH_SECONDS", "30"))
RATE, CLIENTS, TICK_SECONDS = 1000, 50, 0.01
WARM_SECONDS = 5.0
"""What comes first is left out: connections, the first pages of memory."""
TOPIC = "bench-console"


def event(n: int, sent_ns: int) -> Event:
    """One event as large as real ones are."""
    kind = EventType.MIGRATION_PROGRESS
    data = {**EXAMPLES[kind], "message": f"sent-{sent_ns}"}
    return Event(
        kind.value, f"job-{n % 500}:1:progress@{n}",
        "/clusters/bench/namespaces/n/migrationjobs/j", "n/d", "2026-03-14T10:00:00Z",
        f"ds-{n % 500}", "00-51e1771d7c7b129f2bc340fd48ad80cc-17dd72918ea2160f-01", 0,
        json.dumps(data).encode(),
    )  # fmt: skip


async def produce(brokers: str, seconds: float) -> dict[str, float]:
    """Send so many events a second; returns how many."""
    producer = AIOKafkaProducer(bootstrap_servers=brokers, linger_ms=0)
    await producer.start()
    started, sent = time.monotonic(), 0
    pending = []
    while time.monotonic() - started < seconds:
        due = int((time.monotonic() - started) * RATE)
        while sent < due:
            one = event(sent, time.time_ns())
            pending.append(
                await producer.send(TOPIC, key=one.key.encode(), value=one.data,
                                    headers=headers(one))
            )  # fmt: skip
            sent += 1
        await asyncio.sleep(TICK_SECONDS)
    await asyncio.gather(*pending)
    await producer.stop()
    took = time.monotonic() - started
    return {"sent": sent, "per_second": sent / took, "cpu": time.process_time() / took}


async def consume(brokers: str, seconds: float) -> dict[str, float]:
    """Read the topic with a plain consumer."""
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=brokers, auto_offset_reset="latest")
    await consumer.start()
    begin, taken = time.monotonic(), []
    while time.monotonic() - begin < seconds:
        for messages in (await consumer.getmany(timeout_ms=100)).values():
            now = time.time_ns()
            if time.monotonic() - begin > WARM_SECONDS:
                taken += [(now, int(SENT.search(one.value)[1])) for one in messages]  # type: ignore[index]
    await consumer.stop()
    return percentiles([(now - sent) / 1e6 for now, sent in taken])


def percentiles(values: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    return {
        "p50": float(np.percentile(values, 50)), "p99": float(np.percentile(values, 99)),
        "events": len(values),
    }  # fmt: skip


def child(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a side as a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bench_console", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def outcome(process: subprocess.Popen[bytes]) -> dict[str, float]:
    """Wait for a side and return what it found."""
    out, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit("a side of the benchmark failed")
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("the console ended")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def console(brokers: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    """Start a console on the topic, and wait until it serves."""
    environment = {
        **os.environ, "CLOUDFLUX_KAFKA__BROKERS": brokers, "CLOUDFLUX_KAFKA__EVENTS_TOPIC": TOPIC
    }  # fmt: skip
    command = [sys.executable, "-m", "cloudflux.cli.main", "console", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
                if json.load(answer)["source"]:
                    return process
        except OSError:
            pass
        time.sleep(0.2)
    process.kill()
    raise SystemExit(f"the console did not start: {log.read_text()[-1000:]}")


def run() -> list[Figure]:
    """Run all sides at once."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with running_kafka(directory / "kafka") as kafka:
            settings = KafkaSettings(brokers=kafka.bootstrap, partitions=3)
            asyncio.run(ensure_topics(settings, {TOPIC: {}}))
            port = free_port()
            process = console(kafka.bootstrap, port, directory / "console.log")
            try:
                return _measure(kafka.bootstrap, port, process.pid)
            finally:
                process.terminate()
                process.wait(20)


def _measure(brokers: str, port: int, pid: int) -> list[Figure]:
    total = SECONDS + WARM_SECONDS
    clients = child("listen", str(port), str(total))
    plain = child("consume", brokers, str(total))
    time.sleep(2)
    producer = child("produce", brokers, str(total + 2))
    time.sleep(WARM_SECONDS + SECONDS / 3)
    early, cpu, at = rss_mb(pid), cpu_seconds(pid), time.monotonic()
    time.sleep(max(0.0, 2 * SECONDS / 3 - 4))
    late = rss_mb(pid)
    used = (cpu_seconds(pid) - cpu) / (time.monotonic() - at)
    seen, peer, sent = outcome(clients), outcome(plain), outcome(producer)
    expected = (SECONDS - 1) * sent["per_second"] * CLIENTS
    return [
        Figure("event to browser's socket, p99", seen["p99"], "ms", aim=100, peer=peer["p99"]),
        Figure("event to browser's socket, p99.9", seen["p999"], "ms"),
        Figure("event to browser's socket, median", seen["p50"], "ms", peer=peer["p50"]),
        Figure("events sent", sent["per_second"], "1/s"),
        Figure("events delivered", seen["events"] / SECONDS, "1/s"),
        Figure(
            "share delivered", min(100 * seen["events"] / expected, 100.0), "%", aim=95, floor=True
        ),
        Figure("events lost, gaps told", seen["lost"] + seen["gaps"], "", aim=0),
        Figure("the console's CPU", 100 * used, "% core"),
        Figure("the fifty clients' CPU", 100 * seen["cpu"], "% core"),
        Figure("the producer's CPU", 100 * sent["cpu"], "% core"),
        Figure("the console's memory", late, "MB", aim=200),
        Figure("growth of it over two thirds of the run", late - early, "MB", aim=10),
    ]


def main() -> None:
    """Run everything, or one side of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", nargs="*")
    side = parser.parse_args().side
    if not side:
        print_figures(run())
        return
    name, *rest = side
    seconds = float(rest[-1])
    if name == "listen":
        found = listen(int(rest[0]), CLIENTS, seconds, WARM_SECONDS)
    else:
        found = asyncio.run({"produce": produce, "consume": consume}[name](rest[0], seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
