"""The seven-day forecast: one random forest over all objects of a data set, or a fall-back."""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cloudflux.brain.features import FEATURES_VERSION, Matrix, features
from cloudflux.brain.inputs import History, Objects
from cloudflux.errors import ModelError

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

Array = npt.NDArray[np.float64]

HORIZON_DAYS = 7
MIN_HISTORY_DAYS = 28
MIN_ROWS = 200
MAX_ROWS = 12_000
"""More rows hardly help one data set and would cost more than five seconds."""
MAX_ORIGINS = 8
TREES = 100
_OBJECTS_AT_A_TIME = 20_000
_NORMAL_90 = 1.2816


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What a model is, kept beside it; a model whose metadata do not fit is refused."""

    features_version: int
    sklearn_version: str
    trained_at: dt.datetime
    training_until: dt.date
    training_days: int
    rows: int
    seed: int
    calibration: float
    """Reads seen per read forecast, out of bag: undoes the bias of learning on logarithms."""


@dataclass(frozen=True, slots=True)
class ForecastModel:
    """A trained forest and what it is."""

    forest: "RandomForestRegressor"
    metadata: ModelMetadata


@dataclass(frozen=True, slots=True)
class Forecast:
    """Reads expected in the coming seven days."""

    model: str
    by_object: Array
    low: float
    """10th percentile of the total."""
    high: float
    """90th percentile of the total."""

    @property
    def total(self) -> float:
        """All objects together."""
        return float(self.by_object.sum())


def train(objects: Objects, history: History, *, seed: int, now: dt.datetime) -> ForecastModel:
    """Train on the past weeks of all objects. The same input and seed give the same model.

    Raises ModelError when there is too little history.
    """
    rows, targets = _training_rows(objects, history, np.random.default_rng(seed))
    # half of the brain's start: loaded once there is something to learn from
    import sklearn
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        n_estimators=TREES,
        min_samples_leaf=5,
        max_features=0.4,
        max_samples=0.7,
        oob_score=True,
        random_state=seed,
        n_jobs=1,
    )
    forest.fit(rows, np.log1p(targets))
    expected = float(np.expm1(forest.oob_prediction_).sum())
    calibration = float(targets.sum()) / expected if expected > 0 else 1.0
    metadata = ModelMetadata(
        features_version=FEATURES_VERSION,
        sklearn_version=sklearn.__version__,
        trained_at=now,
        training_until=history.until,
        training_days=history.observed_days,
        rows=len(rows),
        seed=seed,
        calibration=min(max(calibration, 0.2), 5.0),
    )
    return ForecastModel(forest, metadata)


def forecast(model: ForecastModel, objects: Objects, history: History) -> Forecast:
    """Forecast with a model. Raises ModelError when the history is too short for its features."""
    reads = _proven(history)
    if reads.shape[1] < MIN_HISTORY_DAYS:
        raise ModelError(_too_short(reads.shape[1]))
    by_object = np.zeros(len(objects))
    by_tree = np.zeros(len(model.forest.estimators_))
    for start in range(0, len(objects), _OBJECTS_AT_A_TIME):
        part = slice(start, start + _OBJECTS_AT_A_TIME)
        rows = features(
            reads[part], reads.shape[1], objects.age_days[part], objects.size_bytes[part]
        )
        # Quiet objects are many and alike: each distinct row is forecast once.
        distinct, where = np.unique(rows, axis=0, return_inverse=True)
        where = where.reshape(-1)
        counts = np.bincount(where, minlength=len(distinct))
        trees = np.stack([np.expm1(t.predict(distinct)) for t in model.forest.estimators_])
        trees *= model.metadata.calibration
        by_object[part] = trees.mean(axis=0)[where]
        by_tree += trees @ counts
    low, high = np.quantile(by_tree, [0.1, 0.9])
    name = f"random-forest-{TREES} (trained {model.metadata.training_until})"
    return Forecast(name, np.maximum(by_object, 0.0), max(float(low), 0.0), float(high))


def fallback(history: History) -> Forecast:
    """Forecast without a model: the same as last week, or a weighted mean of the days there are."""
    reads = _proven(history)
    days = reads.shape[1]
    if days >= HORIZON_DAYS:
        name = "same-as-last-week"
        by_object = reads[:, -HORIZON_DAYS:].sum(axis=1, dtype=np.float64)
    elif days:
        name = "ewma"
        weights = 0.5 ** (np.arange(days)[::-1] / 3.0)
        by_object = reads @ (weights / weights.sum()) * HORIZON_DAYS
    else:
        # No complete day at all: what was seen so far is the least that is known.
        name = "reads-seen"
        by_object = history.reads_in(HORIZON_DAYS)
    total = float(by_object.sum())
    spread = _NORMAL_90 * total**0.5
    return Forecast(name, np.asarray(by_object), max(total - spread, 0.0), total + spread)


def _training_rows(
    objects: Objects, history: History, random: np.random.Generator
) -> tuple[Matrix, Array]:
    reads = _proven(history)
    days = reads.shape[1]
    origins = list(range(days - HORIZON_DAYS, MIN_HISTORY_DAYS - 1, -HORIZON_DAYS))[:MAX_ORIGINS]
    if days < MIN_HISTORY_DAYS or not origins:
        raise ModelError(_too_short(days))
    rows, targets = [], []
    for origin in origins:
        age = objects.age_days - (days - origin)
        born = np.flatnonzero(age >= 0)
        if len(born) > MAX_ROWS // len(origins):
            born = np.sort(random.choice(born, MAX_ROWS // len(origins), replace=False))
        rows.append(features(reads[born], origin, age[born], objects.size_bytes[born]))
        ahead = reads[born, origin : origin + HORIZON_DAYS]
        targets.append(ahead.sum(axis=1, dtype=np.float64))
    found = int(sum(map(len, targets)))
    if found < MIN_ROWS:
        raise ModelError(f"only {found} rows to learn from, {MIN_ROWS} are needed")
    return np.concatenate(rows), np.concatenate(targets)


def _proven(history: History) -> npt.NDArray[np.uint16]:
    """Leave out days without a complete signal: they are unknown, not zero."""
    days = np.flatnonzero(history.complete)
    if len(days) and days[-1] - days[0] + 1 == len(days):
        return history.reads[:, days[0] : days[-1] + 1]  # no gap, so no copy
    return history.reads[:, history.complete]


def _too_short(days: int) -> str:
    return (
        f"{days} complete days of history; the forecast model needs {MIN_HISTORY_DAYS} and a week"
    )
