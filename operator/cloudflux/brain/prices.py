"""The price tables: every figure with its source and date; a missing figure is an error.

A table is one provider's list prices in one region, kept beside this module as versioned
JSON. An overlay replaces figures, adds regions or says what a disk root costs:

    {"s3": {"eu-west-1": {"like": "us-east-1",
                          "classes": {"STANDARD": {"storage_per_gb_month": 0.0245}}}},
     "file": {"local": {"roots": {"file:///srv/slow": "hdd"}}}}
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from cloudflux.api.common import Tier
from cloudflux.errors import ConfigurationError, PriceUnknown

BYTES_PER_GB = 2**30
"""All three clouds bill binary gigabytes, whatever they call them."""
DAYS_PER_MONTH = 30.4375
PROVIDERS = ("s3", "azure", "gcs", "r2", "file")
_TABLE_VERSION = 1
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
            return self.roots.get(_root(name)) or _disk_by_name(name) or self.base_class
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

    def step_price(self, name: str, step: AutomaticStep) -> float:
        """Return the storage price of one step of an automatic class. Raises PriceUnknown."""
        what = f"storage_per_gb_month of {name} after {step.after_idle_days} idle days"
        return self._known(step.storage_per_gb_month, what)

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
        known = {_root(uri): name for uri, name in roots.items()}
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


def load_table(
    provider: str, region: str | None, overlay: Mapping[str, Any] | None = None
) -> PriceTable:
    """Load the prices of a provider in a region, with the overlay applied.

    No region means the table's own, and a warning says so. Raises PriceUnknown for a region
    that neither the table nor the overlay has, ConfigurationError for an overlay that can't be.
    """
    if provider not in PROVIDERS:
        raise PriceUnknown(f"no prices for provider {provider!r}; known: {', '.join(PROVIDERS)}")
    table = _listed(provider)
    wanted = table.region if provider in {"file", "r2"} or not region else region
    extra = _section(overlay, provider, wanted)
    if wanted != table.region and (extra is None or extra.get("like") != table.region):
        raise PriceUnknown(
            f"no prices for {provider} in {wanted} (listed: {table.region}). To start from the "
            f'listed prices set {{"{provider}": {{"{wanted}": {{"like": "{table.region}"}}}}}} '
            "in the price overlay and override what differs"
        )
    warnings = table.warnings
    if not region and provider not in {"file", "r2"}:
        warnings += (f"no region is set: {provider} list prices of {table.region} are used",)
    if extra:
        warnings += (f"prices of {provider} in {wanted} are changed by the price overlay",)
    return _overlaid(replace(table, region=wanted, warnings=warnings), extra or {})


def provider_of(uri: str, endpoint: str | None = None) -> str:
    """Return the price list that a location falls under. Raises ConfigurationError."""
    scheme = uri.split("://", 1)[0]
    if scheme == "s3":
        host = (urlsplit(endpoint).hostname or "") if endpoint else ""
        return "r2" if host.endswith(".r2.cloudflarestorage.com") else "s3"
    known = {"file": "file", "az": "azure", "gs": "gcs"}
    if scheme not in known:
        raise ConfigurationError(f"no prices for locations like {scheme}://; use s3:// or file://")
    return known[scheme]


@lru_cache(maxsize=len(PROVIDERS))
def _listed(provider: str) -> PriceTable:
    path = resources.files("cloudflux.brain") / "price_tables" / f"{provider}.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    if raw["version"] != _TABLE_VERSION:
        raise ConfigurationError(f"{path} has version {raw['version']}, not {_TABLE_VERSION}")
    return PriceTable(
        provider=raw["provider"],
        region=raw["region"],
        currency=raw["currency"],
        date=raw["date"],
        class_change=raw["class_change"],
        base_class=raw["base_class"],
        classes=MappingProxyType({n: _class(n, c) for n, c in raw["classes"].items()}),
        network=MappingProxyType({n: _figure(f) for n, f in raw["network"].items()}),
    )


def _class(name: str, raw: Mapping[str, Any]) -> ClassPrices:
    automatic = raw.get("automatic") or {}
    return ClassPrices(
        name=name,
        tier=Tier(raw["tier"]),
        archived=raw["archived"],
        first_byte_millis=raw["first_byte_millis"],
        figures=MappingProxyType({n: _figure(f) for n, f in raw["figures"].items()}),
        automatic_min_bytes=automatic.get("min_bytes"),
        automatic_steps=tuple(
            AutomaticStep(s["after_idle_days"], _figure(s["storage_per_gb_month"]))
            for s in automatic.get("steps", ())
        ),
    )


def _figure(raw: Any) -> Figure:
    if not isinstance(raw, Mapping):
        raw = {"value": raw, "source": "overlay", "asOf": None}
    value = raw["value"]
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or value < 0
    ):
        raise ConfigurationError(f"a price must be a number of at least 0, not {value!r}")
    return Figure(value, str(raw.get("source", "overlay")), raw.get("asOf"))


def _section(
    overlay: Mapping[str, Any] | None, provider: str, region: str
) -> Mapping[str, Any] | None:
    regions = (overlay or {}).get(provider, {})
    if not isinstance(regions, Mapping):
        raise ConfigurationError(f'price overlay: "{provider}" must map regions to prices')
    section = regions.get(region)
    if section is not None and not isinstance(section, Mapping):
        raise ConfigurationError(f'price overlay: "{provider}"."{region}" must be an object')
    return section


def _overlaid(table: PriceTable, extra: Mapping[str, Any]) -> PriceTable:
    classes = dict(table.classes)
    for name, figures in extra.get("classes", {}).items():
        # A class that the table does not have starts empty: whatever is not given stays unknown.
        base = classes.get(name) or ClassPrices(name, Tier.WARM, False, 100, {})
        given = {key: _figure(value) for key, value in figures.items()}
        classes[name] = replace(base, figures=MappingProxyType({**base.figures, **given}))
    network = {**table.network, **{n: _figure(f) for n, f in extra.get("network", {}).items()}}
    roots = {_root(uri): str(name) for uri, name in extra.get("roots", {}).items()}
    for uri, name in roots.items():
        if name not in classes:
            raise ConfigurationError(f"price overlay: root {uri} names the unknown class {name!r}")
    return replace(table, classes=classes, network=network, roots={**table.roots, **roots})


def _root(uri: str) -> str:
    return uri.rstrip("/")


def _disk_by_name(uri: str) -> str | None:
    last = _root(uri).rsplit("/", 1)[-1].lower()
    for disk, words in _DISK_WORDS.items():
        if any(word in last for word in words):
            return disk
    return None
