"""Rows of the table of counts, made a column at a time out of anonymous records."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cloudflux.access.hashing import Hashes
from cloudflux.access.tables import COUNTS, shard_of

Mask = npt.NDArray[np.bool_]


def make_row(kind: str, day: dt.date, key: str, **values: object) -> dict[str, object]:
    """Make one row; what is not given is empty."""
    # what is not asked for by key needs no hash buckets
    shard = shard_of(key) if kind in ("reads", "puts") else 0
    empty = {"bucket": "", "requests": 0, "reads": 0, "bytes": 0, "malformed": 0}
    place = {"kind": kind, "month": f"{day:%Y-%m}", "shard": shard, "day": day, "key": key}
    return {**empty, "at": None, "hash": None, **place, **values}


def unseen(hashes: Hashes, seen: Hashes) -> Mask:
    """Which of them are new, each once; 0 stands for nothing that could be known again.

    `seen` is sorted: see `merged`.
    """
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    again = np.zeros(len(hashes), bool)
    again[order[1:]] = ordered[1:] == ordered[:-1]
    if len(seen):
        at = np.minimum(np.searchsorted(seen, ordered), len(seen) - 1)
        again[order] |= seen[at] == ordered
    return np.asarray((hashes == 0) | ~again, bool)


def merged(*hashes: Hashes) -> Hashes:
    """Return all of them in order, as `unseen` asks for; repeats do no harm."""
    return np.sort(np.concatenate(hashes))


def read_rows(records: pa.Table, counted: Mask, today: dt.date) -> pa.Table:
    """Sum up reads by bucket, key and day. `counted`: which records are a read of their own."""
    table = records.append_column("reads", pa.array(counted.astype(np.int64)))
    table = table.filter(table["read"])
    if len(table) == 0:
        return COUNTS.empty_table()
    grouped = (
        table.append_column("day", pc.cast(table["at"], pa.date32()))
        .group_by(["bucket", "key", "day"])
        .aggregate([("bytes", "sum"), ("at", "max"), ("reads", "sum"), ("reads", "count")])
    )
    return filled(
        grouped,
        today,
        "reads",
        {
            "requests": grouped["reads_count"],
            "reads": grouped["reads_sum"],
            "bytes": grouped["bytes_sum"],
            "at": grouped["at_max"],
        },
    )


def put_rows(records: pa.Table, today: dt.date) -> pa.Table:
    """Tell on which day each object was first written."""
    writes = records.filter(pc.invert(records["read"]))
    if len(writes) == 0:
        return COUNTS.empty_table()
    grouped = writes.group_by(["bucket", "key"]).aggregate([("at", "min")])
    days = pc.cast(grouped["at_min"], pa.date32())
    return filled(grouped.append_column("day", days), today, "puts", {})


def seen_rows(signal: str, hashes: Hashes, today: dt.date) -> pa.Table:
    """Keep hashes of what was counted, to know it again."""
    row = {**make_row("seen", today, ""), "signal": signal, "ingested": today}
    return pa.Table.from_arrays(
        [
            pa.array(hashes) if f.name == "hash" else _repeated(row[f.name], f.type, len(hashes))
            for f in COUNTS
        ],
        schema=COUNTS,
    )


def with_signal(rows: pa.Table, signal: str | pa.ChunkedArray) -> pa.Table:
    """Name the signal of all rows, or of each."""
    column = _repeated(signal, pa.string(), len(rows)) if isinstance(signal, str) else signal
    return rows.set_column(COUNTS.get_field_index("signal"), COUNTS.field("signal"), column)


def filled(
    grouped: pa.Table, today: dt.date, kind: str, given: Mapping[str, pa.ChunkedArray]
) -> pa.Table:
    """Make rows of groups by bucket, key and day; what is not given is empty."""
    size = len(grouped)
    columns: dict[str, Any] = {
        "month": pc.strftime(grouped["day"], "%Y-%m"),
        "shard": pa.array([shard_of(key) for key in grouped["key"].to_pylist()]),
        "bucket": grouped["bucket"],
        "key": grouped["key"],
        "day": grouped["day"],
        **given,
    }
    constant = {
        "kind": kind, "signal": "", "ingested": today, "requests": 0, "reads": 0, "bytes": 0,
        "malformed": 0, "at": None, "hash": None,
    }  # fmt: skip
    arrays = [
        columns[f.name].cast(f.type)
        if f.name in columns
        else _repeated(constant[f.name], f.type, size)
        for f in COUNTS
    ]
    return pa.Table.from_arrays(arrays, schema=COUNTS)


def _repeated(value: object, kind: pa.DataType, times: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), times)
