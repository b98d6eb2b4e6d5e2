"""Recommendations on a realistic bucket with list prices, and what holds them back."""

import dataclasses
import re

import numpy as np
import pytest
from tests.unit.brain.builders import half_dead, history_of, objects_of

from cloudflux.api.dataset import Temperature
from cloudflux.api.tieringpolicy import Guardrails, Rules, Strategy, TieringPolicySpec, TierTarget
from cloudflux.brain.classify import COLD, HOT, WARM, classify, data_set_temperature
from cloudflux.brain.decide import decide
from cloudflux.brain.demand import demand
from cloudflux.brain.forecast import fallback
from cloudflux.brain.plan import price_move
from cloudflux.errors import ConfigurationError, PriceUnknown

S3_TIERS = [
    TierTarget(name="Hot", s3_storage_class="STANDARD"),
    TierTarget(name="Warm", s3_storage_class="STANDARD_IA"),
    TierTarget(name="Cold", s3_storage_class="GLACIER_IR"),
]
DISK_TIERS = [
    TierTarget(name="Hot", file_root="file:///srv/data"),
    TierTarget(name="Warm", file_root="file:///srv/warm"),
    TierTarget(name="Cold", file_root="file:///srv/cold"),
]


def policy(tiers=S3_TIERS, *, strategy=Strategy.COST_OPTIMAL, rules=None, **guardrails):
    return TieringPolicySpec(
        tiers=tiers,
        strategy=strategy,
        rules=rules or Rules(),
        guardrails=Guardrails(**guardrails),
    )


def moves(decision):
    return {(each.source, each.target): each for each in decision.recommendations}


def test_a_realistic_bucket_yields_recommendations_that_pay():
    data_set = half_dead()
    decision = decide(data_set, forecast=fallback(data_set.history))
    assert decision.temperature is Temperature.COLD
    cold = moves(decision)["STANDARD", "GLACIER_IR"]
    never_read = ~data_set.history.reads.any(axis=1)
    assert never_read[cold.rows].mean() > 0.95
    assert 50 < len(cold.rows) <= 150
    assert 0 < decision.savings_per_month < decision.monthly_cost
    assert cold.payback_days is not None
    assert cold.payback_days < 30
    assert cold.confidence_percent >= 70
    assert decision.why_not is None
    assert decision.forecast_30d > decision.forecast.total


def test_the_reason_has_figures_the_alternative_and_the_date_of_prices():
    reason = decide(half_dead()).recommendations[0].reason
    assert re.search(r"\d+ objects \([\d.]+ GiB\) had \d+ reads", reason)
    assert re.search(r"Moving costs [\d.]+ USD once, paid back in \d+ days?", reason)
    assert re.search(r"Main alternative: \w+ at [\d.]+ USD a month", reason)
    assert "Prices of 2026-11-21 (s3, us-east-1)." in reason


def test_small_objects_stay_because_the_minimum_size_eats_the_saving():
    data_set = half_dead(objects_count := 100)
    small = dataclasses.replace(data_set, objects=objects_of([20_000.0] * objects_count))
    decision = decide(small, policy=policy())
    assert decision.recommendations == ()
    assert "where it costs least" in decision.why_not


def test_the_same_input_gives_the_same_decision_and_the_id_follows_the_content():
    first, second = (decide(half_dead()).recommendations[0] for _ in range(2))
    assert first.id == second.id
    changed = half_dead()
    versions = [*changed.objects.versions]
    versions[int(first.rows[0])] = "another"
    objects = dataclasses.replace(changed.objects, versions=versions)
    third = decide(dataclasses.replace(changed, objects=objects)).recommendations[0]
    assert third.id != first.id


def test_without_a_fresh_signal_the_temperature_is_unknown_and_nothing_goes_colder():
    decision = decide(half_dead(fresh=False))
    assert decision.temperature is Temperature.UNKNOWN
    assert decision.confidence_percent is None
    assert decision.recommendations == ()
    assert "the newest log is 5 days old" in decision.why_not


def test_a_signal_that_is_too_young_gives_no_temperature_and_no_colder_move():
    decision = decide(half_dead(days=20), policy=policy(min_observed_days=30))
    assert decision.temperature is Temperature.UNKNOWN
    assert decision.recommendations == ()


