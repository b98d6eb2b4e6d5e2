"""The pages of the three kinds."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from cloudflux.api.migrationjob import Phase
from cloudflux.console import ages, charts, past, rows, views
from cloudflux.console.alternatives import alternatives_of
from cloudflux.console.context import Console, console_of, scope_of
from cloudflux.console.history import manifest_of, reads_by_day
from cloudflux.console.hub import RING_EVENTS
from cloudflux.console.overview import overview
from cloudflux.console.pages import page
from cloudflux.console.problems import Problem, bad_request, not_found
from cloudflux.console.shield import one_value
from cloudflux.console.who import Scope
from cloudflux.handlers.resources import DATA_SET, JOB, POLICY, DataSet, Job

MAX_ROWS = 500
MAX_EVENTS = 20
_COLUMNS = (
    ("name", "Data set", False),
    ("temperature", "Temperature", False),
    ("confidence", "Confidence", True),
    ("objects", "Objects", True),
    ("bytes", "Bytes", True),
    ("cost", "Cost a month", True),
    ("savings", "Savings a month", True),
    ("", "Recommendation, or what is wrong", False),
)
_WARMTH = {"Hot": 0, "Warm": 1, "Cold": 2, "Unknown": 3}
SORTS: dict[str, Callable[[views.DataSetView], Any]] = {
    "name": lambda one: (one.namespace, one.name),
    "temperature": lambda one: _WARMTH[one.temperature.value],
    "confidence": lambda one: -1 if one.confidence_percent is None else one.confidence_percent,
    "objects": lambda one: one.objects or 0,
    "bytes": lambda one: one.bytes or 0,
    "cost": lambda one: views.money(one.monthly_cost),
    "savings": lambda one: views.money(one.savings_per_month),
}


async def show_overview(request: web.Request) -> web.Response:
    """Serve /."""
    console, scope = console_of(request), scope_of(request)
    view = overview(console, scope)
    days = await past.days_of(console, scope, view.currency)
    cost, since = _cost(console, scope, view.currency, days)
    return page(
        request, "overview.html", current="/",
        view=view,
        tiers=charts.stacked(views.bytes_by_tier(view.data_sets), views.TIERS, "Bytes by tier"),
        trend=cost,
        since=since,
        saved=_savings(days, view.currency),
        running=[views.migration_view(job) for job in view.running[:20]],
        policies=[views.policy_view(one) for one in view.policies[:100]],
    )  # fmt: skip


def _cost(
    console: Console, scope: Scope, currency: str, days: Sequence[past.Day]
) -> tuple[charts.Chart, str]:
    """Return the cost over time and its beginning: by days, else since the console's start."""
    if len(days) > 1:
        series = charts.Series("Cost a month", "k1", [float(one.cost) for one in days])
        times = [one.at for one in days]
        chart = charts.over_time(times, [series], "Cost a month", charts.amount(currency))
        return chart, f"{days[0].day:%d %b}"
    points = console.trend.series("cost", scope, currency) if console.trend else []
    since = f"{points[0][0]:%H:%M} UTC" if points else ""
    return charts.line(points, "Cost a month", currency), since


def _savings(days: Sequence[past.Day], currency: str) -> charts.Chart:
    return charts.over_time(
        [one.at for one in days],
        [
            charts.Series("Possible", "k3", [float(one.possible) for one in days]),
            charts.Series("Realised", "k1", [float(one.realised) for one in days]),
        ],
        "Savings a month", charts.amount(currency),
    )  # fmt: skip


def _tiers(days: Sequence[past.Day]) -> charts.Chart:
    colours = {"Hot": "t-hot", "Warm": "t-warm", "Cold": "t-cold"}
    return charts.over_time(
        [one.at for one in days],
        [
            charts.Series(tier, colours.get(tier, "k6"),
                          [float(one.bytes_by_tier.get(tier, 0)) for one in days])
            for tier in views.TIERS
        ],
        "Bytes by tier over time", charts.size, stacked=True,
    )  # fmt: skip


