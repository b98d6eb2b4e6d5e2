"""The forecast of the next 60 days: one model over all objects of a trace."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import ThreadpoolController

from cloudflux.brain.replay.histories import CAP_PER_DAY, Histories, Matrix
from cloudflux.brain.replay.trace import Array, Trace

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

HORIZON_DAYS = 60
_LOOK_BACK_DAYS = 730
_BETWEEN_ORIGINS_DAYS = 20
_MAX_ROWS = 120_000
_ROWS_FOR_THREADS = 50_000
"""With fewer, starting threads takes longer than they save."""
MIN_ROWS = 300
MIN_READ_ROWS = 20
"""With fewer rows in which anything was read there is nothing to learn from."""


@lru_cache(maxsize=1)
def _threads() -> ThreadpoolController:
    """Find the thread pools once: looking for them takes longer than a forecast."""
    return ThreadpoolController()


@dataclass(frozen=True, slots=True)
class Forecaster:
    """A trained model; `trained_until` is the last day that it knows anything of."""

    model: "HistGradientBoostingRegressor"
    trained_until: int
    rows: int

    def expected_reads(self, features: Matrix) -> Array:
        """Forecast the reads of the next 60 days, at most three a day counted."""
        if not len(features):
            return np.empty(0)
        # each row is forecast by itself, so that threads change nothing but the time
        with _threads().limit(limits=1 if len(features) < _ROWS_FOR_THREADS else None):
            return np.asarray(self.model.predict(features), dtype=np.float64)


def train(trace: Trace, until: int, *, seed: int) -> Forecaster | None:
    """Train on what was known at the end of a day; None when that is too little."""
    found = training_rows(trace, until, seed)
    if found is None:
        return None
    rows, target = found
    # half of a process's start: loaded once there is something to learn from
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        loss="poisson",
        max_iter=100,
        learning_rate=0.08,
        # small trees of few features each: larger ones learn the bursts of the past by heart
        max_leaf_nodes=8,
        min_samples_leaf=min(max(len(rows) // 400, 20), 100),
        max_features=0.3,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=seed,
    )
    # one thread: sums of several threads differ in the last digit from run to run
    with _threads().limit(limits=1):
        model.fit(rows, target)
    return Forecaster(model, until, len(rows))


def training_rows(trace: Trace, until: int, seed: int) -> tuple[Matrix, Array] | None:
    """Collect features at origins of the past two years, and what came in the 60 days after."""
    last = until - HORIZON_DAYS
    first = max(trace.train_from + 30, last - _LOOK_BACK_DAYS)
    origins = list(range(last, first - 1, -_BETWEEN_ORIGINS_DAYS))[::-1]
    if not origins:
        return None
    walk = Histories(trace)
    random = np.random.default_rng(seed)
    capped = CappedReads(trace, until)
    rows, targets = [], []
    for origin in origins:
        walk.advance(origin)
        born = np.flatnonzero(trace.first_day <= origin)
        limit = _MAX_ROWS // len(origins)
        if len(born) > limit:
            born = np.sort(random.choice(born, limit, replace=False))
        rows.append(walk.features(born))
        targets.append(capped.sum(origin + 1, origin + HORIZON_DAYS)[born])
    target = np.concatenate(targets)
    if len(target) < MIN_ROWS or (target > 0).sum() < MIN_READ_ROWS:
        return None
    return np.concatenate(rows), target


class CappedReads:
    """Reads by object and day, at most three counted, of what is known at the end of a day."""

    def __init__(self, trace: Trace, known_by: int) -> None:
        known = np.flatnonzero((trace.seen <= known_by) & (trace.day <= known_by))
        span = np.int64(trace.until - trace.train_from + 1)
        key = trace.row[known] * span + (trace.day[known] - trace.train_from)
        distinct, where = np.unique(key, return_inverse=True)
        total = np.bincount(where.reshape(-1), weights=trace.reads[known], minlength=len(distinct))
        self._row = (distinct // span).astype(np.int64)
        self._day = (distinct % span).astype(np.int64) + trace.train_from
        self._reads = np.minimum(total, CAP_PER_DAY)
        self._count = len(trace)

    def sum(self, first: int, last: int) -> Array:
        """Add up the days first … last, by object."""
        inside = (self._day >= first) & (self._day <= last)
        return np.asarray(
            np.bincount(self._row[inside], weights=self._reads[inside], minlength=self._count)
        )
