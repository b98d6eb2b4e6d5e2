"""A price table from a file that lists the prices of several providers.

The schema: `providers` → provider → `region`, `classes` → class → figures in camel case, each
`{"value": …, "source": …, "asOf": …}`. A null value is unknown, and an error when it is needed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cloudflux.api.common import Tier
from cloudflux.brain.prices import (
    AutomaticStep,
    ClassPrices,
    Figure,
    PriceTable,
    load_table,
    table_name,
)
from cloudflux.errors import ConfigurationError, PriceUnknown

KNOWN_AS = {"aws": "s3", "gcp": "gcs", "cloudflare-r2": "r2"}
"""What a provider is called in price lists, and in our tables where that differs."""
_FIGURES = {
    "storagePerGBMonth": "storage_per_gb_month",
    "putCopyPostListPer1k": "put_per_1k",
    "getPer1k": "get_per_1k",
    "retrievalPerGB": "retrieval_per_gb",
    "transitionIntoPer1k": "transition_in_per_1k",
    "minStorageDays": "min_storage_days",
    "monitoringPer1kObjectsMonth": "monitoring_per_1k_month",
}
_KIB = 1024


def table_for(prices: str, classes: list[str]) -> PriceTable:
    """Return the table that `--prices` names: provider/region, or a file with a price list.

    In a file the provider is the one that has all the classes. Raises PriceUnknown,
    ConfigurationError.
    """
    path = Path(prices)
    if path.suffix == ".json" or path.is_file():
        return _from_file(path, classes)
    return load_table(*table_name(prices))


def _from_file(path: Path, classes: list[str]) -> PriceTable:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is no JSON file with prices: {error}") from error
    providers = raw.get("providers") if isinstance(raw, Mapping) else None
    if not isinstance(providers, Mapping):
        raise ConfigurationError(f'{path} must hold {{"providers": {{"aws": {{…}}}}}}')
    for name, listed in providers.items():
        known = listed.get("classes", {}) if isinstance(listed, Mapping) else {}
        if classes and set(classes) <= set(known):
            return price_list_table(raw, name)
    raise PriceUnknown(
        f"no provider in {path} lists all of {', '.join(classes)}: add their prices to the file"
    )


def price_list_table(raw: Mapping[str, Any], provider: str) -> PriceTable:
    """Turn one provider of a price list into a table."""
    listed = raw["providers"][provider]
    name = KNOWN_AS.get(provider, provider)
    ours = load_table(name, None)
    classes = {
        key: _class(key, figures, ours.classes.get(key))
        for key, figures in listed["classes"].items()
    }
    return PriceTable(
        provider=name,
        region=str(listed.get("region", ours.region)),
        currency=str(raw.get("currency", "USD")),
        date=str(raw.get("generated", "unknown date")),
        class_change=ours.class_change,
        base_class=ours.base_class,
        classes=MappingProxyType(classes),
        network=ours.network,
    )


def _class(name: str, raw: Mapping[str, Any], ours: ClassPrices | None) -> ClassPrices:
    figures = {own: _figure(raw.get(theirs)) for theirs, own in _FIGURES.items() if theirs in raw}
    figures["min_billable_bytes"] = _scaled(raw.get("minBillableObjectKiB", 0), _KIB)
    for theirs, own in (
        ("atGlacierRate", "overhead_own_rate_bytes"),
        ("atStandardRate", "overhead_standard_rate_bytes"),
    ):
        if theirs in (raw.get("overheadKB") or {}):
            figures[own] = _scaled(raw["overheadKB"][theirs], _KIB)
    restore = (raw.get("restore") or {}).get("standard") or {}
    if "requestPer1k" in restore:
        figures["restore_request_per_1k"] = _figure(restore["requestPer1k"])
    steps = _steps(raw)
    smallest = _figure(raw.get("autoTierMinKiB", 0)).value
    return ClassPrices(
        name=name,
        tier=ours.tier if ours else Tier.WARM,
        archived=ours.archived if ours else "restore" in str(raw.get("firstByteLatency", "")),
        first_byte_millis=ours.first_byte_millis if ours else 100,
        figures=MappingProxyType(figures),
        automatic_min_bytes=int((smallest or 0) * _KIB) if steps else None,
        automatic_steps=steps,
    )


def _steps(raw: Mapping[str, Any]) -> tuple[AutomaticStep, ...]:
    """Return the steps that need no opting in: those before a reader would have to wait."""
    after, prices = raw.get("demotionDaysNoAccess"), raw.get("subTiers")
    if not isinstance(after, Mapping) or not isinstance(prices, Mapping):
        return ()
    if "value" in after and isinstance(after["value"], Mapping):
        after = after["value"]
    steps = [
        AutomaticStep(int(_figure(days).value or 0), _figure(prices.get(step)))
        for step, days in after.items()
        if step in ("INFREQUENT", "ARCHIVE_INSTANT") and _figure(days).value is not None
    ]
    return tuple(sorted(steps, key=lambda step: step.after_idle_days))


def _figure(raw: Any) -> Figure:
    if not isinstance(raw, Mapping):
        raw = {"value": raw}
    value = raw.get("value")
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or value < 0
    ):
        raise ConfigurationError(f"a price must be a number of at least 0, not {value!r}")
    return Figure(value, str(raw.get("source", "file")), raw.get("asOf"))


def _scaled(raw: Any, factor: int) -> Figure:
    figure = _figure(raw)
    value = None if figure.value is None else figure.value * factor
    return Figure(value, figure.source, figure.as_of)