def test_a_plan_priced_with_the_expected_reads_agrees_with_the_recommendation():
    data_set = half_dead()
    found = moves(decide(data_set, policy=policy()))["STANDARD", "GLACIER_IR"]
    planned = price_move(
        source_provider="s3",
        source_region="us-east-1",
        source_class=["STANDARD"] * len(found.rows),
        size_bytes=data_set.objects.size_bytes[found.rows],
        days_in_class=data_set.objects.days_in_class[found.rows],
        reads_30d=found.reads_30d,
        target_provider="s3",
        target_region="us-east-1",
        target_class="GLACIER_IR",
        crosses_region=False,
        overlay=None,
    )
    assert float(planned.savings_per_month) == pytest.approx(found.savings_per_month, rel=1e-3)
    assert float(planned.one_off_cost) == pytest.approx(found.one_off_cost, rel=1e-3)


def test_without_a_fresh_signal_what_is_seen_to_be_read_may_still_go_hotter():
    read = np.full((20, 120), 5)
    data_set = dataclasses.replace(
        half_dead(20, fresh=False),
        objects=objects_of([1e8] * 20, storage_class="GLACIER_IR"),
        history=history_of(read),
    )
    found = moves(decide(data_set, policy=policy()))
    assert set(found) == {("GLACIER_IR", "STANDARD")}


def test_dead_objects_in_the_cheapest_class_stay():
    data_set = half_dead(40)
    cold = objects_of([1e8] * 40, storage_class="GLACIER_IR")
    quiet = history_of(np.zeros((40, 120), dtype=int))
    decision = decide(dataclasses.replace(data_set, objects=cold, history=quiet), policy=policy())
    assert decision.recommendations == ()


@pytest.mark.parametrize(
    ("guardrails", "options", "cause"),
    [
        ({"min_observed_days": 200}, {}, "days looked at"),
        ({"min_savings_percent": 99}, {}, "savings under 99 %"),
        ({"min_confidence_percent": 100}, {}, "confidence under 100 %"),
        ({}, {"age_days": 20.0}, "observed for fewer than 30 days"),
        ({}, {"holes": (3, 9)}, "proven by less than 95 %"),
    ],
)
def test_each_guardrail_holds_back_and_is_named(guardrails, options, cause):
    decision = decide(half_dead(**options), policy=policy(**guardrails))
    assert decision.recommendations == ()
    assert cause in decision.why_not


def test_one_missing_day_of_thirty_is_within_the_coverage():
    decision = decide(half_dead(holes=(9,)), policy=policy())
    assert decision.recommendations


def test_objects_rest_after_a_move():
    moved = dataclasses.replace(half_dead(held_days=5.0), last_move_days=5.0)
    decision = decide(moved, policy=policy())
    assert "moved less than 30 days ago" in decision.why_not
    rested = dataclasses.replace(half_dead(held_days=40.0), last_move_days=40.0)
    assert decide(rested, policy=policy()).recommendations


def test_fees_and_bytes_of_a_move_stay_within_their_limits():
    free = moves(decide(half_dead(), policy=policy()))["STANDARD", "GLACIER_IR"]
    limit = free.one_off_cost / 2
    cheap = decide(half_dead(), policy=policy(max_one_off_cost=f"{limit:.9f}"))
    for each in cheap.recommendations:
        assert each.one_off_cost <= limit + 1e-9
    small = decide(half_dead(), policy=policy(max_bytes_per_day=10**9))
    assert 0 < sum(each.size_bytes for each in small.recommendations) <= 10**9


def test_the_rules_strategy_moves_by_class_and_still_prices():
    rules = policy(strategy=Strategy.RULES)
    found = moves(decide(half_dead(), policy=rules))
    assert ("STANDARD", "GLACIER_IR") in found
    assert all(each.savings_per_month > 0 for each in found.values())


def test_intelligent_tiering_is_chosen_only_where_it_is_named():
    named = [*S3_TIERS[:1], TierTarget(name="Warm", s3_storage_class="INTELLIGENT_TIERING")]
    targets = {each.target for each in decide(half_dead(), policy=policy(named)).recommendations}
    assert targets == {"INTELLIGENT_TIERING"}
    targets = {each.target for each in decide(half_dead(), policy=policy()).recommendations}
    assert "INTELLIGENT_TIERING" not in targets


def disks(count=60, **options):
    data_set = half_dead(count)
    half_idle = np.where(np.arange(count) % 2 == 0, 150.0, 0.2)
    objects = objects_of([5e7] * count, storage_class="file:///srv/data", **options)
    reads = np.zeros((count, 120), dtype=int)
    reads[1::2] = 2
    return dataclasses.replace(
        data_set,
        uri="file:///srv/data",
        region=None,
        objects=dataclasses.replace(objects, last_access_days=half_idle),
        history=history_of(reads, observed_days=1),
    )


def test_disks_without_read_fees_keep_hot_files_where_they_are():
    found = moves(decide(disks(), policy=policy(DISK_TIERS)))
    assert set(found) == {("file:///srv/data", "file:///srv/cold")}
    assert set(found["file:///srv/data", "file:///srv/cold"].rows % 2) == {0}


