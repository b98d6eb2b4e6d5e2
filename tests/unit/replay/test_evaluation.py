"""The measures of a forecast, on histories whose answers are known."""

import numpy as np
import pytest
from tests.unit.replay.histories_for_tests import trace_of
from typer.testing import CliRunner

from cloudflux.brain.replay import evaluation
from cloudflux.cli.main import app
from cloudflux.errors import ModelError


def weekly_world(objects=60, days=420):
    """A third is read daily, a third each week, a third never after the first month."""
    rows = []
    for number in range(objects):
        every = (1, 7, None)[number % 3]
        rows += [(number, day, 2) for day in range(number % 7, days, every or days)]
    return trace_of(rows, sizes=[1e8] * objects, decide_from=days - 1, until=days - 1)


@pytest.fixture(scope="module")
def measured():
    return evaluation.evaluate(weekly_world(), origins=1)


def by_name(measured):
    return {each.forecaster.split(" (")[0]: each for each in measured.week}


def test_what_repeats_each_week_is_forecast_and_a_constant_answer_is_not(measured):
    scores = by_name(measured)
    assert scores["same as last week"].accuracy == 1.0
    assert scores["seven-week median"].balanced_accuracy == 1.0
    assert scores["random forest"].balanced_accuracy > 0.95
    assert scores["constant"].balanced_accuracy == pytest.approx(1 / 3)


def test_the_chance_of_silence_beats_the_base_rate_and_is_calibrated(measured):
    assert [each.horizon_days for each in measured.silence] == [7, 30, 90]
    for each in measured.silence:
        assert each.brier < 0.2 * each.brier_of_base_rate
        assert sum(one.objects for one in each.bins) == 60
        assert all(abs(one.forecast - one.seen) < 0.2 for one in each.bins)


def test_a_calibration_learns_how_much_a_forecast_is_worth():
    said = np.repeat([0.2, 0.9], 100)
    came = np.r_[np.arange(100) < 60, np.arange(100) < 60]
    grid, worth = evaluation.calibration(said, came)
    assert np.interp(0.9, grid, worth) == pytest.approx(0.75, abs=0.02)


def test_the_cuts_part_the_classes_where_the_forecast_does():
    forecast = np.r_[np.full(50, 0.35), np.full(20, 5.2), np.full(20, 5.8)]
    truth = np.r_[np.zeros(50), np.ones(20), np.full(20, 2)].astype(int)
    low, high = evaluation.best_cuts(forecast, truth)
    assert 0.35 < low < 5.2 < high < 5.8


def test_a_history_too_short_is_refused_in_words():
    short = trace_of([(0, 1, 1)], sizes=[1e8], decide_from=30, until=30)
    with pytest.raises(ModelError, match="31 days of history; evaluating needs 49"):
        evaluation.evaluate(short)


def test_the_command_says_what_it_could_not_measure(tmp_path):
    files = ["--reads", str(tmp_path / "r"), "--objects", str(tmp_path / "o")]
    made = ["generate", "steady", *files, "--count", "20", "--days", "100"]
    assert CliRunner().invoke(app, [*made, "--first-day", "2025-01-01"]).exit_code == 0
    result = CliRunner().invoke(app, ["evaluate", *files, "--until", "2025-04-10"])
    assert result.exit_code == 0, result.output
    assert "same as last week" in result.output
    assert "left out: no read in 180 days" in result.output
