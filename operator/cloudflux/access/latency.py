"""How long reads waited for their first byte, kept by class of latency, object and day.

Only slow reads have a row of their own object: the quick ones are known from the counts of
reads. One row a bucket and day says that times are told there at all.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from cloudflux.access.freshness import ATIME_SIGNAL
from cloudflux.access.places import Place
from cloudflux.access.queries import select
from cloudflux.access.rows import filled
from cloudflux.access.tables import COUNTS

KIND = "latency"
QUICK_MILLIS = 64
"""No class of any store is slower by itself; what is quicker is not told apart."""
CLASSES_PER_DOUBLING = 4
"""So that a class is 19 % wide."""
MAX_MILLIS = 2**22
SLOW_SHARE = 0.05
MIN_READS = 20
"""Fewer reads have no 95th percentile that is worth an alarm."""


@dataclass(frozen=True, slots=True)
class FirstByte:
    """The 95th percentile of the time to the first byte, rounded up to its class."""

    millis: int
    reads: int


def latency_rows(records: pa.Table, today: dt.date) -> pa.Table:
    """Return rows of slow reads, and one a bucket and day for all that told their time.

    `records` has the columns bucket, key, at, read and first_byte_millis.
    """
    told = records.filter(pc.and_(records["read"], pc.is_valid(records["first_byte_millis"])))
    if len(told) == 0:
        return COUNTS.empty_table()
    told = told.append_column("day", pc.cast(told["at"], pa.date32()))
    told = told.append_column("bound", class_of(told["first_byte_millis"]))
    slow = told.filter(pc.greater(told["bound"], 0))
    whose = ["bucket", "key", "day", "bound"]
    tables = [slow.group_by(whose).aggregate([([], "count_all")])]
    days = told.group_by(["bucket", "day"]).aggregate([([], "count_all")])
    days = days.append_column("key", pa.repeat("", len(days)))
    days = days.append_column("bound", pa.repeat(pa.scalar(0, pa.int64()), len(days)))
    tables.append(days.select(tables[0].column_names))
    return pa.concat_tables(
        filled(one, today, KIND, {"requests": one["count_all"], "bytes": one["bound"]})
        for one in tables
    )


def class_of(millis: pa.ChunkedArray) -> pa.Array:
    """Return the upper bound of each value's class in milliseconds; 0 for the quick ones."""
    values = np.clip(millis.to_numpy().astype(np.float64), 1, MAX_MILLIS)
    steps = np.ceil(np.log2(values / QUICK_MILLIS) * CLASSES_PER_DOUBLING)
    bounds = np.rint(QUICK_MILLIS * 2 ** (steps / CLASSES_PER_DOUBLING)).astype(np.int64)
    return pa.array(np.where(steps > 0, bounds, 0), pa.int64())


def first_byte(
    table: DeltaTable, places: Sequence[Place], since: dt.date, until: dt.date
) -> FirstByte | None:
    """Return what reads of these places waited on these days, both included.

    None where no signal tells it, or too few were read. Of several signals the one that saw
    the most counts.
    """
    found: dict[str, list[tuple[pa.Table, int]]] = {}
    for place in places:
        if place.signal.startswith(ATIME_SIGNAL):
            continue
        start = max(since, place.since)
        anywhere = Place(place.signal, place.bucket, "", place.since)
        told = select(table, KIND, anywhere, start, until, ["key", "requests", "bytes"])
        if len(told) == 0:
            continue
        slow = told.filter(
            pc.and_(pc.greater(told["bytes"], 0), pc.starts_with(told["key"], place.prefix))
        )
        reads = select(table, "reads", place, start, until, ["requests"])["requests"]
        found.setdefault(place.signal, []).append((slow, pc.sum(reads).as_py() or 0))
    totals = {signal: sum(n for _, n in parts) for signal, parts in found.items()}
    best = max(totals, key=lambda signal: totals[signal], default=None)
    if best is None or totals[best] < MIN_READS:
        return None
    slow = pa.concat_tables([table for table, _ in found[best]])
    return FirstByte(_percentile(slow, totals[best]), totals[best])


def _percentile(slow: pa.Table, reads: int) -> int:
    by_class = slow.group_by("bytes").aggregate([("requests", "sum")])
    slower = 0
    for row in by_class.sort_by([("bytes", "descending")]).to_pylist():
        slower += row["requests_sum"]
        if slower > SLOW_SHARE * reads:
            return int(row["bytes"])
    return QUICK_MILLIS
