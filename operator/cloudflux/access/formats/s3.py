"""S3 server access logs: text, a column at a time, and the JSON form, line by line.

Nearly all lines have quotes and blanks where the format puts them. Those are cut apart as
columns by Arrow's reader of CSV, which is several times faster than a regular expression for
each; whatever looks any other way goes to `s3logs.parse_line`, which copes with anything.
"""

import csv
import re
from collections.abc import Callable, Iterator
from itertools import compress
from typing import Any, BinaryIO
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from cloudflux.access.formats.base import (
    MAX_LINE_BYTES,
    LogFormat,
    Understood,
    blocks,
    count,
    of_json,
    time_of,
)
from cloudflux.access.records import REQUESTS, TIME, Part, Request, table_of
from cloudflux.access.s3logs import (
    READ_OPERATIONS,
    WRITE_OPERATIONS,
    AccessRecord,
    decode_key,
    parse_line,
)

_FEW_LINES = 48
"""So few are sooner parsed one by one."""
# places of fields in a line that is cut at its blanks: its time has one blank in it
_BUCKET, _TIME, _ZONE, _REQUESTER, _ID, _OPERATION, _KEY, _URI = 1, 2, 3, 5, 6, 7, 8, 9
_STATUS, _SENT, _SIZE, _TOTAL, _TURN_AROUND, _AGENT = 10, 12, 13, 14, 15, 17
_WORDS = pa.dictionary(pa.int32(), pa.string())
_TYPES = {
    _BUCKET: _WORDS, _TIME: pa.string(), _ZONE: _WORDS, _REQUESTER: _WORDS, _ID: pa.string(),
    _OPERATION: _WORDS, _KEY: pa.string(), _URI: pa.string(), _STATUS: _WORDS,
    _SENT: pa.int64(), _SIZE: pa.int64(), _TOTAL: pa.int64(), _TURN_AROUND: pa.int64(),
    _AGENT: pa.string(),
}  # fmt: skip
"""What is read of a line. Of a dictionary each word is looked at once, not each line's."""
_COLUMN_TYPES = {str(place): kind for place, kind in _TYPES.items()}
_OPERATION_SHAPE = re.compile(r"[A-Z][A-Z0-9]{0,15}\.[A-Za-z0-9_.]{1,64}")
_STATUS_SHAPE = re.compile(r"\d{3}|-", re.ASCII)
_TIME_CHARS = 21
_TIME_DIGITS = [1, 2, *range(8, 12), 13, 14, 16, 17, 19, 20]
_TIME_MARKS = [0, 3, 7, 12, 15, 18]
_CODES = sorted(
    (int.from_bytes(name.encode()), number)
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    )
)
_MONTH_NAMES = np.array([code for code, _ in _CODES])
_MONTH_BY_NAME = np.array([number for _, number in _CODES])

Mask = npt.NDArray[np.bool_]


def _read(stream: BinaryIO, growing: bool) -> Iterator[Part]:
    problems: list[str] = []
    for block in blocks(stream, problems, growing=growing):
        yield parse_block(block)
    if problems:
        last = Part(table_of(()))
        last.reject_all(problems)
        yield last


def parse_block(block: bytes) -> Part:
    """Parse whole lines. Never raises for what they hold."""
    ordinary, odd = _ordinary(block)
    part = Part(table_of(()), lines=len(ordinary) + len(odd))
    tables: list[pa.Table] = []
    odd += _by_column(ordinary, part, tables)
    part.requests = pa.concat_tables([*tables, _one_by_one(odd, part)])
    return part


def _ordinary(block: bytes) -> tuple[list[bytes], list[bytes]]:
    """Lines that may be cut apart together, and those that would not be what they are then."""
    if not block.isascii():
        block = block.decode("utf-8", "replace").encode()
    lines = block.split(b"\n")
    if b"\r" in block:
        lines = [line.rstrip(b"\r") for line in lines]
    lines = [line for line in lines if line]
    if b"\r" not in block and len(max(lines, key=len, default=b"")) <= MAX_LINE_BYTES:
        return lines, []
    good = [b"\r" not in line and len(line) <= MAX_LINE_BYTES for line in lines]
    return list(compress(lines, good)), [n for n, fits in zip(lines, good, strict=True) if not fits]


def _by_column(lines: list[bytes], part: Part, tables: list[pa.Table]) -> list[bytes]:
    """Cut lines apart by their number of fields; returns those that are no such lines."""
    if len(lines) < _FEW_LINES or lines[0].startswith(b"{"):
        return lines
    guess = next(csv.reader([lines[0].decode()], delimiter=" ", doublequote=False))
    rest, others = _by_width(lines, len(guess), part, tables)
    for width, some in others.items():
        left, more = _by_width(some, width, part, tables)
        rest += left + [line for lines_of_width in more.values() for line in lines_of_width]
    return rest


