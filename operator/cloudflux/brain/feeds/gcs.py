"""Google's Cloud Billing Catalog: the SKUs of Cloud Storage, of one region.

Early deletion, tagging operations, dual- and multi-regions stand beside what is meant, under
descriptions that begin alike. The first band of a SKU may be a free allowance at 0. Prices are
units and billionths of a dollar, by the GiB-month, the GiB-hour or the single operation.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cloudflux.brain.feeds.found import HOURS_PER_MONTH, FeedError, Found, one_price

Sku = Mapping[str, Any]

_CLASSES = {
    "STANDARD": ("Standard", "RegionalStorage"),
    "NEARLINE": ("Nearline", "NearlineStorage"),
    "COLDLINE": ("Coldline", "ColdlineStorage"),
    "ARCHIVE": ("Archive", "ArchiveStorage"),
}
_OTHER_PRODUCTS = ("early delete", "dual-region", "multi-region", "autoclass", "soft delete")
_PER_GB = {"GiBy.mo": 1.0, "GiBy.h": HOURS_PER_MONTH, "GiBy": 1.0}
_PER_1K = {"count": 1000.0}


def parse(skus: Iterable[Sku], region: str) -> Found:
    """Read the figures of one region. Raises FeedError when a price is given in two ways."""
    ours = [sku for sku in skus if {region, "global"} & set(sku.get("serviceRegions", ()))]
    found = Found("gcp-billing-catalog", _newest(ours))
    for name, (word, group) in _CLASSES.items():
        storage = [sku for sku in ours if _is_storage(sku, word, group, region)]
        found.take(name, "storage_per_gb_month", _only(storage, _PER_GB))
        for figure, kind in (("put_per_1k", "A"), ("get_per_1k", "B")):
            operations = _described(ours, f"Regional {word} Class {kind} Operations")
            found.take(name, figure, _only(operations, _PER_1K))
        if name == "STANDARD":
            found.classes.setdefault(name, {})["retrieval_per_gb"] = 0.0
        else:
            retrieval = _described(ours, f"{word} Data Retrieval")
            found.take(name, "retrieval_per_gb", _only(retrieval, _PER_GB))
        # A change of class is a rewrite: one operation of class A at the target.
        figures = found.classes.get(name, {})
        if "put_per_1k" in figures:
            figures["transition_in_per_1k"] = figures["put_per_1k"]
    if "storage_per_gb_month" not in found.classes["STANDARD"]:
        raise FeedError(f"the catalogue has no regional Standard storage in {region}")
    return found


def _is_storage(sku: Sku, word: str, group: str, region: str) -> bool:
    text = str(sku.get("description", ""))
    return (
        region in sku.get("serviceRegions", ())
        and sku.get("category", {}).get("resourceGroup") == group
        and text.startswith(f"{word} Storage")
        and not any(other in text.lower() for other in _OTHER_PRODUCTS)
    )


def _described(skus: Iterable[Sku], description: str) -> list[Sku]:
    return [sku for sku in skus if sku.get("description") == description]


def _only(skus: list[Sku], units: Mapping[str, float]) -> float | None:
    prices = {price for sku in skus for price in _prices(sku, units)}
    return one_price(str(skus[0].get("description")) if skus else "", prices)


def _prices(sku: Sku, units: Mapping[str, float]) -> Iterator[float]:
    infos = sorted(sku.get("pricingInfo", ()), key=lambda info: str(info.get("effectiveTime", "")))
    if not infos:
        return
    expression = infos[-1]["pricingExpression"]
    unit = expression.get("usageUnit")
    if unit not in units:
        raise FeedError(f"{sku.get('description')} is priced by {unit!r}, not understood here")
    bands = sorted(expression.get("tieredRates", ()), key=lambda band: band["startUsageAmount"])
    for band in bands:
        money = band["unitPrice"]
        if money.get("currencyCode", "USD") != "USD":
            raise FeedError(f"{sku.get('description')} is priced in {money['currencyCode']}")
        price = int(money.get("units") or 0) + int(money.get("nanos") or 0) / 1e9
        if price > 0:  # a first band at 0 is the free allowance of an account
            yield float(f"{price * units[unit]:.10g}")
            return


def _newest(skus: Iterable[Sku]) -> str:
    times = [
        str(info.get("effectiveTime", ""))[:10]
        for sku in skus
        for info in sku.get("pricingInfo", ())
    ]
    return max(times, default="unknown")
