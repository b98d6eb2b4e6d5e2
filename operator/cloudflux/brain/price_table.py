"""One provider's prices in one region: every figure with its source; a missing one is an error."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cloudflux.api.common import Tier
from cloudflux.errors import PriceUnknown

BYTES_PER_GB = 2**30
"""All three clouds bill binary gigabytes, whatever they call them."""
DAYS_PER_MONTH = 30.4375
UNVERIFIED = "unverified"
"""The source of figures that were not checked against a vendor or a primary source."""
RULES = (
    "min_storage_days",
    "min_billable_bytes",
    "overhead_own_rate_bytes",
    "overhead_standard_rate_bytes",
)
"""Figures that say how a class behaves: they are the same in every region. The rest is money."""
STEP = "storage_per_gb_month_after_{}d"
"""Name of the figure of one step of an automatic class."""
_DISK_WORDS = {
    "ssd": ("ssd", "nvme", "hot", "fast"),
    "hdd": ("hdd", "warm", "slow"),
    "archive-disk": ("archive", "cold", "frozen"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One price or limit, with where it comes from. None is unknown, never 0."""

    value: float | None
    source: str
    as_of: str | None


@dataclass(frozen=True, slots=True)
class AutomaticStep:
    """One step of an automatic class: the price after so many days without a read."""

    after_idle_days: int
    storage_per_gb_month: Figure


@dataclass(frozen=True, slots=True)
class ClassPrices:
    """What one storage class costs and how it behaves."""

    name: str
    tier: Tier
    archived: bool
    """Must be restored before it can be read."""
    first_byte_millis: int
    figures: Mapping[str, Figure]
    automatic_min_bytes: int | None = None
    """Set for automatic classes: smaller objects never change step and pay no monitoring."""
    automatic_steps: tuple[AutomaticStep, ...] = ()
    restores: Mapping[str, Figure] = field(default_factory=dict)
    """Prices of the other tiers of a restore; nothing but a restore asks for them."""
    one_zone: bool = False
    """Kept in one zone only: the loss of a zone is the loss of the data."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """One provider's prices in one region."""

    provider: str
    region: str
    currency: str
    date: str
    class_change: str
    """"copy": a change is billed as a write at the target; "set_tier": as a transition."""
    base_class: str
    classes: Mapping[str, ClassPrices]
    network: Mapping[str, Figure]
    roots: Mapping[str, str] = field(default_factory=dict)
    """Disk roots (file://…) and the disk class that each is."""
    warnings: tuple[str, ...] = ()

    def class_name(self, name: str) -> str:
        """Return the class that a name or a disk root stands for. Raises PriceUnknown."""
        if name in self.classes:
            return name
        if self.provider == "file":
            return self.roots.get(root_key(name)) or _disk_by_name(name) or self.base_class
        raise PriceUnknown(
            f"no price for storage class {name!r} of {self.provider} in {self.region}: add "
            f'"{self.provider}": {{"{self.region}": {{"classes": {{"{name}": …}}}}}} '
            "to the price overlay"
        )

    def prices(self, name: str) -> ClassPrices:
        """Return everything about one class. Raises PriceUnknown."""
        return self.classes[self.class_name(name)]

    def figure(self, name: str, figure: str) -> float:
        """Return one figure of one class. Raises PriceUnknown that names it."""
        prices = self.prices(name)
        return self._known(prices.figures.get(figure), f"{figure} of {prices.name}")

    def limit(self, name: str, figure: str) -> float:
        """Return a size or time that a class may not have at all: absent is 0."""
        return self.figure(name, figure) if figure in self.prices(name).figures else 0.0

    def restore_figure(self, name: str, figure: str) -> float:
        """Return a price of a restore by a tier. Raises PriceUnknown that names it."""
        prices = self.prices(name)
        found = prices.figures.get(figure) or prices.restores.get(figure)
        return self._known(found, f"{figure} of {prices.name}")

    def step_price(self, name: str, step: AutomaticStep) -> float:
        """Return the storage price of one step of an automatic class. Raises PriceUnknown."""
        what = f"{STEP.format(step.after_idle_days)} of {name}"
        return self._known(step.storage_per_gb_month, what)

    def unknown(self, name: str) -> tuple[str, ...]:
        """Name the figures of a class that are not known here. Raises PriceUnknown."""
        prices = self.prices(name)
        missing = [key for key, figure in prices.figures.items() if figure.value is None]
        missing += [
            STEP.format(step.after_idle_days)
            for step in prices.automatic_steps
            if step.storage_per_gb_month.value is None
        ]
        return tuple(missing)

    def unverified(self, name: str) -> tuple[str, ...]:
        """Name the prices of a class that nobody checked. Raises PriceUnknown."""
        prices = self.prices(name)
        steps = [
            (STEP.format(step.after_idle_days), step.storage_per_gb_month)
            for step in prices.automatic_steps
        ]
        return tuple(
            key
            for key, figure in (*prices.figures.items(), *steps)
            if figure.value is not None and figure.source == UNVERIFIED
        )

    def transfer(self, figure: str) -> float:
        """Return a network price: internet_per_gb or inter_region_per_gb. Raises PriceUnknown."""
        return self._known(self.network.get(figure), f"{figure} of the network")

    def taken_as(self, root: str) -> str:
        """Say what a disk root is priced as; empty for other names."""
        if self.provider != "file" or "://" not in root:
            return ""
        disk = self.class_name(root)
        per_month = f"{self.figure(disk, 'storage_per_gb_month'):g} {self.currency}"
        return (
            f"{root} is priced as {disk} ({per_month} a GiB and month); "
            "the price overlay can change it"
        )

    def with_roots(self, roots: Mapping[str, str]) -> "PriceTable":
        """Return the same table, with disk roots added; those of the overlay stay."""
        known = {root_key(uri): name for uri, name in roots.items()}
        return replace(self, roots={**known, **self.roots})

    def disk_of_tier(self, tier: Tier) -> str:
        """Return the disk class of a tier, where nothing else says it. Raises PriceUnknown."""
        for prices in self.classes.values():
            if prices.tier is tier:
                return prices.name
        raise PriceUnknown(f"no class of {self.provider} is priced for the {tier} tier")

    def _known(self, figure: Figure | None, what: str) -> float:
        if figure is None or figure.value is None:
            raise PriceUnknown(
                f"the price {what} ({self.provider}, {self.region}) is unknown: "
                f'set it in the price overlay under "{self.provider}", "{self.region}"'
            )
        return figure.value


def root_key(uri: str) -> str:
    """Return a disk root as it is looked up: a trailing slash means nothing."""
    return uri.rstrip("/")


def _disk_by_name(uri: str) -> str | None:
    last = root_key(uri).rsplit("/", 1)[-1].lower()
    for disk, words in _DISK_WORDS.items():
        if any(word in last for word in words):
            return disk
    return None