def _by_width(
    lines: list[bytes], width: int, part: Part, tables: list[pa.Table]
) -> tuple[list[bytes], dict[int, list[bytes]]]:
    """Take lines of so many fields; returns what is wrong with fields, and others by their number.

    When a line can't be told from the next one, or a number is none, they are halved until it
    stands among a few.
    """
    if len(lines) < _FEW_LINES or width <= _AGENT:
        return lines, {}
    found = _cut(lines, width)
    if found is None:
        half = len(lines) // 2
        rest, others = _by_width(lines[:half], width, part, tables)
        more, further = _by_width(lines[half:], width, part, tables)
        for number, some in further.items():
            others.setdefault(number, []).extend(some)
        return rest + more, others
    table, there, others = found
    at, good = _times(table[str(_TIME)])
    good &= _valid(table)
    days, each = np.unique(at[good].astype("M8[D]"), return_counts=True)
    for day, lines_of_day in zip(days.tolist(), each.tolist(), strict=True):
        part.note(day, lines_of_day)
    tables.append(_columns(table, at, good))
    return [lines[n] for n in there[~good].tolist()], others


def _cut(
    lines: list[bytes], width: int
) -> tuple[pa.Table, npt.NDArray[np.int64], dict[int, list[bytes]]] | None:
    """Columns of lines, which lines they are, and the others by their number of fields."""
    others: dict[int, list[bytes]] = {}
    there = np.ones(len(lines), bool)

    def keep(row: Any) -> str:
        if row.number <= len(lines):
            there[row.number - 1] = False
            others.setdefault(row.actual_columns, []).append(lines[row.number - 1])
        return "skip"

    body = b"\n".join(lines)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(
                use_threads=False,
                block_size=len(body) + 1,
                column_names=[str(place) for place in range(width)],
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=" ", double_quote=False, invalid_row_handler=keep
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=list(_COLUMN_TYPES), column_types=_COLUMN_TYPES,
                null_values=["-"], strings_can_be_null=False, check_utf8=False,
            ),
        )  # fmt: skip
    except pa.ArrowInvalid:
        return None
    # a quote that nothing closes would take the next line in
    whole = len(table) == np.count_nonzero(there)
    return (table.combine_chunks(), np.flatnonzero(there), others) if whole else None


def _one_by_one(lines: list[bytes], part: Part) -> pa.Table:
    found = []
    for raw in lines:
        line = raw.decode("utf-8", "replace")
        understood = _parse_any(line)
        if understood is None:
            part.reject(line)
            continue
        part.note(understood.at.date())
        if understood.request is not None:
            found.append(understood.request)
    return table_of(found)


def _parse_any(line: str) -> Understood | None:
    if line.startswith("{"):
        return of_json(line, _parse_json) if len(line) <= MAX_LINE_BYTES else None
    record = parse_line(line)
    return None if record is None else _understood(record)


def _understood(record: AccessRecord) -> Understood:
    if not (record.is_read or record.is_write):
        return Understood(record.time)
    request = Request(
        bucket=record.bucket,
        key=record.key or "",
        at=record.time,
        read=record.is_read,
        partial=record.status == 206,
        bytes=record.bytes_sent,
        first_byte_millis=record.first_byte_millis,
        operation=record.operation,
        request_id=record.request_id,
        principal=record.requester,
        user_agent=record.user_agent,
    )
    return Understood(record.time, request)


def _parse_json(entry: dict[str, Any]) -> Understood:
    """Parse the JSON form: the same fields by name, absent ones null."""
    key = entry.get("key_name", entry.get("key"))
    status, turn = entry.get("http_status"), entry.get("turn_around_time")
    record = AccessRecord(
        bucket=str(entry.get("bucket_name") or entry["bucket_arn"].rpartition(":")[2]),
        time=time_of(entry["request_time"]),
        requester=str(entry.get("requester") or ""),
        request_id=str(entry.get("request_id") or ""),
        operation=str(entry["operation"] or ""),
        key=decode_key(key, str(entry.get("request_uri") or "")) if key else None,
        status=None if status in (None, "-") else count(status),
        bytes_sent=count(entry.get("bytes_sent")),
        user_agent=str(entry.get("user_agent") or ""),
        first_byte_millis=None if turn in (None, "-") else count(turn),
    )
    return _understood(record)


# -- columns -----------------------------------------------------------------------------


def _valid(table: pa.Table) -> Mask:
    """Which lines have in their fields what belongs there; times are looked at elsewhere."""
    good = _fits(table[str(_OPERATION)], _OPERATION_SHAPE.fullmatch)
    good &= _fits(table[str(_STATUS)], _STATUS_SHAPE.fullmatch)
    good &= _fits(table[str(_ZONE)], lambda zone: zone == "+0000]")
    good &= _fits(table[str(_BUCKET)], bool) & _fits(table[str(_REQUESTER)], bool)
    for place in (_ID, _KEY):
        good &= np.asarray(pc.binary_length(table[str(place)])) > 0
    for place in (_SENT, _SIZE, _TOTAL, _TURN_AROUND):
        good &= np.asarray(pc.greater_equal(pc.fill_null(table[str(place)], 0), 0))
    for place in (_URI, _AGENT):  # with quotes of its own: where it ends is for others to say
        good &= ~np.asarray(pc.match_substring(table[str(place)], '"'))
    return good


