import json
from importlib import resources

import numpy as np
import pytest

from cloudflux.api.migrationjob import RestoreTier
from cloudflux.brain.price_table import BYTES_PER_GB
from cloudflux.brain.prices import PROVIDERS, load_table
from cloudflux.brain.restore import HOURS, Archived, quote, refused, ways
from cloudflux.errors import PriceUnknown

GB = BYTES_PER_GB


def found(classes, tier, *, provider="s3", region="us-east-1", days=1, overlay=None):
    sizes = np.full(len(classes), GB)
    return quote(
        Archived.of(classes, sizes), tier, provider=provider, region=region, overlay=overlay,
        days=days, move_seconds=0,
    )  # fmt: skip


RENT = 0.023 / 30.4375  # a GB of a copy in STANDARD for a day


@pytest.mark.parametrize(
    ("name", "tier", "per_object", "per_gb", "hours"),
    [
        ("GLACIER", RestoreTier.STANDARD, 0.00005, 0.01, 5),
        ("GLACIER", RestoreTier.BULK, 0.0, 0.0, 12),
        ("GLACIER", RestoreTier.EXPEDITED, 0.01, 0.03, 1),
        ("DEEP_ARCHIVE", RestoreTier.STANDARD, 0.0001, 0.02, 12),
        ("DEEP_ARCHIVE", RestoreTier.BULK, 0.000025, 0.0025, 48),
    ],
)
def test_s3_bills_request_retrieval_and_the_copy(name, tier, per_object, per_gb, hours):
    told, beyond = found([name], tier)
    assert float(told.cost) == pytest.approx(per_object + per_gb + RENT, rel=1e-3)
    usual = {"GLACIER": 0.01005, "DEEP_ARCHIVE": 0.0201}[name]
    assert beyond == pytest.approx(per_object + per_gb + RENT - usual)
    assert (told.hours, told.days) == (hours, 1)


def test_azure_bills_reads_and_keeps_no_copy():
    told, beyond = found(["Archive"], RestoreTier.STANDARD, provider="azure", region="eastus")
    assert float(told.cost) == pytest.approx(0.0005 + 0.02)
    assert (told.days, told.hours, beyond) == (0, 15, 0)
    fast, more = found(["Archive"], RestoreTier.EXPEDITED, provider="azure", region="eastus")
    assert float(fast.cost) == pytest.approx(0.005 + 0.1)
    assert more == pytest.approx(0.1045 - 0.02)


def test_copies_outlive_the_slowest_restore_and_the_move():
    told, _ = quote(
        Archived.of(["DEEP_ARCHIVE"], np.array([GB])), RestoreTier.BULK, provider="s3",
        region="us-east-1", overlay=None, days=None, move_seconds=12 * 3600,
    )  # fmt: skip
    assert told.days == 1 + 3  # 48 hours and twice 12, and a day to spare


def test_a_tier_that_a_class_has_not_is_refused_with_those_it_has():
    (words,) = refused(["DEEP_ARCHIVE", "GLACIER"], RestoreTier.EXPEDITED)
    assert words.endswith("choose Standard or Bulk")
    assert refused(["Archive"], RestoreTier.BULK)
    assert not refused(["GLACIER"], RestoreTier.BULK)


def test_every_way_out_of_an_archive_is_priced_or_said_to_be_unknown():
    args = {"provider": "s3", "region": "us-east-1", "overlay": None}
    found = ways("GLACIER", 1000, 10 * int(GB), **args)
    assert list(found) == [RestoreTier.BULK, RestoreTier.STANDARD, RestoreTier.EXPEDITED]
    costs = [float(one.cost) for one in found.values()]
    rents = [10 * RENT * one.days for one in found.values()]
    assert costs == pytest.approx([rents[0], 0.05 + 0.1 + rents[1], 10 + 0.3 + rents[2]], rel=1e-3)
    assert ways("STANDARD_IA", 1, 1, **args) == {}
    assert ways("GLACIER", 1, 1, **{**args, "region": "eu-west-1"})[RestoreTier.BULK] is None


def test_an_unknown_price_is_an_error_and_the_overlay_mends_it():
    with pytest.raises(PriceUnknown, match="restore_bulk_request_per_1k of GLACIER"):
        found(["GLACIER"], RestoreTier.BULK, region="eu-west-1")
    prices = {"restore_bulk_request_per_1k": 0.1, "restore_bulk_retrieval_per_gb": 0,
              "retrieval_per_gb": 0.01, "restore_request_per_1k": 0.05}  # fmt: skip
    overlay = {"s3": {"eu-west-1": {"classes": {"GLACIER": prices}}}}
    told, _ = found(["GLACIER"], RestoreTier.BULK, region="eu-west-1", overlay=overlay)
    assert float(told.cost) == pytest.approx(0.0001 + RENT, rel=1e-3)


def test_prices_of_restores_have_sources_and_hide_no_class_from_decisions():
    for provider in PROVIDERS:
        path = resources.files("cloudflux.brain") / "price_tables" / f"{provider}.json"
        table = json.loads(path.read_text())
        for name, prices in table["classes"].items():
            for value in prices.get("restores", {}).values():
                assert value["source"] in table["sources"]
            if prices.get("archived"):
                assert name in HOURS
    assert not load_table("azure", "eastus2").unknown("Archive")
