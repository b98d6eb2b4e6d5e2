"""The history's matrix, from rows as the access store has them."""

import datetime as dt

import numpy as np

from cloudflux.brain.inputs import MAX_DAILY_READS, history_from_rows

UNTIL = dt.date(2026, 11, 21)


def day(ago):
    return np.datetime64(UNTIL, "D") - np.timedelta64(ago, "D")


def test_rows_of_one_object_and_day_add_up_and_strangers_are_dropped():
    history = history_from_rows(
        3,
        np.array([0, 0, 2, -1, 1, 1]),
        np.array([day(0), day(0), day(9), day(1), day(10), day(-1)]),
        np.array([2, 3, 7, 50, 60, 70]),
        [UNTIL - dt.timedelta(days=1), UNTIL - dt.timedelta(days=99)],
        UNTIL,
        length=10,
    )
    assert history.reads.shape == (3, 10)
    assert history.reads[0].tolist() == [0] * 9 + [5]
    assert history.reads[1].tolist() == [0] * 10
    assert history.reads[2].tolist() == [7] + [0] * 9
    assert history.complete.tolist() == [False] * 8 + [True, False]


def test_a_flood_of_reads_is_counted_up_to_the_largest_number():
    history = history_from_rows(
        1, np.array([0, 0]), np.array([day(3)] * 2), np.array([60_000, 60_000]), [], UNTIL, 10
    )
    assert history.reads.max() == MAX_DAILY_READS


def test_no_rows_are_no_reads():
    empty = np.array([], dtype=np.intp)
    history = history_from_rows(2, empty, empty.astype("datetime64[D]"), empty, [UNTIL], UNTIL, 5)
    assert not history.reads.any()
    assert history.observed_days == 1
