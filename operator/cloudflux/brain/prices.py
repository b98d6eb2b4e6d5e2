"""The price book: list prices by provider and region, and the overlay with one's own.

The book is versioned JSON beside this module. Each provider has one region in full; further
regions give their own money figures and share the rules (minimum duration and size, overhead).
What a region does not list is unknown there: it is never taken from another region.

An overlay replaces figures, adds regions, or says what a disk root costs:

    {"s3": {"eu-west-1": {"classes": {"STANDARD": {"storage_per_gb_month": 0.0191}}},
            "me-south-1": {"like": "us-east-1"}},
     "file": {"local": {"roots": {"file:///srv/slow": "hdd"}}}}
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from cloudflux.api.common import Tier
from cloudflux.brain.price_table import (
    BYTES_PER_GB,
    DAYS_PER_MONTH,
    RULES,
    STEP,
    AutomaticStep,
    ClassPrices,
    Figure,
    PriceTable,
    root_key,
)
from cloudflux.errors import ConfigurationError, PriceUnknown

__all__ = [
    "BYTES_PER_GB",
    "DAYS_PER_MONTH",
    "PROVIDERS",
    "AutomaticStep",
    "ClassPrices",
    "Figure",
    "PriceTable",
    "load_table",
    "provider_of",
    "regions",
    "table_name",
]

PROVIDERS = ("s3", "azure", "gcs", "r2", "file")
BOOK_VERSION = 2
_ALIASES = {"aws": "s3", "az": "azure", "gcp": "gcs", "gs": "gcs"}
_ONE_REGION = frozenset({"file", "r2"})
_SECTION_KEYS = frozenset({"like", "classes", "network", "roots", "source", "asOf", "note"})


def load_table(
    provider: str, region: str | None, overlay: Mapping[str, Any] | None = None
) -> PriceTable:
    """Load the prices of a provider in a region, with the overlay applied.

    No region means the book's first, and a warning says so. Raises PriceUnknown for a region
    that neither the book nor the overlay has, ConfigurationError for an overlay that can't be.
    """
    if provider not in PROVIDERS:
        raise PriceUnknown(f"no prices for provider {provider!r}; known: {', '.join(PROVIDERS)}")
    own = _listed(provider)[""].region
    wanted = own if provider in _ONE_REGION or not region else region
    extra = _section(overlay, provider, wanted)
    table = _start(provider, wanted, extra)
    warnings = table.warnings
    if not region and provider not in _ONE_REGION:
        warnings += (f"no region is set: {provider} list prices of {own} are used",)
    if extra:
        warnings += (f"prices of {provider} in {wanted} are changed by the price overlay",)
    return _overlaid(replace(table, region=wanted, warnings=warnings), extra or {})


def regions(provider: str) -> tuple[str, ...]:
    """Return the regions that the book lists, the one in full first."""
    listed = _listed(provider)
    return tuple(dict.fromkeys((listed[""].region, *(name for name in listed if name))))


def table_name(text: str) -> tuple[str, str | None]:
    """Read "aws/us-east-1", "azure" or "gcs/us" as provider and region. Raises PriceUnknown."""
    name, _, region = text.partition("/")
    provider = _ALIASES.get(name.lower(), name.lower())
    if provider not in PROVIDERS:
        raise PriceUnknown(f"no prices for {text!r}; name one of {', '.join(PROVIDERS)}")
    return provider, region or None


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


def _start(provider: str, region: str, extra: Mapping[str, Any] | None) -> PriceTable:
    """Return what an overlay is laid over: the region, the one it is like, or the rules alone."""
    listed = _listed(provider)
    like = extra.get("like") if extra else None
    if like is not None and like not in listed:
        raise PriceUnknown(
            f'price overlay: "{provider}"."{region}" is like {like!r}, which is not listed: '
            f"{', '.join(regions(provider))}"
        )
    if like is not None or region in listed:
        return listed[region if like is None else like]
    if extra is not None:
        return _rules_only(listed[""])
    first = listed[""].region
    raise PriceUnknown(
        f"no prices for {provider} in {region} (listed: {', '.join(regions(provider))}). To start "
        f'from listed prices set {{"{provider}": {{"{region}": {{"like": "{first}"}}}}}} '
        "in the price overlay and override what differs; `cloudflux prices refresh` reads the "
        "provider's own list"
    )


@lru_cache(maxsize=len(PROVIDERS))
def _listed(provider: str) -> Mapping[str, PriceTable]:
    """Read the book: tables by region, the region in full also under the empty name."""
    path = resources.files("cloudflux.brain") / "price_tables" / f"{provider}.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    if raw["version"] != BOOK_VERSION:
        raise ConfigurationError(f"{path} has version {raw['version']}, not {BOOK_VERSION}")
    full = PriceTable(
        provider=raw["provider"],
        region=raw["region"],
        currency=raw["currency"],
        date=raw["date"],
        class_change=raw["class_change"],
        base_class=raw["base_class"],
        classes=MappingProxyType({n: _class(n, c) for n, c in raw["classes"].items()}),
        network=MappingProxyType({n: _figure(f) for n, f in raw["network"].items()}),
    )
    bare = _rules_only(full)
    others = {
        name: _overlaid(replace(bare, region=name), section)
        for name, section in raw.get("regions", {}).items()
    }
    return MappingProxyType({"": full, full.region: full, **others})


def _rules_only(table: PriceTable) -> PriceTable:
    """Keep how the classes behave, and forget every price."""
    unknown = Figure(None, "not listed for this region", None)
    classes = {
        name: replace(
            prices,
            figures=MappingProxyType(
                {key: figure if key in RULES else unknown for key, figure in prices.figures.items()}
            ),
            automatic_steps=tuple(
                replace(step, storage_per_gb_month=unknown) for step in prices.automatic_steps
            ),
            restores=dict.fromkeys(prices.restores, unknown),
        )
        for name, prices in table.classes.items()
    }
    return replace(table, classes=classes, network=dict.fromkeys(table.network, unknown))


def _class(name: str, raw: Mapping[str, Any]) -> ClassPrices:
    automatic = raw.get("automatic") or {}
    return ClassPrices(
        name=name,
        tier=Tier(raw["tier"]),
        archived=raw["archived"],
        first_byte_millis=raw["first_byte_millis"],
        figures=MappingProxyType({n: _figure(f) for n, f in raw["figures"].items()}),
        automatic_min_bytes=automatic.get("min_bytes"),
        one_zone=raw.get("one_zone", False),
        restores=MappingProxyType({n: _figure(f) for n, f in raw.get("restores", {}).items()}),
        automatic_steps=tuple(
            AutomaticStep(s["after_idle_days"], _figure(s["storage_per_gb_month"]))
            for s in automatic.get("steps", ())
        ),
    )


def _figure(raw: Any, source: str = "overlay", as_of: str | None = None) -> Figure:
    if not isinstance(raw, Mapping):
        raw = {"value": raw, "source": source, "asOf": as_of}
    if "value" not in raw:
        raise ConfigurationError(f'a price must be a number or have a "value", not {dict(raw)!r}')
    value = raw["value"]
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12
    ):
        raise ConfigurationError(f"a price must be a number of at least 0, not {value!r}")
    return Figure(value, str(raw.get("source", source)), raw.get("asOf", as_of))


def _section(
    overlay: Mapping[str, Any] | None, provider: str, region: str
) -> Mapping[str, Any] | None:
    by_region = (overlay or {}).get(provider, {})
    if not isinstance(by_region, Mapping):
        raise ConfigurationError(f'price overlay: "{provider}" must map regions to prices')
    section = by_region.get(region)
    if section is None:
        return None
    if not isinstance(section, Mapping):
        raise ConfigurationError(f'price overlay: "{provider}"."{region}" must be an object')
    strange = sorted(set(section) - _SECTION_KEYS)
    if strange:
        raise ConfigurationError(
            f'price overlay: "{provider}"."{region}" has {strange[0]!r}; '
            f"known: {', '.join(sorted(_SECTION_KEYS))}"
        )
    return section


def _overlaid(table: PriceTable, extra: Mapping[str, Any]) -> PriceTable:
    source, as_of = extra.get("source", "overlay"), extra.get("asOf")
    classes = dict(table.classes)
    for name, figures in extra.get("classes", {}).items():
        # A class that the table does not have starts empty: whatever is not given stays unknown.
        base = classes.get(name) or ClassPrices(name, Tier.WARM, False, 100, {})
        given = {key: _figure(value, source, as_of) for key, value in figures.items()}
        steps = tuple(
            replace(step, storage_per_gb_month=given.pop(key))
            if (key := STEP.format(step.after_idle_days)) in given
            else step
            for step in base.automatic_steps
        )
        classes[name] = replace(
            base,
            figures=MappingProxyType({**base.figures, **given}),
            automatic_steps=steps,
        )
    own = {n: _figure(f, source, as_of) for n, f in extra.get("network", {}).items()}
    roots = {root_key(uri): str(name) for uri, name in extra.get("roots", {}).items()}
    for uri, name in roots.items():
        if name not in classes:
            raise ConfigurationError(f"price overlay: root {uri} names the unknown class {name!r}")
    return replace(
        table, classes=classes, network={**table.network, **own}, roots={**table.roots, **roots}
    )
