"""Cost exports of Azure, in the columns of the different agreements."""

import re
from collections import Counter
from collections.abc import Iterable

from cloudflux.brain.bills.lines import (
    BillError,
    BillLine,
    Kind,
    Parsed,
    Row,
    day_of,
    need,
    number,
    text,
)

_DAY = ("Date", "date", "UsageDateTime", "UsageDate")
_METER = ("MeterName", "meterName")
_CATEGORY = ("MeterCategory", "meterCategory")
_AMOUNT = ("Quantity", "quantity", "UsageQuantity", "Consumed Quantity")
_COST = ("CostInBillingCurrency", "costInBillingCurrency", "PreTaxCost", "Cost")
_CURRENCY = ("BillingCurrency", "billingCurrency", "BillingCurrencyCode", "Currency")
_RESOURCE = ("ResourceId", "resourceId", "InstanceId", "InstanceName")
_UNIT = ("UnitOfMeasure", "unitOfMeasure")
_NAME = re.compile(
    r"^(Hot|Cool|Cold|Archive)\s(?:[A-Z-]+\s)?"
    r"(Data Stored|Read Operations|Write Operations|Data Retrieval|Early Delete|"
    r"Priority Data Retrieval|Priority Read Operations|Data Write|All Other Operations)$"
)
_KINDS = {
    "Data Stored": Kind.STORAGE,
    "Read Operations": Kind.READS,
    "Write Operations": Kind.WRITES,
}
_TIMES = {"": 1, "K": 1_000, "M": 1_000_000}


def is_azure(columns: Iterable[str]) -> bool:
    """Tell an export of Azure by its columns."""
    return bool(set(_METER) & set(columns))


def parse(columns: Iterable[str], rows: Iterable[Row]) -> Parsed:
    """Read the lines of blob storage. Raises BillError where the export lacks what is needed."""
    columns = list(columns)
    export = "export 'Cost and usage details' (actual cost), which has every column"
    for what, names in (
        ("days", _DAY), ("kinds of meters", _CATEGORY), ("amounts", _AMOUNT), ("costs", _COST),
        ("names of storage accounts", _RESOURCE), ("units", _UNIT),
    ):  # fmt: skip
        need(columns, what, *names, advice=export)
    lines, left_out = [], Counter[str]()
    for row in rows:
        if text(row, *_CATEGORY) != "Storage":
            left_out["of other services"] += 1
            continue
        found = _NAME.match(text(row, *_METER))
        if found is None:
            left_out["transfer and others that no tier changes"] += 1
            continue
        kind = _KINDS.get(found[2], Kind.CHANGES)
        if found[2] == "All Other Operations":
            left_out["transfer and others that no tier changes"] += 1
            continue
        amount = number(text(row, *_AMOUNT), "Quantity") * _units(text(row, *_UNIT))
        lines.append(
            BillLine(
                day=day_of(text(row, *_DAY)),
                resource=text(row, *_RESOURCE).rstrip("/").rsplit("/", 1)[-1],
                storage_class=found[1],
                kind=kind,
                amount=0.0 if kind is Kind.CHANGES else float(amount),
                cost=number(text(row, *_COST), "cost"),
                currency=text(row, *_CURRENCY) or "USD",
            )
        )
    return Parsed("azure", tuple(lines), left_out)


def _units(unit: str) -> int:
    """Read "10K", "1 GB/Month", "100 GB/Month": how many a quantity of 1 is."""
    found = re.match(r"^(\d+)\s?([KM]?)(?:\b|$)", unit)
    if found is None:
        raise BillError(f"UnitOfMeasure {unit!r} is not understood; 1 GB/Month or 10K was expected")
    return int(found[1]) * _TIMES[found[2]]
