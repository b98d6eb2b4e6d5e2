"""Rows of the history of events: what a CloudEvent becomes, and what is wrong with one that can't.

Every event is kept as it was told; beside it, costs and savings are rows of their own, so that
they can be summed up without opening the events.
"""

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from cloudflux.access.records import hash_bytes
from cloudflux.api.events import EventType

MAX_EVENT_BYTES = 256 * 1024
"""Larger ones are refused: the largest of ours has a tenth of it."""
MAX_FUTURE = dt.timedelta(hours=1)
MAX_TEXT = 512

EVENT, PROGRESS, COST, POSSIBLE, REALISED = "event", "progress", "cost", "possible", "realised"

HISTORY = pa.schema(
    [
        ("kind", pa.string()),  # event | progress | cost | possible | realised
        ("month", pa.string()),
        ("application", pa.string()),
        ("hash", pa.int64()),
        ("at", pa.timestamp("us", "UTC")),
        ("day", pa.date32()),
        ("cluster", pa.string()),
        ("namespace", pa.string()),
        ("data_set", pa.string()),
        ("data_set_uid", pa.string()),
        ("policy", pa.string()),
        ("job", pa.string()),
        ("job_uid", pa.string()),
        ("id", pa.string()),
        ("type", pa.string()),
        ("severity", pa.string()),
        ("reason", pa.string()),
        ("tier", pa.string()),
        ("storage_class", pa.string()),
        ("currency", pa.string()),
        ("objects", pa.int64()),
        ("bytes", pa.int64()),
        ("amount", pa.decimal128(24, 9)),
        ("data", pa.string()),
    ]
)
"""One table, because a Delta commit is atomic for one table only. `amount`: a month."""

REASONS = ("TooLarge", "NoCloudEvent", "InvalidJson", "InvalidField", "Future", "TooOld")
"""Why events are refused: a bounded list, for metrics."""

_SOURCE = re.compile(r"/clusters/(?P<cluster>[^/]{1,128})(?:/.*)?")
_NO_ROW = {field.name: None for field in HISTORY}


class Unusable(ValueError):
    """An event that can't be kept: a reason of the list above, and a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def event_hash(cluster: str, identity: str) -> int:
    """Return what an event is known again by; an id is unique within its cluster."""
    return int(hash_bytes([f"{cluster}\0{identity}".encode()])[0])


def rows_of(
    event: Mapping[str, Any], application: str, now: dt.datetime, oldest: dt.datetime
) -> list[dict[str, Any]]:
    """Return the rows of one CloudEvent in the JSON format. Raises Unusable."""
    data = event.get("data")
    if not isinstance(data, dict):
        raise Unusable("InvalidField", "data is no JSON object")
    at = _time(event.get("time"), now, oldest)
    cluster = _cluster(event.get("source"))
    identity, kind = _text(event, "id"), _text(event, "type")
    base = {
        **_NO_ROW,
        "month": f"{at:%Y-%m}",
        "application": application,
        "hash": event_hash(cluster, identity),
        "at": at,
        "day": at.date(),
        "cluster": cluster,
        "namespace": _text(data, "namespace", ""),
        "data_set": _text(data, "dataSet", ""),
        "data_set_uid": _text(data, "dataSetUid", ""),
        "policy": _text(data, "policy", ""),
        "job": _text(data, "job", ""),
        "job_uid": _text(data, "jobUid", ""),
        "id": identity,
        "type": kind,
        "currency": _text(data, "currency", ""),
    }
    told = {
        **base,
        "kind": PROGRESS if kind == EventType.MIGRATION_PROGRESS else EVENT,
        "severity": _text(event, "severity", "info"),
        "reason": _text(data, "reason", ""),
        "data": _json(data),
    }
    return [told, *_amounts(kind, base, data)]


def _amounts(kind: str, base: Mapping[str, Any], data: Mapping[str, Any]) -> list[dict[str, Any]]:
    if kind == EventType.COST_MEASURED:
        found = [_class(base, one) for one in _list(data, "tiers")]
        if not found:
            found = [{**base, "kind": COST, "amount": _money(data, "monthlyCost")}]
        if data.get("savingsPerMonth") is not None:
            amount = _money(data, "savingsPerMonth")
            found.append({**base, "kind": POSSIBLE, "amount": amount})
        return found
    if kind == EventType.MIGRATION_COMPLETED and data.get("savingsPerMonth") is not None:
        amount = _money(data, "savingsPerMonth")
        moved = {"objects": _count(data, "objectsDone"), "bytes": _count(data, "bytesDone")}
        return [{**base, **moved, "kind": REALISED, "amount": amount}]
    return []


def _json(data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise Unusable("InvalidField", "data holds a number that JSON does not know") from None


def _class(base: Mapping[str, Any], found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise Unusable("InvalidField", "tiers: an entry is no JSON object")
    return {
        **base,
        "kind": COST,
        "tier": _text(found, "tier", ""),
        "storage_class": _text(found, "storageClass"),
        "objects": _count(found, "objects"),
        "bytes": _count(found, "bytes"),
        "amount": _money(found, "monthlyCost"),
    }


def table_of_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as they are written."""
    return pa.Table.from_pylist(list(rows), HISTORY)


def _time(value: object, now: dt.datetime, oldest: dt.datetime) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(str(value))
    except ValueError:
        raise Unusable("InvalidField", "time is no time in RFC 3339") from None
    if at.tzinfo is None:
        raise Unusable("InvalidField", "time has no time zone")
    try:
        at = at.astimezone(dt.UTC)
    except OverflowError:
        raise Unusable("InvalidField", "time lies outside the calendar") from None
    if at > now + MAX_FUTURE:
        raise Unusable(
            "Future", "time lies more than an hour ahead: check the clock of the operator's node"
        )
    if at < oldest:
        raise Unusable("TooOld", "time lies before what the history keeps")
    return at


def _cluster(source: object) -> str:
    found = _SOURCE.fullmatch(str(source))
    if found is None:
        raise Unusable("InvalidField", "source is not /clusters/NAME/…: the cluster is not known")
    return found["cluster"]


def _text(fields: Mapping[str, Any], name: str, absent: str | None = None) -> str:
    value = fields.get(name, absent)
    if value is None and absent is not None:
        return absent
    if not isinstance(value, str) or (absent is None and not value):
        raise Unusable("InvalidField", f"{name} is no text")
    if len(value) > MAX_TEXT:
        raise Unusable("InvalidField", f"{name} is longer than {MAX_TEXT} characters")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unusable("InvalidField", f"{name} holds half a character") from None
    return value


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name) or []
    if not isinstance(value, list):
        raise Unusable("InvalidField", f"{name} is no list")
    return value


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name) or 0
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise Unusable("InvalidField", f"{name} is no count")
    return value


def _money(fields: Mapping[str, Any], name: str) -> Decimal:
    try:
        amount = Decimal(str(fields.get(name)))
    except InvalidOperation:
        raise Unusable("InvalidField", f"{name} is no amount") from None
    if not amount.is_finite() or abs(amount) >= 10**15:
        raise Unusable("InvalidField", f"{name} is no amount")
    return amount.quantize(Decimal("1e-9"))
