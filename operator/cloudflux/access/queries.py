"""Questions to the table of counts."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from cloudflux.access.freshness import SignalSpan
from cloudflux.access.places import Place


def select(
    table: DeltaTable, kind: str, place: Place, since: dt.date, until: dt.date, columns: list[str]
) -> pa.Table:
    """Rows of one kind at one place, both days included."""
    where = (
        (pc.field("kind") == kind)
        & (pc.field("month") >= f"{since:%Y-%m}")
        & (pc.field("month") <= f"{until:%Y-%m}")
        & (pc.field("signal") == place.signal)
        & (pc.field("bucket") == place.bucket)
        & (pc.field("day") >= pa.scalar(since))
        & (pc.field("day") <= pa.scalar(until))
    )
    if place.prefix:
        where &= pc.starts_with(pc.field("key"), place.prefix)
    return table.to_pyarrow_dataset().to_table(columns=columns, filter=where)


def relative(rows: pa.Table, prefix: str) -> pa.Table:
    """Make keys relative to the prefix."""
    keys = pc.utf8_slice_codeunits(rows["key"], start=len(prefix))
    return rows.set_column(rows.schema.get_field_index("key"), "key", keys)


def rows(table: DeltaTable, where: pc.Expression, columns: list[str]) -> list[dict[str, Any]]:
    """Rows as dictionaries."""
    found = table.to_pyarrow_dataset().to_table(columns=columns, filter=where)
    return found.to_pylist()  # type: ignore[no-any-return]


def log_span(table: DeltaTable, signal: str) -> SignalSpan:
    """What a log signal has delivered so far."""
    where = (pc.field("kind") == "ledger") & (pc.field("signal") == signal)
    rows = table.to_pyarrow_dataset().to_table(columns=["day", "at", "requests"], filter=where)
    days = rows.filter(pc.field("requests") > 0)["day"].unique().to_pylist()
    return SignalSpan(min(days, default=None), pc.max(rows["at"]).as_py(), frozenset(days))
