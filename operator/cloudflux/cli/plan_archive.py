"""What `cloudflux plan` says of archived objects: how they are restored, and at what price."""

from dataclasses import dataclass
from typing import Any

from cloudflux.api.brain_tasks import EvaluateResult, RestoreQuote
from cloudflux.api.display import counted, display_bytes
from cloudflux.api.migrationjob import RestoreTier
from cloudflux.api.task import StoreRef


@dataclass(frozen=True, slots=True)
class Archive:
    """The archived objects of one class, and what restoring all of them takes, by way."""

    storage_class: str
    objects: int
    size_bytes: int
    ways: dict[RestoreTier, RestoreQuote | None]
    """None: no price is known."""


def archived_in(
    source: StoreRef, decision: EvaluateResult, overlay: dict[str, object] | None
) -> list[Archive]:
    """Price the restore of what lies in archive classes; empty where nothing does."""
    # imported here: the rest of the command line must start fast
    from cloudflux.brain.prices import provider_of
    from cloudflux.brain.restore import ways

    found = []
    provider = provider_of(source.uri, source.endpoint)
    for use in decision.tiers:
        priced = ways(
            use.storage_class, use.objects, use.size_bytes,
            provider=provider, region=source.region, overlay=overlay,
        )  # fmt: skip
        if priced:
            found.append(Archive(use.storage_class, use.objects, use.size_bytes, priced))
    return found


def as_rows(archived: list[Archive]) -> list[dict[str, Any]]:
    """Return them as JSON."""
    return [
        {
            "storage_class": one.storage_class,
            "objects": one.objects,
            "size_bytes": one.size_bytes,
            "restores": {
                tier.value: priced and {
                    "hours": priced.hours, "days": priced.days, "cost": priced.cost
                }
                for tier, priced in one.ways.items()
            },
        }
        for one in archived
    ]  # fmt: skip


def words_of(archived: list[Archive], currency: str) -> list[str]:
    """Return them in lines."""
    lines = []
    for one in archived:
        lines.append(
            f"Archived: {counted(one.objects, 'object')}, {display_bytes(one.size_bytes)} in "
            f"{one.storage_class} can't be read or moved before a restore; all of them:"
        )
        for tier, priced in one.ways.items():
            if priced is None:
                lines.append(f"  {tier.value}: no price is known; give it with --prices")
                continue
            kept = f", copies kept {counted(priced.days, 'day')}" if priced.days else ""
            lines.append(
                f"  {tier.value}: up to {priced.hours} h, {priced.cost} {currency}{kept}, spent "
                "when asked for"
            )
    return lines
