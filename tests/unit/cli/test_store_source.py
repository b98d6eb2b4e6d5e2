"""Commands that ask the access store instead of files."""

import json

import pytest
from tests.unit.brain.builders import NOW
from tests.unit.brain.recorded import UID, info, record
from typer.testing import CliRunner

from cloudflux.cli import store_source
from cloudflux.cli.main import app

DAYS = 90


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """Ninety days: one object in each of two classes, the first read on every day."""
    state = tmp_path_factory.mktemp("asked")
    objects = [
        info("in/use.bin", 2**30, DAYS - 1),
        info("old/dead.bin", 2**30, DAYS - 1, "GLACIER_IR"),
    ]
    record(state, objects, {"in/use.bin": dict.fromkeys(range(1, DAYS - 1), 2)}, days=DAYS)
    return state


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(store_source, "utc_now", lambda: NOW)


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_explain_takes_objects_where_they_are_and_holds_moves_against_guardrails(state, tmp_path):
    out = tmp_path / "out.json"
    done = run("explain", "--data-set", UID, "--state", state, "--json", out)
    assert done.exit_code == 0, done.output
    found = {each["from_class"]: each for each in json.loads(out.read_text())}
    assert set(found) == {"STANDARD", "GLACIER_IR"}
    moved = found["STANDARD"]
    assert moved["day"] == "2026-11-20"
    assert len(moved["options"][0]["curve"]) == 181
    assert moved["to_class"] == "INTELLIGENT_TIERING", "newborn, and nothing is learnt yet"
    rails = {each["name"]: each for each in moved["guardrails"]}
    assert rails["minObservedDays"]["found"] == DAYS
    assert rails["minObservedDays"]["holds_back"] is False
    assert rails["minConfidencePercent"]["holds_back"] is True
    assert "guardrail minConfidencePercent 70: 50, holds the move back" in done.output


def test_explain_of_one_object(state):
    done = run("explain", "--data-set", UID, "--state", state, "--object", "old/dead.bin")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("1 object, 1 GiB in GLACIER_IR")


def test_forecast_tells_every_day_and_sums(state, tmp_path):
    out = tmp_path / "out.json"
    done = run("forecast", "--data-set", UID, "--state", state, "--days", 30, "--json", out)
    assert done.exit_code == 0, done.output
    days = json.loads(out.read_text())
    assert [days[0]["day"], days[-1]["day"], len(days)] == ["2026-11-21", "2026-12-20", 30]
    assert days[0]["reads"] == pytest.approx(2, abs=0.2)
    assert days[0]["bytes"] == pytest.approx(2 * 2**30, rel=0.1)
    assert "30 days: " in done.output
    assert "from 90 days known completely" in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain",), "say what to explain"),
        (("explain", "--data-set", UID), "needs --state"),
        (("explain", "--data-set", UID, "--state", "/nowhere"), "holds no access store"),
        (("forecast", "--data-set", "other", "--state", "{}"), "lists no objects"),
    ],
)
def test_what_is_missing_is_said(state, arguments, words):
    done = run(*(str(state) if each == "{}" else each for each in arguments))
    assert done.exit_code == 1
    assert words in done.output
