"""An event as a row of a table: what a person wants to know of it at a glance."""

from decimal import Decimal, InvalidOperation
from typing import Any

from cloudflux.api.display import display_bytes
from cloudflux.console.hub import Entry
from cloudflux.console.shown import Shown

MARKS = {"warning": "▲", "error": "✕"}
PROVIDERS = (("s3", "S3"), ("az", "Azure"), ("gs", "Google Cloud"), ("file", "File"))
MAX_WHAT = 180
_PROVIDER = {**dict(PROVIDERS), "azure": "Azure", "gcs": "Google Cloud"}


def row_of(entry: Entry) -> dict[str, Any]:
    """Return what the template of a row needs, for an event or a gap."""
    if entry.shown is None:
        return {"gap": entry.gap.message if entry.gap else "events are missing"}
    return event_row(entry.shown)


def event_row(shown: Shown) -> dict[str, Any]:
    """Return what the template of a row needs."""
    given = shown.event.get("data")
    data: dict[str, Any] = given if isinstance(given, dict) else {}
    family = shown.type.partition(".")[0]
    return {
        "gap": "",
        "id": shown.id,
        "type": shown.type,
        "family": family if family.isalpha() and family.islower() else "",
        "severity": shown.severity,
        "mark": MARKS.get(shown.severity, "●"),
        "time": shown.time,
        "clock": shown.time[11:19],
        "namespace": shown.namespace,
        "data_set": shown.data_set,
        "provider": _PROVIDER.get(shown.provider, shown.provider),
        "what": describe(data),
        "bytes": _bytes(data),
        "money": _money(data),
        "sure": _percent(data.get("confidencePercent")),
        "synthetic": shown.event.get("synthetic") in (True, "true"),
    }


def describe(data: dict[str, Any]) -> str:
    """Say what an event tells, in a line or two: the whole event is one step away."""
    parts: list[str] = []
    if data.get("from") or data.get("to"):
        parts.append(f"{data.get('from') or '?'} → {data.get('to') or '?'}")
    parts += [str(data[name]) for name in ("temperature", "uri") if data.get(name)]
    if isinstance(data.get("percent"), int):
        parts.append(f"{data['percent']} %")
    if isinstance(data.get("reads7d"), int):
        parts.append(f"{data['reads7d']} reads in 7 days")
    found = data.get("recommendations")
    if isinstance(found, list) and found and isinstance(found[0], dict):
        first = found[0]
        parts.append(f"{first.get('from')} → {first.get('to')}: {first.get('reason')}")
    if data.get("policy") and not data.get("job"):
        parts.append(f"policy {data['policy']}")
    if data.get("message"):
        parts.append(str(data["message"]))
    text = " · ".join(parts)
    return text if len(text) <= MAX_WHAT else text[: MAX_WHAT - 1].rstrip() + "…"


def command_for(shown: Shown) -> str:
    """Return what to type to see the object of an event; empty when it names none."""
    given = shown.event.get("data")
    data: dict[str, Any] = given if isinstance(given, dict) else {}
    for kind, name in (
        ("migrationjob", "job"),
        ("dataset", "dataSet"),
        ("tieringpolicy", "policy"),
    ):
        if data.get(name):
            return f"kubectl describe {kind} {data[name]} -n {shown.namespace}"
    return ""


def _bytes(data: dict[str, Any]) -> str:
    for value in (data.get("bytesDone"), data.get("bytes")):
        if isinstance(value, int):
            return display_bytes(value)
    found = data.get("recommendations")
    if isinstance(found, list):
        sizes = [one.get("bytes") for one in found if isinstance(one, dict)]
        return display_bytes(sum(size for size in sizes if isinstance(size, int)))
    return ""


def _money(data: dict[str, Any]) -> str:
    currency = str(data.get("currency") or "")
    names = [
        ("savingsPerMonth", "saves "), ("projectedSavingsPerMonth", "saves "), ("monthlyCost", "")
    ]  # fmt: skip
    if isinstance(data.get("tiers"), list):  # what was measured is the cost
        names.reverse()
    for name, before in names:
        if data.get(name) is not None:
            return f"{before}{amount(data[name])} {currency}".strip()
    return ""


def amount(value: object) -> str:
    """Write an amount with cents, small ones with four digits; empty when it is none.

    What is less than can be written so is not written as nothing.
    """
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return ""
    if 0 < number < Decimal("0.00005"):
        return "< 0.0001"
    return f"{number:,.4f}" if 0 < abs(number) < Decimal("0.1") else f"{number:,.2f}"


def _percent(value: object) -> str:
    return f"{value} %" if isinstance(value, int) else ""
