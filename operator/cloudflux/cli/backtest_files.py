"""Histories in Parquet files, read into arrays and written from them."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cloudflux.brain.replay.behaviours import History
from cloudflux.brain.replay.fees import Fees
from cloudflux.brain.replay.ledger import Journal
from cloudflux.brain.replay.trace import RawReads, Trace, build_trace
from cloudflux.errors import ConfigurationError

Array = npt.NDArray[np.float64]
EPOCH = dt.date(1970, 1, 1)


def read_trace(
    reads: Path, objects: Path, *, train_from: dt.date | None, decide_from: dt.date, until: dt.date
) -> Trace:
    """Read both files and clean them. Raises ConfigurationError that names what is wrong."""
    if not (train_from or decide_from) <= decide_from <= until:
        raise ConfigurationError(
            f"--train-from {train_from or 'absent'}, --decide-from {decide_from} and "
            f"--until {until} must come in this order"
        )
    things = _table(objects, ("object_id",), ("size_bytes", "first_day"))
    ids = _texts(things["object_id"])
    size, first = _numbers(things, "size_bytes"), _days(things, "first_day")
    keep = _first_of_each(ids)
    ids, size, first = ids[keep], size[keep], first[keep]
    rows = _table(reads, ("object_id", "day", "reads"), ("ingest_day", "bytes_read", "requests"))
    raw = RawReads(
        row=_positions(rows["object_id"], ids),
        day=_days(rows, "day"),
        reads=_numbers(rows, "reads"),
        seen=_days(rows, "ingest_day"),
        bytes_read=_numbers(rows, "bytes_read"),
        requests=_numbers(rows, "requests"),
    )
    return build_trace(
        ids,
        size,
        first,
        raw,
        train_from=None if train_from is None else day_number(train_from),
        decide_from=day_number(decide_from),
        until=day_number(until),
    )


def write_decisions(path: Path, trace: Trace, fees: Fees, moves: Journal) -> None:
    """Write one row per move, ordered by day and object."""
    order = np.lexsort((moves.row, moves.day))
    names = np.asarray(fees.names, dtype=object)
    table = pa.table(
        {
            "object_id": pa.array(trace.ids[moves.row[order]].tolist(), pa.string()),
            "day": pa.array(moves.day[order], pa.int32()).cast(pa.date32()),
            "from_class": pa.array(names[moves.source[order]].tolist(), pa.string()),
            "to_class": pa.array(names[moves.target[order]].tolist(), pa.string()),
            "reason": pa.array(moves.reason[order].tolist(), pa.string()),
            "expected_saving": pa.array(moves.saving[order], pa.float64()),
            "confidence": pa.array(moves.confidence[order], pa.float64()),
        }
    )
    pq.write_table(table, path)


def write_history(reads: Path, objects: Path, history: History, start: dt.date) -> None:
    """Write a synthetic history that begins on a day."""
    begin = day_number(start)
    ids = np.asarray(history.ids, dtype=object)

    def days(numbers: npt.NDArray[np.int64]) -> pa.Array:
        return pa.array((numbers + begin).astype(np.int32), pa.int32()).cast(pa.date32())

    rows = {
        "object_id": pa.array(ids[history.row].tolist(), pa.string()),
        "day": days(history.day),
        "reads": pa.array(history.reads, pa.int64()),
    }
    things = {
        "object_id": pa.array(history.ids, pa.string()),
        "size_bytes": pa.array(history.size_bytes, pa.int64()),
        "first_day": days(history.first_day),
    }
    pq.write_table(pa.table(rows), reads)
    pq.write_table(pa.table(things), objects)


def day_option(text: str, option: str) -> dt.date:
    """Read a day of the command line. Raises ConfigurationError that names the option."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{option} {text}: write a day as YYYY-MM-DD") from error


def day_number(day: dt.date) -> int:
    """Return whole days since 1970-01-01."""
    return (day - EPOCH).days


def _table(path: Path, needed: tuple[str, ...], optional: tuple[str, ...]) -> pa.Table:
    try:
        names = pq.read_schema(path).names
        missing = [name for name in needed if name not in names]
        if missing:
            raise ConfigurationError(
                f"{path} has no column {', '.join(missing)}; it has {', '.join(names) or 'none'}"
            )
        columns = [name for name in (*needed, *optional) if name in names]
        return pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise ConfigurationError(f"{path} can't be read as Parquet: {error}") from error


def _texts(column: Any) -> npt.NDArray[np.str_]:
    texts = pc.fill_null(column.cast(pa.string()), "")
    return np.asarray(texts.to_pylist() or [], dtype=np.str_)


def _numbers(table: pa.Table, name: str) -> Array:
    """Return a column as floats; NaN where missing, or where there is no such column."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table[name]
    try:
        if pa.types.is_decimal(column.type) or pa.types.is_string(column.type):
            column = pc.cast(column, pa.float64())
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    except pa.ArrowException as error:
        raise ConfigurationError(f"column {name} must hold numbers: {error}") from error


def _days(table: pa.Table, name: str) -> Array:
    """Return a column of dates, times or ISO text as day numbers; NaN where missing."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table[name]
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_timestamp(column.type):
            column = pc.cast(pc.floor_temporal(column, unit="day"), pa.date32(), safe=False)
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(column), 0, 10)
            blank = pc.equal(column, "")
            column = pc.cast(pc.if_else(blank, pa.scalar(None, column.type), column), pa.date32())
        elif not pa.types.is_null(column.type):
            column = column.cast(pa.date32())
        numbers = column.cast(pa.int32()).cast(pa.float64())
        return np.asarray(numbers.to_numpy(), dtype=np.float64)
    except pa.ArrowException as error:
        raise ConfigurationError(f"column {name} must hold days: {error}") from error


def _positions(column: Any, ids: npt.NDArray[np.str_]) -> npt.NDArray[np.int32]:
    """Return where each row's object is in `ids`; -1 where it is not."""
    coded = column.cast(pa.string()).combine_chunks()
    coded = coded.dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    place = {name: position for position, name in enumerate(ids.tolist())}
    known = np.array([place.get(name, -1) for name in coded.dictionary.to_pylist()] + [-1])
    codes = pc.fill_null(coded.indices, len(known) - 1).to_numpy()
    return np.asarray(known[codes], dtype=np.int32)


def _first_of_each(ids: npt.NDArray[np.str_]) -> npt.NDArray[np.intp]:
    """Keep the first row of each object; rows without a name are left out."""
    _, first = np.unique(ids, return_index=True)
    return np.sort(first[ids[first] != ""]) if len(ids) else first
