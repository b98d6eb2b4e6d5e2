"""Price lists of a user: automatic classes of each provider, and prices that change."""

import json

import numpy as np
import pytest
from tests.unit.replay.histories_for_tests import CLASSES, GB, MONTH, TABLE, trace_of

from cloudflux.brain.prices import load_table
from cloudflux.brain.replay.backtest import replay_all
from cloudflux.brain.replay.fees import build_fees
from cloudflux.brain.replay.pricelist import table_for
from cloudflux.errors import PriceUnknown

SIZES = np.array([float(GB), 1000.0])


def figures(storage, put=0.005, get=0.0004, retrieval=0.0, transition=0.005, days=0, **more):
    return {
        "storagePerGBMonth": {"value": storage},
        "putCopyPostListPer1k": {"value": put},
        "getPer1k": {"value": get},
        "retrievalPerGB": {"value": retrieval},
        "transitionIntoPer1k": {"value": transition},
        "minStorageDays": {"value": days},
        **more,
    }


def written(tmp_path, providers):
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"generated": "2026-09-01", "providers": providers}))
    return str(path)


AZURE = {
    "azure": {
        "region": "eastus",
        "classes": {
            "Hot": figures(0.02),
            "Cool": figures(0.01, put=0.01, retrieval=0.01, days=30),
            "Cold": figures(0.004, put=0.018, get=0.01, retrieval=0.03, days=90),
            "Smart": figures(
                None,
                put=None,
                transition=0,
                monitoringPer1kObjectsMonth={"value": 0.004},
                demotionDaysNoAccess={"Cool": {"value": 30}, "Cold": {"value": 90}},
            ),
        },
    }
}
GOOGLE = {
    "gcp": {
        "region": "us-central1",
        "classes": {
            "STANDARD": figures(0.02),
            "NEARLINE": figures(0.01, retrieval=0.01, days=30),
            "ARCHIVE": figures(0.0012, retrieval=0.05, days=365),
        },
        "other": {
            "autoclass": {
                "managementPer1kObjectsMonth": {"value": 0.0025},
                "minKiB": {"value": 128},
                "thresholdDays": {"NEARLINE": {"value": 30}, "ARCHIVE": {"value": 365}},
            }
        },
    }
}


def automatic(path, classes):
    fees = build_fees(table_for(path, classes), classes, SIZES)
    return fees, fees.automatic


def test_smart_tier_bills_the_meters_of_the_tiers_it_stands_on(tmp_path):
    fees, smart = automatic(written(tmp_path, AZURE), ["Hot", "Cool", "Cold", "Smart"])
    assert fees.names[smart] == "Smart"
    fee = 0.004 / 1000
    steps = [(0, fees.rent[smart][0]), *((s.after_idle_days, s.rent[0]) for s in fees.steps[smart])]
    assert [day for day, _ in steps] == [0, 30, 90]
    rents = [rent * MONTH - fee for _, rent in steps]
    assert rents == pytest.approx([0.02, 0.01, 0.004])
    # too small to be moved: Hot's rent, and no fee
    assert fees.rent[smart][1] == fees.rent[fees.base][1]
    assert list(fees.watched) == [True, False]


@pytest.mark.parametrize(("name", "ends"), [("AUTOCLASS", [30]), ("AUTOCLASS_ARCHIVE", [30, 365])])
def test_autoclass_is_an_option_of_the_bucket_and_so_beside_the_classes(tmp_path, name, ends):
    fees, auto = automatic(written(tmp_path, GOOGLE), ["STANDARD", "NEARLINE", name])
    assert fees.names[auto] == name
    assert [step.after_idle_days for step in fees.steps[auto]] == ends
    assert fees.read_cost(auto, SIZES) == pytest.approx(fees.read_cost(fees.base, SIZES))


def test_leaving_the_smart_tier_bills_a_write_of_its_own():
    figures = {
        "storage_per_gb_month": 0.0208,
        "put_per_1k": 0.005,
        "storage_per_gb_month_after_30d": 0.0152,
        "storage_per_gb_month_after_90d": 0.0036,
    }
    overlay = {"azure": {"eastus": {"classes": {"Smart": figures}}}}
    table = load_table("azure", "eastus", overlay)
    fees = build_fees(table, ["Hot", "Cold", "Smart"], SIZES)
    # a Cool write, and nothing for the read: the tier has no retrieval fee
    assert fees.move[2][0][0] == pytest.approx(0.0000004 + 0.01 / 1000)


def test_where_prices_leave_nothing_to_gain_nothing_moves(tmp_path):
    rows = [(number, day, 1) for number in range(40) for day in (5, 9, 12)]
    trace = trace_of(rows, sizes=[1e8] * 40, decide_from=420, until=600)
    flat = {"classes": {"STANDARD": figures(0.02), "GLACIER_IR": figures(0.0199, retrieval=0.5)}}
    table = table_for(written(tmp_path, {"aws": flat}), ["STANDARD", "GLACIER_IR"])
    changed = replay_all(trace, table, ["STANDARD", "GLACIER_IR"], "predictive", optimum=False)
    assert len(changed.chosen.moves) == 0
    usual = replay_all(trace, TABLE, CLASSES, "predictive", optimum=False)
    assert usual.chosen.total.sum() < usual.bills["always STANDARD"].total.sum()


def test_a_list_without_the_classes_says_what_to_add(tmp_path):
    with pytest.raises(PriceUnknown, match="lists all of STANDARD, MAGIC"):
        table_for(written(tmp_path, GOOGLE), ["STANDARD", "MAGIC"])
