"""The gate: no rule decides anything until replay shows that it would have been cheaper."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cloudflux.brain.replay.fees import Fees
from cloudflux.brain.replay.ledger import Bill, Classes, Replayer
from cloudflux.brain.replay.prior import Prior, home_class
from cloudflux.brain.replay.rule import Scores, ThresholdRule, Thresholds
from cloudflux.brain.replay.trace import NEVER, Array, Days, Trace

MIN_DAYS = 120
_CAUTION = 2.0
"""Standard errors that a rule must be better by: a wrong cold placement costs a hundredfold."""
_LEAST_ADVANTAGE = 0.002
"""Share of the bill that a rule must save at least, caution included."""
_LIFE_DAYS = 365.0
_QUIET_DAYS = (30, 90, 180, 365)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rule that may decide, None when none is clearly better than staying home."""

    chosen: Thresholds | None
    days: int = 0
    """Days that were replayed."""
    advantage: float = 0.0
    """Share of the home bill that the chosen rule would have saved, less one standard error."""


class Gate:
    """Replays the time before and including a day, as it was known at its end."""

    def __init__(self, trace: Trace, fees: Fees, scores: Scores, day: int, days: int) -> None:
        start = max(day - days, trace.train_from + 1)
        while start <= day and start not in scores:
            start += 1
        self.days = day - start
        self._day = day
        self._fees, self._scores = fees, scores
        if self.enough:
            self._past = _past(trace, start, day)
            self._replayer = Replayer(self._past, fees, start=start)
            self._weight = _weights(self._past, fees)
            self._next_reads = _reads_on_waking(self._past, start, day)
            self._burst = _largest_burst(self._past)

    @property
    def enough(self) -> bool:
        """Whether there is enough to replay."""
        return self.days >= MIN_DAYS

    def going_on(self, candidates: Sequence[Thresholds]) -> Verdict:
        """Judge rules for objects that have been in their home class for long."""
        if not self.enough:
            return Verdict(None)
        placed = home_class(self._fees)
        home = self._replayer.run(Prior(self._fees), placed=placed)
        bills = ((each, each.cold, self._run(each, each, placed)) for each in candidates)
        return self._best(home, bills)

    def starting(self, candidates: Sequence[Thresholds], after: Thresholds | None) -> Verdict:
        """Judge rules for objects that have just been put into the base class; `after` goes on.

        Held against staying home for good, so that a start has to be no more than the best
        beginning of a rule that has proved itself already.
        """
        if not self.enough:
            return Verdict(None)
        home = self._run(None, None, None)
        firsts: list[tuple[Thresholds | None, int]] = [(each, each.cold) for each in candidates]
        if after is not None:
            firsts.insert(0, (None, after.cold))
        bills = ((each, cold, self._run(each, after, None)) for each, cold in firsts)
        return self._best(home, bills)

    def _run(
        self, first: Thresholds | None, after: Thresholds | None, placed: Classes | None
    ) -> Bill:
        sizes = self._past.known_size_bytes
        rule = ThresholdRule(self._fees, self._scores, sizes, after, explain=False)
        rule.first = first
        return self._replayer.run(rule, placed=placed)

    def _owed(self, bill: Bill) -> Array:
        """Price what each object's place still has to pay when the replay ends.

        The automatic class pays for a read afterwards, by its dear first steps; a cold class
        pays when the next read comes. To stop counting in between would favour the cold class.
        """
        fees = self._fees
        owed = np.zeros(len(self._past))
        for position in range(len(fees)):
            there = bill.left_in == position
            if fees.steps[position]:
                owed[there] = _rest_of_steps(fees, position, self._day - bill.clock)[there]
            elif position != fees.base:
                sizes = self._past.known_size_bytes
                premium = fees.read_cost(position, sizes) - fees.read_cost(fees.base, sizes)
                owed[there] = (premium * self._next_reads)[there]
        return owed

    def _exposure(self, cold: int) -> float:
        """Price one more object that wakes in the cold class with the largest burst there was.

        The rarest of losses need not have happened in the days replayed; with few objects one of
        them is more than all that a rule saves.
        """
        fees, sizes = self._fees, self._past.known_size_bytes
        premium = fees.read_cost(cold, sizes) - fees.read_cost(fees.base, sizes)
        counted = self._weight > 0
        if not counted.any():
            return 0.0
        return self._burst * max(float(np.median((premium * self._weight)[counted])), 0.0)

    def _best(self, home: Bill, bills: Iterable[tuple[Thresholds | None, int, Bill]]) -> Verdict:
        at_home = home.total + self._owed(home)
        best, chosen = -_LEAST_ADVANTAGE * float((at_home * self._weight).sum()), None
        for candidate, cold, bill in bills:
            dearer = bill.total + self._owed(bill) - at_home
            score = _score(dearer, self._weight) + self._exposure(cold)
            if score < best and dearer.sum() < 0:
                best, chosen = score, candidate
        total = float((at_home * self._weight).sum())
        found = chosen is not None and total > 0
        return Verdict(chosen, self.days, -best / total if found else 0.0)