def _fits(column: pa.ChunkedArray, holds: Callable[[str], object]) -> Mask:
    words = column.combine_chunks()
    fitting = np.array([bool(holds(word)) for word in words.dictionary.to_pylist()], bool)
    return np.asarray(fitting[words.indices.to_numpy()])


def _times(column: pa.ChunkedArray) -> tuple[npt.NDArray[Any], Mask]:
    """Times of lines, `[06/Feb/2019:00:00:38`, and which are times at all."""
    right = pc.equal(pc.binary_length(column), _TIME_CHARS)
    texts = pc.if_else(right, column, " " * _TIME_CHARS).combine_chunks()
    joined = pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "")
    letters = np.frombuffer(joined[0].as_buffer(), np.uint8).reshape(-1, _TIME_CHARS)
    digits = letters.astype(np.int64) - ord("0")
    real = ((digits[:, _TIME_DIGITS] >= 0) & (digits[:, _TIME_DIGITS] <= 9)).all(axis=1)
    real &= (letters[:, _TIME_MARKS] == np.frombuffer(b"[//:::", np.uint8)).all(axis=1)
    day, hour, minute, second = (10 * digits[:, n] + digits[:, n + 1] for n in (1, 13, 16, 19))
    year = np.where(real, digits[:, 8:12] @ np.array([1000, 100, 10, 1]), 1970)
    name = letters[:, 4:7].astype(np.int64) @ np.array([65_536, 256, 1])
    nearest = np.searchsorted(_MONTH_NAMES, name) % 12
    start = (year - 1970).astype("M8[Y]").astype("M8[M]") + _MONTH_BY_NAME[nearest].astype("m8[M]")
    date = start.astype("M8[D]") + np.where(real, day - 1, 0).astype("m8[D]")
    real &= _MONTH_NAMES[nearest] == name
    real &= (day > 0) & (date.astype("M8[M]") == start)
    real &= (hour < 24) & (minute < 60) & (second < 60) & (year > 1970)
    clock = (3600 * hour + 60 * minute + second).astype("m8[s]")
    return (date.astype("M8[s]") + clock).astype("M8[us]"), real


def _columns(table: pa.Table, at: npt.NDArray[Any], good: Mask) -> pa.Table:
    """Reads and writes of content among good lines, as rows of REQUESTS."""
    status, operation = table[str(_STATUS)], table[str(_OPERATION)]
    read = _fits(operation, READ_OPERATIONS.__contains__)
    read &= _fits(status, {"200", "206"}.__contains__)
    write = _fits(operation, WRITE_OPERATIONS.__contains__)
    write &= _fits(status, {"200"}.__contains__)
    wanted = good & (read | write) & np.asarray(pc.not_equal(table[str(_KEY)], "-"))
    partial = _fits(status, {"206"}.__contains__)
    chosen = table.filter(pa.array(wanted))
    bucket, operation, requester = (
        chosen[str(place)].cast(pa.string()) for place in (_BUCKET, _OPERATION, _REQUESTER)
    )
    columns = [
        bucket, chosen[str(_KEY)], pa.array(at[wanted], TIME), pa.array(read[wanted]),
        pa.array(partial[wanted]), pc.fill_null(chosen[str(_SENT)], 0),
        chosen[str(_TURN_AROUND)], operation, _text(chosen[str(_ID)]), _text(requester),
        _text(chosen[str(_AGENT)]),
    ]  # fmt: skip
    found = pa.Table.from_arrays(columns, schema=REQUESTS)
    return _decoded(found, chosen[str(_URI)])


def _decoded(table: pa.Table, uri: pa.StringArray) -> pa.Table:
    """Decode keys, each once; the few that are encoded twice by what was asked for."""
    keys = table["key"].combine_chunks()
    if not pc.any(pc.match_substring(keys, "%")).as_py():
        return table
    plain = pa.array(_unquoted(keys.to_pylist()), pa.string())
    twice = np.flatnonzero(np.asarray(pc.match_substring(plain, "%")))
    if len(twice):
        texts = plain.to_pylist()
        for n in twice.tolist():
            texts[n] = decode_key(keys[n].as_py(), uri[n].as_py())
        plain = pa.array(texts, pa.string())
    return table.set_column(1, "key", plain)


def _unquoted(keys: list[str]) -> list[str]:
    # all at once costs a fraction of one by one; a key with a line break in it shows
    found = unquote("\n".join(keys)).split("\n")
    return found if len(found) == len(keys) else [unquote(key) for key in keys]


def _text(column: pa.StringArray) -> pa.Array:
    return pc.if_else(pc.equal(column, "-"), "", column)


S3_TEXT = LogFormat("s3logs", _read)
