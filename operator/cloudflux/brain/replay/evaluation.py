"""How good are the forecasts? Rolling origins: learn before, look at what came after."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from cloudflux.brain import forecast as weekly
from cloudflux.brain.replay.histories import Histories, Matrix
from cloudflux.brain.replay.ledger import ByDay
from cloudflux.brain.replay.observed import as_observed
from cloudflux.brain.replay.trace import Array, Trace
from cloudflux.errors import ModelError

HORIZONS = (7, 30, 90, 180)
WEEK = 7
HOT_READS, WARM_READS = 7.0, 1.0
CLASSES = ("COLD", "WARM", "HOT")
_ORIGINS_TO_LEARN = 8
_BETWEEN_ORIGINS_DAYS = 30
_MAX_ROWS = 40_000
_BINS = 10
_MEDIAN_WEEKS = 7

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Score:
    """How often one way of forecasting named the class of the next week, over all origins."""

    forecaster: str
    accuracy: float
    worst_accuracy: float
    balanced_accuracy: float
    """Mean over the classes that occur of the share that was recognised."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Objects of about the same forecast, and what came of them."""

    forecast: float
    seen: float
    objects: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """P(no read in the next `horizon_days`): calibration, and whether it knows anything."""

    horizon_days: int
    brier: float
    brier_of_base_rate: float
    """Of always saying the share seen while learning."""
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was measured."""

    origins: tuple[str, ...]
    week: tuple[Score, ...]
    silence: tuple[Reliability, ...]
    left_out: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return everything for programs."""
        return asdict(self)


def evaluate(trace: Trace, *, origins: int = 4, seed: int = 0) -> Evaluation:
    """Measure at the last origins before the trace ends, each a week or more from the next.

    An origin's forecast learns from what was known at its end. Raises ModelError when the
    history is too short for a single origin.
    """
    ends = _origins(trace, origins)
    left_out: list[str] = []
    rounds = [_week_round(trace, origin, seed, left_out) for origin in ends]
    silence = []
    for horizon in HORIZONS:
        found = _silence(trace, horizon, seed)
        if found is None:
            left_out.append(f"no read in {horizon} days: too little history to learn and to check")
        else:
            silence.append(found)
    return Evaluation(
        origins=tuple(str(np.datetime64(origin, "D")) for origin in ends),
        week=tuple(_scores(rounds)),
        silence=tuple(silence),
        left_out=tuple(dict.fromkeys(left_out)),
    )


def classes_of(reads_a_week: Array) -> Labels:
    """Name a week: HOT from a read a day on, WARM from one a week on, COLD below."""
    return np.digitize(reads_a_week, [WARM_READS, HOT_READS]).astype(np.int64)