def _replay(one: DataSet) -> charts.Chart | None:
    """Return what the past would have cost by this strategy and by others."""
    found = one.status.replay
    if found is None:
        return None
    known = [
        (f"{found.strategy}, which decides now", found.cost),
        ("Everything in the base class", found.always_hot_cost),
        ("The provider's automatic class", found.automatic_class_cost),
        ("The optimum: every read known in advance", found.optimum_cost),
    ]
    shown = [(name, float(value)) for name, value in known if value is not None]
    return charts.compared(shown, "Cost of the replayed time", one.status.currency or "")


async def show_data_sets(request: web.Request) -> web.Response:
    """Serve /datasets."""
    console, scope = console_of(request), scope_of(request)
    chosen = {name: one_value(request, name) for name in ("namespace", "temperature", "q")}
    sort = one_value(request, "sort", "name")
    key = SORTS.get(sort.lstrip("-"))
    if key is None:
        raise bad_request(f"data sets are sorted by {', '.join(SORTS)}")
    everything = [
        views.data_set_view(one)
        for one in views.all_typed(DATA_SET, console.objects(DATA_SET, scope))
    ]
    wanted = [
        one for one in everything
        if chosen["namespace"] in ("", one.namespace)
        and chosen["temperature"] in ("", one.temperature.value)
        and chosen["q"].lower() in f"{one.namespace}/{one.name} {one.uri}".lower()
    ]  # fmt: skip
    wanted.sort(key=key, reverse=sort.startswith("-"))

    def link(column: str) -> str:
        numbers = column not in ("name", "temperature")
        turned = f"-{column}" if (sort == column or (numbers and sort != f"-{column}")) else column
        return urlencode({**{k: v for k, v in chosen.items() if v}, "sort": turned})

    return page(
        request, "datasets.html", current="/datasets",
        rows=wanted[:MAX_ROWS], total=len(everything), chosen=chosen, sort=sort, link=link,
        columns=_COLUMNS, namespaces=sorted({one.namespace for one in everything}),
    )  # fmt: skip


async def show_data_set(request: web.Request) -> web.Response:
    """Serve /datasets/NAMESPACE/NAME."""
    console, scope = console_of(request), scope_of(request)
    one: DataSet = named(request, DATA_SET)
    jobs = [
        job for job in views.all_typed(JOB, console.objects(JOB, scope, one.namespace))
        if job.spec.data_set_ref.name == one.name
    ]  # fmt: skip
    jobs.sort(key=lambda job: job.created, reverse=True)
    tiers = views.bytes_by_tier([one])
    currency = one.status.currency or "USD"
    days = await past.days_of(
        console, scope, currency, days=90, namespace=one.namespace, data_set=one.name
    )
    try:
        priced = await alternatives_of(console, one)
    except Problem:  # what the page says of the decision stands without it
        priced = None
    return page(
        request, "dataset.html", current="/datasets",
        view=views.data_set_view(one),
        status=one.status,
        alerts=list(views.alerts_of(one)),
        reads=_reads(one),
        daily=charts.daily(await reads_by_day(console, one.uid), "Reads by day"),
        tiers=charts.stacked(tiers, views.TIERS, "Bytes by tier"),
        tiers_then=_tiers(days),
        saved=_savings(days, currency),
        replay=_replay(one),
        priced=priced,
        options=priced.items if priced else [],
        jobs=[views.migration_view(job) for job in jobs[:20]],
        known={job.name for job in jobs[:20]},
        proofs={
            job.name: job.status.verification.manifest_uri
            for job in jobs if job.status.verification
        },
        events=_events(request, lambda shown: (
            shown.namespace == one.namespace and shown.data_set == one.name
        )),
    )  # fmt: skip


async def show_policies(request: web.Request) -> web.Response:
    """Serve /policies."""
    console, scope = console_of(request), scope_of(request)
    found = views.all_typed(POLICY, console.objects(POLICY, scope))
    return page(
        request, "policies.html", current="/policies",
        rows=[views.policy_view(one) for one in found][:MAX_ROWS],
    )  # fmt: skip


