import json
from importlib import resources

import pytest

from cloudflux.brain.price_table import RULES
from cloudflux.brain.prices import PROVIDERS, load_table, provider_of, regions, table_name
from cloudflux.errors import ConfigurationError, PriceUnknown


def raw_figures(provider):
    path = resources.files("cloudflux.brain") / "price_tables" / f"{provider}.json"
    table = json.loads(path.read_text())
    for name, prices in table["classes"].items():
        for figure, value in prices["figures"].items():
            yield table, name, figure, value


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_figure_names_a_source_that_the_table_explains(provider):
    for table, name, figure, value in raw_figures(provider):
        known = value["value"] is not None
        assert not known or value["source"] in table["sources"], (name, figure)
        assert "asOf" in value


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_null_is_an_error_and_never_0(provider):
    table = load_table(provider, None)
    for _, name, figure, value in raw_figures(provider):
        if value["value"] is None:
            with pytest.raises(PriceUnknown, match=figure):
                table.figure(name, figure)
        else:
            assert table.figure(name, figure) == value["value"]


def test_an_unknown_class_is_an_error_that_says_where_to_add_it():
    with pytest.raises(PriceUnknown, match=r'"EXPRESS_ONEZONE".*price overlay'):
        load_table("s3", "us-east-1").figure("EXPRESS_ONEZONE", "storage_per_gb_month")


def test_an_unlisted_region_is_an_error_that_says_how_to_overlay_it():
    with pytest.raises(PriceUnknown, match=r'"me-south-1": \{"like": "us-east-1"\}'):
        load_table("s3", "me-south-1")


def test_an_overlay_adds_a_region_and_changes_a_figure():
    overlay = {
        "s3": {
            "me-south-1": {
                "like": "us-east-1",
                "classes": {"STANDARD": {"storage_per_gb_month": 0.0245}},
            }
        }
    }
    table = load_table("s3", "me-south-1", overlay)
    assert table.figure("STANDARD", "storage_per_gb_month") == 0.0245
    assert table.figure("GLACIER_IR", "storage_per_gb_month") == 0.004
    assert any("overlay" in warning for warning in table.warnings)


def test_a_class_of_the_overlay_is_unknown_where_the_overlay_is_silent():
    overlay = {"s3": {"us-east-1": {"classes": {"FAST": {"storage_per_gb_month": 0.1}}}}}
    table = load_table("s3", "us-east-1", overlay)
    assert table.figure("FAST", "storage_per_gb_month") == 0.1
    with pytest.raises(PriceUnknown, match="get_per_1k of FAST"):
        table.figure("FAST", "get_per_1k")


@pytest.mark.parametrize("value", [-1, "cheap", True])
def test_an_overlay_that_is_no_price_is_refused(value):
    overlay = {"s3": {"us-east-1": {"classes": {"STANDARD": {"get_per_1k": value}}}}}
    with pytest.raises(ConfigurationError, match="price must be a number"):
        load_table("s3", "us-east-1", overlay)


def test_no_region_takes_the_listed_one_and_says_so():
    table = load_table("s3", None)
    assert table.region == "us-east-1"
    assert "no region is set" in table.warnings[0]


@pytest.mark.parametrize(
    ("root", "disk"),
    [
        ("file:///srv/data", "ssd"),
        ("file:///srv/warm/", "hdd"),
        ("file:///mnt/archive-1", "archive-disk"),
    ],
)
def test_a_disk_root_is_priced_by_its_name_unless_the_overlay_knows_better(root, disk):
    assert load_table("file", None).class_name(root) == disk
    overlay = {"file": {"local": {"roots": {root.rstrip("/"): "hdd"}}}}
    assert load_table("file", None, overlay).class_name(root) == "hdd"


def test_the_price_list_of_a_location():
    assert provider_of("s3://b", "http://127.0.0.1:9000") == "s3"
    assert provider_of("s3://b", "https://account.r2.cloudflarestorage.com") == "r2"
    assert provider_of("file:///srv") == "file"
    with pytest.raises(ConfigurationError, match="ftp"):
        provider_of("ftp://host")


ALL = [(provider, region) for provider in PROVIDERS for region in regions(provider)]


@pytest.mark.parametrize(("provider", "region"), ALL)
def test_every_region_has_its_own_prices_and_each_figure_its_source(provider, region):
    path = resources.files("cloudflux.brain") / "price_tables" / f"{provider}.json"
    sources = json.loads(path.read_text())["sources"]
    table = load_table(provider, region)
    assert table.region == region
    assert table.figure(table.base_class, "storage_per_gb_month") > 0
    for prices in table.classes.values():
        for figure in prices.figures.values():
            assert figure.value is None or figure.source in sources
            dated = figure.as_of is not None
            assert figure.value is None or dated or figure.source == "unverified"


def test_a_region_shares_the_rules_of_a_class_and_none_of_its_prices():
    first, other = load_table("s3", "us-east-1"), load_table("s3", "eu-central-1")
    for name, prices in other.classes.items():
        for key in RULES:
            assert prices.figures.get(key) == first.classes[name].figures.get(key)
    assert other.figure("STANDARD", "storage_per_gb_month") == 0.0245
    with pytest.raises(PriceUnknown, match="restore_request_per_1k of GLACIER"):
        other.figure("GLACIER", "restore_request_per_1k")
    step = other.prices("INTELLIGENT_TIERING").automatic_steps[1]
    with pytest.raises(
        PriceUnknown, match=r"after_90d of INTELLIGENT_TIERING \(s3, eu-central-1\)"
    ):
        other.step_price("INTELLIGENT_TIERING", step)


def test_an_overlay_for_an_unlisted_region_starts_without_prices():
    overlay = {"s3": {"me-south-1": {"classes": {"STANDARD": {"storage_per_gb_month": 0.025}}}}}
    table = load_table("s3", "me-south-1", overlay)
    assert table.figure("STANDARD", "storage_per_gb_month") == 0.025
    assert table.figure("STANDARD_IA", "min_storage_days") == 30
    with pytest.raises(PriceUnknown, match="get_per_1k of STANDARD"):
        table.figure("STANDARD", "get_per_1k")


def test_an_overlay_sets_the_steps_of_an_automatic_class():
    figures = {"storage_per_gb_month_after_90d": 0.005}
    overlay = {"s3": {"eu-central-1": {"classes": {"INTELLIGENT_TIERING": figures}}}}
    table = load_table("s3", "eu-central-1", overlay)
    step = table.prices("INTELLIGENT_TIERING").automatic_steps[1]
    assert table.step_price("INTELLIGENT_TIERING", step) == 0.005
    assert "storage_per_gb_month_after_90d" not in table.unknown("INTELLIGENT_TIERING")


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ({"s3": {"x": {"like": "nowhere"}}}, "nowhere"),
        ({"s3": {"x": {"classses": {}}}}, "classses"),
        ({"s3": {"x": {"classes": {"STANDARD": {"get_per_1k": {"source": "y"}}}}}}, "value"),
        ({"s3": {"x": {"classes": {"STANDARD": {"get_per_1k": float("nan")}}}}}, "number"),
        ({"s3": ["x"]}, "must map regions"),
    ],
)
def test_an_overlay_that_cannot_be_meant_is_refused_in_words(overlay, words):
    with pytest.raises((ConfigurationError, PriceUnknown), match=words):
        load_table("s3", "x", overlay)


def test_a_table_is_named_as_its_provider_is_called():
    assert table_name("aws/us-east-1") == ("s3", "us-east-1")
    assert table_name("gcp") == ("gcs", None)
    with pytest.raises(PriceUnknown, match="alibaba"):
        table_name("alibaba/x")
