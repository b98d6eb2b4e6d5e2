"""A data set in each class: the sums of what the cost model says of its objects."""

import numpy as np
import pytest

from cloudflux.brain import cost
from cloudflux.brain.prices import DAYS_PER_MONTH, load_table
from cloudflux.brain.whole import InClass, in_each_class

GB = 2**30
S3 = load_table("s3", None)


def test_unread_data_costs_its_rent_and_moving_it_its_requests():
    stay, found = in_each_class(S3, [InClass("STANDARD", 1000, 1000 * GB)], 0)
    by_name = {one.name: one for one in found}
    assert stay.total == pytest.approx(by_name["STANDARD"].storage)
    rent = cost.storage_per_month(S3, "GLACIER_IR", np.array([float(GB)]))[0] * 1000
    assert by_name["GLACIER_IR"].storage == pytest.approx(rent)
    assert by_name["GLACIER_IR"].reads == 0
    moved = cost.class_change(S3, "STANDARD", "GLACIER_IR", np.array([float(GB)]), np.array([1e4]))
    assert by_name["GLACIER_IR"].change == pytest.approx(moved[0] * 1000)
    assert by_name["STANDARD"].change == 0
    assert [one.total for one in found] == sorted(one.total for one in found)


def test_reads_are_priced_where_they_would_be():
    _, found = in_each_class(S3, [InClass("STANDARD", 100, 100 * GB)], 300)
    colder = next(one for one in found if one.name == "GLACIER_IR")
    once = cost.read_cost(S3, "GLACIER_IR", np.array([float(GB)]))[0]
    assert colder.reads == pytest.approx(300 / 30 * DAYS_PER_MONTH * once)


def test_what_is_spread_is_summed_and_what_is_empty_left_out():
    parts = [InClass("STANDARD", 10, 10 * GB), InClass("GLACIER_IR", 30, 90 * GB)]
    stay, found = in_each_class(S3, [*parts, InClass("STANDARD_IA", 0, 0)], 0)
    each = [in_each_class(S3, [part], 0) for part in parts]
    assert stay.total == pytest.approx(sum(one.total for one, _ in each))
    for one in found:
        same = [next(o for o in options if o.name == one.name) for _, options in each]
        assert one.total == pytest.approx(sum(o.total for o in same))
        assert one.change == pytest.approx(sum(o.change for o in same))
