"""The threshold rule: a forecast of 60 days against the break-even of the cold class."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.brain.replay.fees import Fees
from cloudflux.brain.replay.ledger import Moves, State
from cloudflux.brain.replay.prior import home_class, quiet_cost
from cloudflux.brain.replay.trace import Array

COMPARED_DAYS = 90
SHORT_IDLE_DAYS = 20
"""Later the automatic class is about to be as cheap, without a fee for reading."""
MIN_HELD_DAYS = 90
BURST = 5.0
"""An object that was read so many break-evens lately goes home, whatever is forecast."""
_FADES_BY = 0.5 ** (1 / 30)
"""Of reads seen in the cold class, a day later."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When to go cold and when to come back, in multiples of the break-even."""

    cold: int
    """The cold class."""
    enter: float
    leave: float


class Scores:
    """Reads expected in the next 60 days, by day of evaluation and object."""

    def __init__(self) -> None:
        self._by_day: dict[int, npt.NDArray[np.float32]] = {}

    def put(self, day: int, expected: npt.NDArray[np.float32]) -> None:
        """Keep the scores of a day; NaN where there is none."""
        self._by_day[day] = expected

    def on(self, day: int) -> npt.NDArray[np.float32] | None:
        """Return the scores of a day, None when it has none."""
        return self._by_day.get(day)

    def forget(self, before: int) -> None:
        """Let go of the scores of earlier days."""
        for day in [day for day in self._by_day if day < before]:
            del self._by_day[day]

    def __contains__(self, day: int) -> bool:
        return day in self._by_day


def break_even(fees: Fees, cold: int, size_bytes: Array) -> Array:
    """Return the reads in 60 days at which the cold class costs as much as the home class.

    60/90 of (90 days at home, entered anew, less 90 days of the cold class) ÷ a read's premium.
    0 where the cold class never pays.
    """
    home = home_class(fees)
    stay = fees.rent[fees.base] * COMPARED_DAYS
    if fees.automatic is not None:
        stay = np.where(
            home == fees.automatic, quiet_cost(fees, fees.automatic, COMPARED_DAYS), stay
        )
    gain = stay - quiet_cost(fees, cold, COMPARED_DAYS)
    premium = fees.read_cost(cold, size_bytes) - fees.read_cost(fees.base, size_bytes)
    free = premium <= 0
    reads = gain / np.where(free, 1.0, premium) * 60 / COMPARED_DAYS
    return np.maximum(np.where(free, np.where(gain > 0, np.inf, 0.0), reads), 0.0)


