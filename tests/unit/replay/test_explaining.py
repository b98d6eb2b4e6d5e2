"""An explanation agrees with the decision and adds up."""

import json

import numpy as np
import pytest
from tests.unit.replay.histories_for_tests import CLASSES, TABLE, trace_of
from typer.testing import CliRunner

from cloudflux.brain.replay import explaining
from cloudflux.cli.main import app
from cloudflux.errors import ConfigurationError

GB = 2**30


def explained(source="STANDARD", held_days=0, *, sizes=(GB,) * 3, rows=()):
    trace = trace_of(rows, sizes=list(sizes), decide_from=100, until=100)
    return explaining.explain(
        trace,
        TABLE,
        CLASSES,
        source=source,
        held_days=held_days,
        rows=np.arange(len(trace)),
    )


def test_without_history_the_automatic_class_is_named_with_its_curve_and_payback():
    (found,) = explained()
    assert (found.source, found.target, found.objects) == (
        "STANDARD",
        "INTELLIGENT_TIERING",
        3,
    )
    # three objects enter for 0.01 a thousand, and pay monitoring for 30 days before they save
    assert found.chosen.curve[0] == pytest.approx(3 * 0.01 / 1000)
    assert found.peak > found.chosen.curve[0]
    assert 30 < found.payback_day < 40
    assert found.stay.total == pytest.approx(3 * 0.023 * 180 / 30.4375, rel=1e-6)
    assert found.forecast.startswith("the last 60 days again")


def test_every_curve_begins_with_the_move_and_ends_with_rent_and_reads():
    (found,) = explained(rows=[(0, 90, 6)], sizes=(GB,))
    for option in found.options:
        assert option.curve[0] == option.one_off
        assert option.total == pytest.approx(option.one_off + option.rent + option.reads)
        assert np.all(np.diff(option.curve) > 0)
    # six reads on one day count as three in 60 days, nine in 180
    cold = next(option for option in found.options if option.name == "GLACIER_IR")
    assert found.expected_reads == 3
    assert cold.reads == pytest.approx(9 * (0.03 + 0.00001))


def test_leaving_early_is_in_the_price_of_the_move():
    (found,) = explained("GLACIER_IR", 30, sizes=(GB,))
    standard = next(option for option in found.options if option.name == "STANDARD")
    early = 60 * 0.004 / 30.4375
    assert standard.one_off == pytest.approx(0.00001 + 0.03 + 0.000005 + early, rel=1e-3)
    assert found.target == "GLACIER_IR"
    assert found.payback_day == 0


def test_objects_too_small_for_the_automatic_class_stay_and_say_why():
    (found,) = explained(sizes=(1000,))
    assert found.target == "STANDARD"
    assert "cheaper" in found.reason


def test_a_class_that_may_not_be_used_is_an_error():
    with pytest.raises(ConfigurationError, match="GLACIER is not among"):
        explained("GLACIER")


def test_the_command_explains_one_object_and_refuses_one_that_is_not_there(tmp_path):
    reads, objects, out = tmp_path / "r.parquet", tmp_path / "o.parquet", tmp_path / "e.json"
    files = ["--reads", str(reads), "--objects", str(objects)]
    made = ["generate", "monthly", *files, "--count", "5", "--days", "90"]
    assert CliRunner().invoke(app, [*made, "--first-day", "2025-01-01"]).exit_code == 0
    asked = ["explain", *files, "--day", "2025-03-20", "--json", str(out), "--object"]
    result = CliRunner().invoke(app, [*asked, "report-00001.csv"])
    assert result.exit_code == 0, result.output
    assert "<- now" in result.output
    (told,) = json.loads(out.read_text())
    assert len(told["options"]) == 4
    assert len(told["options"][0]["curve"]) == 181
    missing = CliRunner().invoke(app, [*asked, "nothing"])
    assert missing.exit_code == 1
    assert "nothing" in missing.output
