"""What a bill says was saved: the same amounts in the base class, less what was billed.

Storage and requests are priced at what the bill itself charged for the base class, where it has
such lines, else at the price table; retrieval, transitions, early deletion and monitoring would not
have been billed at all. Amounts are those of the bill: where a class has a least billed size, its
storage would have been less in the base class, and the saving is by so much too high.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from cloudflux.brain.bills.lines import BillError, BillLine, Kind
from cloudflux.brain.prices import PriceTable

_FIGURE = {
    Kind.STORAGE: ("storage_per_gb_month", 1),
    Kind.READS: ("get_per_1k", 1000),
    Kind.WRITES: ("put_per_1k", 1000),
}
_LEAST_OWN_COST = Decimal("0.01")
"""Below this a bill's own unit price is rounding."""


@dataclass(frozen=True, slots=True)
class MonthSaved:
    """One calendar month, or the days of it that the bill holds."""

    month: str
    days: int
    billed: Decimal
    in_base_class: Decimal
    by_class: dict[str, Decimal]

    @property
    def saved(self) -> Decimal:
        """Saved in these days; below 0: it cost more."""
        return self.in_base_class - self.billed


@dataclass(frozen=True, slots=True)
class BilledSaving:
    """The saving by the bill."""

    months: tuple[MonthSaved, ...]
    currency: str
    unit_prices: dict[str, tuple[Decimal, str]]
    """By kind: what the base class was priced at, and where that is from."""

    @property
    def per_month(self) -> Decimal:
        """Saved in 30.4375 days, over all days of the bill."""
        days = sum(each.days for each in self.months)
        total = sum((each.saved for each in self.months), Decimal(0))
        return total / days * Decimal("30.4375") if days else Decimal(0)


def billed_saving(
    lines: Iterable[BillLine], resources: Sequence[str], table: PriceTable
) -> BilledSaving:
    """Add up the lines of some buckets or accounts. Raises BillError and PriceUnknown."""
    lines = list(lines)
    wanted = set(resources)
    ours = [line for line in lines if line.resource in wanted]
    missing = sorted(wanted - {line.resource for line in ours})
    if missing:
        present = sorted({line.resource for line in lines if line.resource})[:10]
        raise BillError(
            f"the bill has no lines of {', '.join(missing)}; it has "
            f"{', '.join(present) if present else 'no names of buckets at all'}"
        )
    currencies = sorted({line.currency for line in ours})
    if len(currencies) > 1:
        raise BillError(f"the bill is in {' and '.join(currencies)}: give files of one currency")
    prices = {kind: _unit_price(kind, lines, currencies[0], table) for kind in _FIGURE}
    months: dict[str, list[BillLine]] = {}
    for line in ours:
        months.setdefault(f"{line.day:%Y-%m}", []).append(line)
    return BilledSaving(
        months=tuple(_month(name, found, prices) for name, found in sorted(months.items())),
        currency=currencies[0],
        unit_prices={kind.value: price for kind, price in prices.items()},
    )


def _unit_price(
    kind: Kind, lines: Sequence[BillLine], currency: str, table: PriceTable
) -> tuple[Decimal, str]:
    own = [
        each
        for each in lines
        if each.kind is kind and each.storage_class == table.base_class and each.amount > 0
    ]
    cost = sum((each.cost for each in own), Decimal(0))
    amount = sum(each.amount for each in own)
    if cost >= _LEAST_OWN_COST and amount > 0:
        return cost / Decimal(repr(amount)), f"the bill's own lines of {table.base_class}"
    figure, per = _FIGURE[kind]
    if table.currency != currency:
        raise BillError(
            f"the bill is in {currency} and has no lines of {table.base_class} to price {kind} by, "
            f"and the price list is in {table.currency}: name one in {currency} with --prices"
        )
    listed = Decimal(repr(table.figure(table.base_class, figure))) / per
    return listed, f"list price of {table.base_class} ({table.region}, {table.date})"


def _month(
    name: str, lines: Sequence[BillLine], prices: dict[Kind, tuple[Decimal, str]]
) -> MonthSaved:
    by_class: dict[str, Decimal] = {}
    base = Decimal(0)
    days: set[dt.date] = set()
    for line in lines:
        by_class[line.storage_class] = by_class.get(line.storage_class, Decimal(0)) + line.cost
        days.update(line.day + dt.timedelta(days=ahead) for ahead in range(line.days))
        if line.kind in prices:
            base += Decimal(repr(line.amount)) * prices[line.kind][0]
    return MonthSaved(name, len(days), sum(by_class.values(), Decimal(0)), base, by_class)
