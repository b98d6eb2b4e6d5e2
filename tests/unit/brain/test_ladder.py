"""Classes that can't be the cheapest are known per region and size, and left out."""

import dataclasses

import numpy as np
import pytest
from tests.unit.brain.builders import half_dead

from cloudflux.api.tieringpolicy import Strategy, TieringPolicySpec, TierTarget
from cloudflux.brain import cost
from cloudflux.brain.decide import decide
from cloudflux.brain.ladder import dominated, useful
from cloudflux.brain.prices import DAYS_PER_MONTH, load_table

GB = 2**30
READABLE = {"s3": ["STANDARD", "STANDARD_IA", "GLACIER_IR"], "azure": ["Hot", "Cool", "Cold"]}


@pytest.mark.parametrize(
    ("region", "left_out"), [("eastus", ("Cool",)), ("eastus2", ()), ("westeurope", ())]
)
def test_azure_cool_is_dominated_where_its_rent_is_close_to_hot(region, left_out):
    table = load_table("azure", region)
    assert dominated(table, READABLE["azure"], np.array([float(GB)]), 180) == left_out


def test_small_objects_have_no_use_for_classes_with_a_minimum_size():
    table = load_table("s3", "us-east-1")
    assert dominated(table, READABLE["s3"], np.array([20_000.0]), 180) == (
        "STANDARD_IA",
        "GLACIER_IR",
    )


def test_a_class_that_is_useful_to_one_size_is_kept_for_all():
    table = load_table("s3", "us-east-1")
    assert dominated(table, READABLE["s3"], np.array([20_000.0, float(GB)]), 180) == ()


def test_a_class_of_one_zone_or_a_slow_one_is_no_rival():
    table = load_table("s3", "us-east-1")
    size = np.array([float(GB)])
    assert dominated(table, ["STANDARD", "STANDARD_IA", "ONEZONE_IA"], size, 180) == ()
    # GLACIER is rented for less than GLACIER_IR and cheaper to read, but takes hours.
    assert dominated(table, ["GLACIER_IR", "GLACIER"], size, 180) == ()


def test_automatic_classes_are_always_kept():
    table = load_table("s3", "us-east-1")
    names = [*READABLE["s3"], "INTELLIGENT_TIERING"]
    assert useful(table, names, np.array([20_000.0]), 180)[3].all()


@pytest.mark.parametrize("provider", ["s3", "azure", "gcs"])
def test_useful_is_what_a_search_over_all_numbers_of_reads_finds(provider):
    table = load_table(provider, None)
    names = READABLE.get(provider, ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"])
    sizes = np.array([1e3, 1e5, 2e5, 1e6, 1e8, 1e11])
    reads = np.concatenate(([0.0], np.geomspace(1e-4, 1e6, 20_000)))
    bills = np.stack(
        [
            (cost.storage_per_month(table, n, sizes) * 180 / DAYS_PER_MONTH)[:, None]
            + cost.entry(table, n, sizes)[:, None]
            + cost.read_cost(table, n, sizes)[:, None] * reads
            for n in names
        ]
    )
    best = bills.argmin(axis=0)
    found = np.stack([(best == i).any(axis=1) for i in range(len(names))])
    np.testing.assert_array_equal(useful(table, names, sizes, 180), found)


def azure_like_policy(strategy):
    """A bucket whose warm class is bad everywhere, by overlay."""
    tiers = [
        TierTarget(name="Hot", s3_storage_class="STANDARD"),
        TierTarget(name="Warm", s3_storage_class="STANDARD_IA"),
        TierTarget(name="Cold", s3_storage_class="GLACIER_IR"),
    ]
    return TieringPolicySpec(tiers=tiers, strategy=strategy)


DEAR = {"s3": {"us-east-1": {"classes": {"STANDARD_IA": {"storage_per_gb_month": 0.0229}}}}}


def test_a_decision_leaves_a_dominated_class_out_and_says_so():
    decision = decide(half_dead(), policy=azure_like_policy(Strategy.COST_OPTIMAL), overlay=DEAR)
    assert {each.target for each in decision.recommendations} == {"GLACIER_IR"}
    assert any(text.startswith("STANDARD_IA is not considered") for text in decision.warnings)


def test_a_rule_may_ask_for_a_class_that_is_never_the_cheapest():
    decision = decide(half_dead(), policy=azure_like_policy(Strategy.RULES), overlay=DEAR)
    assert not any("not considered" in text for text in decision.warnings)


def test_a_default_class_without_a_price_is_left_out_and_that_is_said():
    frankfurt = dataclasses.replace(half_dead(), region="eu-central-1")
    decision = decide(frankfurt)
    assert {each.target for each in decision.recommendations} == {"GLACIER_IR"}
    assert any(
        "INTELLIGENT_TIERING is not considered: storage_per_gb_month_after_90d" in text
        for text in decision.warnings
    )


def test_prices_that_nobody_checked_are_said_where_they_count():
    ireland = dataclasses.replace(half_dead(), region="eu-west-1")
    said = [text for text in decide(ireland).warnings if "not verified" in text]
    assert len(said) == 1
    assert "monitoring_per_1k_month of INTELLIGENT_TIERING" in said[0]
    assert not [text for text in decide(half_dead()).warnings if "not verified" in text]
