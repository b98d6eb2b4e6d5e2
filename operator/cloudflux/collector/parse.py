"""Messages of the access topic: a batch in, columns out, and what is wrong with the others.

A batch is parsed at once, by Arrow. When it holds a message that Arrow can't parse, it is halved
until the culprits stand alone, so that a few poison messages cost little.
"""

import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json
from pydantic import ValidationError

from cloudflux.access.records import redact
from cloudflux.api.event_data import AccessOperation

MAX_MESSAGE_BYTES = 64 * 1024
"""Larger ones are dead letters: an operation needs a hundredth of it."""
MAX_FUTURE = dt.timedelta(hours=1)
"""Clocks differ; what lies further ahead is refused."""
MAX_AGE = dt.timedelta(days=7)
"""Older events are refused: their day has been decided on, and repeats are not known any more."""
SHAPE_CHARS = 256
_SMALL = 8

_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("time", pa.string()),
        ("op", pa.string()),
        ("uri", pa.string()),
        ("dataSetUid", pa.string()),
        ("key", pa.string()),
        ("bytes", pa.int64()),
        ("principal", pa.string()),
        ("latencyMs", pa.float64()),
    ]
)
COLUMNS = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("read", pa.bool_()),
        ("bucket", pa.string()),
        ("key", pa.string()),
        ("bytes", pa.int64()),
        ("first_byte_millis", pa.int64()),
        ("principal", pa.string()),
        ("counts", pa.bool_()),
        ("proves", pa.bool_()),
    ]
)
"""`row` is the place in the batch; `bucket` says scheme and bucket, or `dataset:UID`;
`counts`: it is demand; `proves`: reads of its bucket are told on that day."""

_TIME = pa.timestamp("us", "UTC")
_ZONE = r"(Z|[+-][0-9]{2}:?[0-9]{2})$"
_URI = r"^(?P<bucket>[a-z][a-z0-9+.-]*://[^/]*)/*(?P<path>.*)$"


class Rejected(NamedTuple):
    """One message that can't be counted."""

    row: int
    reason: str
    message: str
    size_bytes: int
    shape: str


@dataclass(slots=True)
class Parsed:
    """What a batch held."""

    table: pa.Table
    rejected: list[Rejected] = field(default_factory=list)


def parse(values: Sequence[bytes | None], now: dt.datetime) -> Parsed:
    """Parse a batch of messages. Never raises for what they hold."""
    rejected: list[Rejected] = []
    usable = screen(values, rejected)
    tables: list[pa.Table] = []
    _parse_part(usable, now, tables, rejected)
    table = pa.concat_tables(tables) if tables else COLUMNS.empty_table()
    return Parsed(table, rejected)


def screen(values: Sequence[bytes | None], rejected: list[Rejected]) -> list[tuple[int, bytes]]:
    """Leave out messages that are empty or too large."""
    if all(value and len(value) <= MAX_MESSAGE_BYTES and not value.isspace() for value in values):
        return list(enumerate(filter(None, values)))  # as good as always
    usable: list[tuple[int, bytes]] = []
    for row, value in enumerate(values):
        if value is None or not value.strip():
            rejected.append(reject(row, value, "Empty", "the message has no value"))
        elif len(value) > MAX_MESSAGE_BYTES:
            limit = f"the message is larger than {MAX_MESSAGE_BYTES} bytes"
            rejected.append(reject(row, value, "TooLarge", limit))
        else:
            usable.append((row, value))
    return usable


def _parse_part(
    part: list[tuple[int, bytes]],
    now: dt.datetime,
    tables: list[pa.Table],
    rejected: list[Rejected],
) -> None:
    if not part:
        return
    found = _by_arrow(part) if len(part) > _SMALL else None
    if found is None and len(part) > _SMALL:
        half = len(part) // 2
        _parse_part(part[:half], now, tables, rejected)
        _parse_part(part[half:], now, tables, rejected)
        return
    if found is None:
        found = _one_by_one(part, rejected)
    good = _valid(found, now)
    tables.append(_columns(found.filter(good)))
    values = dict(part)
    others = found.filter(pc.invert(good))["row"].to_pylist()
    rejected.extend(_why(row, values[row], now) for row in others)


def _by_arrow(part: list[tuple[int, bytes]]) -> pa.Table | None:
    """Parse all of them at once; None when one of them is no JSON object of the right types."""
    joined = b"\n".join([value for _, value in part])
    if joined.count(b"\n") != len(part) - 1:
        return None
    try:
        table = arrow_json.read_json(
            io.BytesIO(joined),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(joined) + 1),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=_SCHEMA, unexpected_field_behavior="ignore"
            ),
        )
        if (
            len(table) != len(part)
            or not pc.all(pc.match_substring_regex(pc.fill_null(table["time"], ""), _ZONE)).as_py()
        ):
            return None
        time = pc.cast(table["time"], _TIME)
    except pa.ArrowInvalid:
        return None
    table = table.set_column(table.schema.get_field_index("time"), "time", time)
    return table.append_column("row", pa.array([row for row, _ in part], pa.int64()))


