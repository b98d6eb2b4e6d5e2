"""The HTTP API that sums up: costs, savings, performance, events, and how everything is."""

import datetime as dt
import statistics
from decimal import Decimal
from typing import Any

from aiohttp import web

from cloudflux.api.migrationjob import Phase
from cloudflux.console import ages, answers, past, views
from cloudflux.console.collector import collector_check
from cloudflux.console.context import Console, console_of, scope_of
from cloudflux.console.filters import FIELDS, MAX_LENGTH, MAX_VALUES
from cloudflux.console.history import store_directory
from cloudflux.console.hub import RING_EVENTS, Entry
from cloudflux.console.kit import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    PAGED,
    Endpoint,
    Page,
    Parameter,
    give,
    number,
    read_cursor,
    write_cursor,
)
from cloudflux.console.overview import overview
from cloudflux.console.problems import bad_request, not_found
from cloudflux.console.shield import one_value
from cloudflux.console.stream import wanted_of
from cloudflux.console.who import Scope
from cloudflux.handlers.kube import LEASES, Forbidden, KubeError, NotFound


def _amounts(found: dict[str, Decimal]) -> list[answers.Amount]:
    return [answers.Amount(currency=unit, amount=_text(value)) for unit, value in found.items()]


def _text(value: Decimal) -> str:
    """Write an amount as the API has it: no exponent, nine places at most."""
    text = f"{value.quantize(Decimal('1e-9')):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


async def everything(request: web.Request) -> web.Response:
    """Give the overview."""
    view = overview(console_of(request), scope_of(request))
    return give(
        request,
        answers.OverviewAnswer(
            data_sets=len(view.data_sets),
            policies=len(view.policies),
            migrations=len(view.jobs),
            migrations_running=len(view.running),
            migrations_failed=view.failed(),
            objects=view.objects,
            bytes=view.bytes,
            monthly_cost=_amounts(view.cost),
            savings_possible=_amounts(view.savings),
            savings_realised=_amounts(view.realised),
            alerts=list(view.alerts),
        ),
    )


async def costs(request: web.Request) -> web.Response:
    """Give costs by namespace, provider and class."""
    parts: dict[tuple[str, ...], list[Any]] = {}
    for one in overview(console_of(request), scope_of(request)).data_sets:
        provider = views.place_of(one).partition("://")[0]
        for usage in one.status.tiers:
            tier = usage.tier.value if usage.tier else ""
            key = (one.namespace, provider, usage.storage_class, tier, one.status.currency or "")
            part = parts.setdefault(key, [0, 0, Decimal(0)])
            part[0] += usage.objects
            part[1] += usage.bytes
            part[2] += views.money(usage.monthly_cost)
    items = [
        answers.CostShare(
            namespace=key[0], provider=key[1], storage_class=key[2], tier=key[3] or None,
            currency=key[4], objects=part[0], bytes=part[1], monthly_cost=_text(part[2]),
        )
        for key, part in sorted(parts.items())
    ]  # fmt: skip
    return give(request, answers.Costs(items=items))


async def performance(request: web.Request) -> web.Response:
    """Give how moves go."""
    jobs = overview(console_of(request), scope_of(request)).jobs
    done = [job.status for job in jobs if job.status.phase is Phase.COMPLETED]
    times = [
        (one.completed_at - one.started_at).total_seconds()
        for one in done
        if one.completed_at and one.started_at
    ]
    moving = [
        job.status.progress for job in jobs
        if job.status.phase in (Phase.COPYING, Phase.VERIFYING, Phase.SWITCHING)
    ]  # fmt: skip
    return give(
        request,
        answers.Performance(
            running=len(moving),
            bytes_per_second=sum(one.bytes_per_second or 0 for one in moving if one),
            completed=len(done),
            failed=sum(job.status.phase is Phase.FAILED for job in jobs),
            cancelled=sum(job.status.phase is Phase.CANCELLED for job in jobs),
            bytes_moved=sum(one.progress.bytes_done for one in done if one.progress),
            objects_moved=sum(one.progress.objects_done for one in done if one.progress),
            median_seconds=statistics.median(times) if times else None,
        ),
    )