async def show_migrations(request: web.Request) -> web.Response:
    """Serve /migrations: the newest first, those that have not ended before them."""
    console, scope = console_of(request), scope_of(request)
    chosen = {name: one_value(request, name) for name in ("namespace", "phase", "q")}
    jobs = list(views.all_typed(JOB, console.objects(JOB, scope)))
    jobs.sort(key=lambda job: (job.status.phase not in views.ENDED, job.created), reverse=True)
    found = [views.migration_view(job) for job in jobs]
    wanted = [
        one for one in found
        if chosen["namespace"] in ("", one.namespace)
        and chosen["phase"] in ("", one.phase.value)
        and chosen["q"].lower() in f"{one.namespace}/{one.name} {one.data_set}".lower()
    ]  # fmt: skip
    return page(
        request, "migrations.html", current="/migrations",
        rows=wanted[:MAX_ROWS], total=len(found), chosen=chosen, phases=[p.value for p in Phase],
    )  # fmt: skip


async def show_migration(request: web.Request) -> web.Response:
    """Serve /migrations/NAMESPACE/NAME."""
    one: Job = named(request, JOB)
    view = views.migration_view(one)
    speed = _speed(request, one)
    if len(speed) < 2:
        kept = await past.speed_of(console_of(request), one)
        speed = [(at, value / 2**20) for at, value in kept]
    events = _events(request, lambda shown: (
        shown.namespace == one.namespace and (shown.event.get("data") or {}).get("job") == one.name
    ))  # fmt: skip
    return page(
        request, "migration.html", current="/migrations",
        view=view,
        status=one.status,
        steps=_steps(one),
        ended=one.status.phase in views.ENDED,
        suspended=one.spec.suspend,
        commands=commands(view),
        throughput=charts.line(speed, "Throughput", "MiB/s"),
        events=events,
        at_hand=manifest_of(console_of(request), one.uid) is not None,
    )  # fmt: skip


def commands(view: views.MigrationView) -> list[tuple[str, str]]:
    """Return what to type to see, approve, pause and stop a job."""
    job = f"migrationjob {view.name} -n {view.namespace}"
    found = [("See everything", f"kubectl describe {job}")]
    patch = f"kubectl patch {job} --type merge -p"
    if view.waits_for_approval and view.plan_hash:
        found.append(
            ("Approve the plan", f'{patch} \'{{"spec":{{"approval":"{view.plan_hash}"}}}}\'')
        )
    if view.phase not in views.ENDED:
        found.append(("Pause it", f'{patch} \'{{"spec":{{"suspend":true}}}}\''))
        found.append(("Cancel it for good", f'{patch} \'{{"spec":{{"cancel":true}}}}\''))
    return found


def named(request: web.Request, kind: str) -> Any:
    """Return the object that the path names. Raises Problem, the same for hidden and missing."""
    namespace, name = request.match_info["namespace"], request.match_info["name"]
    raw = console_of(request).object(kind, scope_of(request), namespace, name)
    found = None if raw is None else views.typed(kind, raw)
    if found is None:
        raise not_found(f"{kind} {namespace}/{name}")
    return found


def _reads(one: DataSet) -> charts.Chart | None:
    access, ahead = one.status.access, one.status.forecast
    if access is None or ahead is None or not (access.reads30d or ahead.high):
        return None
    return charts.forecast(
        charts.Reads(access.reads30d * 7 / 30, access.reads7d, ahead.reads7d, ahead.low, ahead.high)
    )


def _events(request: web.Request, wanted: Callable[[Any], bool]) -> list[dict[str, Any]]:
    scope = scope_of(request)
    found = [
        rows.event_row(entry.shown)
        for entry in console_of(request).hub.recent(RING_EVENTS)
        if entry.shown is not None and scope.sees_event(entry.shown) and wanted(entry.shown)
    ]
    return found[::-1][:MAX_EVENTS]


def _steps(job: Job) -> list[dict[str, Any]]:
    return [
        {
            **step.model_dump(),
            "took": (step.finished_at - step.started_at).total_seconds()
            if step.started_at and step.finished_at
            else None,
        }
        for step in job.status.steps
    ]


def _speed(request: web.Request, job: Job) -> Sequence[tuple[Any, float]]:
    """Return the speed over time, as far as events of progress are held."""
    found = []
    for entry in console_of(request).hub.recent(RING_EVENTS):
        if entry.shown is None or entry.shown.type != "migration.progress":
            continue
        data = entry.shown.event.get("data") or {}
        at, speed = ages.parse(entry.shown.time), data.get("bytesPerSecond")
        if data.get("jobUid") == job.uid and at is not None and isinstance(speed, int):
            found.append((at, speed / 2**20))
    return found
