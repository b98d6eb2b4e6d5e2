"""What `kubectl cloudflux` says of resources. Pure: JSON of the API in, text out."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cloudflux.api.display import counted, display_bytes
from cloudflux.migration.display import human_seconds

Json = dict[str, Any]
ENDED = ("Completed", "Failed", "Cancelled")
_COLOURS = {
    "Completed": "32", "Failed": "31", "Cancelled": "33", "AwaitingApproval": "33",
    "Suspended": "33", "Copying": "36", "Verifying": "36", "Switching": "36", "Restoring": "36",
}  # fmt: skip
_NOT_COPIED = ("approval", "cancel", "suspend")


def painted(word: str, *, colour: bool) -> str:
    """A phase in its colour, for a terminal."""
    code = _COLOURS.get(word.strip())
    return f"\x1b[{code}m{word}\x1b[0m" if colour and code else word


def why(found: Json) -> str:
    """What an object's status says of itself."""
    status = found.get("status", {})
    return str(status.get("message") or status.get("reason") or "the operator has not seen it yet")


def over(job: Json) -> bool:
    """Whether a job has ended."""
    return job.get("status", {}).get("phase") in ENDED


def overview(data_sets: Sequence[Json], jobs: Sequence[Json]) -> Json:
    """Data sets and the moves that have not ended."""
    return {
        "dataSets": [_data_set(one) for one in data_sets],
        "moves": [_job(one) for one in jobs if not over(one)],
    }


def _data_set(found: Json) -> Json:
    status = found.get("status", {})
    ready = _condition(found, "Ready")
    return {
        "namespace": found["metadata"]["namespace"],
        "name": found["metadata"]["name"],
        "location": (status.get("location") or found["spec"]["location"])["uri"],
        "temperature": status.get("temperature", "Unknown"),
        "objects": status.get("inventory", {}).get("objects", 0),
        "bytes": status.get("inventory", {}).get("bytes", 0),
        "monthlyCost": status.get("monthlyCost", ""),
        "savingsPerMonth": status.get("savingsPerMonth", ""),
        "ready": ready.get("status", "Unknown"),
        "reason": ready.get("reason", "Pending"),
    }


def _job(found: Json) -> Json:
    status = found.get("status", {})
    return {
        "namespace": found["metadata"]["namespace"],
        "name": found["metadata"]["name"],
        "dataSet": found["spec"]["dataSetRef"]["name"],
        "phase": status.get("phase", "Pending"),
        "percent": status.get("progress", {}).get("percent"),
        "reason": status.get("reason", "Pending"),
        "message": why(found),
    }


def _condition(found: Json, kind: str) -> Json:
    conditions = found.get("status", {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind), {})


def overview_text(found: Json, *, colour: bool) -> str:
    """Two tables, or what to do where there is nothing."""
    if not found["dataSets"]:
        return "No DataSet is here. Make one: docs/tutorial/first-move.md"
    head = (
        "DATASET",
        "TEMPERATURE",
        "OBJECTS",
        "BYTES",
        "COST/MO",
        "SAVINGS/MO",
        "READY",
        "REASON",
    )
    rows = [
        (
            f"{one['namespace']}/{one['name']}", one["temperature"], f"{one['objects']:,}",
            display_bytes(one["bytes"]), one["monthlyCost"], one["savingsPerMonth"],
            one["ready"], one["reason"],
        )
        for one in found["dataSets"]
    ]  # fmt: skip
    lines = _table(head, rows)
    if found["moves"]:
        moves = [
            (
                f"{one['namespace']}/{one['name']}", one["dataSet"], one["phase"],
                "" if one["percent"] is None else f"{one['percent']} %", one["message"],
            )
            for one in found["moves"]
        ]  # fmt: skip
        lines += ["", *_table(("MOVE", "DATASET", "PHASE", "DONE", "MESSAGE"), moves)]
        lines = [_painted_line(line, moves, colour=colour) for line in lines]
    return "\n".join(lines)


def _painted_line(line: str, moves: Sequence[tuple[str, ...]], *, colour: bool) -> str:
    for row in moves:
        if line.startswith(row[0] + " "):
            return line.replace(row[2], painted(row[2], colour=colour), 1)
    return line


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]


def plan_text(job: Json) -> str:
    """A job's plan in sentences."""
    status, name = job.get("status", {}), job["metadata"]["name"]
    plan = status["plan"]
    pin = status.get("pin") or {}
    currency = plan.get("currency", "")
    target = pin.get("targetClass") or pin.get("targetRoot") or pin.get("target", {}).get("uri", "")
    lines = [
        f"{name}: {counted(plan['objects'], 'object')}, {display_bytes(plan['bytes'])}",
        f"  from      {pin.get('source', {}).get('uri', '')}",
        f"  to        {target}",
        f"  costs     {plan.get('oneOffCost', '?')} {currency} once",
        f"  saves     {plan.get('savingsPerMonth', '?')} {currency} a month",
    ]
    if plan.get("paybackDays") is not None:
        lines.append(f"  pays back after {counted(plan['paybackDays'], 'day')}")
    if plan.get("durationSeconds") is not None:
        lines.append(f"  takes     about {human_seconds(plan['durationSeconds'])}")
    lines += [f"  warning   {text}" for text in plan.get("warnings") or ()]
    lines.append(f"  plan      {plan['hash']}, until {plan.get('expiresAt', '?')}")
    if status.get("phase") == "AwaitingApproval":
        lines.append(f"Approve it: kubectl cloudflux approve {name} --hash {plan['hash']}")
    return "\n".join(lines)