async def trends(request: web.Request) -> web.Response:
    """Give amounts over time: by days from a collector's history, else since our own start."""
    console, scope = console_of(request), scope_of(request)
    currency = one_value(request, "currency") or overview(console, scope).currency
    namespace, _, name = one_value(request, "dataset").partition("/")
    count = number(request, "days", past.DEFAULT_DAYS, 1, past.MAX_DAYS)
    days = await past.days_of(
        console, scope, currency, days=count, namespace=namespace, data_set=name
    )
    items = [
        answers.TrendPoint(
            at=one.at, monthly_cost=float(one.cost), savings_possible=float(one.possible),
            savings_realised=float(one.realised), bytes_by_tier=one.bytes_by_tier,
        )
        for one in days
    ]  # fmt: skip
    if not items and not namespace and console.trend is not None:
        series = [console.trend.series(n, scope, currency) for n in ("cost", "savings", "realised")]
        items = [
            answers.TrendPoint(
                at=at, monthly_cost=cost, savings_possible=possible, savings_realised=realised
            )
            for (at, cost), (_, possible), (_, realised) in zip(*series, strict=True)
        ]
    return give(request, answers.Trends(currency=currency, items=items))


async def savings(request: web.Request) -> web.Response:
    """Give savings by data set and by policy."""
    view = overview(console_of(request), scope_of(request))
    possible = [
        answers.DataSetSavings(
            namespace=one.namespace, data_set=one.name, currency=one.status.currency,
            savings_per_month=one.status.savings_per_month,
        )
        for one in view.data_sets if one.status.savings_per_month is not None
    ]  # fmt: skip
    realised = [
        answers.PolicySavings(
            namespace=one.namespace, policy=one.name, currency=one.status.currency,
            realised_savings_per_month=one.status.realised_savings_per_month,
        )
        for one in view.policies if one.status.realised_savings_per_month is not None
    ]  # fmt: skip
    possible.sort(key=lambda one: -views.money(one.savings_per_month))
    realised.sort(key=lambda one: -views.money(one.realised_savings_per_month))
    return give(request, answers.Savings(possible=possible, realised=realised))


