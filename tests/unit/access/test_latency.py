"""What reads waited for their first byte, out of logs and access events."""

import datetime as dt
import json
from collections.abc import Iterable

import pyarrow as pa
import pytest

from cloudflux.access.batch import Batch
from cloudflux.access.latency import MIN_READS, QUICK_MILLIS, class_of
from cloudflux.access.places import Place, kafka_signal
from cloudflux.access.records import OURS_ALONE, Part, Request, anonymous, table_of
from cloudflux.access.store import AccessStore, open_access_store
from cloudflux.collector.counting import Ledger, Pending, application
from cloudflux.collector.parse import parse

NOW = dt.datetime(2026, 3, 14, 12, 0, tzinfo=dt.UTC)
TODAY = NOW.date()


@pytest.fixture
def store(tmp_path) -> AccessStore:
    return open_access_store(tmp_path)


def read_logs(
    store: AccessStore, waits: Iterable[int | None], prefix: str = "d/", signal: str = "log"
) -> None:
    batch = Batch(signal)
    requests = [
        Request("data", f"{prefix}k{n % 7}", NOW, True, first_byte_millis=millis)
        for n, millis in enumerate(waits)
    ]
    part = Part(table_of(requests), len(requests))
    batch.add(part, anonymous(part.requests, signal, OURS_ALONE))
    rows, _ = batch.rows(pa.array([], pa.int64()).to_numpy(), TODAY)
    table = store.counts()
    position = (table.transaction_version(signal) or 0) + 1
    store.append(table, rows, signal, position)


def waited(store: AccessStore, prefix: str = "d/", signal: str = "log") -> int | None:
    store.register("ds", Place(signal, "data", prefix), 400)
    found = store.first_byte("ds", TODAY - dt.timedelta(1), TODAY)
    return found.millis if found else None


def test_classes_are_a_fifth_wide_and_quick_reads_are_one():
    values = [0, 1, 64, 65, 100, 1000, 10**12]
    bounds = class_of(pa.chunked_array([pa.array(values, pa.int64())])).to_pylist()
    assert bounds[:3] == [0, 0, 0]
    assert all(
        value <= bound <= 1.2 * value for value, bound in zip(values[3:6], bounds[3:6], strict=True)
    )
    assert bounds[6] == 2**22


@pytest.mark.parametrize(
    ("slow", "expected"), [(0, QUICK_MILLIS), (5, QUICK_MILLIS), (6, 861), (100, 861)]
)
def test_it_is_the_95th_percentile(store, slow, expected):
    read_logs(store, [800] * slow + [20] * (100 - slow))
    assert waited(store) == expected


def test_other_prefixes_and_signals_that_tell_no_times_do_not_count(store):
    read_logs(store, [20] * 50)
    read_logs(store, [5000] * 500, prefix="other/")
    assert waited(store) == QUICK_MILLIS
    read_logs(store, [None] * 900, signal="silent")
    assert waited(store, signal="silent") == QUICK_MILLIS


def test_too_few_reads_and_reads_without_times_are_unknown(store):
    read_logs(store, [900] * (MIN_READS - 1))
    assert waited(store) is None
    read_logs(store, [None] * 100, signal="silent")
    store.register("other", Place("silent", "data", "d/"), 400)
    assert store.first_byte("other", TODAY - dt.timedelta(1), TODAY) is None


def test_access_events_tell_what_clients_waited(store):
    def message(n: int, latency: float) -> bytes:
        body = {"id": f"e{n}", "time": NOW.isoformat(), "op": "read", "uri": f"s3://data/d/k{n}"}
        return json.dumps({**body, "latencyMs": latency}).encode()

    name = application("t", 0)
    messages = [*(message(n, 12.5) for n in range(50)), *(message(50 + n, 430.2) for n in range(9))]
    parsed = parse([*messages, message(99, -1.0)], NOW)
    assert [one.reason for one in parsed.rejected] == ["InvalidField"]
    ledger = Ledger(store)
    ledger.positions([name])
    ledger.commit({name: Pending(0, len(messages), [parsed.table], len(messages))}, NOW)
    store.register("ds", Place(kafka_signal("s3://data"), "s3://data", "d/"), 400)
    found = store.first_byte("ds", TODAY, TODAY)
    assert found is not None
    assert 430 < found.millis < 520
    assert found.reads == 59
