"""Choose for each object: the class it should go to, or why it stays."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.api.tieringpolicy import Strategy, TieringPolicySpec
from cloudflux.brain.classify import Classes
from cloudflux.brain.cost import by_class
from cloudflux.brain.demand import Demand
from cloudflux.brain.inputs import DataSet
from cloudflux.brain.options import Options
from cloudflux.brain.policy import TIER_RANK, Candidate, Evidence, blocked, candidate, is_colder
from cloudflux.brain.predicted import Predicted
from cloudflux.brain.prices import PriceTable

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

STAY = -1


@dataclass(frozen=True, slots=True)
class Choice:
    """By object: the chosen candidate's position or STAY, and how sure that is."""

    target: npt.NDArray[np.intp]
    confidence_percent: Array
    held_back: Counter[str]
    """Objects that would gain by a move, counted by the guardrail that holds them back."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a choice looks at: the data set, its demand and its options, priced."""

    table: PriceTable
    policy: TieringPolicySpec
    candidates: tuple[Candidate, ...]
    data_set: DataSet
    demand: Demand
    classes: Classes
    options: Options
    predicted: Predicted | None = None
    """What the strategy Predictive wants; None where another strategy or the floors decide."""


def choose(view: Scene) -> Choice:
    """Take the cheapest class that the strategy wants and every guardrail allows."""
    data_set, candidates, options = view.data_set, view.candidates, view.options
    count = len(data_set.objects)
    target = np.full(count, STAY, dtype=np.intp)
    confidence = np.zeros(count)
    held: Counter[str] = Counter()
    for name, rows in by_class(data_set.objects.storage_class).items():
        source = _source(view, name)
        best = np.full(len(rows), np.inf)
        best_wanted = np.full(len(rows), np.inf)
        holder = np.zeros(len(rows), dtype=np.intp)
        reasons = [""]
        for position, option in enumerate(candidates):
            wanted = _wanted(view, source, position, rows)
            sure = _confidence(view, option, position, rows)
            allowed = wanted.copy()
            total = options.total[position, rows]
            closer = wanted & (total < best_wanted)
            best_wanted = np.where(closer, total, best_wanted)
            holder = np.where(closer, 0, holder)
            for reason, mask in _blocked(view, source, position, rows, sure):
                reasons.append(reason)
                holder = np.where(closer & allowed & mask, len(reasons) - 1, holder)
                allowed &= ~mask
            better = allowed & (total < best)
            best = np.where(better, total, best)
            target[rows[better]] = position
            confidence[rows[better]] = sure[better]
        kept = (target[rows] == STAY) & (holder > 0)
        for index, number in enumerate(np.bincount(holder[kept], minlength=len(reasons))):
            if number and index:
                held[reasons[index]] += int(number)
    return Choice(target, confidence, held)


def _source(view: Scene, name: str) -> Candidate:
    return candidate(view.table, name, view.policy)


def _wanted(view: Scene, source: Candidate, position: int, rows: npt.NDArray[np.intp]) -> Mask:
    """Where the strategy wants this candidate, guardrails aside."""
    option = view.candidates[position]
    label = view.classes.tier[rows]
    possible = view.options.possible[position, rows]
    rank = TIER_RANK[option.tier]
    if view.policy.strategy is Strategy.RULES:
        return np.asarray(possible & (label == rank) & (TIER_RANK[source.tier] != rank))
    gains = view.options.total[position, rows] < view.options.stay[rows]
    if view.predicted is not None:
        wanted = view.predicted.wants(option.name, rows)
        silent = view.predicted.silent(rows)
        return np.asarray(possible & (wanted | (silent & gains & _warm_enough(option, label))))
    return np.asarray(possible & gains & _warm_enough(option, label))


def _warm_enough(option: Candidate, label: npt.NDArray[np.int8]) -> Mask:
    """Leave out what is too warm for a class from which price alone keeps nothing away."""
    if option.archived or not option.price_keeps_warm:
        return np.asarray(label >= TIER_RANK[option.tier])
    return np.ones(len(label), dtype=np.bool_)


def _confidence(view: Scene, option: Candidate, position: int, rows: npt.NDArray[np.intp]) -> Array:
    by_class_percent = view.classes.confidence_percent[rows]
    if view.policy.strategy is Strategy.RULES:
        return np.asarray(by_class_percent)
    by_money = view.options.win_percent[position, rows]
    if option.archived or not option.price_keeps_warm:
        # Here the class decides as much as the money: the weaker of both is how sure we are.
        return np.asarray(np.minimum(by_money, by_class_percent))
    return np.asarray(by_money)


def _blocked(
    view: Scene,
    source: Candidate,
    position: int,
    rows: npt.NDArray[np.intp],
    sure: Array,
) -> list[tuple[str, Mask]]:
    rails = view.policy.guardrails
    option = view.candidates[position]
    colder = is_colder(view.table, source, option)
    stay = view.options.stay[rows]
    saved = stay - view.options.total[position, rows]
    percent = np.where(stay > 0, 100.0 * saved / np.where(stay > 0, stay, 1.0), 0.0)
    if view.policy.strategy is Strategy.RULES and not colder:
        # The rule asks for speed, not for money: a hotter tier may cost more.
        percent = np.full(len(rows), 100.0)
    history = view.data_set.history
    by_store = np.isfinite(view.data_set.objects.last_access_days[rows])
    evidence = Evidence(
        fresh=view.data_set.fresh,
        coverage_percent=np.where(
            by_store, 100.0, history.coverage_percent(rails.min_observed_days)
        ),
        observed_days=view.demand.observed_days[rows],
        confidence_percent=sure,
        savings_percent=percent,
        resting=_resting(view, source, rows),
    )
    return list(blocked(rails, evidence, colder=colder))


def _resting(view: Scene, source: Candidate, rows: npt.NDArray[np.intp]) -> Mask:
    """Tell what was moved lately: rewritten since the last move, or where only a move leads."""
    moved = view.data_set.last_move_days
    if moved is None or moved >= view.policy.guardrails.min_residence_days:
        return np.zeros(len(rows), dtype=np.bool_)
    if source.name != view.table.base_class and source.tier != view.candidates[0].tier:
        return np.ones(len(rows), dtype=np.bool_)
    return np.asarray(view.data_set.objects.days_in_class[rows] <= moved + 1)
