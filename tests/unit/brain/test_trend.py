"""The days ahead of a whole data set."""

import numpy as np
import pytest

from cloudflux.brain.trend import ahead


def known(days):
    return np.ones(days, dtype=bool)


def working_week(weeks, level=70.0, seed=3):
    random = np.random.default_rng(seed)
    shape = np.array([1.4, 1.4, 1.4, 1.4, 1.4, 0.0, 0.0])
    return random.poisson(np.tile(shape, weeks) * level / 7).astype(float)


def test_the_profile_of_the_week_goes_on():
    found = ahead(working_week(20), known(140))
    weekend = np.arange(90) % 7 >= 5
    assert found.by_day[weekend].max() < 0.25 * found.by_day[~weekend].min()
    assert [one.days for one in found.sums] == [7, 30, 90]
    assert found.sums[0].expected == pytest.approx(70, rel=0.15)
    assert found.sums[2].expected == pytest.approx(900, rel=0.15)


def test_intervals_hold_what_they_promise_on_the_weeks_that_follow():
    inside = [
        one.low <= truth[-days:].sum() <= one.high
        for seed in range(30)
        for truth in [working_week(30, seed=seed)]
        for days in (7, 30)
        for one in [s for s in ahead(truth[:-days], known(210 - days)).sums if s.days == days]
    ]
    assert 0.65 <= np.mean(inside) <= 0.99, "80 % are promised"


def test_a_level_that_has_moved_is_followed():
    daily = np.r_[np.full(100, 10.0), np.full(40, 40.0)]
    assert 34 < ahead(daily, known(140)).by_day.mean() < 40


def test_days_that_are_not_known_are_not_zeros():
    daily, days = np.full(60, 12.0), known(60)
    daily[20:35], days[20:35] = 0.0, False
    assert ahead(daily, days).by_day == pytest.approx(np.full(90, 12.0))


def test_a_young_history_repeats_its_mean_and_is_unsure():
    found = ahead(np.array([3.0, 5.0]), known(2))
    assert found.by_day == pytest.approx(np.full(90, 4.0))
    assert found.sums[1].high > 1.5 * found.sums[1].expected
    nothing = ahead(np.zeros(3), np.zeros(3, dtype=bool))
    assert (nothing.by_day.sum(), nothing.sums[0].high) == (0.0, float("inf"))


def test_what_was_never_read_is_not_expected_to_be():
    found = ahead(np.zeros(100), known(100))
    assert {(one.expected, one.high) for one in found.sums} == {(0.0, 0.0)}