async def events(request: web.Request) -> web.Response:
    """List events, the newest first; with `after`, what came after a place, the oldest first."""
    hub, scope, wanted = console_of(request).hub, scope_of(request), wanted_of(request)
    limit = number(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    after, cursor = one_value(request, "after"), one_value(request, "cursor")
    if after and cursor:
        raise bad_request("after begins a replay, cursor goes on with a list: give one of them")
    found = [
        entry for entry in hub.recent(RING_EVENTS)
        if entry.shown is not None and scope.sees_event(entry.shown) and wanted.matches(entry.shown)
    ]  # fmt: skip
    if after:
        position, _ = hub.resume(after[:64])
        found = [entry for entry in found if entry.number > position]
    else:
        found.reverse()
        if cursor:
            epoch, _, before = read_cursor(cursor).rpartition("-")
            if epoch != hub.epoch or not (before.isascii() and before.isdigit()):
                raise bad_request("the console was started anew since: leave cursor out")
            found = [entry for entry in found if entry.number < int(before)]
    part, more = found[:limit], len(found) > limit
    items = [_event(hub.identity(entry.number), entry) for entry in part]
    following = write_cursor(items[-1].id) if more and not after else None
    return give(request, Page[answers.EventAnswer](items=items, next_cursor=following))


def _event(identity: str, entry: Entry) -> answers.EventAnswer:
    assert entry.shown is not None  # noqa: S101 - gaps were left out
    return answers.EventAnswer(id=identity, event=entry.shown.event)


async def event(request: web.Request) -> web.Response:
    """Give one event by its CloudEvent id."""
    shown = console_of(request).hub.find(one_value(request, "id"))
    if shown is None or not scope_of(request).sees_event(shown):
        raise not_found("the event (the newest 1,000 are kept)")
    return give(request, dict(shown.event))


async def stats(request: web.Request) -> web.Response:
    """Give the figures of the stream."""
    return web.json_response(console_of(request).stats(scope_of(request)))


async def health(request: web.Request) -> web.Response:
    """Give how everything is, part by part; 503 when a part has failed."""
    console = console_of(request)
    state = console.source.state
    checks = [
        await _operator(console),
        await _collector(console, scope_of(request)),
        answers.Check(
            name="events", state="ok" if state.connected else "failed",
            message=f"{state.kind}: {state.message}" if scope_of(request).sees_all else state.kind,
        ),
        _store(console),
        await _kubernetes(console),
    ]  # fmt: skip
    ok = all(check.state != "failed" for check in checks)
    answer = give(request, answers.Health(ok=ok, checks=checks), 200 if ok else 503)
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def _collector(console: Console, scope: Scope) -> answers.Check:
    """How the collector is; who may not see everything is told no address of a server."""
    found = await collector_check(console)
    return found if scope.sees_all else found.model_copy(update={"message": found.state})


def _store(console: Console) -> answers.Check:
    if store_directory(console) is not None:
        return answers.Check(name="accessStore", state="ok", message="it can be read")
    message = "not at hand; start the console with --state-dir for objects and reads by day"
    return answers.Check(name="accessStore", state="unknown", message=message)


async def _kubernetes(console: Console) -> answers.Check:
    if console.cluster is None:
        return answers.Check(name="kubernetes", state="unknown", message="no cluster is named")
    if await console.cluster.answers():
        return answers.Check(name="kubernetes", state="ok", message="it answers")
    return answers.Check(name="kubernetes", state="failed", message="it does not answer")


async def _operator(console: Console) -> answers.Check:
    """Whether the Lease that a working operator renews is fresh."""
    settings = console.settings
    if console.cluster is None:
        return answers.Check(name="operator", state="unknown", message="no cluster is named")
    name = f"Lease {settings.lease_namespace}/{settings.lease_name}"
    try:
        lease = await console.cluster.get(LEASES, settings.lease_namespace, settings.lease_name)
    except (Forbidden, NotFound) as error:
        return answers.Check(name="operator", state="unknown", message=f"{name}: {error}")
    except KubeError as error:
        return answers.Check(name="operator", state="failed", message=f"{name}: {error}")
    renewed = ages.parse(lease.get("spec", {}).get("renewTime"))
    now = dt.datetime.now(dt.UTC)
    if renewed is None or (now - renewed).total_seconds() > 3 * settings.lease_seconds:
        message = f"{name} was not renewed in time: no operator works"
        return answers.Check(name="operator", state="failed", message=message)
    message = f"renewed its Lease {ages.ago(renewed.isoformat(), now)}"
    return answers.Check(name="operator", state="ok", message=message)


_WANTED = {"type": "string", "maxLength": MAX_LENGTH}
_FILTER = tuple(
    Parameter(
        name, f"Only with one of these: {name}; repeatable.",
        {"type": "array", "items": _WANTED, "maxItems": MAX_VALUES},
    )
    for name in FIELDS[:-1]
)  # fmt: skip
ENDPOINTS = (
    Endpoint("GET", "/analytics/overview", "In short.", answers.OverviewAnswer, everything),
    Endpoint("GET", "/analytics/costs", "Costs in parts.", answers.Costs, costs),
    Endpoint(
        "GET", "/analytics/performance", "How moves go.", answers.Performance, performance
    ),
    Endpoint(
        "GET", "/analytics/trends", "Amounts over time.", answers.Trends, trends,
        (
            Parameter("currency", "In this currency; absent: that of most of the cost."),
            Parameter("dataset", "NAMESPACE/NAME; absent: all that may be seen."),
            Parameter("days", "So many days back, where a collector keeps them.",
                      {"type": "integer", "minimum": 1, "maximum": past.MAX_DAYS}),
        ),
    ),
    Endpoint("GET", "/analytics/savings", "Savings.", answers.Savings, savings),
    Endpoint(
        "GET", "/events", "Events, the newest first.", Page[answers.EventAnswer], events,
        (
            *_FILTER,
            Parameter("q", "Only with this text.", _WANTED),
            Parameter("after", "Replay: what came after this place, the oldest first."),
            *PAGED,
        ),
    ),
    Endpoint(
        "GET", "/events/item", "One event.", dict, event,
        (Parameter("id", "Its CloudEvent id."),),
    ),
    Endpoint("GET", "/stats", "Figures of the stream.", dict, stats),
    Endpoint("GET", "/health", "How everything is.", answers.Health, health),
)  # fmt: skip
