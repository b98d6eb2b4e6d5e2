"""What to do without history: the automatic class, where a quiet year in it pays at all."""

import numpy as np
import numpy.typing as npt

from cloudflux.brain.replay.fees import Fees
from cloudflux.brain.replay.ledger import Moves, State

_YEAR_DAYS = 365


def home_class(fees: Fees) -> npt.NDArray[np.int8]:
    """Return by object the class to be in while nothing is known.

    The automatic class where a year without a read is cheaper there than in the base class,
    entering and monitoring included; the base class for smaller objects and where there is no
    automatic class.
    """
    home = np.full(len(fees.rent[fees.base]), fees.base, dtype=np.int8)
    if fees.automatic is not None:
        pays = quiet_cost(fees, fees.automatic, _YEAR_DAYS) < fees.rent[fees.base] * _YEAR_DAYS
        home[pays & fees.watched] = fees.automatic
    return home


def quiet_cost(fees: Fees, position: int, days: int) -> npt.NDArray[np.float64]:
    """Return what entering a class from the base class and `days` without a read cost there."""
    rent = fees.rent[position]
    total = fees.move[fees.base][position] + rent * days
    for step in fees.steps[position]:
        stay = max(days - step.after_idle_days, 0)
        total = total + (step.rent - rent) * stay
        rent = step.rent
    return np.asarray(total)


class Prior:
    """Every object goes to its home class on its first day and stays."""

    def __init__(self, fees: Fees) -> None:
        self._home = home_class(fees)

    def __call__(self, state: State) -> Moves | None:
        """Move the newborn."""
        new = state.born & (state.since == state.day) & (state.klass != self._home)
        rows = np.flatnonzero(new)
        reason = "newborn: the automatic class until there is evidence for another"
        return Moves(rows.astype(np.int32), self._home[rows], reason)
