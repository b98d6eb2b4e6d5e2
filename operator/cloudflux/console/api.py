"""The HTTP API that reads: the three kinds, and what is made of them."""

from typing import Any

from aiohttp import web

from cloudflux.api.common import Tier
from cloudflux.api.dataset import Temperature
from cloudflux.api.migrationjob import Phase
from cloudflux.api.tieringpolicy import Rules
from cloudflux.api.vocabulary import ConditionType
from cloudflux.console import answers, browse, views
from cloudflux.console.alternatives import alternatives_of
from cloudflux.console.context import console_of, scope_of
from cloudflux.console.history import objects_of
from cloudflux.console.kit import (
    NAMESPACE,
    PAGED,
    Endpoint,
    Page,
    Parameter,
    give,
    number,
    paged,
    word,
)
from cloudflux.console.problems import Problem, not_found
from cloudflux.console.shield import one_value
from cloudflux.handlers.resources import DATA_SET, JOB, POLICY, DataSet, Job, Policy

MAX_OBJECTS = 200_000
"""More would take hundreds of megabytes here for one answer."""
_MOST = 1 << 53


async def data_sets(request: web.Request) -> web.Response:
    """List data sets."""
    namespace = one_value(request, "namespace")
    temperature = word(request, "temperature", [one.value for one in Temperature])
    found = [
        view
        for one in views.all_typed(DATA_SET, _objects(request, DATA_SET, namespace))
        if (view := views.data_set_view(one)) and temperature in ("", view.temperature.value)
    ]
    return give(request, paged(request, found, lambda one: f"{one.namespace}/{one.name}"))


async def data_set(request: web.Request) -> web.Response:
    """Give one data set."""
    one = _data_set(request)
    return give(request, answers.DataSetDetail(
        summary=views.data_set_view(one), spec=one.spec, status=one.status
    ))  # fmt: skip


async def objects(request: web.Request) -> web.Response:
    """List objects of a data set."""
    one = _data_set(request)
    if one.status.inventory is not None and one.status.inventory.objects > MAX_OBJECTS:
        raise Problem(
            422, "too-many-objects",
            f"lists of up to {MAX_OBJECTS:,} objects are served: read the table "
            f"access/inventory/{one.uid} of the state directory with DuckDB or Spark",
        )  # fmt: skip
    tier = word(request, "tier", [each.value for each in Tier])
    temperature = word(request, "temperature", [each.value for each in Temperature])
    prefix = one_value(request, "prefix")
    least = number(request, "minBytes", 0, 0, _MOST)
    most = number(request, "maxBytes", _MOST, 0, _MOST)
    tiers = {usage.storage_class: usage.tier for usage in one.status.tiers}
    fresh = views.truth(views.find(one.status.conditions, ConditionType.ACCESS_HISTORY_FRESH))
    found = [
        view
        for row in await objects_of(console_of(request), one.uid)
        if row["key"].startswith(prefix) and least <= row["size_bytes"] <= most
        and (view := _object(row, tiers, fresh=bool(fresh)))
        and tier in ("", view.tier) and temperature in ("", view.temperature)
    ]  # fmt: skip
    return give(request, paged(request, found, lambda view: view.key))


def _object(
    row: dict[str, Any], tiers: dict[str, Tier | None], *, fresh: bool
) -> answers.ObjectView:
    rules, warmth = Rules(), Temperature.COLD
    if row["reads7d"] >= rules.hot_min_reads_per_week:
        warmth = Temperature.HOT
    elif row["reads30d"] >= rules.warm_min_reads_per_month:
        warmth = Temperature.WARM
    elif not fresh:
        warmth = Temperature.UNKNOWN
    return answers.ObjectView(
        key=row["key"],
        bytes=row["size_bytes"],
        storage_class=row["storage_class"],
        tier=tiers.get(row["storage_class"]),
        temperature=warmth,
        reads7d=row["reads7d"],
        reads30d=row["reads30d"],
        last_modified=row["last_modified"],
    )


