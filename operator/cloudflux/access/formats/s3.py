"""S3 server access logs: text, a column at a time, and the JSON form, line by line.

Nearly all lines have quotes and blanks where the format puts them. Those are cut apart as
columns, which is several times faster than a regular expression for each; whatever looks any
other way goes to `s3logs.parse_line`, which copes with anything.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cloudflux.access.formats.base import (
    MAX_LINE_BYTES,
    LogFormat,
    Understood,
    blocks,
    count,
    lines_of,
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
_HEAD = (
    r"^\S+ \S+ \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000\] \S+ \S+ \S+"
    r" [A-Z][A-Z0-9]{0,15}\.[A-Za-z0-9_.]{1,64} \S+ $"
)
_NUMBERS = r"^ (\d{3}|-) \S+ (\d{1,18}|-) (\d{1,18}|-) (\d{1,18}|-) (\d{1,18}|-) $"
_BUCKET, _TIME, _REQUESTER, _ID, _OPERATION, _KEY = 1, 2, 5, 6, 7, 8
_STATUS, _SENT, _TURN_AROUND = 1, 3, 6
_TIME_CHARS = 21
_CODES = sorted(
    (int.from_bytes(name.encode()), number)
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    )
)
_MONTH_NAMES = np.array([code for code, _ in _CODES])
_MONTH_BY_NAME = np.array([number for _, number in _CODES])


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
    lines = lines_of(block)
    part = Part(table_of(()), lines=len(lines))
    if len(lines) < _FEW_LINES:
        return _one_by_one(lines, part)
    column = pa.array(lines, pa.string())
    quoted = pc.split_pattern(column, '"')
    quotes = np.asarray(pc.list_value_length(quoted)) == 7
    quotes &= np.asarray(pc.utf8_length(column)) <= MAX_LINE_BYTES
    head, uri, numbers, between, agent = _every(quoted.filter(pa.array(quotes)), 7, 0, 1, 2, 4, 5)
    good = pc.and_(
        pc.and_(pc.match_substring_regex(head, _HEAD), pc.equal(between, " ")),
        pc.match_substring_regex(numbers, _NUMBERS),
    )
    at, known = _times(head.filter(good))
    fast = np.flatnonzero(quotes)[np.asarray(good)][known]
    rest = np.ones(len(lines), bool)
    rest[fast] = False
    chosen = pa.array(known)
    head, uri, numbers, agent = (
        one.filter(good).filter(chosen) for one in (head, uri, numbers, agent)
    )
    days, each = np.unique(at[known].astype("M8[D]"), return_counts=True)
    for day, lines_of_day in zip(days.tolist(), each.tolist(), strict=True):
        part.note(day, lines_of_day)
    table = _columns(head, uri, numbers, agent, at[known])
    slow = _one_by_one([lines[n] for n in np.flatnonzero(rest)], part)
    part.requests = pa.concat_tables([table, slow.requests])
    return part


def _one_by_one(lines: list[str], part: Part) -> Part:
    found = []
    for line in lines:
        understood = _parse_any(line)
        if understood is None:
            part.reject(line)
            continue
        part.note(understood.at.date())
        if understood.request is not None:
            found.append(understood.request)
    part.requests = table_of(found)
    return part


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


# -- a column at a time ------------------------------------------------------------------


def _every(lists: pa.ListArray, width: int, *places: int) -> list[pa.StringArray]:
    """Return the values at some places of lists that are all so long."""
    flat = lists.flatten()
    starts = np.arange(0, len(flat), width)
    return [flat.take(pa.array(starts + place)) for place in places]


def _times(head: pa.StringArray) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Times of lines, and which are times at all; that they are 21 characters was looked at."""
    texts = _every(pc.split_pattern(head, " "), 10, _TIME)[0]
    joined = pc.binary_join(pa.array([texts.to_pylist()], pa.list_(pa.string())), "")
    letters = np.frombuffer(joined[0].as_buffer(), np.uint8).reshape(-1, _TIME_CHARS)
    digits = letters.astype(np.int64) - ord("0")
    day, hour, minute, second = (10 * digits[:, n] + digits[:, n + 1] for n in (1, 13, 16, 19))
    year = digits[:, 8:12] @ np.array([1000, 100, 10, 1])
    name = letters[:, 4:7].astype(np.int64) @ np.array([65_536, 256, 1])
    month = _MONTH_BY_NAME[np.searchsorted(_MONTH_NAMES, name) % 12]
    start = (year - 1970).astype("M8[Y]").astype("M8[M]") + month.astype("m8[M]")
    date = start.astype("M8[D]") + (day - 1).astype("m8[D]")
    real = _MONTH_NAMES[np.searchsorted(_MONTH_NAMES, name) % 12] == name
    real &= (day > 0) & (date.astype("M8[M]") == start)
    real &= (hour < 24) & (minute < 60) & (second < 60) & (year > 1970)
    clock = (3600 * hour + 60 * minute + second).astype("m8[s]")
    return (date.astype("M8[s]") + clock).astype("M8[us]"), real


def _columns(
    head: pa.StringArray,
    uri: pa.StringArray,
    numbers: pa.StringArray,
    agent: pa.StringArray,
    at: npt.NDArray[Any],
) -> pa.Table:
    """Reads and writes of content, as rows of REQUESTS."""
    bucket, requester, identity, operation, key = _every(
        pc.split_pattern(head, " "), 10, _BUCKET, _REQUESTER, _ID, _OPERATION, _KEY
    )
    status, sent, turn = _every(pc.split_pattern(numbers, " "), 8, _STATUS, _SENT, _TURN_AROUND)
    read = pc.and_(
        pc.is_in(operation, pa.array(sorted(READ_OPERATIONS))),
        pc.is_in(status, pa.array(["200", "206"])),
    )
    write = pc.and_(
        pc.is_in(operation, pa.array(sorted(WRITE_OPERATIONS))), pc.equal(status, "200")
    )
    wanted = pc.and_(pc.or_(read, write), pc.not_equal(key, "-"))
    columns = [
        bucket, key, pa.array(at, TIME), read, pc.equal(status, "206"), _number(sent, 0),
        _number(turn, None), operation, _text(identity), _text(requester), _text(agent),
    ]  # fmt: skip
    table = pa.Table.from_arrays(columns, schema=REQUESTS).filter(wanted)
    return _decoded(table, uri.filter(wanted))


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


def _number(column: pa.StringArray, absent: int | None) -> pa.Array:
    none = pa.scalar(None if absent is None else str(absent), pa.string())
    return pc.if_else(pc.equal(column, "-"), none, column).cast(pa.int64())


def _text(column: pa.StringArray) -> pa.Array:
    return pc.if_else(pc.equal(column, "-"), "", column)


S3_TEXT = LogFormat("s3logs", _read)