def _origins(trace: Trace, count: int) -> list[int]:
    last = trace.until - WEEK
    first = trace.train_from + weekly.MIN_HISTORY_DAYS + 2 * WEEK
    if last < first:
        raise ModelError(
            f"{trace.until - trace.train_from + 1} days of history; evaluating needs "
            f"{weekly.MIN_HISTORY_DAYS + 3 * WEEK}"
        )
    # spread over the later half of the history, so that the seasons are not all one
    span = (last - max(first, (first + last) // 2)) // max(count - 1, 1)
    step = max(span, WEEK)
    return list(range(last, first - 1, -step))[:count][::-1]


@dataclass(frozen=True, slots=True)
class _Round:
    truth: Labels
    said: dict[str, Labels]


def _week_round(trace: Trace, origin: int, seed: int, left_out: list[str]) -> _Round:
    """Forecast one week in every way, and look what came."""
    by_day = ByDay(trace.day, trace.train_from, trace.until)
    born = np.flatnonzero(trace.first_day <= origin)

    def reads(first: int, last: int, known_by: int) -> Array:
        rows = by_day.between(max(first, trace.train_from), last)
        rows = rows[trace.seen[rows] <= known_by]
        total = np.bincount(trace.row[rows], weights=trace.reads[rows], minlength=len(trace))
        return np.asarray(total[born], dtype=np.float64)

    truth = classes_of(reads(origin + 1, origin + WEEK, trace.until))
    weeks = [
        reads(origin - WEEK * (back + 1) + 1, origin - WEEK * back, origin)
        for back in range(_MEDIAN_WEEKS)
    ]
    before = classes_of(weeks[0])
    said = {
        "constant": np.full(len(born), np.bincount(before, minlength=3).argmax()),
        "same as last week": before,
        "seven-week median": classes_of(np.median(weeks, axis=0)),
    }
    try:
        said[f"random forest ({weekly.TREES} trees)"] = _forest(trace, origin, born, seed)
    except ModelError as error:
        left_out.append(f"random forest at {np.datetime64(origin, 'D')}: {error}")
    return _Round(truth, said)


def _forest(trace: Trace, origin: int, born: npt.NDArray[np.intp], seed: int) -> Labels:
    """Forecast with the operator's forest; its cuts are those that fitted the week before best."""
    objects, history = as_observed(trace, origin, born)
    now = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=origin)
    model = weekly.train(objects, history, seed=seed, now=now)
    ahead = weekly.forecast(model, objects, history).by_object
    # the forecast of last week, by the same model, tells where its numbers part the classes
    last_objects, last_history = as_observed(trace, origin - WEEK, born)
    then = weekly.forecast(model, last_objects, last_history).by_object
    seen = classes_of(np.asarray(history.reads[:, -WEEK:].sum(axis=1), dtype=np.float64))
    old = last_objects.age_days >= 0
    cuts = best_cuts(then[old], seen[old])
    return np.digitize(ahead, cuts).astype(np.int64)


def best_cuts(forecast: Array, truth: Labels) -> tuple[float, float]:
    """Return the two numbers that part COLD, WARM and HOT with the most hits.

    Hits weigh half by object and half by class, so that a rare class is not given up.
    """
    counts = np.bincount(truth, minlength=3).astype(np.float64)
    known = counts > 0
    worth = 0.5 / max(len(truth), 1) + np.where(
        known, 0.5 / np.maximum(counts, 1.0) / max(int(known.sum()), 1), 0.0
    )
    hits = np.zeros((len(_LOW), len(_HIGH)))
    for row, low in enumerate(_LOW):
        for column, high in enumerate(_HIGH):
            right = np.digitize(forecast, [low, high]) == truth
            hits[row, column] = worth[truth[right]].sum()
    best = divmod(int(np.argmax(hits)), len(_HIGH))
    return float(_LOW[best[0]]), float(_HIGH[best[1]])


_LOW = np.array([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2])
_HIGH = np.array([4.5, 5.0, 5.5, 6.0, 6.25, 6.5, 6.75, 7.0, 7.5])


def _scores(rounds: list[_Round]) -> list[Score]:
    found = []
    for name in dict.fromkeys(name for each in rounds for name in each.said):
        both = [(each.truth, each.said[name]) for each in rounds if name in each.said]
        hits = [float((truth == said).mean()) if len(truth) else 1.0 for truth, said in both]
        truth, said = (np.concatenate(part) for part in zip(*both, strict=True))
        recalls = [(said[truth == each] == each).mean() for each in np.unique(truth)]
        found.append(
            Score(
                name,
                float(np.mean(hits)),
                min(hits),
                float(np.mean(recalls)) if recalls else 1.0,
            )
        )
    return found


def _silence(trace: Trace, horizon: int, seed: int) -> Reliability | None:
    """Learn P(no read) at earlier origins, calibrate it at a later one, check it at the last."""
    check = trace.until - horizon
    calibrate = check - horizon
    first = calibrate - horizon - _BETWEEN_ORIGINS_DAYS * (_ORIGINS_TO_LEARN - 1)
    first = max(first, trace.train_from + 30)
    learn = list(range(calibrate - horizon, first - 1, -_BETWEEN_ORIGINS_DAYS))[::-1]
    if not learn:
        return None
    walk, random = Histories(trace), np.random.default_rng(seed)
    by_day = ByDay(trace.day, trace.train_from, trace.until)
    sets = [
        _labelled(trace, walk, by_day, origin, horizon, random)
        for origin in (*learn, calibrate, check)
    ]
    rows = np.concatenate([each[0] for each in sets[:-2]])
    silent = np.concatenate([each[1] for each in sets[:-2]])
    if not 0 < silent.sum() < len(silent) or not len(sets[-1][1]):
        return None
    model = HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.1, max_leaf_nodes=12, min_samples_leaf=40, random_state=seed
    ).fit(rows, silent)
    raw = np.asarray(model.predict_proba(sets[-2][0])[:, 1])
    table = calibration(raw, sets[-2][1])
    chance = np.interp(model.predict_proba(sets[-1][0])[:, 1], *table)
    came = sets[-1][1].astype(np.float64)
    base = float(silent.mean())
    return Reliability(
        horizon_days=horizon,
        brier=float(((chance - came) ** 2).mean()),
        brier_of_base_rate=float(((base - came) ** 2).mean()),
        bins=tuple(_bins(chance, came)),
    )


def calibration(said: Array, came: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return what was said and what it was worth: isotonic, shrunk where there is little."""
    from sklearn.isotonic import IsotonicRegression

    if not 0 < came.sum() < len(came):
        return np.array([0.0, 1.0]), np.array([0.0, 1.0])
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(said, came)
    grid = np.linspace(0.0, 1.0, 101)
    # half of what it says itself: one origin is one season
    return grid, 0.5 * grid + 0.5 * np.asarray(fitted.predict(grid), dtype=np.float64)


def _labelled(
    trace: Trace,
    walk: Histories,
    by_day: ByDay,
    origin: int,
    horizon: int,
    random: np.random.Generator,
) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    walk.advance(origin)
    born = np.flatnonzero(trace.first_day <= origin)
    if len(born) > _MAX_ROWS // 4:
        born = np.sort(random.choice(born, _MAX_ROWS // 4, replace=False))
    read = np.zeros(len(trace), dtype=np.bool_)
    read[trace.row[by_day.between(origin + 1, origin + horizon)]] = True
    return walk.features(born), ~read[born]


def _bins(chance: Array, came: Array) -> list[Bin]:
    place = np.minimum((chance * _BINS).astype(np.int64), _BINS - 1)
    return [
        Bin(float(chance[place == n].mean()), float(came[place == n].mean()), int(count))
        for n, count in enumerate(np.bincount(place, minlength=_BINS))
        if count
    ]


def as_text(found: Evaluation) -> str:
    """Write the evaluation for people."""
    lines = [
        f"next week HOT, WARM or COLD, at {', '.join(found.origins)}:",
        f"  {'forecast':28} {'accuracy':>9} {'worst':>7} {'balanced':>9}",
    ]
    lines += [
        f"  {each.forecaster:28} {each.accuracy:9.3f} {each.worst_accuracy:7.3f} "
        f"{each.balanced_accuracy:9.3f}"
        for each in found.week
    ]
    for each in found.silence:
        lines += [
            "",
            f"no read in {each.horizon_days} days: Brier {each.brier:.4f}, "
            f"of the base rate {each.brier_of_base_rate:.4f}",
            f"  {'forecast':>9} {'came':>7} {'objects':>9}",
        ]
        lines += [f"  {one.forecast:9.3f} {one.seen:7.3f} {one.objects:9}" for one in each.bins]
    lines += [f"left out: {each}" for each in found.left_out]
    return "\n".join(lines)
