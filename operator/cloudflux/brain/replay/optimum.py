"""The exact offline optimum: the cheapest schedule that knows every read in advance.

A dynamic programme by object over (class, days in class up to its minimum duration; for
automatic classes days without a read up to the last step), from the last day to the first:

    V(t, c, a) = cost of day t in (c, a) + min(V(t+1, c, a+1),
                                               min over b of move(c, b, a+1) + V(t+1, b, 0))

It has the ledger's rules exactly, so no policy can be cheaper on the same trace.
"""

import numpy as np
import numpy.typing as npt

from cloudflux.brain.replay.fees import Fees
from cloudflux.brain.replay.trace import Array, Trace

_OBJECTS_AT_A_TIME = 256
"""The states of so many objects fit the processor's cache."""


def offline_optimum(trace: Trace, fees: Fees, *, start: int | None = None) -> Array:
    """Return the least cost of each object from its first day to the last, all fees included.

    Where an automatic class had a minimum duration too, its early deletion is left out, and
    the result is a lower bound.
    """
    first_day = trace.decide_from if start is None else start
    start_day = np.maximum(trace.first_day, first_day)
    edges = np.searchsorted(trace.row, np.arange(len(trace) + 1))
    result = np.zeros(len(trace))
    for low in range(0, len(trace), _OBJECTS_AT_A_TIME):
        high = min(low + _OBJECTS_AT_A_TIME, len(trace))
        part = slice(low, high)
        reads = _daily_reads(trace, slice(edges[low], edges[high]), low, high, first_day)
        chains = [_Chain(fees, position, part) for position in range(len(fees))]
        result[part] = _solve(chains, fees, part, reads, start_day[part] - first_day)
    return result


def _daily_reads(
    trace: Trace, rows: slice, low: int, high: int, first_day: int
) -> tuple[Array, Array]:
    """Spread requests and GB read over (day, object)."""
    shape = (trace.until - first_day + 1, high - low)
    requests, read_gb = np.zeros(shape), np.zeros(shape)
    day = trace.day[rows] - first_day
    late = day >= 0
    where = (day[late], trace.row[rows][late] - low)
    np.add.at(requests, where, trace.requests[rows][late])
    np.add.at(read_gb, where, trace.read_gb[rows][late])
    return requests, read_gb


class _Chain:
    """The states of one class: row a is the value after `a` days in it (or without a read)."""

    def __init__(self, fees: Fees, position: int, part: slice) -> None:
        self.automatic = bool(fees.steps[position])
        self.rent = fees.rent[position][part]
        min_days = 0 if self.automatic else int(fees.min_days[position])
        longest = fees.steps[position][-1].after_idle_days if self.automatic else 0
        self.last = max(min_days, longest, 1)
        count = len(self.rent)
        self.values = np.zeros((self.last + 1, count))
        """Relative to `offset`, so that a cost that all states share is added once."""
        self.offset = np.zeros(count)
        self.steps = [
            (step.after_idle_days, step.rent[part] - self.rent) for step in fees.steps[position]
        ]
        missing = np.maximum(min_days - np.arange(self.last + 1), 0)
        self.early = missing[:, None] * self.rent if min_days else None
        self._scratch = np.empty_like(self.values)

    def fresh(self) -> Array:
        """Return the value of having just entered."""
        return np.asarray(self.values[0] + self.offset)

    def allow_leaving(self, cost: Array) -> None:
        """Take the cheaper of staying and leaving at `cost`, for every state."""
        relative = cost - self.offset
        if self.early is None:
            np.minimum(self.values, relative, out=self.values)
        else:
            np.add(self.early, relative, out=self._scratch)
            np.minimum(self.values, self._scratch, out=self.values)

    def day_before(self, reads_cost: Array, was_read: npt.NDArray[np.bool_]) -> None:
        """Go back one day: the state was one day younger, and the day had its cost."""
        self.values[:-1] = self.values[1:]
        if self.automatic:
            after_read = self.values[0].copy()
            for index, (after, extra) in enumerate(self.steps):
                end = self.steps[index + 1][0] if index + 1 < len(self.steps) else None
                self.values[after:end] += extra
            if was_read.any():
                # a read starts the clock again, whatever it showed
                self.values[:, was_read] = after_read[was_read]
        self.offset += self.rent + reads_cost


def _solve(
    chains: list[_Chain], fees: Fees, part: slice, reads: tuple[Array, Array], start: Array
) -> Array:
    requests, read_gb = reads
    answer = np.zeros(requests.shape[1])
    move = [[cost[part] for cost in row] for row in fees.move]
    for day in range(len(requests) - 1, -1, -1):
        if day < len(requests) - 1:
            fresh = [chain.fresh() for chain in chains]
            for source, chain in enumerate(chains):
                others = [t for t in range(len(chains)) if t != source]
                if others:
                    chain.allow_leaving(
                        np.minimum.reduce([move[source][t] + fresh[t] for t in others])
                    )
        was_read = requests[day] + read_gb[day] > 0
        for position, chain in enumerate(chains):
            cost = fees.per_request[position] * requests[day]
            cost = cost + fees.per_gb[position] * read_gb[day]
            chain.day_before(cost, was_read)
        begins = start == day
        if begins.any():
            answer[begins] = chains[fees.base].fresh()[begins]
    return answer
