"""The vectorised simulator against a plain one, and the optimum against both."""

from itertools import product

import numpy as np
import pytest
from tests.unit.replay.histories_for_tests import (
    CLASSES,
    TABLE,
    plain_cost,
    random_trace,
    trace_of,
)

from cloudflux.brain.replay.baselines import all_baselines
from cloudflux.brain.replay.fees import build_fees
from cloudflux.brain.replay.ledger import Moves, Replayer
from cloudflux.brain.replay.optimum import offline_optimum


def plain_total(trace, journal):
    totals = []
    for number in range(len(trace)):
        mine = trace.row == number
        reads = {}
        for day, count in zip(trace.day[mine].tolist(), trace.reads[mine].tolist(), strict=True):
            reads[day] = reads.get(day, 0) + count
        moved = np.flatnonzero(journal.row == number)
        moves = {int(journal.day[i]): CLASSES[journal.target[i]] for i in moved}
        start = int(trace.start[number])
        totals.append(plain_cost(trace.size_bytes[number], start, trace.until, reads, moves))
    return np.array(totals)


class AtRandom:
    def __init__(self, seed, count):
        self._random, self._count = np.random.default_rng(seed), count

    def __call__(self, state):
        rows = np.flatnonzero(state.born & (self._random.random(self._count) < 0.03))
        return Moves(
            rows.astype(np.int32),
            self._random.integers(0, len(CLASSES), len(rows)).astype(np.int8),
        )


@pytest.mark.parametrize("seed", range(4))
def test_random_moves_cost_what_the_plain_simulator_says(seed):
    trace = random_trace(seed)
    bill = Replayer(trace, build_fees(TABLE, CLASSES, trace.size_bytes)).run(
        AtRandom(seed, len(trace))
    )
    assert len(bill.moves) > 50
    np.testing.assert_allclose(bill.total, plain_total(trace, bill.moves), rtol=1e-9)
    assert bill.by_day.sum() == pytest.approx(bill.total.sum())


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_cheaper_than_the_optimum(seed):
    trace = random_trace(seed)
    fees = build_fees(TABLE, CLASSES, trace.size_bytes)
    best = offline_optimum(trace, fees)
    replayer = Replayer(trace, fees)
    for name, make in all_baselines(trace, fees).items():
        bill = replayer.run(make())
        assert (bill.total >= best * (1 - 1e-12)).all(), name
    for moves in range(3):
        assert (replayer.run(AtRandom(moves, len(trace))).total >= best * (1 - 1e-12)).all()


def test_the_optimum_is_the_best_of_all_schedules():
    """All schedules of one object: 4 classes on each of 5 times, with reads between them."""
    reads = {104: 1, 131: 3, 230: 1}
    trace = trace_of([(0, d, c) for d, c in reads.items()], sizes=[1e8], until=260)
    fees = build_fees(TABLE, CLASSES, trace.size_bytes)
    # a best schedule moves on the first day, after a read or just before one, else never later
    days = (100, 103, 104, 130, 131)
    least = min(
        plain_cost(1e8, 100, 260, reads, dict(zip(days, classes, strict=True)))
        for classes in product(CLASSES, repeat=len(days))
    )
    assert offline_optimum(trace, fees)[0] <= least * (1 + 1e-12)
    assert offline_optimum(trace, fees)[0] > 0.9 * least


def test_a_schedule_over_every_day_reaches_the_optimum():
    reads = {101: 2, 103: 1, 105: 6}
    trace = trace_of([(0, d, c) for d, c in reads.items()], sizes=[3e9], until=106)
    fees = build_fees(TABLE, CLASSES, trace.size_bytes)
    days = range(100, 106)
    least = min(
        plain_cost(3e9, 100, 106, reads, dict(zip(days, classes, strict=True)))
        for classes in product(CLASSES, repeat=len(days))
    )
    assert offline_optimum(trace, fees)[0] == pytest.approx(least, rel=1e-12)


def test_the_automatic_class_steps_down_after_30_and_90_days_and_up_on_a_read():
    size = 2.0**30
    trace = trace_of([(0, 215, 1)], sizes=[size], until=250)
    fees = build_fees(TABLE, CLASSES, trace.size_bytes)
    bill = Replayer(trace, fees).run(all_baselines(trace, fees)["always INTELLIGENT_TIERING"]())
    fee = 0.0000025
    # in it from day 101: 30 days frequent, 60 infrequent, 24 archived, then 30 + 6 again
    days = 1 * 0.023 + 30 * 0.023 + 60 * 0.0125 + 24 * 0.004 + 30 * 0.023 + 6 * 0.0125
    expected = (days + 150 * fee) / 30.4375 + 0.00001 + 0.0000004
    assert bill.total[0] == pytest.approx(expected)


def test_leaving_a_class_too_early_pays_the_days_that_are_missing():
    size = 2.0**30
    trace = trace_of([], sizes=[size])

    def decide(state):
        at = {100: 3, 120: 0}.get(state.day)
        return None if at is None else Moves(np.array([0], np.int32), np.array([at], np.int8))

    bill = Replayer(trace, build_fees(TABLE, CLASSES, trace.size_bytes)).run(decide)
    assert bill.one_off[0] == pytest.approx(
        0.00002 + 70 * 0.004 / 30.4375 + 0.00001 + 0.03 + 0.000005
    )


def test_objects_that_were_placed_before_go_on_with_their_clock():
    """Read on day 50 and in the automatic class since: on day 100 its second step is near."""
    size = 2.0**30
    trace = trace_of([(0, 50, 1)], sizes=[size], until=160)
    fees = build_fees(TABLE, CLASSES, trace.size_bytes)
    bill = Replayer(trace, fees).run(None, placed=np.array([1], np.int8))
    # idle 50 … 89 infrequent, 90 … 110 archived
    expected = (40 * 0.0125 + 21 * 0.004 + 61 * 0.0000025) / 30.4375
    assert bill.total[0] == pytest.approx(expected)
