"""Features tell what was recorded, and nothing of the time before."""

import numpy as np
import pytest
from tests.unit.replay.histories_for_tests import trace_of

from cloudflux.brain.replay.histories import HALF_LIVES, NAMES, Histories

RATES = ["log_lifetime_rate", *(f"log_rate_half_life_{half}d" for half in HALF_LIVES)]


def described(trace, day):
    walk = Histories(trace)
    walk.advance(day)
    return walk.features(np.arange(len(trace)))


def column(features, name):
    return features[:, NAMES.index(name)]


def test_the_time_before_the_record_is_unknown_and_not_silence():
    """Two objects read alike; one was born ten years before anything was recorded."""
    rows = [(number, day, 1) for number in range(2) for day in range(100, 300, 20)]
    trace = trace_of(
        rows, sizes=[1e8] * 2, first_days=[-3650, 100], train_from=100, decide_from=300
    )
    features = described(trace, 300)
    for name in [*RATES, "log_observed_days"]:
        found = column(features, name)
        assert found[0] == found[1]


@pytest.mark.parametrize("half", HALF_LIVES)
def test_a_read_weighs_half_after_a_half_life(half):
    rows = [(0, half, 1), (1, 0, 2)]
    trace = trace_of(rows, sizes=[1e8] * 2, decide_from=half + 1, until=half + 2)
    found = np.expm1(column(described(trace, half), f"log_rate_half_life_{half}d"))
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    assert found[0] > 0


def test_a_burst_counts_as_three_reads_in_a_fading_rate():
    trace = trace_of([(0, 200, 3), (1, 200, 10_000)], sizes=[1e8] * 2, decide_from=300)
    found = column(described(trace, 250), RATES[1])
    assert found[0] == found[1] > 0
