"""Azure's Retail Prices API: the rows of General Block Blob v2 in one region.

The same meter names exist under Files v2 and other products at other prices, `Archive Priority …`
beside `Archive …` are other meters, and reservations and test offers stand among the rows.
Operations are priced by ten thousand, some meters by the GiB-hour.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from cloudflux.brain.feeds.found import HOURS_PER_MONTH, FeedError, Found, one_price

Row = Mapping[str, Any]

PRODUCT = "General Block Blob v2"
TIERS = ("Hot", "Cool", "Cold", "Archive")
_PER_GB = {
    "1 gb": 1.0,
    "1 gib": 1.0,
    "1 gb/month": 1.0,
    "1 gib/month": 1.0,
    "1 gb/hour": HOURS_PER_MONTH,
    "1 gib/hour": HOURS_PER_MONTH,
}
_PER_1K = {"1k": 1.0, "10k": 0.1, "1m": 0.001}
_METERS = (
    ("storage_per_gb_month", "Data Stored", _PER_GB),
    ("put_per_1k", "Write Operations", _PER_1K),
    ("get_per_1k", "Read Operations", _PER_1K),
    ("retrieval_per_gb", "Data Retrieval", _PER_GB),
)


def parse(rows: Iterable[Row], region: str, redundancy: str = "LRS") -> Found:
    """Read the figures of one region from the rows of all pages.

    Raises FeedError when a price is given in two ways, in a unit that is not understood or in
    another currency than USD, or when the region has none.
    """
    ours = [row for row in rows if _is_ours(row, region)]
    tiers = [tier for tier in TIERS if any(_sku(row) == f"{tier} {redundancy}" for row in ours)]
    if "Hot" not in tiers:
        raise FeedError(f"the rows have no prices of {PRODUCT}, Hot {redundancy}, in {region}")
    found = Found("az-retail-prices-api", max(_day(row) for row in ours))
    for tier in tiers:
        of_tier = [row for row in ours if _sku(row) == f"{tier} {redundancy}"]
        for figure, meter, units in _METERS:
            names = {f"{tier} {redundancy} {meter}", f"{tier} {meter}"}
            prices = {_price(row, units) for row in of_tier if row.get("meterName") in names}
            price = one_price(f"{tier} {meter} in {region}", prices)
            if price is None and tier == "Hot" and figure == "retrieval_per_gb":
                price = 0.0  # Hot has no such meter: reading it is free
            found.take(tier, figure, price)
        # Setting a tier downwards is billed as one write at the tier.
        figures = found.classes.get(tier, {})
        if "put_per_1k" in figures:
            figures["transition_in_per_1k"] = figures["put_per_1k"]
    return found


def _is_ours(row: Row, region: str) -> bool:
    return (
        row.get("productName") == PRODUCT
        and row.get("armRegionName") == region
        and row.get("type", "Consumption") == "Consumption"
        and not row.get("reservationTerm")
        and float(row.get("tierMinimumUnits", 0)) == 0
    )


def _sku(row: Row) -> str:
    return str(row.get("skuName", ""))


def _day(row: Row) -> str:
    return str(row.get("effectiveStartDate", ""))[:10]


def _price(row: Row, units: Mapping[str, float]) -> float:
    meter, unit = row.get("meterName"), str(row.get("unitOfMeasure", ""))
    if row.get("currencyCode", "USD") != "USD":
        raise FeedError(f"{meter} is priced in {row['currencyCode']}: ask for USD")
    if unit.lower() not in units:
        raise FeedError(f"{meter} is priced by {unit!r}, which is not understood here")
    return float(f"{float(row['retailPrice']) * units[unit.lower()]:.10g}")
