"""The days ahead of a whole data set: reads and bytes, for capacity and for the trend of its cost.

A level that follows the last weeks times the profile of the week, both from days that are known
completely. How wrong that was before, at origins a week apart, is how wrong it is taken to be now.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MAX_DAYS = 90
SHOWN_DAYS = (7, 30, 90)
WEEK = 7
MIN_DAYS = 2 * WEEK
"""With fewer, days of the week tell nothing, and the mean of the days stands for all to come."""
_HALF_LIFE_DAYS = 14.0
_PROFILE_WEEKS = 8
_PROFILE_PRIOR_WEEKS = 2.0
"""So many even weeks the profile of a young history is mixed with."""
_MIN_ORIGINS = 4
_UNKNOWN_SPREAD = 0.5
"""Relative error of a sum where the past is too short to measure one."""
_NORMAL_90 = 1.2816


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of the next `days`; low and high are the 10th and 90th percentile."""

    days: int
    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is expected of each coming day, and of sums of days."""

    by_day: Array
    low: Array
    high: Array
    sums: tuple[Sum, ...]
    method: str


def ahead(daily: Array, known: npt.NDArray[np.bool_], days: int = MAX_DAYS) -> Ahead:
    """Forecast from one value a day, the newest last; days that are not known are left out.

    The first value forecast is of the day after the newest. Without a known day nothing is
    expected, and nothing is excluded: the high ends are infinite.
    """
    if not known.any():
        nothing = np.zeros(days)
        endless = np.full(days, np.inf)
        sums = tuple(Sum(each, 0.0, 0.0, float("inf")) for each in SHOWN_DAYS if each <= days)
        return Ahead(nothing, nothing, endless, sums, "no day is known")
    expected = _forecast(daily, known, days)
    spread = _daily_spread(daily, known)
    sums = tuple(_sum(daily, known, expected, each, spread) for each in SHOWN_DAYS if each <= days)
    seasonal = int(known.sum()) >= MIN_DAYS
    return Ahead(
        by_day=expected,
        low=np.maximum(expected - _NORMAL_90 * spread, 0.0),
        high=expected + _NORMAL_90 * spread,
        sums=sums,
        method="level and week" if seasonal else "mean of the days known",
    )


def _forecast(daily: Array, known: npt.NDArray[np.bool_], days: int) -> Array:
    """Return the expected value of each day after the last of `daily`."""
    back = np.arange(len(daily))[::-1]
    if int(known.sum()) < MIN_DAYS:
        return np.full(days, float(daily[known].mean()))
    weekday = np.arange(len(daily)) % WEEK
    profile = _profile(daily, known, weekday, back)
    weight = np.where(known, 0.5 ** (back / _HALF_LIFE_DAYS), 0.0)
    level = float((weight * daily).sum() / (weight * profile[weekday]).sum())
    coming = (len(daily) + np.arange(days)) % WEEK
    return np.asarray(level * profile[coming])


def _profile(
    daily: Array,
    known: npt.NDArray[np.bool_],
    weekday: npt.NDArray[np.intp],
    back: npt.NDArray[np.intp],
) -> Array:
    """Return each weekday's share of a week, times seven; an even week where nothing is read."""
    recent = known & (back < _PROFILE_WEEKS * WEEK)
    mean = float(daily[recent].mean()) if recent.any() else 0.0
    if mean <= 0:
        return np.ones(WEEK)
    total = np.bincount(weekday[recent], weights=daily[recent], minlength=WEEK)
    count = np.bincount(weekday[recent], minlength=WEEK)
    factor = (total + _PROFILE_PRIOR_WEEKS * mean) / ((count + _PROFILE_PRIOR_WEEKS) * mean)
    return np.asarray(factor / factor.mean())


def _daily_spread(daily: Array, known: npt.NDArray[np.bool_]) -> float:
    """Return the standard deviation of a day about its forecast of the week before."""
    errors = []
    for origin in range(MIN_DAYS, len(daily) - WEEK + 1, WEEK):
        if known[:origin].any():
            found = _forecast(daily[:origin], known[:origin], WEEK)
            inside = known[origin : origin + WEEK]
            errors.append((daily[origin : origin + WEEK] - found)[inside])
    if not errors:
        return float(np.sqrt(max(daily[known].mean(), daily[known].var())))
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


def _sum(
    daily: Array, known: npt.NDArray[np.bool_], expected: Array, days: int, spread: float
) -> Sum:
    """Add up days, with the error that such sums had at earlier origins."""
    total = float(expected[:days].sum())
    errors = []
    for origin in range(MIN_DAYS, len(daily) - days + 1, WEEK):
        came = daily[origin : origin + days][known[origin : origin + days]]
        if known[:origin].any() and len(came) >= days * 0.95:
            found = _forecast(daily[:origin], known[:origin], days)
            errors.append(float(came.mean() * days - found.sum()))
    if len(errors) >= _MIN_ORIGINS:
        error = float(np.sqrt(np.mean(np.square(errors))))
    else:
        error = float(np.hypot(np.sqrt(days) * spread, _UNKNOWN_SPREAD * total))
    margin = _NORMAL_90 * error
    return Sum(days, total, max(total - margin, 0.0), total + margin)
