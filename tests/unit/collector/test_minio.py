"""Messages of MinIO as access events."""

import datetime as dt
import json

import pytest
from tests.unit.access.test_formats import MINIO_AUDIT, MINIO_EVENT

from cloudflux.access.places import Place, kafka_signal
from cloudflux.access.store import AccessStore
from cloudflux.collector.counting import Ledger, Pending, application
from cloudflux.collector.minio import parse_minio

NOW = dt.datetime(2026, 5, 19, 12, tzinfo=dt.UTC)
DAY = dt.date(2026, 5, 18)
PLACE = application("topic", 0)


def audit(n, **call):
    api = {**MINIO_AUDIT["api"], **call}
    return {**MINIO_AUDIT, "requestID": f"R{n}", "api": api}


def count(tmp_path, *entries):
    store = AccessStore(tmp_path)
    signal = kafka_signal("s3://data")
    store.register("ds", Place(signal, "s3://data", "in/"), 400)
    ledger = Ledger(store)
    ledger.positions([PLACE])
    values = [json.dumps(entry).encode() for entry in entries]
    parsed = parse_minio(values, NOW, ("cloudflux/",))
    ledger.commit({PLACE: Pending(0, len(values), [parsed.table], len(values))}, NOW)
    reads = store.daily_reads("ds", DAY, DAY).to_pylist()
    state = store.coverage("ds", DAY, DAY)["state"].to_pylist()
    return {(r["key"]): (r["reads"], r["bytes"]) for r in reads}, state


@pytest.mark.parametrize("entry", [MINIO_AUDIT, MINIO_EVENT])
def test_a_read_is_counted_once_and_proves_its_day(tmp_path, entry):
    assert count(tmp_path, entry, entry) == ({"a b.csv": (1, 70)}, ["complete"])


def test_our_own_request_and_a_listing_prove_the_day_and_are_no_demand(tmp_path):
    ours = {**audit(1), "userAgent": "aws cloudflux/0.1"}
    listing = audit(2, name="ListObjectsV2", object="")
    assert count(tmp_path / "a", ours) == ({}, ["complete"])
    assert count(tmp_path / "b", listing) == ({}, ["complete"])


def test_a_notification_of_a_write_proves_nothing_of_reads(tmp_path):
    record = {**MINIO_EVENT["Records"][0], "eventName": "s3:ObjectCreated:Put"}
    assert count(tmp_path, {"Records": [record]}) == ({}, ["unknown"])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "Empty"), (b"{", "InvalidJson"), (b"[1]", "InvalidJson"), (b"{}", "InvalidJson"),
        (b"[" * 50_000, "InvalidJson"), (b" " * 10 + b"x" * (10 << 20), "TooLarge"),
        (json.dumps({**MINIO_AUDIT, "time": "2026-05-20T12:00:00Z"}).encode(), "Future"),
        (json.dumps({**MINIO_AUDIT, "time": "2026-05-01T12:00:00Z"}).encode(), "TooOld"),
    ],
)  # fmt: skip
def test_what_can_t_be_counted_says_why_without_what_it_said(value, reason):
    parsed = parse_minio([value], NOW, ())
    assert [one.reason for one in parsed.rejected] == [reason]
    assert len(parsed.table) == 0
    assert "192.0.2.3" not in parsed.rejected[0].shape