def test_disks_without_a_policy_say_what_is_missing():
    decision = decide(disks())
    assert decision.recommendations == ()
    assert "fileRoot" in decision.why_not
    assert decision.monthly_cost > 0


def test_the_rules_bring_hot_files_back_although_fast_disks_cost_more():
    data_set = disks()
    cold = ["file:///srv/cold"] * len(data_set.objects)
    data_set = dataclasses.replace(
        data_set, objects=dataclasses.replace(data_set.objects, storage_class=cold)
    )
    found = moves(decide(data_set, policy=policy(DISK_TIERS, strategy=Strategy.RULES)))
    back = found["file:///srv/cold", "file:///srv/data"]
    assert back.savings_per_month < 0
    assert back.payback_days is None
    assert "No other class costs less than staying." in back.reason
    assert "faster tier" in back.reason


def test_a_server_of_ones_own_without_a_region_is_priced_as_us_east_1_and_that_is_said():
    own = dataclasses.replace(half_dead(), region=None, endpoint="http://127.0.0.1:9000")
    decision = decide(own)
    assert [each.id for each in decision.recommendations] == [
        each.id for each in decide(half_dead()).recommendations
    ]
    assert any("us-east-1" in warning for warning in decision.warnings)


def test_an_unpriced_class_is_an_error_and_not_free():
    strange = dataclasses.replace(
        half_dead(4), objects=objects_of([1e6] * 4, storage_class="REDUCED_REDUNDANCY")
    )
    with pytest.raises(PriceUnknown, match="REDUCED_REDUNDANCY"):
        decide(strange)


def test_a_class_slower_than_its_tier_allows_is_refused():
    slow = [TierTarget(name="Cold", s3_storage_class="DEEP_ARCHIVE", max_first_byte_millis=1000)]
    with pytest.raises(ConfigurationError, match="maxFirstByteMillis"):
        decide(half_dead(4), policy=policy(slow))


def test_archived_classes_take_cold_objects_only():
    deep = [*S3_TIERS[:1], TierTarget(name="Cold", s3_storage_class="DEEP_ARCHIVE")]
    data_set = half_dead()
    found = decide(data_set, policy=policy(deep)).recommendations
    assert found
    assert not data_set.history.reads_in(30)[found[0].rows].any()


def test_no_objects_is_no_error():
    empty = dataclasses.replace(
        half_dead(4), objects=objects_of([]), history=history_of(np.zeros((0, 10), dtype=int))
    )
    decision = decide(empty)
    assert (decision.temperature, decision.monthly_cost) == (Temperature.UNKNOWN, 0)
    assert "no objects" in decision.why_not


def test_classes_by_the_rules():
    reads = np.zeros((4, 120), dtype=int)
    reads[0, -7:] = 1  # seven in a week
    reads[1, -20] = 1  # one in a month
    reads[2, -45] = 1  # idle, but not for long enough
    objects = objects_of([1e6] * 4)
    classes = classify(demand(objects, history_of(reads)), Rules())
    assert classes.tier.tolist() == [HOT, WARM, WARM, COLD]
    assert ((classes.confidence_percent >= 0) & (classes.confidence_percent <= 100)).all()


def test_longer_silence_is_surer_cold():
    sure = []
    for days in (65, 120, 170):
        history = history_of(np.zeros((1, days), dtype=int), observed_days=days)
        sure.append(classify(demand(objects_of([1e6]), history), Rules()).confidence_percent[0])
    assert sure == sorted(sure)
    assert sure[0] > 70


def test_the_temperature_is_that_of_most_bytes():
    reads = np.zeros((3, 120), dtype=int)
    reads[0] = 5
    classes = classify(demand(objects_of([1e9, 1e6, 1e6]), history_of(reads)), Rules())
    temperature, confidence = data_set_temperature(classes, np.array([1e9, 1e6, 1e6]), fresh=True)
    assert temperature is Temperature.HOT
    assert confidence > 90


def test_unknown_days_are_not_zeros():
    """The same silence proves less where half of its days have no signal."""
    reads = np.zeros((1, 120), dtype=int)
    full = demand(objects_of([1e6]), history_of(reads))
    holed = demand(objects_of([1e6]), history_of(reads, holes=range(1, 121, 2)))
    assert holed.rate[0] > 1.5 * full.rate[0]


def test_a_hundred_thousand_objects_are_decided():
    decision = decide(half_dead(100_000, days=60), policy=policy())
    assert sum(len(each.rows) for each in decision.recommendations) > 10_000
