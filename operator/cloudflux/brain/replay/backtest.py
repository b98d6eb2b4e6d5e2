"""A whole backtest: the chosen strategy and every baseline over one trace."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudflux.brain.prices import PriceTable
from cloudflux.brain.replay import report
from cloudflux.brain.replay.baselines import all_baselines, by_idle, cheaper_classes
from cloudflux.brain.replay.cost_optimal import CostOptimal
from cloudflux.brain.replay.fees import Fees, build_fees
from cloudflux.brain.replay.learning import Forecaster
from cloudflux.brain.replay.ledger import Bill, Decide, Replayer
from cloudflux.brain.replay.optimum import offline_optimum
from cloudflux.brain.replay.predictive import Predictive
from cloudflux.brain.replay.prior import Prior
from cloudflux.brain.replay.trace import Trace

RULES, AUTOMATIC, PREDICTIVE = "rules", "automatic", "predictive"
COST_OPTIMAL = "cost-optimal"


@dataclass(frozen=True, slots=True)
class Result:
    """What a backtest found."""

    trace: Trace
    fees: Fees
    strategy: str
    bills: dict[str, Bill]
    lines: list[report.Line]
    notes: tuple[str, ...]

    @property
    def chosen(self) -> Bill:
        """The bill of the strategy that was asked for."""
        return self.bills[self.strategy]

    def as_json(self) -> dict[str, Any]:
        """Return everything for programs."""
        return {
            "strategy": self.strategy,
            "classes": list(self.fees.names),
            "currency": self.fees.currency,
            "prices_as_of": self.fees.as_of,
            "objects": len(self.trace),
            "rejected_rows": self.trace.rejected,
            "notes": [*self.trace.notes, *self.notes],
            "policies": report.as_json(self.lines),
        }

    def as_text(self) -> str:
        """Return table and notes for people."""
        rejected = {why: count for why, count in self.trace.rejected.items() if count}
        notes = [*self.trace.notes, *self.notes]
        if rejected:
            listed = ", ".join(
                f"{count} {why.replace('_', ' ')}" for why, count in rejected.items()
            )
            notes.append(f"rows rejected: {listed}")
        table = report.as_text(self.lines, self.fees.currency)
        return "\n".join([table, *notes])


def replay_all(
    trace: Trace,
    table: PriceTable,
    classes: Sequence[str],
    strategy: str,
    *,
    optimum: bool = True,
    seed: int = 0,
    model: Forecaster | None = None,
) -> Result:
    """Run the strategy and every baseline. Raises PriceUnknown, ConfigurationError."""
    fees = build_fees(table, classes, trace.size_bytes)
    decided_fees = build_fees(table, classes, trace.known_size_bytes)
    replayer = Replayer(trace, fees)
    bills = {name: replayer.run(make()) for name, make in all_baselines(trace, fees).items()}
    policy: Decide
    if strategy == COST_OPTIMAL:
        policy = CostOptimal(trace, decided_fees, table)
    else:
        policy = strategy_policy(strategy, trace, decided_fees, seed, model)
    bills[strategy] = replayer.run(policy)
    best = offline_optimum(trace, fees) if optimum else None
    return Result(trace, fees, strategy, bills, report.lines(bills, best, fees), _notes(policy))


def strategy_policy(
    strategy: str, trace: Trace, fees: Fees, seed: int, model: Forecaster | None = None
) -> Decide:
    """Return a fresh policy of a strategy; it decides by what is known only."""
    ladder = cheaper_classes(fees)
    if strategy == RULES and ladder:
        return by_idle(ladder[0], ladder[-1], fees.base)
    if strategy == PREDICTIVE:
        return Predictive(trace, fees, seed=seed, model=model)
    return Prior(fees)


def _notes(policy: Decide) -> tuple[str, ...]:
    return policy.in_words() if isinstance(policy, Predictive) else ()
