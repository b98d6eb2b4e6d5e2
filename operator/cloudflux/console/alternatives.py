"""What a data set would cost in each class: computed here, from its status and the price table."""

import asyncio
from decimal import Decimal

from cloudflux.api.common import Money
from cloudflux.console import answers
from cloudflux.console.context import Console
from cloudflux.console.problems import Problem
from cloudflux.errors import ConfigurationError, PriceUnknown
from cloudflux.handlers.resources import DataSet
from cloudflux.handlers.startup import price_overlay
from cloudflux.settings import Settings


async def alternatives_of(console: Console, one: DataSet) -> answers.Alternatives:
    """Return every class with its price. Raises Problem 404 where that can't be said."""
    why = _why_not(one)
    if why:
        raise Problem(404, "no-alternatives", f"{one.name} can't be priced in other classes: {why}")
    try:
        # numpy, of which only this needs something
        return await asyncio.to_thread(_priced, console.settings, one)
    except (PriceUnknown, ConfigurationError) as error:
        raise Problem(404, "no-alternatives", str(error)) from error


def _why_not(one: DataSet) -> str:
    if one.status.location is not None and one.status.location.uri != one.spec.location.uri:
        return "it was moved elsewhere; the plan of a job has the prices there"
    if one.spec.location.uri.startswith("file://"):
        return "directories have no classes"
    if not any(usage.objects for usage in one.status.tiers):
        return "it has not been listed yet, or is empty"
    if one.status.access is None:
        return "no reads are known, and no signal is not coldness"
    return ""


def _priced(settings: Settings, one: DataSet) -> answers.Alternatives:
    from cloudflux.brain.prices import load_table, provider_of
    from cloudflux.brain.whole import InClass, in_each_class

    place = one.spec.location
    overlay = price_overlay(settings)
    table = load_table(provider_of(place.uri, place.endpoint), place.region, overlay)
    used = [InClass(tier.storage_class, tier.objects, tier.bytes) for tier in one.status.tiers]
    reads = one.status.access.reads30d if one.status.access else 0
    stay, found = in_each_class(table, used, reads)
    return answers.Alternatives(
        currency=table.currency,
        price_date=table.date,
        region=table.region,
        now=_money(stay.total),
        items=[
            answers.Alternative(
                storage_class=each.name, tier=each.tier, archived=each.archived,
                storage_per_month=_money(each.storage), reads_per_month=_money(each.reads),
                total_per_month=_money(each.total), one_off_cost=_money(each.change),
                used=any(table.class_name(part.name) == each.name for part in used),
            )
            for each in found
        ],
    )  # fmt: skip


def _money(value: float) -> Money:
    text = f"{Decimal(value).quantize(Decimal('1e-6')):f}"
    return text.rstrip("0").rstrip(".")
