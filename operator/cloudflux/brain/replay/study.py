"""What is learnt of one data set off the path of decisions: a model, a rule, and what pays.

Everything is the same for the same history and seed. Deciding then needs the result alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cloudflux.api.tieringpolicy import Strategy
from cloudflux.brain.prices import PriceTable
from cloudflux.brain.replay.backtest import COST_OPTIMAL, PREDICTIVE, RULES, strategy_policy
from cloudflux.brain.replay.cost_optimal import CostOptimal
from cloudflux.brain.replay.fees import Fees, build_fees
from cloudflux.brain.replay.histories import Histories
from cloudflux.brain.replay.learning import Forecaster
from cloudflux.brain.replay.ledger import Decide, Replayer, State
from cloudflux.brain.replay.optimum import offline_optimum
from cloudflux.brain.replay.predictive import Predictive
from cloudflux.brain.replay.prior import Prior
from cloudflux.brain.replay.rule import Thresholds
from cloudflux.brain.replay.trace import Trace

REPLAY_DAYS = 180
MIN_REPLAY_DAYS = 28
MIN_HISTORY_DAYS = 3 * MIN_REPLAY_DAYS
"""A third of the history is replayed, the rest is what decisions then stood on."""
_NAMES = {
    Strategy.RULES: RULES,
    Strategy.COST_OPTIMAL: COST_OPTIMAL,
    Strategy.PREDICTIVE: PREDICTIVE,
}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a window of the past would have cost under each policy; money in `currency`.

    Every object starts in the base class; fees of all moves are part of the cost.
    """

    first_day: int
    last_day: int
    objects: int
    always_hot: float
    automatic: float | None
    """The provider's automatic class; None where it is not among the classes."""
    optimum: float
    by_strategy: dict[Strategy, float]
    currency: str


@dataclass(frozen=True, slots=True)
class Placing:
    """When to go cold and when to come back, by the name of the cold class."""

    cold: str
    enter: float
    leave: float


@dataclass(frozen=True, slots=True)
class Study:
    """The result: who decides, with what, and why."""

    day: int
    """Last day that it knows anything of."""
    decided_by: Strategy
    why: str
    replayed: Replayed | None
    forecaster: Forecaster | None = None
    start: Placing | None = None
    """The rule for what is in the base class; None: it goes to its home class."""
    going_on: Placing | None = None
    """The rule for what is elsewhere."""
    expected_60d: float = 0.0
    """Reads forecast for all objects together in the 60 days that follow, at most three a day
    and object: what comes is held against it."""


def study(
    trace: Trace,
    table: PriceTable,
    classes: Sequence[str],
    strategy: Strategy,
    *,
    seed: int,
    check: Callable[[], None] = lambda: None,
) -> Study:
    """Replay the recent past, learn, and choose what decides, by money.

    `trace` ends with the last day known. `check` is called between steps and may raise. Raises
    PriceUnknown and ConfigurationError.
    """
    days = trace.until - trace.train_from + 1
    if days < MIN_HISTORY_DAYS or not len(trace):
        why = f"{days} days of history; {MIN_HISTORY_DAYS} are needed to replay and to learn from"
        return Study(trace.until, _floor(strategy), why, None)
    fees = build_fees(table, classes, trace.size_bytes)
    replayed, learnt = _replay(trace, table, fees, strategy, seed, check)
    if strategy is not Strategy.PREDICTIVE:
        return Study(trace.until, strategy, "the policy asks for it", replayed)
    floors = replayed.by_strategy.get(Strategy.COST_OPTIMAL)
    model = replayed.by_strategy[Strategy.PREDICTIVE]
    window = f"in the {replayed.last_day - replayed.first_day + 1} days replayed"
    if not learnt:
        why = f"too little history to learn from: {days} days, {len(trace.row)} days with a read"
        return Study(trace.until, Strategy.COST_OPTIMAL, why, replayed)
    if floors is not None and floors < model:
        why = f"the floors were cheaper {window}: {floors:.4g} against {model:.4g} {fees.currency}"
        return Study(trace.until, Strategy.COST_OPTIMAL, why, replayed)
    check()
    found = _today(trace, fees, seed)
    against = "" if floors is None else f", the floors {floors:.4g}"
    why = f"it cost {model:.4g} {fees.currency} {window}{against}"
    return replace(found, why=why, replayed=replayed)


def _floor(strategy: Strategy) -> Strategy:
    return Strategy.COST_OPTIMAL if strategy is Strategy.PREDICTIVE else strategy


def _replay(
    trace: Trace,
    table: PriceTable,
    fees: Fees,
    strategy: Strategy,
    seed: int,
    check: Callable[[], None],
) -> tuple[Replayed, bool]:
    """Replay the last days; also tells whether there was a model to forecast with."""
    window = min(REPLAY_DAYS, (trace.until - trace.train_from + 1) // 3)
    past = replace(trace, decide_from=trace.until - window + 1)
    replayer = Replayer(past, fees)
    always_hot = float(replayer.run(None).total.sum())
    automatic = None
    if fees.automatic is not None:
        automatic = float(replayer.run(Prior(fees)).total.sum())
    wanted = {strategy, Strategy.COST_OPTIMAL} if strategy is Strategy.PREDICTIVE else {strategy}
    costs, learnt = {}, False
    for each in sorted(wanted):
        check()
        decide: Decide
        if each is Strategy.COST_OPTIMAL:
            decide = CostOptimal(past, fees, table)
        else:
            decide = strategy_policy(_NAMES[each], past, fees, seed)
        costs[each] = float(replayer.run(decide).total.sum())
        if isinstance(decide, Predictive):
            learnt = decide.forecaster is not None
    check()
    found = Replayed(
        first_day=past.decide_from,
        last_day=past.until,
        objects=len(past),
        always_hot=always_hot,
        automatic=automatic,
        optimum=float(offline_optimum(past, fees).sum()),
        by_strategy=costs,
        currency=fees.currency,
    )
    return found, learnt


def _today(trace: Trace, fees: Fees, seed: int) -> Study:
    """Train on everything, and let the gate choose the rule from now on."""
    day = trace.until
    policy = Predictive(replace(trace, decide_from=day), fees, seed=seed)
    walk = Histories(trace)
    walk.advance(day)
    policy(
        State(
            day=day,
            klass=np.full(len(trace), fees.base, dtype=np.int8),
            since=np.full(len(trace), day, dtype=np.int32),
            born=trace.first_day <= day,
            first_day=trace.first_day,
            last_read=walk.last_read,
        )
    )
    expected = policy.expected_on(day)
    start, going_on = policy.start.chosen, policy.epochs[-1].verdict.chosen
    return Study(
        day=day,
        decided_by=Strategy.PREDICTIVE,
        why="",
        replayed=None,
        forecaster=policy.forecaster,
        start=_named(start, fees),
        going_on=_named(going_on, fees),
        expected_60d=0.0 if expected is None else float(np.nansum(expected)),
    )


def _named(chosen: Thresholds | None, fees: Fees) -> Placing | None:
    if chosen is None:
        return None
    return Placing(fees.names[chosen.cold], chosen.enter, chosen.leave)
