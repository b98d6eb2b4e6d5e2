"""The operator's strategy CostOptimal in a replay: the same demand, prices and guardrails.

Once a week every object goes to the class that is cheapest over the next 180 days for the reads
that its own past lets expect, where the policy's default guardrails allow it.
"""

import numpy as np

from cloudflux.api.tieringpolicy import Rules
from cloudflux.brain.choose import STAY, Scene, choose
from cloudflux.brain.classify import classify
from cloudflux.brain.demand import demand
from cloudflux.brain.inputs import DataSet
from cloudflux.brain.options import price_options
from cloudflux.brain.policy import candidate, default_policy
from cloudflux.brain.prices import PriceTable
from cloudflux.brain.replay.fees import Fees
from cloudflux.brain.replay.ledger import Moves, State
from cloudflux.brain.replay.observed import as_observed
from cloudflux.brain.replay.trace import Trace
from cloudflux.errors import ConfigurationError

EVERY_DAYS = 7


class CostOptimal:
    """Decides once a week, object by object, knowing nothing of later days."""

    def __init__(self, trace: Trace, fees: Fees, table: PriceTable) -> None:
        policy = default_policy(table.provider)
        if policy is None:
            raise ConfigurationError(
                f"the strategy cost-optimal has no default guardrails for {table.provider}: "
                "use rules, automatic or predictive"
            )
        self._trace, self._fees, self._table, self._policy = trace, fees, table, policy
        self._candidates = tuple(candidate(table, name, policy) for name in fees.names)

    def __call__(self, state: State) -> Moves | None:
        """Move what pays; None on the days between."""
        if (state.day - self._trace.decide_from) % EVERY_DAYS:
            return None
        born = np.flatnonzero(state.born)
        names = [self._fees.names[position] for position in state.klass[born].tolist()]
        held = (state.day + 1 - state.since[born]).astype(np.float64)
        objects, history = as_observed(self._trace, state.day, born, names, held)
        wanted = demand(objects, history)
        options = price_options(self._table, self._candidates, objects, wanted, None)
        scene = Scene(
            self._table,
            self._policy,
            self._candidates,
            DataSet(uri="replay", objects=objects, history=history, fresh=True),
            wanted,
            classify(wanted, Rules()),
            options,
        )
        choice = choose(scene)
        at_base = state.klass[born] == self._fees.base
        rested = at_base | (held >= self._policy.guardrails.min_residence_days)
        moved = np.flatnonzero((choice.target != STAY) & rested)
        target = choice.target[moved]
        saved = options.stay[moved] - options.total[target, moved]
        reads = options.reads_per_day[moved] * 30
        reasons = np.array(
            [
                f"{count:.3g} reads expected in 30 days: cheapest over 180 days, fees included"
                for count in reads.tolist()
            ],
            dtype=object,
        )
        return Moves(
            born[moved].astype(np.int32),
            target.astype(np.int8),
            reasons,
            saved,
            choice.confidence_percent[moved] / 100.0,
        )
