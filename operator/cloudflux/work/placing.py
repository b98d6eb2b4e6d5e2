"""What the strategy Predictive wants of a data set now, or why the floors decide."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cloudflux.access.store import AccessStore
from cloudflux.api.brain_tasks import EvaluateRequest, ModelTask
from cloudflux.api.tieringpolicy import Strategy
from cloudflux.brain.inputs import Objects
from cloudflux.brain.predicted import NO_OPINION, Predicted
from cloudflux.brain.replay.placing import place
from cloudflux.brain.replay.study import MIN_HISTORY_DAYS
from cloudflux.errors import ModelError
from cloudflux.work.history import Recorded, observed_days, trace_of
from cloudflux.work.study import Market, drift, is_due, market
from cloudflux.work.study_store import Kept, load_study


@dataclass(frozen=True, slots=True)
class PlacingFound:
    """What decides, and whether it is time to learn anew."""

    predicted: Predicted | None = None
    model: ModelTask | None = None
    study_due: str | None = None


def placing_of(
    store: AccessStore, directory: Path, objects: Objects, request: EvaluateRequest
) -> PlacingFound:
    """Apply the last study of the data set. Never raises ModelError: the floors decide then."""
    place_of = market(
        request.uri, request.endpoint, request.region, request.policy, request.price_overlay
    )
    strategy = request.policy.strategy if request.policy else Strategy.COST_OPTIMAL
    asked = strategy is Strategy.PREDICTIVE
    if place_of is None:
        why = "there is nothing to weigh by a forecast: one class, or directories only"
        return PlacingFound(model=ModelTask(used=False, why=why) if asked else None)
    days = observed_days(store, request.data_set_uid, request.now)
    recorded = None
    if asked and days >= MIN_HISTORY_DAYS:
        recorded = trace_of(store, request.data_set_uid, request.now, objects)
    try:
        day = recorded.trace.until if recorded else 0
        kept = load_study(directory, day=day, with_model=recorded is not None)
        due = is_due(kept, now=request.now, days=days, strategy=strategy, classes=place_of.classes)
        if not asked:
            return PlacingFound(study_due=due)
        return _predicted(kept, recorded, objects, place_of, days, due)
    except ModelError as error:
        why = f"the model is refused: {error}. The floors decide until another one is learnt"
        used = ModelTask(used=False, why=why) if asked else None
        return PlacingFound(model=used, study_due="the last one is refused")


def _predicted(
    kept: Kept | None,
    recorded: Recorded | None,
    objects: Objects,
    place_of: Market,
    days: int,
    due: str | None,
) -> PlacingFound:
    if kept is None or recorded is None:
        why = "the floors decide until a model is learnt"
        if days < MIN_HISTORY_DAYS:
            why = f"{days} days of history, {MIN_HISTORY_DAYS} are needed to learn from"
        return PlacingFound(model=ModelTask(used=False, why=why), study_due=due)
    if kept.study.decided_by is not Strategy.PREDICTIVE:
        return PlacingFound(model=ModelTask(used=False, why=kept.study.why), study_due=due)
    rows = recorded.rows
    found = place(
        kept.study,
        recorded.trace,
        place_of.table,
        place_of.classes,
        present=[objects.storage_class[row] for row in rows.tolist()],
        held_days=objects.days_in_class[rows],
    )
    moved_on = drift(kept, recorded.trace)
    if moved_on is not None:
        why = f"the model has drifted: {moved_on}. The floors decide until another one is learnt"
        return PlacingFound(model=ModelTask(used=False, why=why), study_due=moved_on)
    target = np.full(len(objects), NO_OPINION, dtype=np.intp)
    reads = np.zeros(len(objects))
    target[rows], reads[rows] = found.target, found.reads_60d
    until = np.datetime64(kept.study.day, "D")
    model = ModelTask(used=True, why=f"learnt until {until}; {kept.study.why}")
    return PlacingFound(Predicted(target, found.names, reads), model, due)
