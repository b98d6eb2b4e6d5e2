"""The decision about one data set: temperature, costs, and the moves that would pay."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cloudflux.api.common import Tier
from cloudflux.api.dataset import Temperature
from cloudflux.api.tieringpolicy import Guardrails, Rules, Strategy, TieringPolicySpec
from cloudflux.brain import cost, words
from cloudflux.brain.choose import Scene, choose
from cloudflux.brain.classify import classify, data_set_temperature
from cloudflux.brain.demand import Demand, demand
from cloudflux.brain.forecast import MIN_HISTORY_DAYS, Forecast
from cloudflux.brain.inputs import DataSet
from cloudflux.brain.options import price_options
from cloudflux.brain.plan import HORIZON_DAYS
from cloudflux.brain.policy import (
    Candidate,
    candidate,
    candidates,
    default_policy,
    prune,
    with_policy_roots,
)
from cloudflux.brain.predicted import PREDICTED_DAYS, Predicted
from cloudflux.brain.prices import DAYS_PER_MONTH, PriceTable, load_table, provider_of
from cloudflux.brain.recommend import Recommended, recommend

_FORECAST_DAYS = 7


@dataclass(frozen=True, slots=True)
class TierUse:
    """Present use of one class; the cost is rent and the reads of the last 30 days, a month."""

    storage_class: str
    tier: Tier
    objects: int
    size_bytes: int
    monthly_cost: float


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything decided about a data set; money in `currency`."""

    temperature: Temperature
    confidence_percent: int | None
    tiers: tuple[TierUse, ...]
    monthly_cost: float
    savings_per_month: float
    currency: str
    price_date: str
    recommendations: tuple[Recommended, ...]
    why_not: str | None
    forecast: Forecast | None
    forecast_30d: float | None
    warnings: tuple[str, ...]


def decide(
    data_set: DataSet,
    *,
    policy: TieringPolicySpec | None = None,
    forecast: Forecast | None = None,
    overlay: Mapping[str, Any] | None = None,
    predicted: Predicted | None = None,
) -> Decision:
    """Decide about one data set. Pure; raises PriceUnknown and ConfigurationError.

    Without a policy the provider's usual classes are considered. Without a fresh signal the
    temperature is Unknown and nothing moves colder. `predicted` is what the strategy Predictive
    wants; without it that strategy decides by the floors, as CostOptimal does.
    """
    provider = provider_of(data_set.uri, data_set.endpoint)
    given = policy is not None
    policy = policy or default_policy(provider)
    table = load_table(provider, data_set.region, overlay)
    table = with_policy_roots(table, policy)
    wanted = demand(data_set.objects, data_set.history)
    classes = classify(wanted, policy.rules if policy else Rules())
    size = data_set.objects.size_bytes
    rails = policy.guardrails if policy else Guardrails()
    proven = data_set.fresh and _proven_days(data_set, wanted) >= rails.min_observed_days
    temperature, confidence = data_set_temperature(classes, size, fresh=proven)
    tiers = _tiers(table, policy, data_set, wanted)
    options, left_out = _candidates(table, policy, size, chosen_by_us=not given)
    found: tuple[Recommended, ...] = ()
    why_not: str | None = words.no_tiers(provider)
    if policy and options and len(data_set.objects):
        ahead, days = forecast.by_object if forecast else None, _FORECAST_DAYS
        if predicted is not None:
            ahead, days = predicted.reads_60d, PREDICTED_DAYS
        priced = price_options(table, options, data_set.objects, wanted, ahead, days)
        scene = Scene(table, policy, options, data_set, wanted, classes, priced, predicted)
        choice = choose(scene)
        found = recommend(scene, choice)
        why_not = None if found else words.why_not(data_set, policy, choice.held_back)
    elif not len(data_set.objects):
        why_not = "there are no objects"
    return Decision(
        temperature=temperature,
        confidence_percent=confidence,
        tiers=tiers,
        monthly_cost=sum(tier.monthly_cost for tier in tiers),
        savings_per_month=sum(each.savings_per_month for each in found),
        currency=table.currency,
        price_date=table.date,
        recommendations=found,
        why_not=why_not,
        forecast=forecast,
        forecast_30d=_month_ahead(data_set, wanted, forecast),
        warnings=(
            *table.warnings,
            *left_out,
            *_unverified(table, {each.name for each in options} | {t.storage_class for t in tiers}),
            *data_set.warnings,
        ),
    )


def _unverified(table: PriceTable, names: set[str]) -> tuple[str, ...]:
    """Say which prices that count here were never checked against the provider's list."""
    found = [f"{key} of {name}" for name in sorted(names) for key in table.unverified(name)]
    if not found:
        return ()
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return (
        f"prices of {table.provider} in {table.region} that are not verified: "
        f"{', '.join(found[:3])}{more}; `cloudflux prices refresh` reads the provider's list",
    )


def _candidates(
    table: PriceTable,
    policy: TieringPolicySpec | None,
    size_bytes: npt.NDArray[np.float64],
    *,
    chosen_by_us: bool,
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    found = candidates(table, policy) if policy else ()
    if policy is None or policy.strategy is Strategy.RULES:
        # A rule moves by temperature: it may ask for a class that never is the cheapest.
        return found, ()
    return prune(table, found, size_bytes, HORIZON_DAYS, chosen_by_us=chosen_by_us)


def _tiers(
    table: PriceTable, policy: TieringPolicySpec | None, data_set: DataSet, wanted: Demand
) -> tuple[TierUse, ...]:
    found = []
    for name, rows in cost.by_class(data_set.objects.storage_class).items():
        size = data_set.objects.size_bytes[rows]
        idle = np.minimum(wanted.idle_days[rows], data_set.objects.days_in_class[rows])
        rent = cost.storage_per_month(table, name, size, idle)
        reads = wanted.reads_30d[rows] * cost.read_cost(table, name, size)
        monthly = rent + reads * DAYS_PER_MONTH / 30
        tier = candidate(table, name, policy).tier
        found.append(TierUse(name, tier, len(rows), int(size.sum()), float(monthly.sum())))
    return tuple(sorted(found, key=lambda use: -use.size_bytes))


def _proven_days(data_set: DataSet, wanted: Demand) -> float:
    """Return the days proven by the signal, or for half of the objects by the store itself."""
    if not len(data_set.objects):
        return 0.0
    return max(data_set.history.observed_days, float(np.median(wanted.observed_days)))


def _month_ahead(data_set: DataSet, wanted: Demand, forecast: Forecast | None) -> float | None:
    """Take the first week from the forecast and the rest from the long-run rate.

    A rate is worth something once there are days to know it from. Until then every object that
    nobody read counts for a possible read, which is right for one object and, added up over
    thousands, foresees reads where none ever came: the month then repeats the week.
    """
    if forecast is None:
        return None
    if _proven_days(data_set, wanted) < MIN_HISTORY_DAYS:
        return forecast.total * 30 / _FORECAST_DAYS
    return forecast.total + float(wanted.rate.sum()) * (30 - _FORECAST_DAYS)