def explain_text(data_set: Json) -> str:
    """Why a data set is where it is."""
    status, name = data_set.get("status", {}), data_set["metadata"]["name"]
    fresh = _condition(data_set, "AccessHistoryFresh")
    access, forecast = status.get("access") or {}, status.get("forecast") or {}
    confidence = status.get("confidencePercent")
    sure = "" if confidence is None else f" ({confidence} % sure)"
    lines = [
        f"{name} is {status.get('temperature', 'Unknown')}{sure}, at "
        f"{(status.get('location') or data_set['spec']['location'])['uri']}",
        f"  signal    {fresh.get('reason', 'none')}: {fresh.get('message', 'not known yet')}",
    ]
    if access:
        lines.append(
            f"  reads     {access.get('reads7D', 0)} in 7 days, {access.get('reads30D', 0)} in 30, "
            f"of {counted(access.get('observedDays', 0), 'observed day')}"
        )
    if forecast:
        lines.append(
            f"  forecast  {forecast['reads7D']} reads in 7 days ({forecast['low']} to "
            f"{forecast['high']}), by {forecast['model']}"
        )
    lines += [
        f"  ahead     {one['reads']} reads in {one['days']} days ({one['readsLow']} to "
        f"{one['readsHigh']}), {display_bytes(one['bytes'])}"
        for one in forecast.get("trend") or ()
    ]
    model = _condition(data_set, "ModelUsable")
    if model:
        lines.append(f"  model     {model.get('reason')}: {model.get('message')}")
    lines += [
        f"  holds     {counted(tier['objects'], 'object')}, {display_bytes(tier['bytes'])} in "
        f"{tier['storageClass']}: {tier['monthlyCost']} a month"
        for tier in status.get("tiers") or ()
    ]
    replay, outcome = status.get("replay") or {}, status.get("outcome") or {}
    if replay:
        lines.append(f"  replay    {replay.get('summary')}")
    if outcome.get("objects"):
        lines.append(
            f"  realised  {outcome['realised']} of {outcome['promised']} promised, "
            f"{outcome['since']} to {outcome['until']}; {outcome['missed']} missed"
        )
    advice = status.get("recommendations") or []
    for one in advice:
        lines += [
            f"  advice    {one.get('id', '')}: {one.get('objects', 0):,} objects "
            f"({display_bytes(one.get('bytes', 0))}) from {one.get('from', '?')} to "
            f"{one.get('to', '?')}",
            f"            saves {one.get('savingsPerMonth', '?')} a month, costs "
            f"{one.get('oneOffCost', '?')} once; {one.get('confidencePercent', '?')} % sure",
            f"            {one.get('reason', '')}",
        ]
    if not advice:
        none = status.get("whyNot") or _condition(data_set, "Ready").get("message")
        lines.append(f"  advice    none: {none or 'not decided yet'}")
    return "\n".join(lines)


def again(job: Json) -> Json:
    """A new job with the same spec; the name counts the tries."""
    name, _, number = job["metadata"]["name"].rpartition("-retry-")
    base, tries = (name, int(number)) if name and number.isdigit() else (job["metadata"]["name"], 0)
    suffix = f"-retry-{tries + 1}"
    return {
        "apiVersion": job["apiVersion"],
        "kind": job["kind"],
        "metadata": {
            "name": base[: 63 - len(suffix)].rstrip("-.") + suffix,
            "namespace": job["metadata"]["namespace"],
        },
        "spec": {key: value for key, value in job["spec"].items() if key not in _NOT_COPIED},
    }


def job_line(job: Json, *, colour: bool) -> str:
    """One line of a watch."""
    status = job.get("status", {})
    progress = status.get("progress") or {}
    percent = progress.get("percent")
    done = "" if percent is None else f"{percent:3d} %"
    phase = painted(f"{status.get('phase', 'Pending'):16}", colour=colour)
    return f"{job['metadata']['name']:30} {phase} {done:5} {why(job)}".rstrip()


def stream(lines: Iterable[str]) -> Iterator[Json]:
    """JSON values, one after the other over any number of lines, as kubectl prints a watch."""
    decoder, text = json.JSONDecoder(), ""
    for line in lines:
        text = (text + line).lstrip()
        if not line.startswith("}") and not line.startswith("{"):
            continue
        while text:
            try:
                value, end = decoder.raw_decode(text)
            except ValueError:
                break
            yield value
            text = text[end:].lstrip()
