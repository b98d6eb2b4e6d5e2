"""What the advice on a data set was worth, as far as it was followed and as far as it was not."""

import datetime as dt

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cloudflux.access.store import AccessStore
from cloudflux.api.brain_tasks import EvaluateRequest, OutcomeTask
from cloudflux.brain.inputs import Objects
from cloudflux.brain.money import money_text
from cloudflux.brain.policy import with_policy_roots
from cloudflux.brain.prices import PriceTable, load_table, provider_of
from cloudflux.brain.replay.outcome import Saved, Step, promised_by, saved_by
from cloudflux.work.advice import LATER, MOVED, OPEN, Book
from cloudflux.work.history import Recorded, trace_of

_BEFORE_DAYS = 100
"""So long before the first move reads are looked at: where automatic classes had got to."""
_EPOCH = dt.date(1970, 1, 1)


def outcome_of(
    book: Book, store: AccessStore, objects: Objects, request: EvaluateRequest
) -> OutcomeTask | None:
    """Replay the reads that came since; None before there is a whole day to replay.

    Raises PriceUnknown.
    """
    provider = provider_of(request.uri, request.endpoint)
    table = load_table(provider, request.region, request.price_overlay)
    table = with_policy_roots(table, request.policy)
    went, missed = book.of(MOVED, LATER), book.of(OPEN)
    done = _replayed(table, went, store, objects, request)
    left = _replayed(table, missed, store, objects, request)
    if done is None and left is None:
        return None
    moved = went.filter(pc.equal(went["kind"], MOVED))
    promised, per_month = 0.0, float(pc.sum(moved["promised_per_month"]).as_py() or 0.0)
    running = fees = 0.0
    if done is not None:
        recorded, saved = done
        promised = _promised(table, moved, recorded, objects)
        running, fees = float(saved.running.sum()), float(saved.fees.sum())
    until = (done or left)[0].trace.until  # type: ignore[index]
    since = pc.min((went if done is not None else missed)["day"]).as_py()
    return OutcomeTask(
        since=_EPOCH + dt.timedelta(days=since),
        until=_EPOCH + dt.timedelta(days=until),
        objects=len(moved),
        objects_gone=book.gone,
        objects_open=len(missed),
        promised=money_text(promised),
        realised=money_text(running),
        fees=money_text(fees),
        promised_per_month=money_text(per_month),
        realised_per_month=money_text(per_month * running / promised if promised > 0 else 0.0),
        missed=money_text(0.0 if left is None else float(left[1].running.sum())),
    )


def _replayed(
    table: PriceTable,
    rows: pa.Table,
    store: AccessStore,
    objects: Objects,
    request: EvaluateRequest,
) -> tuple[Recorded, Saved] | None:
    if not len(rows):
        return None
    first = pc.min(rows["day"]).as_py()
    only = _places(pc.unique(rows["key"]), objects)
    recorded = trace_of(
        store,
        request.data_set_uid,
        request.now,
        objects,
        only=only,
        train_from=first - _BEFORE_DAYS,
    )
    if recorded is None or recorded.trace.until <= first:
        return None
    of_object = np.full(len(objects), -1, dtype=np.int32)
    of_object[recorded.rows] = np.arange(len(recorded.rows))
    stayed_in = [""] * len(recorded.rows)
    by_step: dict[tuple[int, str], list[int]] = {}
    in_trace = of_object[_places(rows["key"], objects)].tolist()
    days = rows["day"].to_pylist()
    for turn in np.argsort(days, kind="stable").tolist():
        row = in_trace[turn]
        target = rows["target"][turn].as_py()
        by_step.setdefault((days[turn], target), []).append(row)
        stayed_in[row] = stayed_in[row] or rows["source"][turn].as_py()
    steps = [
        Step(day, np.array(found, dtype=np.int32), target)
        for (day, target), found in by_step.items()
    ]
    return recorded, saved_by(recorded.trace, table, stayed_in, steps)


def _promised(table: PriceTable, moved: pa.Table, recorded: Recorded, objects: Objects) -> float:
    days = np.maximum(recorded.trace.until - moved["day"].to_numpy(), 0).astype(np.int32)
    return float(
        promised_by(
            table,
            moved["source"].to_pylist(),
            moved["target"].to_pylist(),
            objects.size_bytes[_places(moved["key"], objects)],
            moved["reads_per_day"].to_numpy(),
            moved["idle_days"].to_numpy(),
            days,
        ).sum()
    )


def _places(keys: pa.ChunkedArray, objects: Objects) -> npt.NDArray[np.intp]:
    found = pc.index_in(keys, value_set=pa.array(objects.keys, pa.string()))
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.intp)