def _largest_burst(past: Trace) -> float:
    """Return the most reads that any object had on one day after a silence of a month."""
    if not len(past.row):
        return 0.0
    other = past.row[1:] != past.row[:-1]
    begins = np.flatnonzero(np.r_[True, other | (past.day[1:] != past.day[:-1])])
    row, day = past.row[begins], past.day[begins]
    before = np.r_[day[:1], day[:-1]]
    first = np.r_[True, row[1:] != row[:-1]]
    before = np.where(first, past.first_day[row], before)
    woke = day - before >= _QUIET_DAYS[0]
    reads = np.add.reduceat(past.reads, begins)
    return float(reads[woke].max()) if woke.any() else 0.0


def _rest_of_steps(fees: Fees, position: int, idle_days: Days) -> Array:
    """Price what is left, without a read, of an automatic class's dearer steps."""
    lowest = fees.steps[position][-1].rent
    rents = [fees.rent[position], *(step.rent for step in fees.steps[position])]
    rest = np.zeros(len(idle_days))
    begin = 0
    for rent, step in zip(rents, fees.steps[position], strict=False):
        left = np.clip(step.after_idle_days - np.maximum(idle_days, begin), 0, None)
        rest += left * (rent - lowest)
        begin = step.after_idle_days
    return rest


def _reads_on_waking(past: Trace, start: int, day: int) -> Array:
    """Expect the reads of the next day with a read, by how long an object has been quiet.

    Learnt from what the objects did that were quiet for so long when the window began.
    """
    first = np.full(len(past), 0.0)
    after = np.flatnonzero(past.day >= start)
    rows, index = np.unique(past.row[after], return_index=True)
    first_day = past.day[after][index]
    whole = np.full(len(past), NEVER, dtype=np.int32)
    whole[rows] = first_day
    on_it = after[past.day[after] == whole[past.row[after]]]
    # what comes late counts for less: by then the object may be gone, or long have moved
    late = np.exp(-(past.day[on_it] - start) / _LIFE_DAYS)
    np.add.at(first, past.row[on_it], past.reads[on_it] * late)
    then, now = (_quiet_for(past, at) for at in (start - 1, day))
    expected = np.zeros(len(past))
    old = past.first_day < start
    for bucket in range(len(_QUIET_DAYS) + 1):
        alike = old & (then == bucket)
        known = first[alike] if alike.any() else first[old]
        if len(known):
            # few wake, and some of them with very many reads: the mean alone promises too much
            error = float(known.std()) / np.sqrt(len(known))
            expected[now == bucket] = float(known.mean()) + _CAUTION * error
        else:
            expected[now == bucket] = 1.0
    return expected


def _quiet_for(past: Trace, day: int) -> npt.NDArray[np.int64]:
    last = past.first_day.copy()
    seen = past.day <= day
    np.maximum.at(last, past.row[seen], past.day[seen])
    return np.searchsorted(_QUIET_DAYS, day - last)


def _score(dearer: Array, weight: Array) -> float:
    """Return the weighted difference to staying home, plus two standard errors of its sum."""
    difference = (dearer * weight)[weight > 0]
    if not len(difference):
        return 0.0
    by_object = float(difference.std() * np.sqrt(len(difference)))
    return float(difference.sum()) + _CAUTION * by_object


def _weights(trace: Trace, fees: Fees) -> Array:
    """Weigh objects alike: the few largest would else be all of the money, and all of the noise."""
    rent = fees.rent[fees.base]
    there = trace.first_day <= trace.until
    weight = np.where(there & fees.watched & (rent > 0), 1.0 / np.where(rent > 0, rent, 1.0), 0.0)
    return np.asarray(weight)


def _past(trace: Trace, start: int, day: int) -> Trace:
    """Return the trace as it was known at the end of a day; objects keep their positions."""
    known = (trace.seen <= day) & (trace.day <= day)
    return replace(
        trace,
        decide_from=start,
        until=day,
        row=trace.row[known],
        day=trace.day[known],
        seen=trace.seen[known],
        reads=trace.reads[known],
        requests=trace.requests[known],
        read_gb=trace.read_gb[known],
    )
