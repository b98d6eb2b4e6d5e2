"""Billing exports of Google Cloud, as BigQuery writes them out: JSON lines, Parquet or CSV."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from cloudflux.brain.bills.lines import (
    BillError,
    BillLine,
    Kind,
    Parsed,
    Row,
    day_of,
    need,
    number,
    text,
)
from cloudflux.brain.prices import BYTES_PER_GB, DAYS_PER_MONTH

_CLASS = re.compile(r"\b(Standard|Nearline|Coldline|Archive|Autoclass)\b", re.IGNORECASE)
_REGIONAL = re.compile(r"\b(Regional|Multi-Regional|Dual-Region)\b")
_BYTE_SECONDS_A_GB_MONTH = BYTES_PER_GB * DAYS_PER_MONTH * 86_400


def is_gcs(columns: Iterable[str]) -> bool:
    """Tell an export of Google Cloud by its columns."""
    names = set(columns)
    return bool({"sku", "sku.description", "sku_description"} & names)


def parse(columns: Iterable[str], rows: Iterable[Row]) -> Parsed:
    """Read the lines of Cloud Storage. Raises BillError where the export lacks what is needed."""
    columns = list(columns)
    detailed = "use the *detailed* usage cost export, which names each bucket"
    need(columns, "days", "usage_start_time", advice=detailed)
    need(columns, "costs", "cost", advice=detailed)
    need(columns, "amounts", "usage", "usage.amount", "usage_amount", advice=detailed)
    need(columns, "names of buckets", "resource", "resource.name", "resource_name", advice=detailed)
    lines, left_out = [], Counter[str]()
    for row in rows:
        flat = _flat(row)
        if text(flat, "service.description") != "Cloud Storage":
            left_out["of other services"] += 1
            continue
        found = _line(flat)
        if found is None:
            left_out["transfer and others that no class changes"] += 1
        else:
            lines.append(found)
    return Parsed("gcs", tuple(lines), left_out)


def _line(row: Row) -> BillLine | None:
    sku = text(row, "sku.description")
    named = _CLASS.search(sku)
    name = named[1].upper() if named else "STANDARD" if _REGIONAL.search(sku) else ""
    if not name:
        return None
    kind = _kind(sku)
    if kind is None:
        return None
    cost = number(text(row, "cost"), "cost")
    return BillLine(
        day=_day(row),
        resource=text(row, "resource.name").rsplit("/", 1)[-1],
        storage_class=name,
        kind=kind,
        amount=0.0 if kind is Kind.CHANGES else _amount(row, kind),
        cost=cost,
        currency=text(row, "currency") or "USD",
    )


def _kind(sku: str) -> Kind | None:
    lower = sku.lower()
    if any(word in lower for word in ("early delet", "retrieval", "management", "autoclass")):
        return Kind.CHANGES
    if "class b" in lower:
        return Kind.READS
    if "class a" in lower:
        return Kind.WRITES
    return Kind.STORAGE if "storage" in lower else None


def _amount(row: Row, kind: Kind) -> float:
    unit = text(row, "usage.unit")
    amount = float(number(text(row, "usage.amount"), "usage.amount"))
    if kind is not Kind.STORAGE:
        return amount
    if unit == "byte-seconds":
        return amount / _BYTE_SECONDS_A_GB_MONTH
    pricing = text(row, "usage.pricing_unit")
    if pricing == "gibibyte month":
        given = text(row, "usage.amount_in_pricing_units")
        return float(number(given, "usage.amount_in_pricing_units"))
    raise BillError(
        f"storage is billed in {unit or pricing or 'no unit'}; byte-seconds or gibibyte month "
        "was expected in usage.unit or usage.pricing_unit"
    )


def _day(row: Row) -> dt.date:
    value = row.get("usage_start_time")
    return value.date() if isinstance(value, dt.datetime) else day_of(text(row, "usage_start_time"))


def _flat(row: Row) -> dict[str, Any]:
    """Return nested records, and names flattened with `_`, as `outer.inner`."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found.update({f"{name}.{inner}": each for inner, each in value.items()})
            continue
        for outer in ("service", "sku", "usage", "resource"):
            if name.startswith(f"{outer}_") and name != "usage_start_time":
                found[f"{outer}.{name.removeprefix(f'{outer}_')}"] = value
        found.setdefault(name, value)
    return found
