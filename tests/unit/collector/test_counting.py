"""Counts and positions are one commit: nothing is counted twice, and no one can interfere."""

import datetime as dt

import pyarrow as pa
import pytest
from tests.unit.collector.test_parse import NOW, message

from cloudflux.access.places import Place, kafka_signal
from cloudflux.access.store import AccessStore, open_access_store
from cloudflux.collector.counting import Ledger, Pending, PositionMoved, application
from cloudflux.collector.parse import parse

P0, P1 = application("t1", 0), application("t1", 1)


def batch(first: int, *messages: bytes) -> Pending:
    return Pending(first, first + len(messages), [parse(messages, NOW).table], len(messages))


BUCKET = "s3://data"
SIGNAL = kafka_signal(BUCKET)


def reads(store: AccessStore) -> dict[str, int]:
    store.register("ds", Place(SIGNAL, BUCKET, ""), 400)
    table = store.daily_reads("ds", NOW.date() - dt.timedelta(9), NOW.date())
    return dict(zip(table["key"].to_pylist(), table["reads"].to_pylist(), strict=True))


def op(n: int, key: str = "k", **more: object) -> bytes:
    return message(**{"id": f"e{n}", "uri": f"s3://data/{key}", **more})


@pytest.fixture
def store(tmp_path) -> AccessStore:
    return open_access_store(tmp_path)


def ledger(store: AccessStore, **more) -> Ledger:
    made = Ledger(store, **more)
    made.positions([P0, P1])
    return made


def test_reads_add_up_and_positions_go_forward(store):
    one = ledger(store)
    one.commit({P0: batch(0, op(1), op(2)), P1: batch(0, op(3, "other"))}, NOW)
    one.commit({P0: batch(2, op(4))}, NOW)
    assert reads(store) == {"k": 3, "other": 1}
    assert ledger(store).positions([P0, P1]) == {P0: 3, P1: 1}


@pytest.mark.parametrize("jump", [dt.timedelta(days=-30), dt.timedelta(days=30)])
def test_a_clock_that_jumps_loses_nothing_and_counts_nothing_twice(store, jump):
    one = ledger(store)
    one.commit({P0: batch(0, op(1), op(2))}, NOW)
    one.commit({P0: batch(2, op(2), op(3))}, NOW + jump)
    one.commit({P0: batch(4, op(3), op(4))}, NOW)
    assert reads(store) == {"k": 4}
    assert ledger(store).positions([P0]) == {P0: 6}


def test_a_repeated_id_counts_once_in_a_batch_and_across_batches_and_restarts(store):
    one = ledger(store)
    assert one.commit({P0: batch(0, op(1), op(1))}, NOW).duplicates == 1
    assert one.commit({P0: batch(2, op(1))}, NOW).duplicates == 1
    again = ledger(store)
    assert again.commit({P0: batch(3, op(1), op(2))}, NOW).duplicates == 1
    assert reads(store) == {"k": 2}


def test_without_an_id_every_message_counts(store):
    one = ledger(store)
    one.commit({P0: batch(0, op(1, id=None), op(1, id=None))}, NOW)
    assert reads(store) == {"k": 2}


def test_of_two_collectors_that_count_the_same_one_is_refused(store):
    first, second = ledger(store), ledger(store)
    first.commit({P0: batch(0, op(1))}, NOW)
    with pytest.raises(PositionMoved):
        second.commit({P0: batch(0, op(1))}, NOW)
    assert second.positions([P0]) == {P0: 1}
    second.commit({P0: batch(1, op(2))}, NOW)
    assert reads(store) == {"k": 2}


def test_collectors_of_different_partitions_do_not_disturb_each_other(store):
    first, second = ledger(store), ledger(store)
    for n in range(5):
        first.commit({P0: batch(n, op(n))}, NOW)
        second.commit({P1: batch(n, op(n + 100))}, NOW)
    assert reads(store) == {"k": 10}


def test_a_topic_made_anew_starts_at_its_beginning(store):
    ledger(store).commit({P0: batch(0, op(1))}, NOW)
    new = application("t2", 0)
    other = Ledger(store)
    assert other.positions([new]) == {new: None}
    other.commit({new: batch(0, op(2))}, NOW)
    assert reads(store) == {"k": 2}


def test_only_refused_messages_still_move_the_position(store):
    one = ledger(store)
    one.commit({P0: batch(0, b"nope")}, NOW)
    assert ledger(store).positions([P0]) == {P0: 1}


def test_excluded_principals_do_not_count_and_nobody_is_stored(store):
    one = ledger(store, excluded_principals=["scanner"])
    one.commit({P0: batch(0, op(1), op(2, principal="scanner"))}, NOW)
    assert reads(store) == {"k": 1}
    stored = str(store.counts().to_pyarrow_table().to_pylist())
    assert "scanner" not in stored
    assert "'me'" not in stored


def test_writes_are_no_reads_but_tell_when_an_object_was_made(store):
    one = ledger(store)
    counted = one.commit({P0: batch(0, op(1, op="write"), op(2))}, NOW)
    assert (counted.reads, counted.writes) == (1, 1)
    table: pa.Table = store.counts().to_pyarrow_table()
    kinds = table["kind"].to_pylist()
    assert kinds.count("puts") == 1
    assert reads(store) == {"k": 1}


def test_days_with_events_are_covered(store):
    one = ledger(store)
    earlier = "2026-03-13T10:00:00Z"
    one.commit({P0: batch(0, op(1, time=earlier), op(2))}, NOW)
    store.register("ds", Place(SIGNAL, BUCKET, ""), 400)
    span = store.spans("ds")[SIGNAL]
    assert span.days == {dt.date(2026, 3, 13), dt.date(2026, 3, 14)}
    quiet = kafka_signal("s3://quiet")
    store.register("other", Place(quiet, "s3://quiet", ""), 400)
    assert store.spans("other")[quiet].days == frozenset(), "others' events prove nothing of it"
