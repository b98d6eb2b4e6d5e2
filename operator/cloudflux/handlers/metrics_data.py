"""Data sets and policies as metrics: bounded, and gone with their resource."""

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cloudflux.api.common import Tier
from cloudflux.api.dataset import Temperature
from cloudflux.api.metrics import METRICS, PREFIX
from cloudflux.events.families import Labels
from cloudflux.handlers.resources import DATA_SET, POLICY, Raw, parse_time
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tally import condition

_TRAINED = re.compile(r"\(trained (\d{4}-\d\d-\d\d)\)")
OTHER = ("", "other")
"""Labels of what is beyond the limit."""
TIERS = (*(tier.value for tier in Tier), "none")
_NAMES = tuple(
    name.removeprefix(PREFIX)
    for name in METRICS
    if name.startswith((f"{PREFIX}dataset", f"{PREFIX}policy_", f"{PREFIX}forecast_"))
)
Series = dict[str, defaultdict[Labels, float]]


def data_series(runtime: Runtime) -> Mapping[str, Mapping[Labels, float]]:
    """Return every series of data sets and policies, by the metric's name."""
    series: Series = {name: defaultdict(float) for name in _NAMES}
    limit = runtime.settings.metrics_data_sets
    everything = list(runtime.cache.list(DATA_SET))
    shown = everything
    if len(everything) > limit:  # the largest; the order of the cache decides between equals
        shown = heapq.nlargest(limit, everything, key=_size)
    names = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in shown}
    models: Counter[str] = Counter()
    for raw in everything:
        status = raw.get("status") or {}
        name = (raw["metadata"]["namespace"], raw["metadata"]["name"])
        labels = name if name in names else OTHER
        _add_sums(series, labels, status)
        if name in names:
            _add_state(series, labels, status)
        forecast = status.get("forecast")
        if forecast is not None:
            models[_model(forecast)] += 1
    series["datasets_unshown"][()] = len(everything) - len(shown)
    series["forecast_datasets"].update({(model,): count for model, count in models.items()})
    _add_savings(series, runtime, names)
    for raw in list(runtime.cache.list(POLICY))[:limit]:
        _add_policy(series, runtime, raw)
    return series


def _size(raw: Raw) -> int:
    return int(((raw.get("status") or {}).get("inventory") or {}).get("bytes") or 0)


def _model(forecast: Mapping[str, Any]) -> str:
    """The model's name without the day of its training."""
    return str(forecast.get("model") or "unknown").partition(" ")[0]


def _add_sums(series: Series, labels: Labels, status: Mapping[str, Any]) -> None:
    """Add what makes sense also in a sum over data sets."""
    currency = status.get("currency") or ""
    if status.get("inventory") is not None:
        for tier in TIERS:
            for name in ("dataset_objects", "dataset_bytes"):
                series[name][*labels, tier] += 0
    for usage in status.get("tiers") or ():
        tier = usage.get("tier") or "none"
        series["dataset_objects"][*labels, tier] += usage["objects"]
        series["dataset_bytes"][*labels, tier] += usage["bytes"]
        cost = float(usage["monthlyCost"])
        series["dataset_cost_per_month"][*labels, tier, currency] += cost
    if status.get("savingsPerMonth") is not None:
        saved = float(status["savingsPerMonth"])
        series["dataset_savings_possible_per_month"][*labels, currency] += saved
    access = status.get("access")
    if access is not None:
        series["dataset_reads"][*labels, "7d"] += access["reads7D"]
        series["dataset_reads"][*labels, "30d"] += access["reads30D"]