async def tiers(request: web.Request) -> web.Response:
    """Give the distribution of a data set."""
    status = _data_set(request).status
    return give(request, answers.Tiers(
        currency=status.currency, monthly_cost=status.monthly_cost, tiers=status.tiers
    ))  # fmt: skip


async def recommendation(request: web.Request) -> web.Response:
    """Give what should be done with a data set."""
    status = _data_set(request).status
    return give(
        request,
        answers.Recommended(
            currency=status.currency,
            savings_per_month=status.savings_per_month,
            recommendations=status.recommendations,
            why_not=status.why_not,
            evaluated_at=status.evaluated_at,
        ),
    )


async def forecast(request: web.Request) -> web.Response:
    """Give the reads expected of a data set."""
    return give(request, _forecast(_data_set(request)))


def _forecast(one: DataSet) -> answers.Forecasted:
    if one.status.forecast is None:
        fresh = views.find(one.status.conditions, ConditionType.ACCESS_HISTORY_FRESH)
        why = fresh.message if fresh else "it has not been looked at yet"
        raise Problem(404, "no-forecast", f"there is no forecast of {one.name} yet: {why}")
    return answers.Forecasted(
        namespace=one.namespace, data_set=one.name, access=one.status.access,
        forecast=one.status.forecast,
    )  # fmt: skip


async def alternatives(request: web.Request) -> web.Response:
    """Give what a data set would cost in each class."""
    return give(request, await alternatives_of(console_of(request), _data_set(request)))


async def history(request: web.Request) -> web.Response:
    """Give the last moves of a data set."""
    return give(request, answers.Moves(items=_data_set(request).status.history))


async def policies(request: web.Request) -> web.Response:
    """List policies."""
    raws = _objects(request, POLICY, one_value(request, "namespace"))
    found = [views.policy_view(one) for one in views.all_typed(POLICY, raws)]
    return give(request, paged(request, found, lambda one: f"{one.namespace}/{one.name}"))


async def policy(request: web.Request) -> web.Response:
    """Give one policy."""
    one: Policy = browse.named(request, POLICY)
    return give(request, answers.PolicyDetail(
        summary=views.policy_view(one), spec=one.spec, status=one.status
    ))  # fmt: skip


async def migrations(request: web.Request) -> web.Response:
    """List jobs."""
    phase = word(request, "phase", [one.value for one in Phase])
    of = one_value(request, "dataset")
    raws = _objects(request, JOB, one_value(request, "namespace"))
    found = [
        view
        for one in views.all_typed(JOB, raws)
        if (view := views.migration_view(one))
        and phase in ("", view.phase.value)
        and of in ("", view.data_set)
    ]
    return give(request, paged(request, found, lambda one: f"{one.namespace}/{one.name}"))


async def migration(request: web.Request) -> web.Response:
    """Give one job."""
    one: Job = browse.named(request, JOB)
    return give(request, answers.MigrationDetail(
        summary=views.migration_view(one), spec=one.spec, status=one.status
    ))  # fmt: skip


async def recommendations(request: web.Request) -> web.Response:
    """List recommendations of all data sets."""
    found = [
        answers.DataSetRecommendation(
            namespace=one.namespace, data_set=one.name, currency=one.status.currency,
            recommendation=each,
        )
        for one in views.all_typed(DATA_SET, _objects(request, DATA_SET, ""))
        for each in one.status.recommendations
    ]  # fmt: skip

    def key(one: answers.DataSetRecommendation) -> str:
        return f"{one.namespace}/{one.data_set}/{one.recommendation.id}"

    return give(request, paged(request, sorted(found, key=key), key))


async def predict(request: web.Request) -> web.Response:
    """Give the forecast of the data set that the query names."""
    namespace, _, name = one_value(request, "dataset").partition("/")
    raw = console_of(request).object(DATA_SET, scope_of(request), namespace, name)
    found = None if raw is None else views.typed(DATA_SET, raw)
    if found is None:
        raise not_found(f"DataSet {namespace}/{name}")
    return give(request, _forecast(found))


