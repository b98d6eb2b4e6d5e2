"""How often each object will be read: a rate with its uncertainty, from the days observed.

Reads are taken as Poisson with a Gamma-distributed rate (Jeffreys prior, half a read): an
object that was not read in 120 days still has a small rate, and a shorter history a larger
one. Newer days weigh more. Days without a proven signal add no exposure: they are not zeros.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammainc, gammaincinv  # type: ignore[import-untyped]

from cloudflux.brain.inputs import History, Objects

Array = npt.NDArray[np.float64]

HALF_LIFE_DAYS = 60.0
DAILY_CAP = 3.0
"""A burst within one day says little of the next months; uncapped means would never let go."""
PRIOR_READS = 0.5
QUANTILES = (np.arange(20) + 0.5) / 20
"""Equally likely rates, by which a decision is priced and its confidence counted."""
_ROWS_AT_A_TIME = 50_000


@dataclass(frozen=True, slots=True)
class Demand:
    """Expected reads, by object."""

    shape: Array
    """Weighted reads seen, with the prior."""
    exposure_days: Array
    """Weighted days over which they were seen."""
    idle_days: Array
    """Days since the last read; never read: since it was first under observation."""
    observed_days: Array
    """Days that prove the above: complete days since the object appeared, or its idle time
    where the store itself proves the last access."""
    reads_7d: Array
    reads_30d: Array

    @property
    def rate(self) -> Array:
        """Mean reads a day."""
        return self.shape / self.exposure_days

    def rates(self) -> Array:
        """Return equally likely reads a day: one row a quantile, one column an object."""
        distinct, where = np.unique(np.round(self.shape, 2), return_inverse=True)
        table = gammaincinv(distinct[None, :], QUANTILES[:, None])
        return np.asarray(table[:, where] / self.exposure_days[None, :], dtype=np.float64)

    def probability_rate_at_least(self, reads_per_day: float) -> Array:
        """Return the probability that the true rate is at least so high."""
        below = gammainc(self.shape, reads_per_day * self.exposure_days)
        return np.asarray(1.0 - below, dtype=np.float64)


def demand(objects: Objects, history: History) -> Demand:
    """Estimate the demand of every object from its history."""
    age_columns = np.minimum(np.ceil(objects.age_days), history.days)
    weights = 0.5 ** (np.arange(history.days)[::-1] / HALF_LIFE_DAYS)
    proven = _since_birth(weights * history.complete, age_columns)
    observed = _since_birth(history.complete.astype(np.float64), age_columns)
    seen = np.zeros(len(objects))
    for start in range(0, len(objects), _ROWS_AT_A_TIME):
        rows = slice(start, start + _ROWS_AT_A_TIME)
        seen[rows] = np.minimum(history.reads[rows], DAILY_CAP) @ weights
    idle = _idle_days(objects, history, observed)
    by_store = np.isfinite(objects.last_access_days)
    idle_weight = np.minimum(np.ceil(idle), 3650)
    proven_by_store = (1 - 0.5 ** (idle_weight / HALF_LIFE_DAYS)) / (
        1 - 0.5 ** (1 / HALF_LIFE_DAYS)
    )
    exposure = np.where(by_store, np.maximum(proven, proven_by_store), proven)
    return Demand(
        shape=seen + PRIOR_READS,
        # One day at least: an object that has just appeared has a wide rate, not an infinite one.
        exposure_days=np.maximum(exposure, 1.0),
        idle_days=idle,
        observed_days=np.where(by_store, np.maximum(observed, idle), observed),
        reads_7d=history.reads_in(7),
        reads_30d=history.reads_in(30),
    )


def _since_birth(by_day: Array, age_columns: Array) -> Array:
    """Sum the last `age` columns, by object."""
    from_end = np.concatenate(([0.0], np.cumsum(by_day[::-1])))
    return np.asarray(from_end[age_columns.astype(np.intp)], dtype=np.float64)


def _idle_days(objects: Objects, history: History, observed: Array) -> Array:
    was_read = history.reads > 0
    last = history.days - 1 - np.argmax(was_read[:, ::-1], axis=1)
    seen = np.where(was_read.any(axis=1), history.days - 1 - last, observed).astype(np.float64)
    by_store = objects.last_access_days
    known = np.isfinite(by_store)
    # The store knows the last access; a log may know a later one.
    ever_read = was_read.any(axis=1)
    merged = np.where(ever_read, np.minimum(seen, by_store), by_store)
    return np.maximum(np.where(known, merged, seen), 0.0)
