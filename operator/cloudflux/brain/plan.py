"""What one given move costs and brings: the figures of a MigrationJob's plan."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from cloudflux.brain import cost
from cloudflux.brain.money import money
from cloudflux.brain.prices import DAYS_PER_MONTH, PriceTable, load_table
from cloudflux.errors import PriceUnknown

Array = npt.NDArray[np.float64]

READ_WINDOW_DAYS = 30
HORIZON_DAYS = 180
"""Savings are the mean over so long: it covers the longest minimum duration."""


@dataclass(frozen=True, slots=True)
class MovePrice:
    """One-off cost and what the move then saves; None for payback: it never pays back."""

    one_off_cost: Decimal
    savings_per_month: Decimal
    payback_days: int | None
    currency: str
    price_date: str
    warnings: tuple[str, ...]


def price_move(
    *,
    source_provider: str,
    source_region: str | None,
    source_class: Sequence[str],
    size_bytes: npt.NDArray[Any],
    days_in_class: npt.NDArray[Any],
    reads_30d: npt.NDArray[Any],
    target_provider: str,
    target_region: str | None,
    target_class: str,
    crosses_region: bool,
    overlay: Mapping[str, Any] | None,
    crosses_location: bool | None = None,
    double_copy_days: float = 1.0,
) -> MovePrice:
    """Price a move of many objects, one row each, into one class.

    A class is a storage class, or for files the URI of the root. `crosses_location` says that
    bytes are copied to another location; unless given, it is taken from a change of provider
    or region. Both copies are then paid for `double_copy_days`. Raises PriceUnknown.
    """
    source = load_table(source_provider, source_region, overlay)
    target = load_table(target_provider, target_region, overlay)
    if source.currency != target.currency:
        raise PriceUnknown(
            f"prices are in {source.currency} and {target.currency}: "
            "bring both into one currency with the price overlay"
        )
    copies = crosses_location
    if copies is None:
        copies = crosses_region or source_provider != target_provider
    sizes, held, reads = (_floats(a) for a in (size_bytes, days_in_class, reads_30d))
    one_off = savings = 0.0
    for name, rows in cost.by_class(source_class).items():
        size, days = sizes[rows], held[rows]
        rate = reads[rows] / READ_WINDOW_DAYS
        if copies:
            fees = cost.location_change(
                source, name, target, target_class, size, days,
                crosses_region=crosses_region, double_copy_days=double_copy_days,
            )  # fmt: skip
        else:
            fees = cost.class_change(source, name, target_class, size, days)
        one_off += float(fees.sum())
        before = running_cost(source, name, size, rate, days)
        after = running_cost(target, target_class, size, rate, np.zeros_like(days))
        savings += float((before - after).sum()) * DAYS_PER_MONTH / HORIZON_DAYS
    return MovePrice(
        one_off_cost=money(one_off),
        savings_per_month=money(savings),
        payback_days=payback_days(one_off, savings),
        currency=source.currency,
        price_date=min(source.date, target.date),
        warnings=_warnings(source, target, source_class, target_class, crosses_region),
    )


def running_cost(
    table: PriceTable, name: str, size_bytes: Array, reads_per_day: Array, idle_days: Array
) -> Array:
    """Add up rent and reads over the horizon, without the cost of getting there."""
    rent = cost.storage_cost(table, name, size_bytes, reads_per_day, idle_days, HORIZON_DAYS)
    return rent + reads_per_day * HORIZON_DAYS * cost.read_cost(table, name, size_bytes)


def payback_days(one_off: float, savings_per_month: float) -> int | None:
    """Count the days until the savings have paid the fees, rounded up; None when they never do."""
    if savings_per_month <= 0:
        return 0 if one_off <= 0 and savings_per_month == 0 else None
    return math.ceil(one_off / (savings_per_month / DAYS_PER_MONTH))


def _floats(values: npt.NDArray[Any]) -> Array:
    return np.asarray(values, dtype=np.float64)


def _warnings(
    source: PriceTable,
    target: PriceTable,
    source_class: Sequence[str],
    target_class: str,
    crosses_region: bool,
) -> tuple[str, ...]:
    found = [*source.warnings, *target.warnings]
    if target.prices(target_class).archived:
        found.append(f"{target_class} is archived: reading takes a restore of minutes to hours")
    if any(source.prices(name).archived for name in set(source_class)):
        found.append("archived objects are restored before they are copied; that takes hours")
    if source.provider != target.provider and source.transfer("internet_per_gb"):
        found.append("the bytes leaving are priced as transfer to the internet")
    elif crosses_region and source.transfer("inter_region_per_gb"):
        found.append("the bytes leaving are priced as transfer between regions")
    roots = {target_class, *source_class} if source.provider == "file" else {target_class}
    for table in (source, target):
        found += [table.taken_as(root) for root in sorted(roots) if "://" in root]
    return tuple(dict.fromkeys(text for text in found if text))
