"""How often each object will be read: a rate with its uncertainty, from the days observed.

Two accounts of an object's past are weighed against each other by how well each explains the
silence since its last read:

* **steady**: it is read on as many days as before, newer days weighing more (Gamma-Poisson with
  Jeffreys prior). A pause no longer than one that it has come back from is no surprise.
* **quiet**: its reads ended with the last one, and only the length of the silence tells how soon
  it may be read again: after t days the chance of a read that day is about c / (1 + t). The
  data set's own long pauses say how large c is: silent objects that never came back lower it.

What counts is days with a read; each is then worth the object's usual reads a day, at most
DAILY_CAP. Days without a proven signal add nothing: they are not zeros.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammainc, gammaincinv  # type: ignore[import-untyped]

from cloudflux.brain.inputs import History, Objects
from cloudflux.brain.pauses import DAILY_CAP, HALF_LIFE_DAYS, Pauses, pauses

__all__ = ["DAILY_CAP", "HALF_LIFE_DAYS", "Demand", "demand"]

Array = npt.NDArray[np.float64]

PRIOR_READ_DAYS = 0.5
PRIOR_WEIGHT = 20.0
"""How much evidence of its own a data set needs to count as much as the prior. An object that
was silent from day 30 to day 110 of a pause gives 1.3."""
RETURN_RATE_FLOOR = 0.05
"""Silence alone never proves that an audit will not read everything next year."""
RETURN_RATE_CEILING = 2.0
UNSURPRISING = 1.25
"""A pause up to so much longer than one that has ended before is no sign of an end."""
STRATA = 10
"""Equally likely parts of each account's distribution of rates."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Expected reads, by object: the two accounts, and how likely the first is."""

    steady: Array
    """Probability that the object is still read as before."""
    steady_shape: Array
    steady_days: Array
    """Days with a read, and proven days, both weighed: shape and exposure of the rate."""
    quiet_shape: float
    """The data set's return rate, the c of the module's text."""
    quiet_days: Array
    """Proven silence and a day."""
    reads_a_read_day: Array
    """Reads on a day with reads, at most DAILY_CAP."""
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
        steady = self.steady_shape / self.steady_days
        quiet = self.quiet_shape / self.quiet_days
        mean = self.steady * steady + (1.0 - self.steady) * quiet
        return np.asarray(mean * self.reads_a_read_day, dtype=np.float64)

    def rates(self, rows: npt.NDArray[np.intp]) -> tuple[Array, Array]:
        """Return reads a day that are possible and their probabilities, for some objects.

        One row for each part of the distribution, one column an object. The mean over the rows
        is `rate`, exactly: each part is represented by its own mean.
        """
        shape, weight = self.steady_shape[rows], self.reads_a_read_day[rows]
        # Shapes within 2 % of each other share their parts; the mean stays exact.
        steps, where = np.unique(np.round(np.log(shape) * 50.0), return_inverse=True)
        distinct = np.exp(steps / 50.0)
        values = np.empty((2 * STRATA, len(rows)))
        np.take(_strata(distinct), where, axis=1, out=values[:STRATA])
        values[:STRATA] *= shape / distinct[where] / self.steady_days[rows] * weight
        values[STRATA:] = _strata(np.array([self.quiet_shape]))
        values[STRATA:] *= weight / self.quiet_days[rows]
        chances = np.empty_like(values)
        chances[:STRATA] = self.steady[rows] / STRATA
        chances[STRATA:] = (1.0 - self.steady[rows]) / STRATA
        return values, chances

    def probability_rate_at_least(self, reads_per_day: float) -> Array:
        """Return the probability that the true rate is at least so high."""
        on_days = reads_per_day / self.reads_a_read_day
        below = self._mixed(
            gammainc(self.steady_shape, on_days * self.steady_days),
            gammainc(self.quiet_shape, on_days * self.quiet_days),
        )
        return 1.0 - below

    def probability_silent(self, days: float) -> Array:
        """Return the probability of no read in the coming days (negative binomial)."""
        return self._mixed(
            (self.steady_days / (self.steady_days + days)) ** self.steady_shape,
            (self.quiet_days / (self.quiet_days + days)) ** self.quiet_shape,
        )

    def _mixed(self, steady: Array, quiet: Array) -> Array:
        return np.asarray(self.steady * steady + (1.0 - self.steady) * quiet, dtype=np.float64)


