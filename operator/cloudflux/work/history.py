"""From the access store to what the brain decides on: objects, reads by day, recorded traces."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cloudflux.access.store import AccessStore
from cloudflux.brain.inputs import HISTORY_DAYS, LATE_DAYS, History, Objects, history_from_rows
from cloudflux.brain.replay.families import directory_names
from cloudflux.brain.replay.trace import RawReads, Trace, build_trace

TRACE_DAYS = 730
_LEAST_COVERAGE = 0.95
ID_CHARACTERS = 96
"""Of a longer key the end: what versions and neighbours have in common. Arrays of text take the
longest name's space for each."""
_SECONDS_PER_DAY = 86_400.0
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A data set's history as the replay takes it."""

    trace: Trace
    rows: npt.NDArray[np.intp]
    """Of each object of the trace, its position among the data set's objects."""


def objects_of(inventory: pa.Table, now: dt.datetime) -> Objects:
    """Return the objects of the last listing."""
    today = np.datetime64(now.date(), "D")
    first_seen = inventory["first_seen"].to_numpy().astype("datetime64[D]")
    modified = _ages(inventory["last_modified"], now)
    # An access time before the last write proves no read, but that write.
    accessed = np.minimum(_ages(inventory["last_accessed"], now), modified)
    by_store = inventory["last_accessed"].is_valid().to_numpy()
    return Objects(
        keys=inventory["key"].to_pylist(),
        versions=inventory["version"].to_pylist(),
        storage_class=inventory["storage_class"].to_pylist(),
        size_bytes=inventory["size_bytes"].to_numpy().astype(np.float64),
        age_days=np.maximum((today - first_seen).astype(np.float64), modified),
        days_in_class=modified,
        last_access_days=np.where(by_store, accessed, np.nan),
    )


def _ages(times: pa.ChunkedArray, now: dt.datetime) -> npt.NDArray[np.float64]:
    micros = pc.cast(times, pa.timestamp("us", "UTC")).cast(pa.int64())
    seconds = micros.to_numpy().astype(np.float64) / 1e6
    return np.asarray(np.maximum((now.timestamp() - seconds) / _SECONDS_PER_DAY, 0.0))


def history_of(
    store: AccessStore, data_set_uid: str, now: dt.datetime, objects: Objects
) -> History:
    """Return the last year of reads by object and day."""
    until = now.astimezone(dt.UTC).date()
    since = until - dt.timedelta(days=HISTORY_DAYS - 1)
    reads = store.daily_reads(data_set_uid, since, until)
    complete = _complete_days(store, data_set_uid, since, until)
    rows = _positions(reads, objects)
    return history_from_rows(
        len(objects), rows, reads["day"].to_numpy(), reads["reads"].to_numpy(), complete, until
    )


