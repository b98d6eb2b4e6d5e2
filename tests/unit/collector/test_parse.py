"""Messages of the access topic: what counts, and what is wrong with the others."""

import datetime as dt
import json

import pytest

from cloudflux.collector import parse as module
from cloudflux.collector.parse import REASONS, parse

NOW = dt.datetime(2026, 3, 14, 12, 0, tzinfo=dt.UTC)


def message(**fields: object) -> bytes:
    given = {
        "id": "e", "time": "2026-03-14T10:00:00.120Z", "op": "read", "uri": "s3://data/a/b.txt",
        "bytes": 10, "latencyMs": 1.5, "principal": "me", **fields,
    }  # fmt: skip
    return json.dumps({k: v for k, v in given.items() if v is not ...}).encode()


GOOD = [message(id=f"e{n}", uri=f"s3://data/k{n}") for n in range(100)]


def test_a_batch_becomes_columns():
    found = parse(GOOD, NOW)
    assert found.rejected == []
    assert found.table["row"].to_pylist() == list(range(100))
    first = found.table.slice(0, 1).to_pylist()[0]
    assert (first["bucket"], first["key"], first["bytes"]) == ("s3://data", "k0", 10)
    assert first["at"] == dt.datetime(2026, 3, 14, 10, 0, 0, 120_000, tzinfo=dt.UTC)
    assert first["read"] is True


@pytest.mark.parametrize(
    ("fields", "bucket", "key"),
    [
        ({"uri": "gs://b/pre/", "key": "x y"}, "gs://b", "pre/x y"),
        ({"uri": "az://account/c/a.bin"}, "az://account", "c/a.bin"),
        ({"uri": "file:///mnt/d/f"}, "file://", "mnt/d/f"),
        ({"uri": "s3://b", "key": "k"}, "s3://b", "k"),
        ({"uri": ..., "dataSetUid": "u-1", "key": "a/b"}, "dataset:u-1", "a/b"),
        ({"time": "2026-03-14T12:00:00+02:00"}, "s3://data", "a/b.txt"),
        ({"bytes": ...}, "s3://data", "a/b.txt"),
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_every_way_to_name_an_object(fields, bucket, key, many):
    found = parse([*(GOOD if many else []), message(**fields)], NOW)
    last = found.table.to_pylist()[-1]
    assert found.rejected == []
    assert (last["bucket"], last["key"]) == (bucket, key)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "Empty"),
        (b" ", "Empty"),
        (b"nope", "InvalidJson"),
        (b'{"id": "cut of', "InvalidJson"),
        (b"[1]", "InvalidField"),
        (b"{}", "InvalidField"),
        (message(op="steal"), "InvalidField"),
        (message(bytes="x"), "InvalidField"),
        (message(bytes=-1), "InvalidField"),
        (message(time="yesterday"), "InvalidField"),
        (message(time="2026-03-14T10:00:00"), "InvalidField"),
        (message(time="2026-03-14T14:00:00Z"), "Future"),
        (message(time="2100-01-01T00:00:00Z"), "Future"),
        (message(time="2026-03-01T10:00:00Z"), "TooOld"),
        (message(uri="plain"), "NoObject"),
        (message(uri="s3://bucket"), "NoObject"),
        (message(uri=...), "NoObject"),
        (message(dataSetUid="u"), "NoObject"),
        (b'"' + b"x" * 10_485_760 + b'"', "TooLarge"),
        (b"\xff\xfe{", "InvalidJson"),
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_what_cannot_be_counted_is_refused_by_name_and_alone(value, reason, many):
    batch = [*GOOD, value, *GOOD] if many else [value]
    found = parse(batch, NOW)
    assert [(one.row, one.reason) for one in found.rejected] == [(100 if many else 0, reason)]
    assert len(found.table) == (200 if many else 0)
    assert reason in REASONS


def test_a_refused_message_says_nothing_of_its_content():
    told = message(op="x", principal="alice@example.com", uri="s3://secret/k")
    [refused] = parse([told], NOW).rejected
    for word in ("alice", "secret", "example"):
        assert word not in refused.shape
        assert word not in refused.message


def test_values_with_line_breaks_are_parsed():
    pretty = json.dumps(json.loads(GOOD[0]), indent=1).encode()
    assert len(parse([*GOOD, pretty], NOW).table) == 101


def test_one_poison_message_does_not_make_the_batch_slow(monkeypatch):
    slow = 0
    original = module._one_by_one

    def counting(part, rejected):
        nonlocal slow
        slow += len(part)
        return original(part, rejected)

    monkeypatch.setattr(module, "_one_by_one", counting)
    parse([*GOOD * 50, b"nope", *GOOD * 50], NOW)
    assert 0 < slow <= 2 * 8
