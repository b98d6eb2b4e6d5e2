"""Policies to hold a decision against: they look at nothing but the state that they are shown."""

from collections.abc import Callable, Mapping

import numpy as np

from cloudflux.brain.prices import BYTES_PER_GB
from cloudflux.brain.replay.fees import Fees
from cloudflux.brain.replay.ledger import Decide, Moves, State
from cloudflux.brain.replay.trace import Array, Days, Trace

WARM_AFTER_DAYS, COLD_AFTER_DAYS = 30, 90


def fixed(target: int) -> Decide:
    """Put every object into one class on its first day and leave it there."""

    def decide(state: State) -> Moves | None:
        rows = np.flatnonzero(state.born & (state.since == state.day) & (state.klass != target))
        return Moves(rows.astype(np.int32), np.full(len(rows), target, dtype=np.int8), "fixed")

    return decide


def by_age(warm: int, cold: int) -> Decide:
    """Move down at 30 and 90 days of age, as a lifecycle rule does; never back."""

    def decide(state: State) -> Moves | None:
        age = state.day - state.first_day
        return _down(state, age, warm, cold, "age")

    return decide


def by_idle(warm: int, cold: int, base: int) -> Decide:
    """Move down after 30 and 90 days without a read; back to the base class on a read."""

    def decide(state: State) -> Moves | None:
        read = np.unique(state.seen_rows)
        read = read[(state.klass[read] != base) & state.born[read]]
        down = _down(state, state.idle_days(), warm, cold)
        kept = ~np.isin(down.row, read)
        back = np.full(len(read), base, dtype=np.int8)
        return Moves(
            np.concatenate([read, down.row[kept]]).astype(np.int32),
            np.concatenate([back, down.target[kept]]),
            np.array(["read"] * len(read) + ["idle"] * int(kept.sum()), dtype=object),
        )

    return decide


def ski_rental(fees: Fees, size_bytes: Array, cold: int) -> Decide:
    """Move down when the rent wasted by waiting equals the cost of a wrong move, and back alike.

    Deterministic ski rental both ways between the base class and one cold class: 2-competitive
    for each gap between reads taken alone.
    """
    base = fees.base
    saved = fees.rent[base] - fees.rent[cold]
    back = fees.move[cold][base]
    wasted = fees.move[base][cold] + fees.per_gb[cold] * size_bytes / BYTES_PER_GB
    with np.errstate(divide="ignore", invalid="ignore"):
        wait_days = np.where(saved > 0, wasted / np.where(saved > 0, saved, 1.0), np.inf)
    premium = fees.read_cost(cold, size_bytes) - fees.read_cost(base, size_bytes)
    paid = np.zeros(len(size_bytes))

    def decide(state: State) -> Moves | None:
        np.add.at(paid, state.seen_rows, state.seen_reads * premium[state.seen_rows])
        down = state.born & (state.klass == base) & (state.idle_days() >= wait_days)
        missing = np.maximum(fees.min_days[cold] - (state.day + 1 - state.since), 0)
        up = (state.klass == cold) & (paid > back + missing * fees.rent[cold]) & (paid > 0)
        rows = np.flatnonzero(down | up)
        paid[rows] = 0.0
        paid[state.klass == base] = 0.0
        return Moves(rows.astype(np.int32), np.where(up[rows], base, cold).astype(np.int8))

    return decide


def all_baselines(trace: Trace, fees: Fees) -> Mapping[str, Callable[[], Decide | None]]:
    """Return each baseline that these classes allow, by name; each call makes a fresh one."""
    found: dict[str, Callable[[], Decide | None]] = {f"always {fees.names[fees.base]}": _nothing}
    for position, name in enumerate(fees.names):
        if position != fees.base:
            found[f"always {name}"] = lambda target=position: fixed(target)  # type: ignore[misc]
    ladder = cheaper_classes(fees)
    if ladder:
        warm, cold = ladder[0], ladder[-1]
        found["age 30/90"] = lambda: by_age(warm, cold)
        found["idle 30/90 with promotion"] = lambda: by_idle(warm, cold, fees.base)
        found["ski rental both ways"] = lambda: ski_rental(fees, trace.known_size_bytes, cold)
    return found


def cheaper_classes(fees: Fees) -> list[int]:
    """Return the classes below the base class that can be read at once, dearest storage first.

    Automatic classes are no step of a ladder.
    """
    below = [
        position
        for position in range(len(fees))
        if not fees.steps[position]
        and not fees.archived[position]
        and fees.per_gb_month[position] < fees.per_gb_month[fees.base]
    ]
    return sorted(below, key=lambda position: -fees.per_gb_month[position])


def _nothing() -> None:
    return None


def _down(state: State, days: Days, warm: int, cold: int, why: str = "idle") -> Moves:
    target = np.where(days >= COLD_AFTER_DAYS, cold, warm)
    due = state.born & (days >= WARM_AFTER_DAYS) & (state.klass != target) & (state.klass != cold)
    rows = np.flatnonzero(due)
    return Moves(rows.astype(np.int32), target[rows].astype(np.int8), why)
