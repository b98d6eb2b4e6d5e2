"""The gate lets a rule decide only where replay shows that it pays."""

import numpy as np
from tests.unit.replay.histories_for_tests import CLASSES, TABLE, trace_of

from cloudflux.brain.replay.fees import build_fees
from cloudflux.brain.replay.gate import Gate, Verdict
from cloudflux.brain.replay.ledger import Replayer
from cloudflux.brain.replay.predictive import Predictive
from cloudflux.brain.replay.rule import Scores, ThresholdRule, Thresholds

NOW, DAYS = 500, 400
CANDIDATES = [Thresholds(3, enter, 2.0) for enter in (0.25, 0.9)]


def gate(rows, expected, *, objects=60, born=None):
    trace = trace_of(rows, sizes=[1e8] * objects, first_days=born, decide_from=NOW, until=900)
    scores = Scores()
    for day in range(NOW - DAYS, NOW + 1):
        scores.put(day, np.full(objects, expected, dtype=np.float32))
    return Gate(trace, build_fees(TABLE, CLASSES, trace.size_bytes), scores, NOW, DAYS)


def test_dead_objects_may_go_cold():
    rows = [(number, 100 + number % 7, 1) for number in range(60)]
    verdict = gate(rows, 0.0).going_on(CANDIDATES)
    assert verdict.chosen is not None
    assert verdict.advantage > 0


def test_a_forecast_that_calls_hot_objects_cold_decides_nothing():
    rows = [(number, day, 2) for number in range(60) for day in range(0, 600, 3)]
    assert gate(rows, 0.0).going_on(CANDIDATES).chosen is None
    assert gate(rows, 0.0).starting(CANDIDATES, None).chosen is None


def test_reads_that_come_after_the_window_are_owed():
    """One busy day a year: going cold saves within the window, and pays for it after."""
    rows = [(number, day, 3) for number in range(60) for day in (number, 365 + number % 60)]
    assert gate(rows, 0.0).going_on(CANDIDATES).chosen is None


def test_what_is_read_later_is_not_looked_at():
    rows = [(number, 100 + number % 7, 1) for number in range(60)]
    later = [(number, day, 50) for number in range(60) for day in range(NOW + 1, 900, 9)]
    assert gate(rows, 0.0).going_on(CANDIDATES) == gate(rows + later, 0.0).going_on(CANDIDATES)


def test_a_short_history_is_no_evidence():
    trace = trace_of([(0, 450, 1)], sizes=[1e8], train_from=440, decide_from=NOW, until=600)
    scores = Scores()
    for day in range(440, NOW + 1):
        scores.put(day, np.zeros(1, dtype=np.float32))
    fees = build_fees(TABLE, CLASSES, trace.size_bytes)
    assert Gate(trace, fees, scores, NOW, DAYS).going_on(CANDIDATES).chosen is None


def test_a_rule_must_afford_the_largest_burst_that_was_seen():
    """Sixty dead objects save cents; one of them was read 5,000 times after a long silence."""
    rows = [(number, 100 + number % 7, 1) for number in range(60)]
    calm = gate(rows, 0.0).going_on(CANDIDATES)
    wild = gate([*rows, (0, 60, 5_000)], 0.0).going_on(CANDIDATES)
    assert calm.chosen is not None
    assert wild.chosen is None


def test_an_object_read_in_a_burst_goes_home_the_next_day_whatever_is_forecast():
    burst = 400
    trace = trace_of([(0, burst, 10_000)], sizes=[1e8] * 3, decide_from=100, until=420)
    fees = build_fees(TABLE, CLASSES, trace.size_bytes)
    scores = Scores()
    for day in range(100, 421):
        scores.put(day, np.zeros(3, dtype=np.float32))
    rule = ThresholdRule(fees, scores, trace.size_bytes, Thresholds(3, 0.5, 4.0))
    journal = Replayer(trace, fees).run(rule).moves
    moved = zip(journal.row, journal.day, journal.target, strict=True)
    home = [(row, day) for row, day, to in moved if to == 1]
    assert (0, burst) in home
    assert all(row == 0 for row, day in home if day > 101)


def test_the_first_day_follows_a_rule_that_has_proved_itself():
    """What a direct way into the cold class adds is too little to prove itself alone."""
    dead = np.arange(60) < 15
    rows = [(number, day, 1) for number in np.flatnonzero(~dead) for day in range(0, NOW, 5)]
    found = gate(rows, np.where(dead, 0.0, 12.0), born=np.where(dead, -400, 0))
    assert found.starting(CANDIDATES, CANDIDATES[0]).chosen is not None


def test_what_the_first_day_does_is_said():
    trace = trace_of([(0, 10, 1)], sizes=[1e8])
    policy = Predictive(trace, build_fees(TABLE, CLASSES, trace.size_bytes))
    assert policy.in_words() == ()
    policy.start = Verdict(Thresholds(3, 0.5, 1.5), 400, 0.01)
    assert policy.in_words() == (
        "1970-04-11, the first day: GLACIER_IR below 0.5 x the break-even, else home",
    )
