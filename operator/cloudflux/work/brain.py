"""The brain child: reads the access store, decides, and keeps models and object lists."""

import datetime as dt
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

from cloudflux.access.store import open_access_store
from cloudflux.api.brain_tasks import (
    EvaluateRequest,
    EvaluateResult,
    OutcomeTask,
    RecommendationTask,
    StudyRequest,
    TierCost,
    TrendTask,
)
from cloudflux.brain.decide import Decision, decide
from cloudflux.brain.forecast import Forecast, ForecastModel, fallback, forecast, train
from cloudflux.brain.inputs import DataSet, History, Objects
from cloudflux.brain.model_store import load_model, save_model, write_atomically
from cloudflux.brain.money import money_text
from cloudflux.brain.recommend import Recommended
from cloudflux.brain.trend import ahead
from cloudflux.children.context import Context, Operation, Operations
from cloudflux.errors import ModelError, PriceUnknown
from cloudflux.work import study
from cloudflux.work.advice import kept_up, load_book, save_book
from cloudflux.work.history import Totals, history_of, objects_of, totals_of
from cloudflux.work.outcome import outcome_of
from cloudflux.work.placing import PlacingFound, placing_of

MODEL_NAME = "seven-day"
_SECONDS_PER_DAY = 86_400.0
_EPOCH = dt.date(1970, 1, 1)
_KEPT_LISTS = 20
"""Lists of former evaluations kept a data set: a job may still be planned from one."""


def evaluate(request: EvaluateRequest, context: Context) -> EvaluateResult:
    """Decide for one data set. Repeating it writes the same lists again.

    Raises PriceUnknown and ConfigurationError, whose messages say what to change.
    """
    context.check()
    store = open_access_store(context.state_dir)
    objects = objects_of(store.inventory(request.data_set_uid), request.now)
    history = history_of(store, request.data_set_uid, request.now, objects)
    context.check()
    directory = context.state_dir / "models" / request.data_set_uid
    coming = _forecast(directory, objects, history, request, context)
    placing = placing_of(store, directory, objects, request)
    context.check()
    moved = request.last_move_at
    decision = decide(
        DataSet(
            uri=request.uri,
            endpoint=request.endpoint,
            region=request.region,
            objects=objects,
            history=history,
            fresh=request.fresh,
            fresh_message=request.fresh_message,
            last_move_days=None if moved is None else _days(request.now - moved),
        ),
        policy=request.policy,
        forecast=coming,
        overlay=request.price_overlay,
        predicted=placing.predicted,
    )
    context.check()
    lists = context.state_dir / "recommendations" / request.data_set_uid
    book = load_book(directory)
    if request.fresh:
        today = (request.now.date() - _EPOCH).days
        book = kept_up(book, objects, decision.recommendations, today=today)
        save_book(directory, book)
    outcome: OutcomeTask | None = None
    unpriced: tuple[str, ...] = ()
    try:
        outcome = outcome_of(book, store, objects, request)
    except PriceUnknown as error:
        # a class that objects were in before: no reason to decide nothing
        unpriced = (f"what moves have saved is not known: {error}",)
    decision = replace(decision, warnings=(*decision.warnings, *unpriced))
    lines = _write_lists(lists, decision, objects)
    result = _result(decision, lines, placing, outcome)
    totals = totals_of(store, request.data_set_uid, request.now, objects)
    return result if totals is None else result.model_copy(update={"trend": _trend(totals)})


def _days(span: dt.timedelta) -> float:
    return span.total_seconds() / _SECONDS_PER_DAY


def _forecast(
    directory: Path,
    objects: Objects,
    history: History,
    request: EvaluateRequest,
    context: Context,
) -> Forecast:
    try:
        model = _model(directory, objects, history, request)
        context.check()
        return forecast(model, objects, history)
    except ModelError:
        # Expected with a young history; the fall-back's name tells it in the status.
        return fallback(history)