def _add_state(series: Series, labels: Labels, status: Mapping[str, Any]) -> None:
    """Add what belongs to one data set alone."""
    present = status.get("temperature") or Temperature.UNKNOWN.value
    for temperature in Temperature:
        series["dataset_temperature"][*labels, temperature.value] = temperature.value == present
    usable = condition(status, "ModelUsable").get("status")
    if usable is not None:
        series["dataset_model_usable"][labels] = usable == "True"
    fresh = condition(status, "AccessHistoryFresh").get("status") == "True"
    series["dataset_access_fresh"][labels] = fresh
    forecast, access = status.get("forecast"), status.get("access")
    trained = _TRAINED.search(str((forecast or {}).get("model")))
    if trained is not None:
        midnight = f"{trained[1]}T00:00:00Z"
        _add_time(series, "dataset_model_trained_timestamp_seconds", labels, midnight)
    if forecast is not None:
        for window in ("7d", "30d"):
            series["dataset_forecast_reads"][*labels, window] = forecast[f"reads{window.upper()}"]
        for bound in ("low", "high"):
            series["dataset_forecast_bound_reads"][*labels, bound] = forecast[bound]
    if access is not None:
        coverage = access["coveragePercent"] / 100
        series["dataset_access_coverage_ratio"][labels] = coverage
        _add_time(series, "dataset_last_read_timestamp_seconds", labels, access.get("lastReadAt"))
        if access.get("firstByteMillis") is not None:
            series["dataset_first_byte_seconds"][labels] = access["firstByteMillis"] / 1000
    scanned_at = (status.get("inventory") or {}).get("scannedAt")
    _add_time(series, "dataset_last_scan_timestamp_seconds", labels, scanned_at)


def _add_time(series: Series, name: str, labels: Labels, at: str | None) -> None:
    if at is not None:
        series[name][labels] = parse_time(at).timestamp()


def _add_savings(series: Series, runtime: Runtime, names: set[tuple[str, str]]) -> None:
    """Add what completed jobs save; while a job exists, as its policy counts it."""
    sums: defaultdict[Labels, Decimal] = defaultdict(Decimal)
    for (_, namespace, _name), record in runtime.tally.jobs.items():
        if record.saves is None:
            continue
        data_set, currency, saved = record.saves
        known = (namespace, data_set) in names
        labels = (namespace, data_set, currency) if known else (*OTHER, currency)
        sums[labels] += saved
    name = "dataset_savings_realised_per_month"
    series[name].update({labels: float(amount) for labels, amount in sums.items()})


def _add_policy(series: Series, runtime: Runtime, raw: Raw) -> None:
    metadata, status = raw["metadata"], raw.get("status") or {}
    labels = (metadata["namespace"], metadata["name"])
    currency = status.get("currency") or ""
    series["policy_datasets"][labels] = status.get("dataSetsMatched") or 0
    record = runtime.tally.policies.get((POLICY, *labels))
    series["policy_evaluations_total"][labels] = record.evaluations if record else 0
    series["policy_failures_total"][labels] = record.failures if record else 0
    for word, name in (
        ("lastEvaluationTime", "policy_last_evaluation_timestamp_seconds"),
        ("nextEvaluationTime", "policy_next_evaluation_timestamp_seconds"),
    ):
        _add_time(series, name, labels, status.get(word))
    for word, state in (
        ("projectedSavingsPerMonth", "projected"),
        ("realisedSavingsPerMonth", "realised"),
    ):
        if status.get(word) is not None:
            amount = float(status[word])
            series["policy_savings_per_month"][*labels, state, currency] = amount
    if status.get("monthlyCost") is not None:
        cost = float(status["monthlyCost"])
        series["policy_cost_per_month"][*labels, currency] = cost
    _add_results(series, labels, currency, status)
    alerts = raw["spec"].get("alerts") or {}
    for known, word, name in (
        (status, "firstByteMillis", "policy_first_byte_seconds"),
        (alerts, "firstByteMillisAbove", "policy_first_byte_limit_seconds"),
    ):
        if known.get(word) is not None:
            series[name][labels] = known[word] / 1000
    limit = alerts.get("monthlyCostAbove")
    if limit is not None:
        series["policy_cost_limit_per_month"][*labels, currency] = float(limit)


def _add_results(series: Series, labels: Labels, currency: str, status: Mapping[str, Any]) -> None:
    """Add what replays say: regret, and whether moves keep what they promised."""
    replay, outcome = status.get("replay"), status.get("outcome")
    if replay is not None:
        cases = {"strategy": "cost", "always_hot": "alwaysHotCost", "optimum": "optimumCost"}
        costs = {case: float(replay[word]) for case, word in cases.items()}
        for case, cost in costs.items():
            series["policy_replay_cost"][*labels, case, currency] = cost
        if costs["optimum"] > 0:
            series["policy_regret_ratio"][labels] = costs["strategy"] / costs["optimum"] - 1
    if outcome is not None and float(outcome["promised"]) > 0:
        kept = float(outcome["realised"]) / float(outcome["promised"])
        series["policy_promise_kept_ratio"][labels] = kept
