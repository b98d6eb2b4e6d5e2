"""What moves were worth: the reads that really came, with the moves and without them.

Without them every object had stayed where it was. The rules of the classes are those of the
replay; the fees of a move are those of a change of class at our request.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cloudflux.brain import cost
from cloudflux.brain.prices import PriceTable
from cloudflux.brain.replay.fees import build_fees
from cloudflux.brain.replay.ledger import Moves, Replayer, State
from cloudflux.brain.replay.trace import Array, Days, Trace


@dataclass(frozen=True, slots=True)
class Step:
    """Objects that went to another class at the end of a day."""

    day: int
    rows: npt.NDArray[np.int32]
    target: str


@dataclass(frozen=True, slots=True)
class Saved:
    """By object of the trace; money in the table's currency."""

    running: Array
    """Rent and reads saved up to the trace's last day; below 0: the move made it dearer."""
    fees: Array
    """What the moves themselves cost."""


def saved_by(
    trace: Trace, table: PriceTable, stayed_in: Sequence[str], steps: Sequence[Step]
) -> Saved:
    """Replay from the first step to the trace's last day, with the steps and without them.

    `stayed_in` is the class of each object before its first step. Raises PriceUnknown.
    """
    targets = [step.target for step in steps]
    names = dict.fromkeys((table.base_class, *stayed_in, *targets))
    fees = build_fees(table, list(names), trace.size_bytes)
    position = {name: code for code, name in enumerate(fees.names)}
    placed = np.array([position[name] for name in stayed_in], dtype=np.int8)
    start = min((step.day for step in steps), default=trace.until)
    old = np.minimum(trace.first_day, start - 1).astype(np.int32)
    replayer = Replayer(replace(trace, first_day=old), fees, start=start)
    stay = replayer.run(None, placed=placed)
    moved = replayer.run(_Scheduled(steps, position), placed=placed)
    return Saved(
        running=stay.total - (moved.total - moved.one_off),
        fees=_fees(trace, table, stayed_in, steps),
    )


class _Scheduled:
    """Makes the moves that were made."""

    def __init__(self, steps: Sequence[Step], position: dict[str, int]) -> None:
        self._steps, self._position = steps, position

    def __call__(self, state: State) -> Moves | None:
        today = [step for step in self._steps if step.day == state.day]
        if not today:
            return None
        rows = np.concatenate([step.rows for step in today])
        target = np.concatenate(
            [np.full(len(step.rows), self._position[step.target]) for step in today]
        )
        return Moves(rows.astype(np.int32), target.astype(np.int8))


def _fees(
    trace: Trace, table: PriceTable, stayed_in: Sequence[str], steps: Sequence[Step]
) -> Array:
    total = np.zeros(len(trace))
    present = list(stayed_in)
    since = trace.first_day.astype(np.float64)
    for step in sorted(steps, key=lambda each: each.day):
        sources = [present[row] for row in step.rows.tolist()]
        for name, where in cost.by_class(sources).items():
            rows = step.rows[where]
            held = step.day - since[rows]
            total[rows] += cost.class_change(table, name, step.target, trace.size_bytes[rows], held)
        for row in step.rows.tolist():
            present[row] = step.target
        since[step.rows] = step.day
    return total


def promised_by(
    table: PriceTable,
    sources: Sequence[str],
    targets: Sequence[str],
    size_bytes: Array,
    reads_per_day: Array,
    idle_days: Array,
    days: Days,
) -> Array:
    """Return what moves were expected to save in their first `days`, fees aside, by object.

    By the reads that were expected when they were advised, and with the steps of automatic
    classes as they come: a class that is dear in its first month is not late with its saving.
    """
    total = np.zeros(len(size_bytes))
    alike: dict[tuple[str, str, int], list[int]] = {}
    for row, each in enumerate(zip(sources, targets, days.tolist(), strict=True)):
        alike.setdefault(each, []).append(row)
    for (source, target, elapsed), found in alike.items():
        rows = np.array(found)
        size, rate = size_bytes[rows], reads_per_day[rows]
        stay = _running(table, source, size, rate, idle_days[rows], elapsed)
        then = _running(table, target, size, rate, np.zeros(len(rows)), elapsed)
        total[rows] = stay - then
    return total


def _running(
    table: PriceTable, name: str, size_bytes: Array, rate: Array, idle_days: Array, days: int
) -> Array:
    if days < 1:
        return np.zeros(len(size_bytes))
    rent = cost.storage_cost(table, name, size_bytes, rate, idle_days, days)
    return rent + rate * days * cost.read_cost(table, name, size_bytes)
