"""Cost and Usage Reports of AWS: the first form (`lineItem/…`) and CUR 2.0 (`line_item_…`)."""

import re
from collections import Counter
from collections.abc import Iterable

from cloudflux.brain.bills.lines import (
    BillLine,
    Kind,
    Parsed,
    Row,
    day_of,
    days_between,
    need,
    number,
    text,
)

_STORAGE = {
    "ByteHrs": "STANDARD",
    "INT": "INTELLIGENT_TIERING",
    "SIA": "STANDARD_IA",
    "ZIA": "ONEZONE_IA",
    "GIR": "GLACIER_IR",
    "Glacier": "GLACIER",
    "GLACIER": "GLACIER",
    "GDA": "DEEP_ARCHIVE",
    "RRS": "REDUCED_REDUNDANCY",
}
_TIMED = re.compile(r"TimedStorage-(INT|SIA|ZIA|GIR|GDA|RRS|Glacier|ByteHrs)")
_REQUESTS = re.compile(r"Requests-(?:(INT|SIA|ZIA|GIR|GDA|GLACIER)-)?Tier([1-6])$")
_CHANGES = re.compile(
    r"(?:EarlyDelete-|Retrieval-|Monitoring-Automation-)(INT|SIA|ZIA|GIR|GDA|GLACIER|ByteHrs)?"
)
_USAGE = frozenset({"Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", ""})
_NOT_ASKED_FOR = ("Transition", "CopyObject")
"""Operations that change a class: by a rule of the bucket's, or by a copy onto itself."""


def is_aws(columns: Iterable[str]) -> bool:
    """Tell a report of AWS by its columns."""
    return bool({"lineItem/UsageType", "line_item_usage_type"} & set(columns))


def parse(columns: Iterable[str], rows: Iterable[Row]) -> Parsed:
    """Read the lines of S3. Raises BillError where the report lacks what is needed."""
    columns = list(columns)
    for what, name, advice in (
        ("amounts", "UsageAmount", "export it as a Cost and Usage Report, not as an invoice"),
        ("costs", "UnblendedCost", "export it as a Cost and Usage Report, not as an invoice"),
        ("days", "UsageStartDate", "choose hourly or daily granularity"),
        (
            "names of buckets", "ResourceId",
            "turn on 'Include resource IDs' and wait for the next report",
        ),
    ):  # fmt: skip
        need(columns, what, *_names(name), advice=advice)
    lines, left_out = [], Counter[str]()
    for row in rows:
        if text(row, *_names("ProductCode")) not in ("AmazonS3", ""):
            left_out["of other services"] += 1
        elif text(row, *_names("LineItemType")) not in _USAGE:
            left_out["tax, credits, fees"] += 1
        else:
            found = _line(row)
            if found is None:
                left_out["transfer and others that no class changes"] += 1
            else:
                lines.append(found)
    return Parsed("s3", tuple(lines), left_out)


def _line(row: Row) -> BillLine | None:
    usage = text(row, *_names("UsageType"))
    operation = text(row, *_names("Operation"))
    timed, requests = _TIMED.search(usage), _REQUESTS.search(usage)
    changes = _CHANGES.search(usage)
    amount = number(text(row, *_names("UsageAmount")), "UsageAmount")
    if timed is not None:
        code, kind = timed[1], Kind.STORAGE
    elif requests is not None:
        code = requests[1] or "ByteHrs"
        kind = Kind.READS if requests[2] == "2" else Kind.WRITES
        if any(word in operation for word in _NOT_ASKED_FOR) or requests[2] not in "12":
            kind = Kind.CHANGES
    elif changes is not None:
        code, kind = changes[1] or "ByteHrs", Kind.CHANGES
    else:
        return None
    day = day_of(text(row, *_names("UsageStartDate")))
    return BillLine(
        day=day,
        resource=text(row, *_names("ResourceId")).rsplit(":", 1)[-1],
        storage_class=_STORAGE[code],
        kind=kind,
        amount=0.0 if kind is Kind.CHANGES else float(amount),
        cost=number(text(row, *_names("UnblendedCost")), "UnblendedCost"),
        currency=text(row, *_names("CurrencyCode")) or "USD",
        days=days_between(day, text(row, *_names("UsageEndDate"))),
    )


def _names(name: str) -> tuple[str, str]:
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return f"lineItem/{name}", f"line_item_{snake}"
