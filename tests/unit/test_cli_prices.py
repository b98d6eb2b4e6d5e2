"""`cloudflux prices` without a network: the book, overlays, and lists fetched before."""

import datetime as dt
import json

import pytest
from tests.unit.brain.test_feeds import azure_rows, gcp_skus, s3_offer, transfer_offer
from typer.testing import CliRunner

from cloudflux.brain.prices import load_table
from cloudflux.cli.main import app
from cloudflux.cli.price_feeds import read_feed
from cloudflux.cli.prices import months_old
from cloudflux.errors import ConfigurationError


def run(*arguments):
    return CliRunner().invoke(app, ["prices", *map(str, arguments)])


def write(path, value):
    path.write_text(json.dumps(value))
    return path


def test_show_names_every_list_and_every_figure_with_its_source():
    lists = run("show").stdout
    assert "s3/us-east-1: " in lists
    assert "azure/westeurope: " in lists
    figures = run("show", "azure/eastus2").stdout
    assert "0.0184  az-arius, 2026-06-27" in figures
    assert "unknown" in figures


def test_show_as_json_gives_the_whole_table(tmp_path):
    overlay = write(
        tmp_path / "own.json", {"gcs": {"us": {"classes": {"STANDARD": {"get_per_1k": 1}}}}}
    )
    shown = json.loads(run("show", "gcp/us", "--prices", overlay, "--json").stdout)
    assert shown["prices"]["STANDARD"]["get_per_1k"] == {
        "value": 1,
        "source": "overlay",
        "asOf": None,
    }
    assert shown["prices"]["STANDARD"]["put_per_1k"]["value"] is None


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ({"s4": {}}, "the overlay prices 's4'"),
        ({"s3": {"us-east-1": {"classes": {"STANDARD": {"get_per_1k": -1}}}}}, "at least 0"),
        ({"s3": {"x": {"like": "y"}}}, "not listed"),
    ],
)
def test_check_refuses_an_overlay_that_cannot_be_meant(tmp_path, overlay, words):
    result = run("check", "--prices", write(tmp_path / "own.json", overlay))
    assert result.exit_code == 1
    assert words in result.stderr


def test_check_names_what_is_doubtful():
    result = run("check", "--months", "3")
    assert result.exit_code == 0
    assert "unknown: transition_in_per_1k of STANDARD" in result.stdout
    assert "unverified: min_storage_days of ONEZONE_IA" in result.stdout
    assert "over 3 months old: " in result.stdout


@pytest.mark.parametrize(
    ("as_of", "months"),
    [("2026-08-01", 3), ("2026-08/09", 3), ("2025-2026", -1), ("2024", 23), (None, 0)],
)
def test_the_age_of_a_figure(as_of, months):
    assert months_old(as_of, dt.date(2026, 11, 21)) == months


def test_refresh_writes_an_overlay_that_decisions_can_use_and_keeps_the_rest(tmp_path):
    s3 = write(tmp_path / "s3.json", s3_offer().done())
    transfer = write(tmp_path / "transfer.json", transfer_offer())
    target = write(tmp_path / "own.json", {"file": {"local": {"roots": {"file:///a": "hdd"}}}})
    result = run(
        "refresh", "aws/eu-central-1", "--output", target, "--feed", s3, "--feed", transfer
    )
    assert result.exit_code == 0, result.stderr
    assert "not in the list: transition_in_per_1k of GLACIER_IR" in result.stdout
    assert "changed: put_per_1k of DEEP_ARCHIVE: 0.06 → 0.07" in result.stdout
    overlay = json.loads(target.read_text())
    assert overlay["file"] == {"local": {"roots": {"file:///a": "hdd"}}}
    assert load_table("s3", "eu-central-1", overlay).unknown("INTELLIGENT_TIERING") == ()


def test_refresh_reads_the_pages_of_azure_and_google(tmp_path):
    rows = azure_rows()
    pages = [
        write(tmp_path / "1.json", {"Items": rows[:6]}),
        write(tmp_path / "2.json", {"Items": rows[6:]}),
    ]
    assert read_feed("azure", "eastus", pages).classes["Cool"]["put_per_1k"] == 0.01
    page = write(tmp_path / "3.json", {"skus": gcp_skus()})
    assert read_feed("gcs", "us-central1", [page]).classes["STANDARD"]["get_per_1k"] == 0.0004


def test_refresh_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="GOOGLE_API_KEY"):
        read_feed("gcs", "us-central1", ())
    with pytest.raises(ConfigurationError, match="publishes no price list"):
        read_feed("r2", "global", ())
    result = run("refresh", "aws", "--output", tmp_path / "x.json")
    assert "name a region too" in result.stderr
    broken = tmp_path / "broken.json"
    broken.write_text("<html>")
    result = run("refresh", "aws/x", "--output", tmp_path / "x.json", "--feed", broken)
    assert result.exit_code == 1
    assert "is no price list" in result.stderr
    assert not (tmp_path / "x.json").exists()
