"""The access store in processes of their own: killed at any instant, and its memory."""

import datetime as dt
import io
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloudflux.access.logs import ingest_logs
from cloudflux.access.places import Place
from cloudflux.access.store import AccessStore
from cloudflux.storage.memory import MemoryStore
from cloudflux_dev.tracegen import Behaviour, TracedObject, generate

NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
OPERATOR = Path(__file__).parents[2] / "operator"

INGEST = """
import datetime as dt, io, sys
from pathlib import Path
from cloudflux.access import logs
from cloudflux.access.store import AccessStore
from cloudflux.storage.memory import MemoryStore

logs._BATCH_LINES = 40
store = MemoryStore()
for path in sorted(Path(sys.argv[2]).iterdir()):
    body = path.read_bytes()
    store.put(path.name, io.BytesIO(body), len(body))
print("ready", flush=True)
logs.ingest_logs(AccessStore(Path(sys.argv[1])), "s3logs:t", store,
                 now=dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC), retention_days=400)
"""

INVENTORY = """
import datetime as dt, re, sys
from pathlib import Path
from cloudflux.access.store import AccessStore
from cloudflux.storage.interface import ObjectInfo

now = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
store = AccessStore(Path(sys.argv[1]))
for _ in range(2):
    listing = (
        ObjectInfo(f"y=2026/month={n % 12}/part-{n:09d}.parquet", n, f"{n:032x}", "STANDARD", now)
        for n in range(int(sys.argv[2]))
    )
    store.write_inventory("ds", listing, now=now)
# not ru_maxrss: that one knows the memory of the process that started this one, too
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={"PYTHONPATH": str(OPERATOR)},
        stdout=subprocess.PIPE,
        text=True,
    )


def counts(access):
    table = access.daily_reads("ds", dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    return sorted((r["key"], r["day"], r["reads"], r["bytes"]) for r in table.to_pylist())


@pytest.fixture
def trace(tmp_path):
    """Log objects in a directory, with every tenth delivered twice under two names."""
    directory = tmp_path / "logs"
    directory.mkdir()
    objects = [TracedObject(f"k{n}", n + 1, Behaviour.HOT, 20) for n in range(5)]
    for n, (name, body) in enumerate(generate(objects, bucket="b", now=NOW, days=21)):
        (directory / name).write_bytes(body)
        if n % 10 == 0:
            (directory / name[:-2]).write_bytes(body)
    return directory


def test_sigkill_while_ingesting_changes_no_count(trace, tmp_path):
    logs = MemoryStore()
    for path in trace.iterdir():
        body = path.read_bytes()
        logs.put(path.name, io.BytesIO(body), len(body))
    expected = AccessStore(tmp_path / "expected")
    expected.register("ds", Place("s3logs:t", "b", ""), 400)
    ingest_logs(expected, "s3logs:t", logs, now=NOW, retention_days=400)

    access = AccessStore(tmp_path / "killed")
    access.register("ds", Place("s3logs:t", "b", ""), 400)
    rng, kills = random.Random(5), 0
    for wait_millis in (rng.randint(5, 120) for _ in range(6)):
        process = start(INGEST, access.path, trace)
        assert process.stdout.readline() == "ready\n"
        time.sleep(wait_millis / 1000)  # the instant of the kill is the point of the test
        kills += process.poll() is None
        process.kill()
        process.communicate()
    assert kills >= 1
    process = start(INGEST, access.path, trace)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert counts(access) == counts(expected)
    assert counts(access)


def test_two_processes_at_once_count_once(trace, tmp_path):
    access = AccessStore(tmp_path / "two")
    access.register("ds", Place("s3logs:t", "b", ""), 400)
    pair = [start(INGEST, access.path, trace) for _ in range(2)]
    for process in pair:
        process.communicate(timeout=60)
        assert process.returncode == 0
    together = counts(access)
    alone = AccessStore(tmp_path / "one")
    alone.register("ds", Place("s3logs:t", "b", ""), 400)
    start(INGEST, alone.path, trace).communicate(timeout=60)
    assert together == counts(alone)


def test_an_inventory_is_written_in_bounded_memory(tmp_path):
    process = start(INVENTORY, tmp_path, 200_000)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert int(output) / 1024 < 500
    assert AccessStore(tmp_path).inventory("ds").num_rows == 200_000
