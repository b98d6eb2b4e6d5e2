"""What it costs and takes to restore archived objects, by class and tier. Pure.

Hours: the S3 User Guide, "Archive retrieval options"; Azure Blob Storage, "Rehydration priority".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cloudflux.api.brain_tasks import RestoreQuote, RestoreTerms
from cloudflux.api.migrationjob import RestoreTier
from cloudflux.brain.cost import by_class
from cloudflux.brain.money import money_text
from cloudflux.brain.price_table import BYTES_PER_GB, DAYS_PER_MONTH, PriceTable
from cloudflux.brain.prices import load_table
from cloudflux.errors import PriceUnknown

HOURS: Mapping[str, Mapping[RestoreTier, int]] = {
    "GLACIER": {RestoreTier.EXPEDITED: 1, RestoreTier.STANDARD: 5, RestoreTier.BULK: 12},
    "DEEP_ARCHIVE": {RestoreTier.STANDARD: 12, RestoreTier.BULK: 48},
    "INTELLIGENT_TIERING": {RestoreTier.STANDARD: 12, RestoreTier.BULK: 48},
    "Archive": {RestoreTier.EXPEDITED: 1, RestoreTier.STANDARD: 15},
}
"""Hours until an object can be read, at most; a tier that is missing is not offered.

Of an automatic class, the deeper of its archive tiers: which one holds an object is not listed.
"""
SPARE_DAYS = 1
"""Restored copies live so much longer than the restore and the move take: a queue, a pause."""


@dataclass(frozen=True, slots=True)
class Archived:
    """How many objects must be restored first, and their bytes, by class."""

    totals: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, classes: Sequence[str], size_bytes: npt.NDArray[Any]) -> "Archived":
        """Add up objects, one row each."""
        return cls({
            name: (len(rows), int(np.asarray(size_bytes)[rows].sum()))
            for name, rows in by_class(classes).items()
        })  # fmt: skip


def refused(classes: Sequence[str], tier: RestoreTier) -> tuple[str, ...]:
    """Say which classes can't be restored by a tier, and by which they can."""
    found = []
    for name in sorted(set(classes)):
        offered = HOURS.get(name, {})
        if tier not in offered:
            names = " or ".join(one.value for one in offered) or "no tier that is known"
            found.append(f"objects in {name} can't be restored by {tier.value}; choose {names}")
    return tuple(found)


def quote(
    archived: Archived,
    tier: RestoreTier,
    *,
    provider: str,
    region: str | None,
    overlay: Mapping[str, Any] | None,
    days: int | None,
    move_seconds: float,
) -> tuple[RestoreQuote, float]:
    """Price a restore; returns also what it costs beyond one by Standard.

    The fees of a restore by Standard are part of a move's price already. Restored copies of S3
    live for `days`, or as long as the slowest restore and twice the move may take; blobs of
    Azure stay in another tier. Raises PriceUnknown.
    """
    table = load_table(provider, region, overlay)
    hours = max(HOURS[name][tier] for name in archived.totals)
    lives = 0
    if provider != "azure":
        lives = days or SPARE_DAYS + -(-int(hours * 3600 + 2 * move_seconds) // 86_400)
    terms, cost, beyond = [], 0.0, 0.0
    for name, (objects, size_bytes) in archived.totals.items():
        per_object, per_gb = _fees(table, name, tier)
        usual_object, usual_gb = _usual(table, name)
        kept = name != "INTELLIGENT_TIERING" and lives
        rent = kept * table.figure(table.base_class, "storage_per_gb_month") / DAYS_PER_MONTH
        gigabytes = size_bytes / BYTES_PER_GB
        cost += objects * per_object + gigabytes * (per_gb + rent)
        beyond += objects * (per_object - usual_object) + gigabytes * (per_gb + rent - usual_gb)
        terms.append(
            RestoreTerms(
                storage_class=name,
                hours=HOURS[name][tier],
                per_object=f"{per_object:.12f}",
                per_gb=f"{per_gb + rent:.12f}",
            )
        )
    found = RestoreQuote(
        objects=sum(objects for objects, _ in archived.totals.values()),
        size_bytes=sum(size_bytes for _, size_bytes in archived.totals.values()),
        tier=tier,
        hours=hours,
        days=lives,
        cost=money_text(cost),
        terms=tuple(terms),
    )
    return found, beyond


def ways(
    name: str,
    objects: int,
    size_bytes: int,
    *,
    provider: str,
    region: str | None,
    overlay: Mapping[str, Any] | None,
) -> dict[RestoreTier, RestoreQuote | None]:
    """Price each way to restore all objects of a class, slowest first; None: no price is known.

    Empty where the class needs no restore, or where a listing does not tell which objects do.
    """
    if not load_table(provider, region, overlay).prices(name).archived:
        return {}
    found: dict[RestoreTier, RestoreQuote | None] = {}
    for tier in sorted(HOURS.get(name, {}), key=lambda one: -HOURS[name][one]):
        try:
            found[tier], _ = quote(
                Archived({name: (objects, size_bytes)}), tier, provider=provider, region=region,
                overlay=overlay, days=None, move_seconds=0,
            )  # fmt: skip
        except PriceUnknown:
            found[tier] = None
    return found


def _fees(table: PriceTable, name: str, tier: RestoreTier) -> tuple[float, float]:
    """What the request and the retrieval of a GB cost."""
    if tier is RestoreTier.STANDARD and table.prices(name).archived:
        return _usual(table, name)
    word = tier.value.lower()
    per_1k = table.restore_figure(name, f"restore_{word}_request_per_1k")
    return per_1k / 1000, table.restore_figure(name, f"restore_{word}_retrieval_per_gb")


def _usual(table: PriceTable, name: str) -> tuple[float, float]:
    """What the price of a move holds already: a restore by Standard where the class is one."""
    if not table.prices(name).archived:
        return 0.0, 0.0
    per_1k = table.limit(name, "restore_request_per_1k")
    if table.class_change == "set_tier":
        per_1k += table.figure(name, "get_per_1k")
    return per_1k / 1000, table.figure(name, "retrieval_per_gb")
