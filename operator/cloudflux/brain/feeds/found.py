"""What a parser makes of a price list: a section of a price overlay, and what it did not find."""

from dataclasses import dataclass, field
from typing import Any

from cloudflux.errors import ConfigurationError

HOURS_PER_MONTH = 730.0
"""By which the vendors turn a price an hour into one a month."""


class FeedError(ConfigurationError):
    """A price list does not have the shape that it should, or answers in two ways."""


@dataclass(slots=True)
class Found:
    """Figures of one provider in one region, as they are found."""

    source: str
    as_of: str
    classes: dict[str, dict[str, float]] = field(default_factory=dict)
    network: dict[str, float] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """Figures that the list does not have: they stay as the book has them, or unknown."""

    def take(self, name: str, figure: str, value: float | None) -> None:
        """Note one figure of a class, or that it is missing."""
        if value is None:
            self.missing.append(f"{figure} of {name}")
        else:
            self.classes.setdefault(name, {})[figure] = value

    def section(self) -> dict[str, Any]:
        """Return the section of an overlay for this region."""
        return {
            "source": self.source,
            "asOf": self.as_of,
            "classes": self.classes,
            "network": self.network,
        }


def one_price(what: str, prices: set[float]) -> float | None:
    """Return the only price, None for none. Raises FeedError where the list gives several."""
    if len(prices) > 1:
        listed = ", ".join(f"{price:.10g}" for price in sorted(prices))
        raise FeedError(f"the price list has several prices for {what}: {listed}")
    return next(iter(prices), None)
