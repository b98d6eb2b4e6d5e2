"""What a whole data set would cost a month in each class, by its averages: the options at a glance.

A decision prices each object with its own reads. This is coarser: objects of a class count as
equally large and equally read. It shows what the choices are, not what is best for each object.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cloudflux.api.common import Tier
from cloudflux.brain import cost
from cloudflux.brain.plan import HORIZON_DAYS
from cloudflux.brain.prices import DAYS_PER_MONTH, PriceTable
from cloudflux.errors import PriceUnknown

LONG_DAYS = 10_000.0
"""Longer than any minimum duration: what a change costs once that is over."""


@dataclass(frozen=True, slots=True)
class InClass:
    """What of a data set is in one class."""

    name: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything in one class."""

    name: str
    tier: Tier | None
    archived: bool
    """Reading waits for a restore."""
    storage: float
    """A month, in the table's currency."""
    reads: float
    """Reading as in the last 30 days, a month."""
    change: float
    """Getting there, once, after the minimum durations of where it is."""

    @property
    def total(self) -> float:
        """A month, when everything is there."""
        return self.storage + self.reads


def in_each_class(
    table: PriceTable, used: Sequence[InClass], reads30d: int
) -> tuple[Whole, list[Whole]]:
    """Return everything where it is, and everything in each class, the cheapest first.

    Classes of which a price is unknown are left out. Raises PriceUnknown when that is so of a
    class in use.
    """
    filled = [one for one in used if one.objects > 0]
    sizes = np.array([one.bytes / one.objects for one in filled])
    counts = np.array([float(one.objects) for one in filled])
    daily = np.full(len(filled), reads30d / 30 / max(float(counts.sum()), 1.0))
    idle = np.zeros(len(filled))

    def month(names: Sequence[str]) -> tuple[float, float]:
        rent = reads = 0.0
        for at, name in enumerate(names):
            part = slice(at, at + 1)
            held = cost.storage_cost(
                table, name, sizes[part], daily[part], idle[part], HORIZON_DAYS
            )
            rent += float(held[0] * counts[at]) * DAYS_PER_MONTH / HORIZON_DAYS
            each = cost.read_cost(table, name, sizes[part])
            reads += float(each[0] * daily[at] * counts[at]) * DAYS_PER_MONTH
        return rent, reads

    stay = Whole("", None, False, *month([one.name for one in filled]), 0.0)
    found = []
    for name, prices in table.classes.items():
        try:
            change = sum(
                float(cost.class_change(
                    table, one.name, name, sizes[at : at + 1], np.array([LONG_DAYS])
                )[0]) * one.objects
                for at, one in enumerate(filled)
            )  # fmt: skip
            whole = Whole(name, prices.tier, prices.archived, *month([name] * len(filled)), change)
        except PriceUnknown:
            continue
        found.append(whole)
    return stay, sorted(found, key=lambda one: one.total)
