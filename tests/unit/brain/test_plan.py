from decimal import Decimal

import numpy as np
import pytest

from cloudflux.brain.plan import payback_days, price_move
from cloudflux.errors import PriceUnknown

GB = 2**30


def price(**changes):
    count = len(changes.get("source_class", ["STANDARD"]))
    arguments = {
        "source_provider": "s3",
        "source_region": "us-east-1",
        "source_class": ["STANDARD"],
        "size_bytes": np.full(count, GB),
        "days_in_class": np.full(count, 200),
        "reads_30d": np.zeros(count),
        "target_provider": "s3",
        "target_region": "us-east-1",
        "target_class": "GLACIER_IR",
        "crosses_region": False,
        "overlay": None,
    }
    return price_move(**{**arguments, **changes})


def test_a_class_change_in_place():
    found = price()
    assert found.one_off_cost == Decimal("0.00002")
    assert found.savings_per_month == Decimal("0.019")
    assert (found.payback_days, found.currency, found.price_date) == (1, "USD", "2026-11-21")
    assert found.warnings == ()


def test_reads_eat_the_savings():
    found = price(reads_30d=np.array([30.0]))
    assert found.savings_per_month < 0
    assert found.payback_days is None


def test_objects_of_several_classes_are_priced_each_by_its_own():
    both = price(source_class=["STANDARD", "GLACIER_IR"])
    assert both.savings_per_month == Decimal("0.019")
    assert both.one_off_cost == Decimal("0.00002")


def test_leaving_the_cloud_pays_egress_and_says_so():
    found = price(target_provider="file", target_region=None, target_class="file:///srv/cold")
    assert found.one_off_cost > Decimal("0.09")
    assert any("internet" in warning for warning in found.warnings)
    assert any("archive-disk" in warning for warning in found.warnings)


def test_a_copy_to_another_bucket_of_the_region_pays_requests_and_both_copies():
    found = price(target_class="STANDARD", crosses_location=True, double_copy_days=1.0)
    expected = (0.0004 + 0.005 + 0.0004) / 1000 + 0.023 / 30.4375
    assert float(found.one_off_cost) == pytest.approx(expected, rel=1e-3)
    assert found.savings_per_month == 0


def test_an_unknown_class_is_an_error():
    with pytest.raises(PriceUnknown, match="REDUCED"):
        price(source_class=["REDUCED_REDUNDANCY"])


def test_no_objects_cost_nothing():
    found = price(
        source_class=[], size_bytes=np.empty(0), days_in_class=np.empty(0), reads_30d=np.empty(0)
    )
    assert (found.one_off_cost, found.savings_per_month, found.payback_days) == (0, 0, 0)


@pytest.mark.parametrize(
    ("one_off", "savings", "days"), [(1.0, 30.4375, 1), (10.0, 30.4375, 10), (1.0, 0.0, None)]
)
def test_payback(one_off, savings, days):
    assert payback_days(one_off, savings) == days
