"""The rule of a study applied to the objects as they are placed today."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cloudflux.brain.predicted import NO_OPINION, Predicted
from cloudflux.brain.prices import PriceTable
from cloudflux.brain.replay.fees import Fees, build_fees
from cloudflux.brain.replay.histories import Histories
from cloudflux.brain.replay.ledger import State
from cloudflux.brain.replay.rule import Scores, ThresholdRule, Thresholds
from cloudflux.brain.replay.study import Placing, Study
from cloudflux.brain.replay.trace import Array, Trace
from cloudflux.errors import ModelError

_HALF_LIFE_DAYS = 30.0
_ROWS_AT_A_TIME = 100_000


def place(
    found: Study,
    trace: Trace,
    table: PriceTable,
    classes: Sequence[str],
    *,
    present: Sequence[str],
    held_days: Array,
) -> Predicted:
    """Return where each object of the trace should be after its last day.

    `present` are the classes that the objects are in, `held_days` how long they have been. What
    is in the base class is decided on as if it had come there today: nothing is owed by it.
    Raises ModelError where the study has no model, or a class of its rule is not among `classes`.
    """
    if found.forecaster is None:
        raise ModelError("the study of this data set has no model")
    fees = build_fees(table, classes, trace.known_size_bytes)
    walk = Histories(trace)
    walk.advance(trace.until)
    born = np.arange(len(trace))
    parts = [
        found.forecaster.expected_reads(walk.features(born[start : start + _ROWS_AT_A_TIME]))
        for start in range(0, len(trace), _ROWS_AT_A_TIME)
    ]
    expected = np.concatenate([np.empty(0), *parts])
    scores = Scores()
    scores.put(trace.until, expected.astype(np.float32))
    rule = ThresholdRule(
        fees, scores, trace.known_size_bytes, _thresholds(found.going_on, fees), explain=False
    )
    rule.first = _thresholds(found.start, fees)
    known = np.array([name in fees.names for name in present], dtype=np.bool_)
    state = _state(trace, fees, walk, present, held_days)
    _show_reads_in_class(trace, state)
    moves = rule(state)
    target = np.where(known, state.klass, NO_OPINION).astype(np.intp)
    if moves is not None:
        ours = known[moves.row]
        target[moves.row[ours]] = moves.target[ours]
    return Predicted(target, fees.names, expected)


def _thresholds(placing: Placing | None, fees: Fees) -> Thresholds | None:
    if placing is None:
        return None
    if placing.cold not in fees.names:
        raise ModelError(
            f"the rule was learnt for {placing.cold}, which the policy does not name any more"
        )
    return Thresholds(fees.names.index(placing.cold), placing.enter, placing.leave)


def _state(
    trace: Trace, fees: Fees, walk: Histories, present: Sequence[str], held_days: Array
) -> State:
    position = {name: code for code, name in enumerate(fees.names)}
    klass = np.array([position.get(name, fees.base) for name in present], dtype=np.int8)
    since = np.maximum(trace.until - np.nan_to_num(held_days), trace.first_day).astype(np.int32)
    return State(
        day=trace.until,
        klass=klass,
        since=np.where(klass == fees.base, trace.until, since).astype(np.int32),
        born=trace.first_day <= trace.until,
        first_day=trace.first_day,
        last_read=walk.last_read,
    )


def _show_reads_in_class(trace: Trace, state: State) -> None:
    """Count what was read since the object came to its class, older reads for less."""
    inside: npt.NDArray[np.bool_] = trace.day >= state.since[trace.row]
    fading = 0.5 ** ((trace.until - trace.day[inside]) / _HALF_LIFE_DAYS)
    state.seen_rows = trace.row[inside]
    state.seen_reads = trace.reads[inside] * fading