async def models(request: web.Request) -> web.Response:
    """Give the models that make the forecasts."""
    used: dict[str, int] = {}
    for one in views.all_typed(DATA_SET, _objects(request, DATA_SET, "")):
        if one.status.forecast is not None:
            name = one.status.forecast.model
            used[name] = used.get(name, 0) + 1
    items = [
        answers.ModelUse(model=name, data_sets=count)
        for name, count in sorted(used.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return give(request, answers.Models(items=items))


def _objects(request: web.Request, kind: str, namespace: str) -> Any:
    return console_of(request).objects(kind, scope_of(request), namespace or None)


def _data_set(request: web.Request) -> DataSet:
    found: DataSet = browse.named(request, DATA_SET)
    return found


_ONE = "/datasets/{namespace}/{name}"
_TEMPERATURES = {"type": "string", "enum": [one.value for one in Temperature]}
_SIZE = {"type": "integer", "minimum": 0, "maximum": _MOST}
ENDPOINTS = (
    Endpoint(
        "GET", "/datasets", "List data sets.", Page[views.DataSetView], data_sets,
        (NAMESPACE, Parameter("temperature", "Only of this temperature.", _TEMPERATURES), *PAGED),
    ),
    Endpoint("GET", _ONE, "A data set, whole.", answers.DataSetDetail, data_set),
    Endpoint(
        "GET", f"{_ONE}/objects", "Objects of the last listing.", Page[answers.ObjectView], objects,
        (
            Parameter("tier", "Only of this tier.",
                      {"type": "string", "enum": [one.value for one in Tier]}),
            Parameter("temperature", "Only of this temperature.", _TEMPERATURES),
            Parameter("prefix", "Only keys that begin so."),
            Parameter("minBytes", "Only of at least so many bytes.", _SIZE),
            Parameter("maxBytes", "Only of at most so many bytes.", _SIZE),
            *PAGED,
        ),
    ),
    Endpoint("GET", f"{_ONE}/tiers", "How it is spread over tiers.", answers.Tiers, tiers),
    Endpoint(
        "GET", f"{_ONE}/recommendation", "What should be done.", answers.Recommended, recommendation
    ),
    Endpoint("GET", f"{_ONE}/forecast", "Reads expected.", answers.Forecasted, forecast),
    Endpoint(
        "GET", f"{_ONE}/alternatives", "What it would cost in each class.",
        answers.Alternatives, alternatives,
    ),
    Endpoint("GET", f"{_ONE}/history", "Its last moves.", answers.Moves, history),
    Endpoint(
        "GET", "/policies", "List policies.", Page[views.PolicyView], policies, (NAMESPACE, *PAGED)
    ),
    Endpoint(
        "GET", "/policies/{namespace}/{name}", "A policy, whole.", answers.PolicyDetail, policy
    ),
    Endpoint(
        "GET", "/migrations", "List migrations.", Page[views.MigrationView], migrations,
        (
            NAMESPACE,
            Parameter("dataset", "Only of this data set."),
            Parameter("phase", "Only in this phase.",
                      {"type": "string", "enum": [one.value for one in Phase]}),
            *PAGED,
        ),
    ),
    Endpoint(
        "GET", "/migrations/{namespace}/{name}", "A migration, whole.",
        answers.MigrationDetail, migration,
    ),
    Endpoint(
        "GET", "/ml/recommendations", "Recommendations of all data sets.",
        Page[answers.DataSetRecommendation], recommendations, PAGED,
    ),
    Endpoint("GET", "/ml/model-info", "The models in use.", answers.Models, models),
    Endpoint(
        "GET", "/ml/predict", "Reads expected of one data set.", answers.Forecasted, predict,
        (Parameter("dataset", "NAMESPACE/NAME."),),
    ),
)  # fmt: skip
