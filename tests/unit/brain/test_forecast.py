import dataclasses
import json

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LinearRegression
from tests.unit.brain.builders import NOW, half_dead, history_of, objects_of

from cloudflux.brain import forecast as forecasting
from cloudflux.brain.features import FEATURES_VERSION, NAMES, features
from cloudflux.brain.forecast import fallback, forecast, train
from cloudflux.brain.model_store import load_model, save_model
from cloudflux.errors import ModelError


@pytest.fixture(scope="module")
def data_set():
    return half_dead(120)


@pytest.fixture(scope="module")
def model(data_set):
    return train(data_set.objects, data_set.history, seed=5, now=NOW)


def test_the_forest_has_100_trees_and_one_column_a_feature(model, data_set):
    assert len(model.forest.estimators_) == 100
    rows = features(
        data_set.history.reads, 60, data_set.objects.age_days, data_set.objects.size_bytes
    )
    assert rows.shape == (120, len(NAMES))
    assert np.isfinite(rows).all()


def test_the_same_seed_gives_the_same_forecast_and_another_seed_another(data_set, model):
    again = train(data_set.objects, data_set.history, seed=5, now=NOW)
    other = train(data_set.objects, data_set.history, seed=6, now=NOW)
    first, second, third = (
        forecast(each, data_set.objects, data_set.history).by_object
        for each in (model, again, other)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


def test_the_forecast_is_near_the_truth_and_quiet_objects_stay_quiet(data_set, model):
    ahead = forecast(model, data_set.objects, data_set.history)
    weekly = data_set.history.reads.sum() / 120 * 7
    assert ahead.total == pytest.approx(weekly, rel=0.25)
    assert ahead.by_object[::2].sum() < 0.05 * ahead.total
    assert ahead.low <= ahead.total <= ahead.high
    assert ahead.model.startswith("random-forest-100")


def test_training_takes_no_more_rows_than_it_may(data_set, monkeypatch):
    monkeypatch.setattr(forecasting, "MAX_ROWS", 400)
    small = train(data_set.objects, data_set.history, seed=5, now=NOW)
    assert small.metadata.rows <= 400


@pytest.mark.parametrize(("days", "count"), [(20, 100), (34, 100), (120, 5)])
def test_too_little_history_is_refused(days, count):
    young = half_dead(count, days=days)
    with pytest.raises(ModelError):
        train(young.objects, young.history, seed=1, now=NOW)


def test_the_fall_back_repeats_last_week_and_says_its_name():
    history = history_of(np.tile([1, 0, 0, 2, 0, 0, 0], (3, 2)), observed_days=14)
    ahead = fallback(history)
    assert (ahead.model, ahead.total) == ("same-as-last-week", 9)
    assert ahead.low < 9 < ahead.high


def test_the_fall_back_of_a_very_young_history_is_a_weighted_mean():
    ahead = fallback(history_of(np.full((2, 3), 4), observed_days=3))
    assert ahead.model == "ewma"
    assert ahead.total == pytest.approx(2 * 4 * 7)


def test_days_without_a_signal_are_left_out_and_are_not_zeros():
    reads = np.full((1, 10), 2)
    reads[0, -4:] = 0
    holed = fallback(history_of(reads, observed_days=11, holes=(1, 2, 3, 4)))
    assert holed.total == pytest.approx(2 * 6)  # seven proven days, one of them before the reads


def test_a_saved_model_forecasts_as_before(data_set, model, tmp_path):
    save_model(model, tmp_path, "m")
    loaded = load_model(tmp_path, "m")
    assert loaded.metadata == model.metadata
    before, after = (
        forecast(each, data_set.objects, data_set.history).by_object for each in (model, loaded)
    )
    assert np.array_equal(before, after)


def test_an_absent_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no model"):
        load_model(tmp_path, "m")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("features_version", FEATURES_VERSION + 1, "features of version"),
        ("sklearn_version", "0.1", "scikit-learn 0.1"),
        ("sha256", "0" * 64, "not the file"),
        ("trained_at", "yesterday", "can't be read"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(model, tmp_path, field, value, message):
    save_model(model, tmp_path, "m")
    path = tmp_path / "m.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path, "m")


def test_an_altered_model_is_refused(model, tmp_path):
    save_model(model, tmp_path, "m")
    path = tmp_path / "m.skops"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not the file"):
        load_model(tmp_path, "m")


class Unexpected:
    """Something that no model of ours holds."""


def test_a_model_with_an_untrusted_type_is_refused(model, tmp_path):
    strange = dataclasses.replace(model, forest=LinearRegression())
    strange.forest.extra_ = Unexpected()
    save_model(strange, tmp_path, "m")
    with pytest.raises(ModelError, match="not trusted"):
        load_model(tmp_path, "m")


def test_a_model_of_another_kind_is_refused(model, tmp_path):
    save_model(dataclasses.replace(model, forest=LinearRegression()), tmp_path, "m")
    with pytest.raises(ModelError, match="not a random forest"):
        load_model(tmp_path, "m")


def test_the_training_list_of_trusted_types_is_all_that_is_needed(model):
    from cloudflux.brain.model_store import TRUSTED_TYPES

    unknown = skops.io.get_untrusted_types(data=skops.io.dumps(model.forest))
    assert set(unknown) == set(TRUSTED_TYPES)


def test_objects_born_after_an_origin_are_no_rows_of_it():
    young = half_dead(60, age_days=10.0)
    with pytest.raises(ModelError, match="rows to learn from"):
        train(objects_of(young.objects.size_bytes, age_days=10.0), young.history, seed=1, now=NOW)
