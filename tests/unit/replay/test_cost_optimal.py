"""The operator's own strategy, replayed."""

import numpy as np
import pytest
from tests.unit.replay.histories_for_tests import CLASSES, TABLE, trace_of

from cloudflux.brain.prices import load_table
from cloudflux.brain.replay.backtest import COST_OPTIMAL, replay_all
from cloudflux.brain.replay.cost_optimal import CostOptimal
from cloudflux.brain.replay.fees import build_fees
from cloudflux.brain.replay.ledger import Replayer
from cloudflux.errors import ConfigurationError

DECIDE, UNTIL, CUT = 200, 300, 250
HOT = [(number, day, 2) for number in range(10) for day in range(0, UNTIL, 2)]
DEAD = [(number, day, 1) for number in range(10, 30) for day in (3, 4, 7)]


def moves(rows, *, objects=30, until=UNTIL):
    trace = trace_of(rows, sizes=[1e9] * objects, decide_from=DECIDE, until=until)
    fees = build_fees(TABLE, CLASSES, trace.known_size_bytes)
    journal = Replayer(trace, fees).run(CostOptimal(trace, fees, TABLE)).moves
    columns = (journal.row, journal.day, journal.target, journal.reason)
    return set(zip(*(column.tolist() for column in columns), strict=True))


def test_dead_objects_go_cold_and_hot_ones_stay_hot():
    cold = {row for row, _, target, _ in moves(HOT + DEAD) if CLASSES[target] == "GLACIER_IR"}
    assert cold == set(range(10, 30))


def test_it_is_a_strategy_of_the_backtest_and_saves():
    trace = trace_of(HOT + DEAD, sizes=[1e9] * 30, decide_from=DECIDE, until=UNTIL)
    result = replay_all(trace, TABLE, CLASSES, COST_OPTIMAL, optimum=False)
    automatic = result.bills["always INTELLIGENT_TIERING"].total.sum()
    assert result.chosen.total.sum() < automatic


def test_what_comes_later_changes_nothing():
    random = np.random.default_rng(1)
    future = [(int(n), int(day), 500) for n in range(30) for day in random.integers(CUT, UNTIL, 2)]
    known = [row for row in HOT + DEAD if row[1] < CUT]
    before = {move for move in moves(HOT + DEAD) if move[1] < CUT}
    assert before
    assert {move for move in moves(known + future) if move[1] < CUT} == before
    assert {move for move in moves(known, until=CUT) if move[1] < CUT} == before


def test_without_default_guardrails_it_says_what_to_use_instead():
    trace = trace_of(DEAD, sizes=[1e9] * 30)
    with pytest.raises(ConfigurationError, match="use rules"):
        CostOptimal(trace, build_fees(TABLE, CLASSES, trace.size_bytes), load_table("file", None))
