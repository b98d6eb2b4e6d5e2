"""Amazon's offer files: AmazonS3 and AWSDataTransfer of one region.

A price is keyed by usage type **and** operation: `Requests-Tier3` alone is a restore, a
transition to GLACIER and one to DEEP_ARCHIVE. The usage type has a prefix of the region that is
not its name (`EUC1-`), so it is read off the product that every file has, and matched whole:
S3 Tables and S3 Vectors have usage types that end alike. Of bands the first counts. Storage in
DEEP_ARCHIVE stands under the name of the Intelligent-Tiering step of the same price;
`…-GDA-Staging` is the price of its staging area. Egress stands in AWSDataTransfer only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cloudflux.brain.feeds.found import FeedError, Found, one_price
from cloudflux.brain.price_table import STEP

Offer = Mapping[str, Any]

_ANCHOR = "TimedStorage-ByteHrs"
_A_GB, _A_REQUEST = {"gb-mo", "gb"}, {"requests", "request", "count", "objects"}
_IT = "INTELLIGENT_TIERING"


@dataclass(frozen=True, slots=True)
class _Query:
    usage_type: str
    operations: tuple[str, ...] = ("",)
    """Tried in turn."""
    volume_type: str = ""


_STORAGE = {
    "STANDARD": _Query(_ANCHOR, volume_type="Standard"),
    _IT: _Query("TimedStorage-INT-FA-ByteHrs"),
    "STANDARD_IA": _Query("TimedStorage-SIA-ByteHrs"),
    "ONEZONE_IA": _Query("TimedStorage-ZIA-ByteHrs"),
    "GLACIER_IR": _Query("TimedStorage-GIR-ByteHrs"),
    "GLACIER": _Query("TimedStorage-GlacierByteHrs"),
    "DEEP_ARCHIVE": _Query("TimedStorage-INT-DAA-ByteHrs"),
}
_STEPS = {30: _Query("TimedStorage-INT-IA-ByteHrs"), 90: _Query("TimedStorage-INT-AIA-ByteHrs")}
_RETRIEVAL = {
    "STANDARD_IA": _Query("Retrieval-SIA"),
    "ONEZONE_IA": _Query("Retrieval-ZIA"),
    "GLACIER_IR": _Query("Retrieval-GIR"),
    "GLACIER": _Query("Standard-Retrieval-Bytes", ("RestoreObject",)),
    "DEEP_ARCHIVE": _Query("Standard-Retrieval-Bytes", ("DeepArchiveRestoreObject",)),
}
_PUT = {
    "STANDARD": _Query("Requests-Tier1"),
    _IT: _Query("Requests-INT-Tier1"),
    "STANDARD_IA": _Query("Requests-SIA-Tier1"),
    "ONEZONE_IA": _Query("Requests-ZIA-Tier1"),
    "GLACIER_IR": _Query("Requests-GIR-Tier1"),
    "GLACIER": _Query("Requests-GLACIER-Tier1", ("PutObject",)),
    # A write to DEEP_ARCHIVE has no usage type of its own; it is billed as the transition.
    "DEEP_ARCHIVE": _Query("Requests-Tier3", ("S3-GDATransition",)),
}
_GET = {
    "STANDARD": _Query("Requests-Tier2"),
    _IT: _Query("Requests-INT-Tier2"),
    "STANDARD_IA": _Query("Requests-SIA-Tier2"),
    "ONEZONE_IA": _Query("Requests-ZIA-Tier2"),
    "GLACIER_IR": _Query("Requests-GIR-Tier2"),
    "GLACIER": _Query("Requests-GLACIER-Tier2"),
    "DEEP_ARCHIVE": _Query("Requests-GDA-Tier2"),
}
_TRANSITION = {
    _IT: _Query("Requests-Tier4", ("S3-INTTransition", "")),
    "STANDARD_IA": _Query("Requests-Tier4", ("S3-SIATransition", "")),
    "ONEZONE_IA": _Query("Requests-Tier4", ("S3-ZIATransition", "")),
    "GLACIER_IR": _Query("Requests-Tier4", ("S3-GIRTransition",)),
    "GLACIER": _Query("Requests-Tier3", ("S3-GlacierTransition",)),
    "DEEP_ARCHIVE": _Query("Requests-Tier3", ("S3-GDATransition",)),
}
_RESTORE = {
    "GLACIER": _Query("Requests-Tier3", ("RestoreObject",)),
    "DEEP_ARCHIVE": _Query("Requests-Tier3", ("DeepArchiveRestoreObject",)),
}
_FREE_TO_READ = ("STANDARD", _IT)


def parse(s3: Offer, data_transfer: Offer | None = None) -> Found:
    """Read the figures of one region. Raises FeedError when a price is given in two ways."""
    prefix, location = _anchor(s3)
    found = Found("aws-offer-file", str(s3.get("publicationDate", ""))[:10] or "unknown")
    per_gb = (("storage_per_gb_month", _STORAGE), ("retrieval_per_gb", _RETRIEVAL))
    per_1k = (
        ("put_per_1k", _PUT),
        ("get_per_1k", _GET),
        ("transition_in_per_1k", _TRANSITION),
        ("restore_request_per_1k", _RESTORE),
        ("monitoring_per_1k_month", {_IT: _Query("Monitoring-Automation-INT")}),
    )
    for figures, units, scale in ((per_gb, _A_GB, 1), (per_1k, _A_REQUEST, 1000)):
        for figure, queries in figures:
            for name, query in queries.items():
                _take(found, s3, prefix, name, figure, query, units, scale)
    for days, query in _STEPS.items():
        _take(found, s3, prefix, _IT, STEP.format(days), query, _A_GB, 1)
    for name in _FREE_TO_READ:
        found.classes[name]["retrieval_per_gb"] = 0.0
    if data_transfer is not None:
        found.network["internet_per_gb"] = _egress(data_transfer, location)
    return found


def _take(
    found: Found,
    offer: Offer,
    prefix: str,
    name: str,
    figure: str,
    query: _Query,
    units: set[str],
    scale: int,
) -> None:
    price = _lookup(offer, prefix, query, units)
    found.take(name, figure, None if price is None else _clean(price * scale))


def _anchor(offer: Offer) -> tuple[str, str]:
    """Return the prefix of the region's usage types and the region's location, in words."""
    prefixes = set()
    for _, attributes, family in _products(offer):
        is_it = family == "Storage" and attributes.get("volumeType") == "Standard"
        if is_it and attributes.get("storageClass") == "General Purpose":
            usage_type = attributes.get("usagetype", "")
            if usage_type.endswith(_ANCHOR):
                prefixes.add(
                    (usage_type.removesuffix(_ANCHOR), str(attributes.get("location", "")))
                )
    if len(prefixes) != 1:
        raise FeedError(
            "this is no AmazonS3 offer file of one region: it has "
            f"{len(prefixes)} products of plain Standard storage, not one"
        )
    return prefixes.pop()


def _lookup(offer: Offer, prefix: str, query: _Query, units: set[str]) -> float | None:
    for operation in query.operations:
        prices = set()
        for sku, attributes, _ in _products(offer):
            if (
                attributes.get("usagetype") == prefix + query.usage_type
                and attributes.get("operation", "") == operation
                and (not query.volume_type or attributes.get("volumeType") == query.volume_type)
            ):
                prices |= set(_first_band(offer, sku, units))
        what = f"{query.usage_type} {operation}".strip()
        price = one_price(what, prices)
        if price is not None:
            return price
    return None


def _products(offer: Offer) -> Iterator[tuple[str, Mapping[str, str], str]]:
    for sku, product in offer.get("products", {}).items():
        yield sku, product.get("attributes", {}), product.get("productFamily", "")


def _first_band(offer: Offer, sku: str, units: set[str]) -> Iterator[float]:
    """Yield the price of the first band: beginRange 0, or none where there is one band only."""
    for term in offer.get("terms", {}).get("OnDemand", {}).get(sku, {}).values():
        for dimension in term.get("priceDimensions", {}).values():
            if dimension.get("beginRange", "0") not in ("", "0"):
                continue
            unit = str(dimension.get("unit", ""))
            if unit.lower() not in units:
                raise FeedError(f"SKU {sku} is priced by {unit!r}, which is not understood here")
            try:
                yield float(dimension["pricePerUnit"]["USD"])
            except (KeyError, ValueError) as error:
                raise FeedError(f"SKU {sku} has no price in USD") from error


def _egress(offer: Offer, location: str) -> float:
    """Return the price of a GB to the internet: the highest, beside free tiers listed at 0."""
    prices = {0.0}
    for sku, attributes, _ in _products(offer):
        if (
            attributes.get("fromLocation") == location
            and attributes.get("fromLocationType") == "AWS Region"
            and attributes.get("toLocation") == "External"
            and attributes.get("transferType") == "AWS Outbound"
            and "Global-" not in attributes.get("usagetype", "")
        ):
            prices |= set(_first_band(offer, sku, _A_GB))
    if max(prices) == 0.0:
        raise FeedError(f"the AWSDataTransfer file has no price from {location} to the internet")
    return max(prices)


def _clean(price: float) -> float:
    """Undo the dust that a factor of 1,000 leaves in a decimal price."""
    return float(f"{price:.10g}")
