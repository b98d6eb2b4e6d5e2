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
_AUTOMATIC_MIN_KIB = 128
"""Smaller objects are not moved by any provider's automatic class."""
_AS_STANDARD = ("storagePerGBMonth", "putCopyPostListPer1k", "getPer1k", "firstByteLatency")
_WAITING = ("ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS")
"""Steps that must be opted in to, and from which a reader has to wait."""


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
        if not isinstance(listed, Mapping) or not isinstance(listed.get("classes"), Mapping):
            continue
        if classes and set(classes) <= {*listed["classes"], *_autoclass(listed)}:
            return price_list_table(raw, name)
    raise PriceUnknown(
        f"no provider in {path} lists all of {', '.join(classes)}: add their prices to the file"
    )


def price_list_table(raw: Mapping[str, Any], provider: str) -> PriceTable:
    """Turn one provider of a price list into a table."""
    listed = raw["providers"][provider]
    name = KNOWN_AS.get(provider, provider)
    ours = load_table(name, None)
    listed_classes = {**listed["classes"], **_autoclass(listed)}
    classes = {
        key: _class(key, _whole(figures, listed_classes), ours.classes.get(key), listed_classes)
        for key, figures in listed_classes.items()
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


def _whole(raw: Mapping[str, Any], listed: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fill what an automatic class leaves open: it bills the meters of the classes below it.

    Azure's Smart tier has no storage price of its own; its first step and its writes are Hot's.
    """
    after = _step_days(raw)
    if not after or raw.get("subTiers"):
        return raw
    hottest: Mapping[str, Any] = next(
        (listed[name] for name in ("Hot", "STANDARD") if name in listed), {}
    )
    filled = {
        key: hottest[key]
        for key in ("storagePerGBMonth", "putCopyPostListPer1k")
        if key in hottest and _figure(raw.get(key)).value is None
    }
    return {**raw, **filled, "autoTierMinKiB": raw.get("autoTierMinKiB", _AUTOMATIC_MIN_KIB)}


def _autoclass(listed: Mapping[str, Any]) -> dict[str, Any]:
    """Return Google's Autoclass as classes: lists have it beside the classes, as a bucket option.

    It ends in Nearline, or with AUTOCLASS_ARCHIVE in Archive.
    """
    rules = (listed.get("other") or {}).get("autoclass")
    base = listed["classes"].get("STANDARD")
    if not isinstance(rules, Mapping) or base is None or "AUTOCLASS" in listed["classes"]:
        return {}
    days = rules.get("thresholdDays") or {}
    found = {}
    for name, steps in (("AUTOCLASS", ["NEARLINE"]), ("AUTOCLASS_ARCHIVE", list(days))):
        found[name] = {
            **{key: base[key] for key in _AS_STANDARD if key in base},
            "retrievalPerGB": rules.get("retrievalPerGB", 0),
            "transitionIntoPer1k": rules.get("transitionOps", 0),
            "minStorageDays": rules.get("earlyDelete", 0),
            "monitoringPer1kObjectsMonth": rules.get("managementPer1kObjectsMonth"),
            "autoTierMinKiB": rules.get("minKiB", _AUTOMATIC_MIN_KIB),
            "demotionDaysNoAccess": {step: days[step] for step in steps if step in days},
        }
    return found


def _class(
    name: str, raw: Mapping[str, Any], ours: ClassPrices | None, listed: Mapping[str, Any]
) -> ClassPrices:
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
    steps = _steps(raw, listed)
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


def _steps(raw: Mapping[str, Any], listed: Mapping[str, Any]) -> tuple[AutomaticStep, ...]:
    """Return the steps that need no opting in, at their own price or that of the class they are."""
    own = raw.get("subTiers") or {}
    steps = []
    for step, days in _step_days(raw).items():
        price = own.get(step, (listed.get(step) or {}).get("storagePerGBMonth"))
        if step not in _WAITING and _figure(days).value is not None:
            steps.append(AutomaticStep(int(_figure(days).value or 0), _figure(price)))
    return tuple(sorted(steps, key=lambda step: step.after_idle_days))


def _step_days(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    after = raw.get("demotionDaysNoAccess")
    if isinstance(after, Mapping) and isinstance(after.get("value"), Mapping):
        after = after["value"]
    return after if isinstance(after, Mapping) else {}


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
