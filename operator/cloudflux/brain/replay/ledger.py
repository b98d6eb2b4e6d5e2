"""The simulator: what a schedule of moves costs, day by day, over all objects at once.

On each day, in this order: objects are born (in the base class), reads come (billed at the
class of that day; they reset the clock of automatic classes), automatic steps are taken, rent
is billed. At the end of the day a policy may move objects; moves are billed then and in force
from the next day. Minimum duration that is not over on the last day is not billed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cloudflux.brain.replay.fees import Fees
from cloudflux.brain.replay.trace import NEVER, Array, Days, Rows, Trace

Classes = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Moves:
    """Objects, the class that each goes to, and why. Scalars stand for all rows."""

    row: Rows
    target: Classes
    reason: str | npt.NDArray[np.object_] = "rule"
    saving: Array | float = 0.0
    """Money expected to be saved by the move, as far ahead as the policy looks."""
    confidence: Array | float = 1.0
    """0 … 1."""

    def __len__(self) -> int:
        return len(self.row)


@dataclass(slots=True)
class State:
    """What a policy may look at, at the end of a day: placement, and the reads seen so far."""

    day: int
    klass: Classes
    since: Days
    """First day in the present class."""
    born: npt.NDArray[np.bool_]
    first_day: Days
    last_read: Days
    """Day of the latest read that is known; NEVER without one."""
    seen_rows: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    """Objects of the rows that became known today."""
    seen_reads: Array = field(default_factory=lambda: np.empty(0))

    def idle_days(self) -> Days:
        """Days without a known read, since birth where there was none."""
        return (self.day - np.maximum(self.last_read, self.first_day)).astype(np.int32)


Decide = Callable[[State], Moves | None]


@dataclass(frozen=True, slots=True)
class Bill:
    """What one policy cost, by object, and its moves."""

    total: Array
    one_off: Array
    """Fees of the moves, early deletion included; part of the total."""
    by_day: Array
    moves: "Journal"
    left_in: Classes
    """Where each object is at the end."""
    clock: Days
    """Day from which an automatic class counted at the end; NEVER where there was none."""


@dataclass(frozen=True, slots=True)
class Journal:
    """Every move that was made, in the order of days."""

    row: Rows
    day: Days
    source: Classes
    target: Classes
    reason: npt.NDArray[np.object_]
    saving: Array
    confidence: Array

    def __len__(self) -> int:
        return len(self.row)


class ByDay:
    """Slices of rows by one of their days."""

    def __init__(self, days: Days, first: int, last: int) -> None:
        self.order = np.argsort(days, kind="stable").astype(np.int64)
        self._edges = np.searchsorted(days[self.order], np.arange(first, last + 2))
        self._first = first

    def on(self, day: int) -> npt.NDArray[np.int64]:
        """Return the positions of the rows of a day."""
        index = day - self._first
        return self.order[self._edges[index] : self._edges[index + 1]]

    def between(self, first: int, last: int) -> npt.NDArray[np.int64]:
        """Return the positions of the rows of the days first … last."""
        index = max(first - self._first, 0)
        return self.order[self._edges[index] : self._edges[last - self._first + 1]]

    def before(self, day: int) -> npt.NDArray[np.int64]:
        """Return the positions of all rows before a day."""
        return self.order[: self._edges[day - self._first]]


class Replayer:
    """Runs policies over one trace; what they share is prepared once."""

    def __init__(self, trace: Trace, fees: Fees, *, start: int | None = None) -> None:
        self.trace, self.fees = trace, fees
        self.start = trace.decide_from if start is None else start
        self.until = trace.until
        self._billed = ByDay(trace.day, min(trace.train_from, self.start), trace.until)
        self._seen = ByDay(np.minimum(trace.seen, trace.until + 1), trace.train_from, trace.until)
        start_day = np.maximum(trace.first_day, self.start)
        self._births = ByDay(start_day.astype(np.int32), self.start, trace.until)

    def run(self, decide: Decide | None, *, placed: Classes | None = None) -> Bill:
        """Bill a policy from the first day to the last; None leaves everything where it starts.

        `placed` are the classes that objects born before are in, and have been in for long: an
        automatic class counts from the last read. They are classes without a minimum duration.
        """
        accounts = _Accounts(self.trace, self.fees, self.start)
        state = accounts.state
        self._prime(state)
        if placed is not None:
            accounts.place(placed)
        for day in range(self.start, self.until + 1):
            state.day = day
            accounts.birth(self._births.on(day))
            accounts.bill_day(self._billed.on(day))
            if decide is None or day == self.until:
                continue
            self._show(state, day)
            moves = decide(state)
            if moves is not None and len(moves):
                accounts.move(moves)
        return accounts.bill()

    def _prime(self, state: State) -> None:
        known = self._seen.before(self.start)
        np.maximum.at(state.last_read, self.trace.row[known], self.trace.day[known])

    def _show(self, state: State, day: int) -> None:
        rows = self._seen.on(day)
        state.seen_rows, state.seen_reads = self.trace.row[rows], self.trace.reads[rows]
        np.maximum.at(state.last_read, state.seen_rows, self.trace.day[rows])


class _Accounts:
    """Placement, present rent and the running totals."""

    def __init__(self, trace: Trace, fees: Fees, start: int) -> None:
        count = len(trace)
        self.trace, self.fees = trace, fees
        self.state = State(
            day=start,
            klass=np.full(count, fees.base, dtype=np.int8),
            since=np.full(count, start, dtype=np.int32),
            born=np.zeros(count, dtype=np.bool_),
            first_day=trace.first_day,
            last_read=np.full(count, NEVER, dtype=np.int32),
        )
        self._rent = np.zeros(count)
        self._total = np.zeros(count)
        self._one_off = np.zeros(count)
        self._clock = np.full(count, NEVER, dtype=np.int32)
        """Day from which an automatic class counts days without a read."""
        self._waiting: dict[int, list[Rows]] = {}
        """Objects in an automatic class, by the day on which their clock started."""
        self._by_day: list[float] = []
        self._journal: list[tuple[npt.NDArray[Any], ...]] = []
        self._stepping = [p for p in range(len(fees)) if fees.steps[p]]
        self._longest = max((s[-1].after_idle_days for s in fees.steps if s), default=0)

    def place(self, classes: Classes) -> None:
        """Put objects that were born before the first day where they have been for long."""
        state, fees = self.state, self.fees
        old = np.flatnonzero(state.first_day < state.day)
        state.born[old] = True
        state.klass[old] = classes[old]
        state.since[old] = state.first_day[old]
        clock = np.maximum(state.last_read, state.first_day)
        for position in range(len(fees)):
            rows = old[classes[old] == position]
            self._rent[rows] = fees.rent[position][rows]
            if not fees.steps[position]:
                continue
            for step in fees.steps[position]:
                # steps that fall on a coming day are taken then
                due = rows[state.day - clock[rows] > step.after_idle_days]
                self._rent[due] = step.rent[due]
            for day in np.unique(clock[rows]):
                self._start_clock(rows[clock[rows] == day], int(day))

    def birth(self, rows: npt.NDArray[np.int64]) -> None:
        """Put new objects into the base class."""
        state = self.state
        rows = rows[~state.born[rows]]
        state.born[rows] = True
        state.since[rows] = state.day
        self._rent[rows] = self.fees.rent[self.fees.base][rows]
        if self.fees.steps[self.fees.base]:
            self._start_clock(rows.astype(np.int32), state.day)

    def bill_day(self, reads: npt.NDArray[np.int64]) -> None:
        """Bill the reads of the day, then a day's rent."""
        spent = 0.0
        if len(reads):
            spent = self._bill_reads(reads)
        self._take_steps()
        self._total += self._rent
        self._by_day.append(spent + float(self._rent.sum()))

    def _bill_reads(self, reads: npt.NDArray[np.int64]) -> float:
        fees, state = self.fees, self.state
        row = self.trace.row[reads]
        klass = state.klass[row]
        cost = fees.per_request[klass] * self.trace.requests[reads]
        cost += fees.per_gb[klass] * self.trace.read_gb[reads]
        np.add.at(self._total, row, cost)
        for position in self._stepping:
            read = row[klass == position]
            if len(read):
                self._rent[read] = fees.rent[position][read]
                self._start_clock(read, state.day)
        return float(cost.sum())

    def _start_clock(self, rows: Rows, day: int) -> None:
        self._clock[rows] = day
        self._waiting.setdefault(day, []).append(rows)

    def _take_steps(self) -> None:
        day = self.state.day
        for position in self._stepping:
            for step in self.fees.steps[position]:
                started = day - step.after_idle_days
                for rows in self._waiting.get(started, ()):
                    still = (self.state.klass[rows] == position) & (self._clock[rows] == started)
                    due = rows[still]
                    self._rent[due] = step.rent[due]
        self._waiting.pop(day - self._longest, None)

    def move(self, moves: Moves) -> None:
        """Bill moves and put them in force from tomorrow."""
        fees, state = self.fees, self.state
        real = state.klass[moves.row] != moves.target
        rows, targets = moves.row[real], moves.target[real]
        sources = state.klass[rows]
        cost = np.zeros(len(rows))
        tomorrow = state.day + 1
        for source, target in {*zip(sources.tolist(), targets.tolist(), strict=True)}:
            pick = (sources == source) & (targets == target)
            which = rows[pick]
            missing = np.maximum(fees.min_days[source] - (tomorrow - state.since[which]), 0)
            cost[pick] = fees.move[source][target][which] + missing * fees.rent[source][which]
            self._rent[which] = fees.rent[target][which]
            if fees.steps[target]:
                self._start_clock(which, tomorrow)
        state.klass[rows] = targets
        state.since[rows] = tomorrow
        self._total[rows] += cost
        self._one_off[rows] += cost
        self._by_day[-1] += float(cost.sum())
        said = (
            np.broadcast_to(np.asarray(each, dtype=kind), real.shape)[real]
            for each, kind in (
                (moves.reason, object),
                (moves.saving, float),
                (moves.confidence, float),
            )
        )
        days = np.full(len(rows), state.day, dtype=np.int32)
        self._journal.append((rows, days, sources, targets, *said))

    def bill(self) -> Bill:
        """Close the books."""
        kinds = (np.int32, np.int32, np.int8, np.int8, object, np.float64, np.float64)
        nothing = tuple(np.empty(0, dtype=kind) for kind in kinds)
        columns = (np.concatenate(part) for part in zip(nothing, *self._journal, strict=True))
        return Bill(
            self._total,
            self._one_off,
            np.array(self._by_day),
            Journal(*columns),
            self.state.klass,
            self._clock,
        )
