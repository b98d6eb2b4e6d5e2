"""How long an object spends on each step of an automatic class (S3 Intelligent-Tiering).

The provider demotes after so many days without a read and promotes at once on a read. With
reads at random at a steady rate the expected share of each step has a closed form, so that a
million objects need no day-by-day replay.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def expected_step_shares(
    reads_per_day: Array, idle_days: Array, days: int, thresholds: Sequence[int]
) -> list[Array]:
    """Return the share of `days` spent on the first step and on each later one (they sum to 1).

    `idle_days` is the idle clock at the start, 0 for an object that has just entered;
    `thresholds` are the idle days after which each later step begins, ascending.
    """
    rate = np.maximum(reads_per_day, 0.0)
    beyond = [_share_idle_for(rate, idle_days, days, limit) for limit in thresholds]
    edges = [np.ones_like(rate), *beyond, np.zeros_like(rate)]
    return [edges[i] - edges[i + 1] for i in range(len(edges) - 1)]


def _share_idle_for(rate: Array, idle_days: Array, days: int, limit: int) -> Array:
    """Return the expected share of days on which the idle clock shows at least `limit`.

    Day t (0-based) is that idle when the last `limit` days had no read, or, before `limit` days
    have passed, when there was no read at all and the clock at the start was far enough.
    """
    first = np.clip(np.ceil(limit - idle_days), 0, min(limit, days))
    last = float(min(limit, days))
    run_in = _quiet_days(rate, first, last)
    steady = max(days - limit, 0) * np.exp(-rate * limit)
    return np.asarray((run_in + steady) / days)


def _quiet_days(rate: Array, first: Array, last: float) -> Array:
    """Add up the chances exp(-rate * t) of no read in t days, for t in first … last - 1."""
    count = np.maximum(last - first, 0.0)
    gap = -np.expm1(-rate)
    # Close to 0 the quotient loses all digits; the sum is then the number of its terms.
    near_one = gap < 1e-12
    safe = np.where(near_one, 1.0, gap)
    total = (np.exp(-rate * first) - np.exp(-rate * np.maximum(last, first))) / safe
    return np.where(near_one, count, total)


def steps_by_day(
    reads: npt.NDArray[Any], idle_days: Array, thresholds: Sequence[int]
) -> npt.NDArray[np.int8]:
    """Replay the rule exactly: the step that each object (row) is billed on, on each day (column).

    The clock shows the days since the last read or, with `idle_days` 0, since the entry. A read
    brings the object to the first step at once, so that its day is billed there.
    """
    clock = np.asarray(idle_days, dtype=np.float64).copy()
    steps = np.zeros(reads.shape, dtype=np.int8)
    for day in range(reads.shape[1]):
        clock = np.where(reads[:, day] > 0, 0.0, clock)
        for limit in thresholds:
            steps[:, day] += clock >= limit
        clock += 1.0
    return steps