class ThresholdRule:
    """Cold while few reads are expected, home while many are; `thresholds` may change with time."""

    def __init__(
        self,
        fees: Fees,
        scores: Scores,
        size_bytes: Array,
        thresholds: Thresholds | None = None,
        *,
        explain: bool = True,
    ) -> None:
        self._fees, self._scores = fees, scores
        self._home = home_class(fees)
        self._explain = explain
        self._size = size_bytes
        self._limits: dict[int, Array] = {}
        self._woken = np.zeros(len(size_bytes))
        """Reads seen lately in the class that an object is in."""
        self.first = thresholds
        """The same for objects in the base class, where everything starts."""
        self.thresholds = thresholds
        """None: nothing goes cold."""

    def limit(self, cold: int) -> Array:
        """Return the break-even of a cold class, by object."""
        if cold not in self._limits:
            self._limits[cold] = break_even(self._fees, cold, self._size)
        return self._limits[cold]

    def __call__(self, state: State) -> Moves | None:
        """Move the newborn home, what is quiet into the cold class, and what wakes back."""
        new = np.flatnonzero(state.born & (state.since == state.day) & (state.klass != self._home))
        new = new[state.klass[new] == self._fees.base]
        self._woken *= _FADES_BY
        np.add.at(self._woken, state.seen_rows, state.seen_reads)
        target = state.klass.copy()
        target[new] = self._home[new]
        expected = self._scores.on(state.day)
        if expected is not None:
            start = state.klass == self._fees.base
            for thresholds, where in ((self.first, start), (self.thresholds, ~start)):
                if thresholds is not None:
                    self._go_cold(state, expected, target, thresholds, where)
            self._come_back(state, expected, target)
        rows = np.flatnonzero(target != state.klass)
        self._woken[rows] = 0.0
        if not self._explain:
            return Moves(rows.astype(np.int32), target[rows])
        return self._explained(state, rows.astype(np.int32), target[rows], expected)

    def _go_cold(
        self,
        state: State,
        expected: npt.NDArray[np.float32],
        target: npt.NDArray[np.int8],
        thresholds: Thresholds,
        where: npt.NDArray[np.bool_],
    ) -> None:
        limit = self.limit(thresholds.cold)
        quiet = expected <= thresholds.enter * limit
        quiet &= (
            where & state.born & ((state.klass == self._fees.base) | (state.klass == self._home))
        )
        if self._fees.automatic is not None:
            clock = np.maximum(state.since, state.last_read)
            quiet &= (state.klass != self._fees.automatic) | (state.day - clock <= SHORT_IDLE_DAYS)
        target[quiet & (limit > 0)] = thresholds.cold

    def _come_back(
        self, state: State, expected: npt.NDArray[np.float32], target: npt.NDArray[np.int8]
    ) -> None:
        away = np.flatnonzero(state.born & (state.klass != self._fees.base))
        away = away[state.klass[away] != self._home[away]]
        if not len(away):
            return
        leave = 2.0 if self.thresholds is None else self.thresholds.leave
        for cold in np.unique(state.klass[away]).tolist():
            rows = away[state.klass[away] == cold]
            wanted = leave * self.limit(cold)[rows]
            held = state.day + 1 - state.since[rows]
            wake = (expected[rows] >= wanted) & (
                (held >= MIN_HELD_DAYS) | (expected[rows] >= 2 * wanted)
            )
            wake |= self._woken[rows] >= BURST * np.maximum(self.limit(cold)[rows], 1.0)
            target[rows[wake]] = self._home[rows[wake]]

    def _explained(
        self,
        state: State,
        rows: npt.NDArray[np.int32],
        target: npt.NDArray[np.int8],
        expected: npt.NDArray[np.float32] | None,
    ) -> Moves:
        reasons = np.empty(len(rows), dtype=object)
        saving = np.zeros(len(rows))
        confidence = np.full(len(rows), 0.5)
        homeward = target == self._home[rows]
        newborn = homeward & (state.klass[rows] == self._fees.base)
        reasons[newborn] = "newborn: the automatic class until there is evidence for another"
        moved = np.flatnonzero(~newborn)
        if not len(moved):
            return Moves(rows, target, reasons, saving, confidence)
        fees, row, back = self._fees, rows[moved], homeward[moved]
        reads = np.zeros(len(row)) if expected is None else expected[row].astype(np.float64)
        colds = np.where(back, state.klass[row], target[moved])
        limit, premium = np.empty(len(row)), np.empty(len(row))
        for cold in np.unique(colds).tolist():
            pick = colds == cold
            sizes = self._size[row[pick]]
            limit[pick] = self.limit(cold)[row[pick]]
            premium[pick] = fees.read_cost(cold, sizes) - fees.read_cost(fees.base, sizes)
        saving[moved] = np.abs(limit - reads) * np.maximum(premium, 0.0)
        # no read at all in the horizon, were reads a Poisson process
        quiet = np.exp(-reads)
        confidence[moved] = np.where(back, 1.0 - quiet, quiet)
        reasons[moved] = [
            f"{count:.3g} reads expected in 60 days, "
            f"{'above' if homewards else 'below'} the break-even of {least:.3g}"
            for count, homewards, least in zip(
                reads.tolist(), back.tolist(), limit.tolist(), strict=True
            )
        ]
        return Moves(rows, target, reasons, saving, confidence)