def trace_of(
    store: AccessStore,
    data_set_uid: str,
    now: dt.datetime,
    objects: Objects,
    *,
    limit: int | None = None,
    seed: int = 0,
    only: npt.NDArray[np.intp] | None = None,
    train_from: int | None = None,
) -> Recorded | None:
    """Return the history up to the last complete day; None where no day is complete.

    It begins after the last gap, unless the signal is complete on 95 % of the days since its
    beginning: a day without a signal is no day without a read. With a `limit` whole directories
    are drawn until there are so many objects; `only` takes just these.
    """
    today = now.astimezone(dt.UTC).date()
    since = today - dt.timedelta(days=TRACE_DAYS)
    complete = _complete_days(store, data_set_uid, since, today)
    if not complete or not len(objects):
        return None
    until = (max(complete) - _EPOCH).days
    reads = store.daily_reads(data_set_uid, since, max(complete))
    ids = np.array([key[-ID_CHARACTERS:] for key in objects.keys], dtype=np.str_)
    born = np.minimum(np.floor((today - _EPOCH).days - objects.age_days), until)
    chosen = _drawn(ids, limit, seed) if only is None else only
    order = chosen[np.argsort(ids[chosen], kind="stable")]
    place = np.full(len(objects) + 1, -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    row = place[_positions(reads, objects)]
    inside = row >= 0
    nothing = np.full(int(inside.sum()), np.nan)
    trace = build_trace(
        ids[order],
        objects.size_bytes[order],
        born[order],
        RawReads(
            row[inside].astype(np.int32),
            reads["day"].to_numpy().astype("datetime64[D]").astype(np.float64)[inside],
            reads["reads"].to_numpy().astype(np.float64)[inside],
            nothing,
            nothing,
            nothing,
        ),
        train_from=_begin(complete) if train_from is None else train_from,
        decide_from=until,
        until=until,
    )
    return Recorded(trace, order.astype(np.intp))


@dataclass(frozen=True, slots=True)
class Totals:
    """Reads and bytes of a whole data set by day, up to the last day known completely."""

    until: dt.date
    reads: npt.NDArray[np.float64]
    size_bytes: npt.NDArray[np.float64]
    known: npt.NDArray[np.bool_]


def totals_of(
    store: AccessStore, data_set_uid: str, now: dt.datetime, objects: Objects
) -> Totals | None:
    """Return the last year by day; None where no day is known completely.

    A read whose bytes were not recorded (access times) is one of the whole object.
    """
    today = now.astimezone(dt.UTC).date()
    since = today - dt.timedelta(days=HISTORY_DAYS)
    complete = _complete_days(store, data_set_uid, since, today)
    if not complete:
        return None
    first, until = min(complete), max(complete)
    rows = store.daily_reads(data_set_uid, first, until)
    place = _positions(rows, objects)
    sizes = np.append(objects.size_bytes, 0.0)[place]
    reads = rows["reads"].to_numpy().astype(np.float64)
    recorded = rows["bytes"].to_numpy().astype(np.float64)
    column = (rows["day"].to_numpy().astype("datetime64[D]") - np.datetime64(first, "D")).astype(
        np.int64
    )
    days = (until - first).days + 1
    known = np.zeros(days, dtype=np.bool_)
    known[[(day - first).days for day in complete]] = True
    read_bytes = np.where(recorded > 0, recorded, reads * sizes)
    return Totals(
        until=until,
        reads=np.asarray(np.bincount(column, weights=reads, minlength=days), np.float64),
        size_bytes=np.asarray(np.bincount(column, weights=read_bytes, minlength=days), np.float64),
        known=known,
    )


def observed_days(store: AccessStore, data_set_uid: str, now: dt.datetime) -> int:
    """Count the days that `trace_of` would return, without reading them."""
    today = now.astimezone(dt.UTC).date()
    complete = _complete_days(store, data_set_uid, today - dt.timedelta(days=TRACE_DAYS), today)
    return (max(complete) - _EPOCH).days - _begin(complete) + 1 if complete else 0


def _complete_days(
    store: AccessStore, data_set_uid: str, since: dt.date, until: dt.date
) -> list[dt.date]:
    coverage = store.coverage(data_set_uid, since, until)
    found: list[dt.date] = coverage.filter(pc.equal(coverage["state"], "complete"))[
        "day"
    ].to_pylist()
    return found


def _begin(complete: list[dt.date]) -> int:
    days = np.unique(np.array([(day - _EPOCH).days for day in complete]))
    if len(days) >= _LEAST_COVERAGE * (days[-1] - days[0] + 1):
        return int(days[0])
    # a day or two of late logs are no gap yet
    gaps = np.flatnonzero(np.diff(days) > LATE_DAYS)
    return int(days[gaps[-1] + 1] if len(gaps) else days[0])


def _positions(reads: pa.Table, objects: Objects) -> npt.NDArray[np.intp]:
    keys = pa.array(objects.keys, pa.string())
    found = pc.index_in(reads["key"], value_set=keys).fill_null(-1)
    return np.asarray(found.to_numpy(), dtype=np.intp)


def _drawn(ids: npt.NDArray[np.str_], limit: int | None, seed: int) -> npt.NDArray[np.intp]:
    if limit is None or len(ids) <= limit:
        return np.arange(len(ids))
    random = np.random.default_rng(seed)
    encoded = directory_names(pa.array(ids, pa.string())).dictionary_encode()
    code = encoded.indices.to_numpy()
    turn = random.permutation(len(encoded.dictionary))[code]
    # directories in random order, and within the last one that fits in part, objects too
    order = np.lexsort((random.random(len(ids)), turn))
    return np.asarray(np.sort(order[:limit]), dtype=np.intp)