def _model(
    directory: Path, objects: Objects, history: History, request: EvaluateRequest
) -> ForecastModel:
    """Load the model, or train it when there is none that fits or it is older than a day."""
    try:
        model = load_model(directory, MODEL_NAME)
        if request.now - model.metadata.trained_at < dt.timedelta(days=1):
            return model
    except ModelError:
        # Absent, altered or of another version: a new one takes its place.
        pass
    seed = crc32(request.data_set_uid.encode())
    model = train(objects, history, seed=seed, now=request.now)
    save_model(model, directory, MODEL_NAME)
    return model


def _write_lists(directory: Path, decision: Decision, objects: Objects) -> dict[str, str]:
    directory.mkdir(parents=True, exist_ok=True)
    paths = {}
    for each in decision.recommendations:
        path = directory / f"{each.id}.jsonl"
        text = "".join(json.dumps(line) + "\n" for line in _lines(each, objects))
        write_atomically(path, text.encode())
        paths[each.id] = str(path)
    former = sorted(directory.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    for path in former[:-_KEPT_LISTS]:
        path.unlink(missing_ok=True)
    return paths


def _lines(each: Recommended, objects: Objects) -> Iterator[dict[str, Any]]:
    for row, reads in zip(each.rows.tolist(), each.reads_30d.tolist(), strict=True):
        yield {
            "key": objects.keys[row],
            "size_bytes": int(objects.size_bytes[row]),
            "version": objects.versions[row],
            "from": each.source,
            "reads_30d": round(reads, 4),
        }


def _trend(totals: Totals) -> tuple[TrendTask, ...]:
    reads = ahead(totals.reads, totals.known).sums
    size = ahead(totals.size_bytes, totals.known).sums
    return tuple(
        TrendTask(
            days=one.days,
            reads=round(one.expected),
            reads_low=int(one.low),
            reads_high=math.ceil(one.high),
            size_bytes=round(other.expected),
            size_bytes_low=int(other.low),
            size_bytes_high=math.ceil(other.high),
        )
        for one, other in zip(reads, size, strict=True)
    )


def _result(
    decision: Decision,
    paths: dict[str, str],
    placing: PlacingFound,
    outcome: OutcomeTask | None,
) -> EvaluateResult:
    coming = decision.forecast
    return EvaluateResult(
        temperature=decision.temperature.value,
        confidence_percent=decision.confidence_percent,
        tiers=tuple(
            TierCost(
                storage_class=use.storage_class,
                tier=use.tier,
                objects=use.objects,
                size_bytes=use.size_bytes,
                monthly_cost=money_text(use.monthly_cost),
            )
            for use in decision.tiers
        ),
        monthly_cost=money_text(decision.monthly_cost),
        savings_per_month=money_text(decision.savings_per_month),
        currency=decision.currency,
        price_date=decision.price_date,
        forecast_7d=round(coming.total) if coming else None,
        forecast_30d=None if decision.forecast_30d is None else round(decision.forecast_30d),
        forecast_low=int(coming.low) if coming else None,
        forecast_high=round(coming.high) if coming else None,
        forecast_model=coming.model if coming else None,
        recommendations=tuple(
            RecommendationTask(
                id=each.id,
                objects=len(each.rows),
                size_bytes=each.size_bytes,
                source=each.source,
                target=each.target,
                tier=each.tier,
                savings_per_month=money_text(each.savings_per_month),
                one_off_cost=money_text(each.one_off_cost),
                payback_days=each.payback_days,
                confidence_percent=each.confidence_percent,
                reason=each.reason,
                list_path=paths[each.id],
            )
            for each in decision.recommendations
        ),
        why_not=decision.why_not,
        warnings=decision.warnings,
        model=placing.model,
        outcome=outcome,
        study_due=placing.study_due,
    )


OPERATIONS: Operations = {
    "brain.evaluate": Operation(EvaluateRequest, evaluate),
    "brain.study": Operation(StudyRequest, study.serve, gives_way=True),
}
