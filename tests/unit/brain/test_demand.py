"""What is expected of objects by how they were read, and how that moves them."""

import dataclasses

import numpy as np
import pytest
from tests.unit.brain.builders import half_dead, history_of, objects_of

from cloudflux.api.tieringpolicy import TieringPolicySpec, TierTarget
from cloudflux.brain.decide import decide
from cloudflux.brain.demand import RETURN_RATE_FLOOR, demand
from cloudflux.brain.inputs import DataSet
from cloudflux_dev import tracegen
from cloudflux_dev.tracegen import Behaviour

MEBI = 2**20
DAYS = 120
READABLE = TieringPolicySpec(
    tiers=[
        TierTarget(name="Hot", s3_storage_class="STANDARD"),
        TierTarget(name="Warm", s3_storage_class="STANDARD_IA"),
        TierTarget(name="Cold", s3_storage_class="GLACIER_IR"),
    ]
)


def bucket(reads, sizes, ages=200.0) -> DataSet:
    reads = np.asarray(reads)
    objects = objects_of(sizes)
    return dataclasses.replace(
        half_dead(1),
        objects=dataclasses.replace(objects, age_days=np.broadcast_to(ages, len(objects))),
        history=history_of(reads, observed_days=reads.shape[1]),
    )


def targets(data_set, count):
    """The class that each object is recommended to go to; empty: it stays."""
    found = np.full(count, "", dtype=object)
    for each in decide(data_set, policy=READABLE).recommendations:
        found[each.rows] = each.target
    return found


def generated(behaviour, *, count=200, size=2 * MEBI, seed=5, days=DAYS):
    drawn = tracegen.assign(
        {f"{i:03}": size for i in range(count)},
        seed=seed,
        days=days,
        shares=[float(b is behaviour) for b in Behaviour],
    )
    reads = np.array(tracegen.daily_reads(drawn, days=days, seed=seed))
    ages = np.array([float(o.written_days_ago) for o in drawn])
    return bucket(reads, [float(size)] * count, ages)


def test_nearly_every_dead_object_that_is_large_enough_goes_to_the_cheapest_readable_class():
    found = targets(generated(Behaviour.DEAD), 200)
    assert (found == "GLACIER_IR").mean() > 0.95


@pytest.mark.parametrize("behaviour", [Behaviour.HOT, Behaviour.PERIODIC])
def test_what_is_read_again_and_again_stays(behaviour):
    found = targets(generated(behaviour), 200)
    assert (found == "").all()


def test_objects_that_were_read_alike_are_decided_alike():
    reads = np.zeros((60, DAYS), dtype=int)
    reads[:, 2:6] = 1
    assert set(targets(bucket(reads, [2.0 * MEBI] * 60, 118.0), 60)) == {"GLACIER_IR"}


def test_a_few_reads_more_or_less_in_the_first_days_change_nothing_after_a_hundred_idle_days():
    reads = np.zeros((60, DAYS), dtype=int)
    reads[:, 2:7] = np.random.default_rng(3).poisson(1.5, (60, 5))
    assert set(targets(bucket(reads, [2.0 * MEBI] * 60, 118.0), 60)) == {"GLACIER_IR"}


def test_small_objects_never_go_to_a_class_with_a_minimum_size():
    data_set = generated(Behaviour.DEAD, size=127 * 1024)
    assert set(targets(data_set, 200)) == {""}


@pytest.mark.parametrize("days_since", range(1, 30))
def test_a_monthly_object_is_not_taken_for_dead_on_any_day_of_its_month(days_since):
    monthly = np.zeros((1, DAYS), dtype=int)
    monthly[0, -days_since::-30] = 3
    dead = np.zeros((200, DAYS), dtype=int)
    data_set = bucket(np.concatenate((monthly, dead)), [2.0 * MEBI] * 201)
    wanted = demand(data_set.objects, data_set.history)
    assert wanted.rate[0] * 30 > 0.7
    assert targets(data_set, 201)[0] == ""


@pytest.mark.parametrize("days_since", [5, 45, 85])
def test_a_quarterly_object_is_not_taken_for_dead_once_a_year_was_seen(days_since):
    quarterly = np.zeros((1, 360), dtype=int)
    quarterly[0, -days_since::-91] = 3
    data_set = bucket(np.concatenate((quarterly, np.zeros((200, 360), dtype=int))), [1e8] * 201)
    wanted = demand(data_set.objects, data_set.history)
    assert wanted.steady[0] > 0.7
    assert wanted.rate[0] * 91 > 1


def test_the_more_silent_the_less_is_expected():
    reads = np.zeros((4, DAYS), dtype=int)
    for row, ago in enumerate((1, 10, 40, 110)):
        reads[row, -ago - 5 : -ago] = 1
    rate = demand(objects_of([1e6] * 4), history_of(reads)).rate
    assert list(rate) == sorted(rate, reverse=True)


def test_silent_objects_that_come_back_make_their_data_set_cautious():
    quiet, returning = np.zeros((100, DAYS), dtype=int), np.zeros((100, DAYS), dtype=int)
    for reads in (quiet, returning):
        reads[:, :3] = 1
    returning[:50, 70] = 1  # a scan of half of the data set after 67 silent days
    idle = slice(50, 100)  # the other half looks the same in both
    objects = objects_of([1e6] * 100)
    calm = demand(objects, history_of(quiet)).rate[idle]
    warned = demand(objects, history_of(returning)).rate[idle]
    assert (warned > 5 * calm).all()


def test_endless_silence_of_many_objects_is_no_proof():
    reads = np.zeros((20_000, DAYS), dtype=int)
    wanted = demand(objects_of([1e6] * 20_000), history_of(reads))
    assert wanted.quiet_shape == RETURN_RATE_FLOOR
    assert (wanted.rate > 0).all()


def test_the_parts_of_the_distribution_add_up_to_the_mean():
    data_set = half_dead()
    wanted = demand(data_set.objects, data_set.history)
    rates, chances = wanted.rates(np.arange(len(wanted.rate)))
    np.testing.assert_allclose(chances.sum(axis=0), 1.0)
    np.testing.assert_allclose((rates * chances).sum(axis=0), wanted.rate, rtol=1e-6)


def test_unknown_days_do_not_make_a_pause_longer():
    reads = np.zeros((1, DAYS), dtype=int)
    reads[0, :5] = 1
    full = demand(objects_of([1e6]), history_of(reads))
    holed = demand(objects_of([1e6]), history_of(reads, holes=range(1, 91)))
    assert holed.quiet_days[0] == full.quiet_days[0] - 90
    assert holed.rate[0] > full.rate[0]


def test_a_read_on_an_unproven_day_still_ends_the_pause():
    reads = np.zeros((1, DAYS), dtype=int)
    reads[0, -10] = 1
    wanted = demand(objects_of([1e6]), history_of(reads, holes=[10]))
    assert wanted.idle_days[0] == 10
    assert wanted.quiet_days[0] == 10
