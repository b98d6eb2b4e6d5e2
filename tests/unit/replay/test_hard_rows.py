"""Sizes at the edges and rows that can't be: nothing breaks, and what is left out is counted."""

import numpy as np
import pytest
from tests.unit.replay.histories_for_tests import CLASSES, TABLE

from cloudflux.brain.replay.backtest import replay_all
from cloudflux.brain.replay.trace import RawReads, build_trace

SIZES = np.array([0.0, 127 * 1024, 5 * 2**40, np.nan, -5.0, 1e8])


def built(rows):
    table = np.array(rows, dtype=float).reshape(-1, 4)
    nothing = np.full(len(table), np.nan)
    return build_trace(
        [f"o{n}" for n in range(len(SIZES))],
        SIZES,
        np.array([0.0, 0.0, 0.0, 0.0, np.nan, 250.0]),
        RawReads(
            table[:, 0].astype(np.int32), table[:, 1], table[:, 2], table[:, 3], nothing, nothing
        ),
        train_from=0,
        decide_from=200,
        until=300,
    )


GOOD = [(number, day, 2, day) for number in range(5) for day in (10, 210, 290)]


def test_each_row_that_cannot_be_is_counted_once_and_changes_nothing():
    bad = [
        (0, 205, -1, 205),
        (0, np.nan, 1, np.nan),
        (0, 205, np.nan, 205),
        (0, 301, 1, 301),
        (0, 205, 1, 204),
        (-1, 205, 1, 205),
        (5, 249, 1, 249),
    ]
    clean, dirty = built(GOOD), built(GOOD + bad)
    assert dirty.rejected == {
        "missing": 2,
        "negative": 1,
        "future": 2,
        "unknown_object": 1,
        "before_first_day": 1,
    }
    np.testing.assert_array_equal(clean.row, dirty.row)
    np.testing.assert_array_equal(clean.reads, dirty.reads)


@pytest.mark.parametrize("strategy", ["predictive", "rules", "automatic", "cost-optimal"])
def test_every_strategy_bills_every_size_and_no_object_of_0_bytes_moves_for_nothing(strategy):
    result = replay_all(built(GOOD), TABLE, CLASSES, strategy)
    total = result.chosen.total
    assert np.isfinite(total).all()
    assert (total >= 0).all()
    optimum = next(line for line in result.lines if line.policy == "offline optimum")
    assert total.sum() >= optimum.cost * (1 - 1e-9)
    if strategy != "rules":
        # by its clock a rule moves what has nothing to save
        moved = set(result.chosen.moves.row.tolist())
        assert not moved & {0, 1}


def test_duplicate_rows_add_up_and_their_order_means_nothing():
    once = built([(2, 210, 5, 210)])
    parts = built([(2, 210, 3, 210), (2, 210, 2, 210)])
    classes = ["STANDARD", "GLACIER_IR"]
    bills = [
        replay_all(trace, TABLE, classes, "rules", optimum=False).bills["always GLACIER_IR"]
        for trace in (once, parts, built([(2, 210, 2, 210), (2, 210, 3, 210)]))
    ]
    for bill in bills[1:]:
        np.testing.assert_allclose(bill.total, bills[0].total)