def demand(objects: Objects, history: History) -> Demand:
    """Estimate the demand of every object from its history and from its data set's."""
    past = pauses(objects, history)
    by_store = np.isfinite(objects.last_access_days)
    idle, silent = _idle(objects, past, by_store)
    observed = np.where(by_store, np.maximum(past.observed, idle), past.observed)
    shape = past.recent_read_days + PRIOR_READ_DAYS
    days = np.where(
        by_store, np.maximum(past.recent_observed, _weighed(idle)), past.recent_observed
    )
    # One day at least: an object that has just appeared has a wide rate, not an infinite one.
    days = np.maximum(days, 1.0)
    return_rate = _return_rate(past, ~by_store)
    return Demand(
        steady=_steady(past, observed, silent, return_rate),
        steady_shape=shape,
        steady_days=days,
        quiet_shape=return_rate,
        quiet_days=silent + 1.0,
        reads_a_read_day=(past.capped_reads + 1.0) / (past.read_days + 1.0),
        idle_days=idle,
        observed_days=observed,
        reads_7d=history.reads_in(7),
        reads_30d=history.reads_in(30),
    )


def _steady(past: Pauses, observed: Array, silent: Array, return_rate: float) -> Array:
    """Return how likely the object is still read as before.

    Bayes' rule. Beforehand: an object that was read again after each of n - 1 read days is not
    after the nth with odds of 1 to n (beta-geometric, as in BG/NBD models of customers). Then
    the probability of the silence if the rate stayed (the ratio of two Gamma-Poisson
    evidences), and if only the return rate rules it.
    """
    active = np.maximum(observed - silent, 0.0)
    counts = past.read_days + PRIOR_READ_DAYS
    if_steady = ((active + 1.0) / (active + silent + 1.0)) ** counts
    if_steady = np.where(silent <= UNSURPRISING * past.longest_ended, 1.0, if_steady)
    if_quiet = (1.0 / (silent + 1.0)) ** return_rate
    # What was never read has no rate that could have stayed.
    weight = past.read_days * if_steady
    return np.where(past.read_days > 0, weight / (weight + if_quiet), 0.0)


def _return_rate(past: Pauses, usable: npt.NDArray[np.bool_]) -> float:
    """Estimate from all long pauses of the data set how soon silent objects come back.

    Maximum likelihood for a hazard of c / (1 + t), with a prior. A store that only proves the
    last access hides the pauses that ended, so its objects are not usable.
    """
    returned, waited = float(past.returns[usable].sum()), float(past.waiting[usable].sum())
    rate = (PRIOR_READ_DAYS * PRIOR_WEIGHT + returned) / (PRIOR_WEIGHT + waited)
    return min(max(rate, RETURN_RATE_FLOOR), RETURN_RATE_CEILING)


def _strata(shape: Array) -> Array:
    """Return the mean of each equally likely part of a Gamma distribution of scale 1."""
    edges = np.arange(1, STRATA) / STRATA
    inner = gammaincinv(shape[None, :], edges[:, None])
    # The share of the mean that lies below a value is the distribution of one shape more.
    below = np.concatenate(
        (np.zeros((1, len(shape))), gammainc(shape[None, :] + 1.0, inner), np.ones((1, len(shape))))
    )
    return np.asarray(np.diff(below, axis=0) * shape * STRATA, dtype=np.float64)


def _weighed(days: Array) -> Array:
    """Weigh so many days up to now as recent_observed is."""
    whole = np.minimum(np.ceil(days), 3650)
    return np.asarray((1 - 0.5 ** (whole / HALF_LIFE_DAYS)) / (1 - 0.5 ** (1 / HALF_LIFE_DAYS)))


def _idle(objects: Objects, past: Pauses, by_store: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return calendar days since the last read and how many of them are proven silent."""
    accessed = objects.last_access_days
    # The store knows the last access; a log may know a later one.
    merged = np.where(past.read_days > 0, np.minimum(past.idle_days, accessed), accessed)
    idle = np.maximum(np.where(by_store, merged, past.idle_days), 0.0)
    return idle, np.where(by_store, idle, past.open)
