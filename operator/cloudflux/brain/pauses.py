"""What a history says of each object's reads and of the pauses between them.

Pauses are counted in proven days: a day without a complete signal proves neither a read nor
silence. A read on such a day still ends a pause.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.brain.inputs import History, Objects

Array = npt.NDArray[np.float64]

DAILY_CAP = 3.0
"""A burst within one day says little of the next months; uncapped means would never let go."""
HALF_LIFE_DAYS = 60.0
LONG_PAUSE_DAYS = 30
"""Pauses longer than this are what tells how often silent objects come back."""
_ROWS_AT_A_TIME = 50_000


@dataclass(frozen=True, slots=True)
class Pauses:
    """By object; days are proven days unless said otherwise."""

    read_days: Array
    """Days with a read."""
    recent_read_days: Array
    """The same, newer days weighing more (half at HALF_LIFE_DAYS)."""
    capped_reads: Array
    """Reads, at most DAILY_CAP a day."""
    observed: Array
    """Since the object appeared or was first observed."""
    recent_observed: Array
    """The same, weighed as recent_read_days."""
    open: Array
    """Since the last read; never read: all that was observed."""
    longest_ended: Array
    """The longest pause that a read ended."""
    idle_days: Array
    """Calendar days since the last read; never read: days observed."""
    returns: Array
    """Long pauses that a read ended."""
    waiting: Array
    """Sum of 1 / (1 + day of the pause) over the days beyond LONG_PAUSE_DAYS of every pause."""


def pauses(objects: Objects, history: History) -> Pauses:
    """Summarise the history of every object."""
    complete = history.complete.astype(np.float64)
    weights = 0.5 ** (np.arange(history.days)[::-1] / HALF_LIFE_DAYS)
    columns = np.minimum(np.ceil(objects.age_days), history.days)
    observed = _last(complete, columns)
    recent = _last(complete * weights, columns)
    # the number of proven days up to and with each column: pauses are differences of these
    position = np.cumsum(complete).astype(np.int64)
    parts = [
        _of_rows(
            history.reads[start : start + _ROWS_AT_A_TIME],
            observed[start : start + _ROWS_AT_A_TIME],
            position,
            weights,
        )
        for start in range(0, len(objects), _ROWS_AT_A_TIME)
    ] or [np.zeros((8, 0))]
    days, weighed, capped, still, longest, returns, waiting, calendar = np.concatenate(parts, 1)
    return Pauses(
        read_days=days,
        recent_read_days=weighed,
        capped_reads=capped,
        observed=observed,
        recent_observed=recent,
        open=still,
        longest_ended=longest,
        idle_days=np.where(days > 0, calendar, observed),
        returns=returns,
        waiting=waiting,
    )


def _of_rows(
    reads: npt.NDArray[np.uint16],
    observed: Array,
    position: npt.NDArray[np.int64],
    weights: Array,
) -> Array:
    """Return the eight columns that depend on the reads, as rows."""
    count, days = reads.shape
    total = position[-1]
    born = (total - observed).astype(np.int64)
    rows, columns = np.nonzero(reads)
    read_days = np.bincount(rows, minlength=count)
    # Reads stand ordered by object and day: a pause lies between each and the one before it.
    first = np.ones(len(rows), dtype=np.bool_)
    first[1:] = rows[1:] != rows[:-1]
    at = position[columns]
    before = np.zeros_like(at)
    before[1:] = at[:-1]
    began = np.where(first, born[rows], np.maximum(before, born[rows]))
    ended = np.maximum(at - began, 0)
    last = np.flatnonzero(np.append(first[1:], True)) if len(rows) else rows
    still = total - born
    still[rows[last]] = total - np.maximum(at[last], born[rows[last]])
    calendar = np.zeros(count)
    calendar[rows[last]] = days - 1 - columns[last]
    longest = np.zeros(count)
    if len(rows):
        longest[rows[first]] = np.maximum.reduceat(ended, np.flatnonzero(first))
    long = ended > LONG_PAUSE_DAYS
    waited = np.log((1.0 + np.maximum(still, LONG_PAUSE_DAYS)) / (1 + LONG_PAUSE_DAYS))
    in_past = np.log((1.0 + ended[long]) / (1 + LONG_PAUSE_DAYS))
    capped = np.minimum(reads[rows, columns], DAILY_CAP)
    return np.stack(
        [
            read_days.astype(np.float64),
            np.bincount(rows, weights=weights[columns], minlength=count),
            np.bincount(rows, weights=capped, minlength=count),
            still.astype(np.float64),
            longest,
            np.bincount(rows[long], minlength=count).astype(np.float64),
            waited + np.bincount(rows[long], weights=in_past, minlength=count),
            calendar,
        ]
    )


def _last(by_day: Array, columns: Array) -> Array:
    """Sum the last `columns` days, by object."""
    from_end = np.concatenate(([0.0], np.cumsum(by_day[::-1])))
    return np.asarray(from_end[columns.astype(np.intp)], dtype=np.float64)
