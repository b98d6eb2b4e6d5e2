"""What moves saved, by the reads that came: against amounts worked out by hand."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.brain.builders import NOW, TODAY
from tests.unit.brain.recorded import UID, Context, count_rows, info, record
from tests.unit.replay.histories_for_tests import GB, MONTH, TABLE, trace_of

from cloudflux.access.store import open_access_store
from cloudflux.api.brain_tasks import EvaluateRequest
from cloudflux.api.tieringpolicy import TieringPolicySpec, TierTarget
from cloudflux.brain.replay.outcome import Step, promised_by, saved_by
from cloudflux.work.brain import OPERATIONS

DAYS = 120
SIZE = 10 * GB
A_DAY = (0.023 - 0.004) / MONTH * 10
"""Saved a day by 10 GiB in GLACIER_IR instead of STANDARD."""


def step(day, rows, target):
    return Step(day, np.array(rows, dtype=np.int32), target)


def test_a_move_saves_the_rent_from_the_next_day_on_and_pays_for_its_reads():
    trace = trace_of([(1, 110, 2)], sizes=[SIZE, SIZE], until=119)
    found = saved_by(trace, TABLE, ["STANDARD"] * 2, [step(99, [0, 1], "GLACIER_IR")])
    read = 2 * (0.00001 - 0.0000004 + 10 * 0.03)
    assert found.running == pytest.approx([20 * A_DAY, 20 * A_DAY - read])
    # a copy of more than 5 GiB: 20 parts of 512 MiB, begun and completed
    assert found.fees == pytest.approx([22 * 0.00002] * 2)


def test_what_came_back_saves_no_more_and_has_paid_twice():
    trace = trace_of([], sizes=[SIZE], until=119)
    there = [step(89, [0], "GLACIER_IR"), step(99, [0], "STANDARD")]
    found = saved_by(trace, TABLE, ["STANDARD"], there)
    assert found.running == pytest.approx([10 * A_DAY])
    # brought back after 10 of 90 days: retrieval, and the rent of the days that were missing
    missing = 80 * 0.004 / MONTH * 10
    assert found.fees[0] == pytest.approx(missing + 10 * 0.03, rel=0.01)


def test_the_automatic_class_is_not_late_with_what_it_promised():
    """Nothing is saved in its first thirty days, and nothing is promised of them."""
    for days in (20, 60, 130):
        trace = trace_of([], sizes=[SIZE], until=99 + days)
        moved = [step(99, [0], "INTELLIGENT_TIERING")]
        saved = saved_by(trace, TABLE, ["STANDARD"], moved).running[0]
        promised = promised_by(
            TABLE, ["STANDARD"], ["INTELLIGENT_TIERING"], np.array([SIZE]), np.zeros(1),
            np.zeros(1), np.array([days], dtype=np.int32),
        )[0]  # fmt: skip
        assert promised == pytest.approx(saved, abs=2.5 * A_DAY)
        assert (saved > 0) == (days > 30)


POLICY = TieringPolicySpec(
    tiers=[
        TierTarget(name="Hot", s3_storage_class="STANDARD"),
        TierTarget(name="Cold", s3_storage_class="GLACIER_IR"),
    ]
)


def evaluate(state, now=NOW):
    request = EvaluateRequest(
        data_set_uid=UID, uri="s3://data", region="us-east-1", policy=POLICY, now=now, fresh=True
    )
    return OPERATIONS["brain.evaluate"].serve(request, Context(state))


def pass_days(state, days, since=TODAY):
    """Let the logs of some more days come; returns the new now."""
    store = open_access_store(state)
    later = [since + dt.timedelta(days=ahead) for ahead in range(1, days + 1)]
    count_rows(store, [("ledger", f"log-{day}", day, 1) for day in later])
    return NOW + (later[-1] - TODAY)


def dead(count, **changes):
    return [replace(info(f"old/{n}.bin", SIZE, DAYS - 1), **changes) for n in range(count)]


def test_advice_that_is_followed_is_realised_and_the_rest_is_missed(tmp_path):
    store = record(tmp_path, dead(4), {}, days=DAYS)
    first = evaluate(tmp_path)
    assert first.recommendations[0].objects == 4
    assert first.outcome is None, "not a day has passed"
    # two of them are moved, by whomever; thirty days go by
    moved = dead(2, storage_class="GLACIER_IR") + dead(4)[2:]
    store.write_inventory(UID, iter(moved), now=NOW)
    evaluate(tmp_path)
    found = evaluate(tmp_path, pass_days(tmp_path, 30)).outcome
    assert (found.objects, found.objects_open, found.objects_gone) == (2, 2, 0)
    whole_days = (found.until - found.since).days
    assert whole_days == 29, "the last day is still running"
    assert float(found.realised) == pytest.approx(2 * 29 * A_DAY, rel=0.001)
    assert float(found.missed) == pytest.approx(2 * 29 * A_DAY, rel=0.001)
    assert float(found.promised) == pytest.approx(float(found.realised), rel=0.35)
    ratio = float(found.realised_per_month) / float(found.promised_per_month)
    assert ratio == pytest.approx(float(found.realised) / float(found.promised), rel=0.01)


def test_reads_that_nobody_foresaw_turn_the_saving_into_a_loss(tmp_path):
    store = record(tmp_path, dead(2), {}, days=DAYS)
    evaluate(tmp_path)
    store.write_inventory(UID, iter(dead(2, storage_class="GLACIER_IR")), now=NOW)
    evaluate(tmp_path)
    later = pass_days(tmp_path, 30)
    days = [TODAY + dt.timedelta(days=ahead) for ahead in range(1, 20)]
    count_rows(store, [("reads", "old/0.bin", day, 5) for day in days])
    found = evaluate(tmp_path, later).outcome
    assert float(found.realised) < 0 < float(found.promised)
    assert float(found.realised_per_month) < 0


def test_what_was_deleted_is_counted_and_left_out(tmp_path):
    store = record(tmp_path, dead(3), {}, days=DAYS)
    evaluate(tmp_path)
    store.write_inventory(UID, iter(dead(3, storage_class="GLACIER_IR")), now=NOW)
    evaluate(tmp_path)
    store.write_inventory(UID, iter(dead(2, storage_class="GLACIER_IR")), now=NOW)
    found = evaluate(tmp_path, pass_days(tmp_path, 10)).outcome
    assert (found.objects, found.objects_gone) == (2, 1)