def _one_by_one(part: list[tuple[int, bytes]], rejected: list[Rejected]) -> pa.Table:
    found: list[dict[str, Any]] = []
    for row, value in part:
        try:
            parsed = AccessOperation.model_validate_json(value)
        except ValidationError as error:
            rejected.append(_invalid(row, value, error))
            continue
        data = parsed.model_dump(by_alias=True, include=set(_FIELDS))
        if parsed.time.tzinfo is None:
            text = "time has no time zone: write it as 2026-03-14T10:00:00Z"
            rejected.append(reject(row, value, "InvalidField", text))
            continue
        found.append({**data, "row": row})
    schema = _SCHEMA.set(1, pa.field("time", _TIME)).append(pa.field("row", pa.int64()))
    return pa.Table.from_pylist(found, schema)


_FIELDS = ("id", "time", "op", "uri", "data_set_uid", "key", "bytes", "principal", "latency_ms")


def _valid(table: pa.Table, now: dt.datetime) -> pa.Array:
    time, uri, uid, key = (table[name] for name in ("time", "uri", "dataSetUid", "key"))
    text = pc.fill_null(uri, "")
    whole = pc.match_substring_regex(text, r"^[a-z][a-z0-9+.-]*://[^/]*/+[^/]")
    above = pc.and_(pc.match_substring_regex(text, _URI), pc.is_valid(key))
    by_uri = pc.or_(whole, above)
    named = pc.or_(
        pc.and_(by_uri, pc.is_null(uid)),
        pc.and_(pc.and_(pc.is_valid(uid), pc.is_valid(key)), pc.is_null(uri)),
    )
    size = pc.fill_null(table["bytes"], 0)
    conditions = (
        pc.is_in(table["op"], pa.array(["read", "write"])),
        pc.less_equal(time, pa.scalar(now + MAX_FUTURE, _TIME)),
        pc.greater_equal(time, pa.scalar(now - MAX_AGE, _TIME)),
        pc.greater_equal(size, 0),
        pc.greater_equal(pc.fill_null(table["latencyMs"], 0.0), 0.0),
        named,
    )
    good = pc.fill_null(conditions[0], False)
    for one in conditions[1:]:
        good = pc.and_(good, pc.fill_null(one, False))
    return good


def _columns(table: pa.Table) -> pa.Table:
    """Bring valid rows into the form that is counted."""
    parts = pc.extract_regex(pc.fill_null(table["uri"], "://"), _URI)
    bucket = pc.struct_field(parts, "bucket")
    path = pc.struct_field(parts, "path")
    key, uid = table["key"], table["dataSetUid"]
    below = pc.binary_join_element_wise(
        pc.utf8_rtrim(path, "/"), pc.fill_null(key, ""), "/", null_handling="skip"
    )
    full = pc.if_else(pc.is_valid(key), pc.utf8_ltrim(below, "/"), path)
    by_uid = pc.is_valid(uid)
    arrays = [
        table["row"],
        table["id"],
        table["time"],
        pc.equal(table["op"], "read"),
        pc.if_else(by_uid, pc.binary_join_element_wise("dataset", uid, ":"), bucket),
        pc.if_else(by_uid, pc.fill_null(key, ""), full),
        pc.fill_null(table["bytes"], 0),
        pc.cast(pc.ceil(pc.min_element_wise(table["latencyMs"], 1e9, skip_nulls=False)), "int64"),
        pc.fill_null(table["principal"], ""),
        pa.repeat(True, len(table)),
        pa.repeat(True, len(table)),
    ]
    return pa.Table.from_arrays(arrays, schema=COLUMNS)


def _why(row: int, value: bytes, now: dt.datetime) -> Rejected:
    """Say what is wrong with a message whose JSON and types are right."""
    try:
        one = AccessOperation.model_validate_json(value)
    except ValidationError as error:
        return _invalid(row, value, error)
    at = one.time if one.time.tzinfo else one.time.replace(tzinfo=dt.UTC)
    untimely = out_of_time(row, value, at, now)
    if untimely is not None:
        return untimely
    text = "name the object: either uri as scheme://bucket/key, or dataSetUid and key"
    return reject(row, value, "NoObject", text)


def out_of_time(row: int, value: bytes, at: dt.datetime, now: dt.datetime) -> Rejected | None:
    """Refuse what lies too far ahead or behind; None when it does not."""
    if at > now + MAX_FUTURE:
        return reject(row, value, "Future", "time lies more than an hour ahead: check the clock")
    if at < now - MAX_AGE:
        return reject(row, value, "TooOld", f"time is more than {MAX_AGE.days} days ago")
    return None


def _invalid(row: int, value: bytes, error: ValidationError) -> Rejected:
    problem = error.errors(include_input=False)[0]
    if problem["type"] == "json_invalid":
        return reject(row, value, "InvalidJson", "the message is no JSON object")
    place = ".".join(str(part) for part in problem["loc"]) or "the message"
    return reject(row, value, "InvalidField", f"{place}: {problem['msg']}")


def reject(row: int, value: bytes | None, reason: str, message: str) -> Rejected:
    """Refuse a message, keeping its shape alone."""
    text = (value or b"")[:SHAPE_CHARS].decode("utf-8", "replace")
    return Rejected(row, reason, message, len(value or b""), redact(text))


REASONS = ("Empty", "TooLarge", "InvalidJson", "InvalidField", "Future", "TooOld", "NoObject")
"""Why messages are refused: a bounded list, for metrics."""
