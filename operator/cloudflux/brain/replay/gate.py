"""The gate: no rule decides anything until replay shows that it would have been cheaper."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cloudflux.brain.replay.fees import Fees
from cloudflux.brain.replay.ledger import Bill, Replayer
from cloudflux.brain.replay.prior import Prior
from cloudflux.brain.replay.rule import Scores, ThresholdRule, Thresholds
from cloudflux.brain.replay.trace import Array, Trace

MIN_DAYS = 120
_BLOCK_DAYS = 30


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rule that may decide, None when none is clearly better than staying home."""

    chosen: Thresholds | None
    days: int
    """Days that were replayed."""
    advantage: float
    """Share of the home bill that the chosen rule would have saved, less one standard error."""


def judge(
    trace: Trace,
    fees: Fees,
    scores: Scores,
    candidates: Sequence[Thresholds],
    day: int,
    days: int,
) -> Verdict:
    """Replay each candidate over the days before and including `day`."""
    start = max(day - days, trace.train_from + 1)
    while start <= day and start not in scores:
        start += 1
    if day - start < MIN_DAYS:
        return Verdict(None, 0, 0.0)
    past = _past(trace, start, day)
    replayer = Replayer(past, fees, start=start)
    home = replayer.run(Prior(fees))
    weight = _weights(past, fees)
    best, chosen = 0.0, None
    for candidate in candidates:
        rule = ThresholdRule(fees, scores, past.known_size_bytes, candidate, explain=False)
        bill = replayer.run(rule)
        score = _score(bill, home, weight)
        if score < best and bill.total.sum() < home.total.sum():
            best, chosen = score, candidate
    total = float((home.total * weight).sum())
    return Verdict(chosen, day - start, -best / total if total > 0 else 0.0)


def _score(bill: Bill, home: Bill, weight: Array) -> float:
    """Return the weighted difference to staying home, plus one standard error of its sum."""
    there = weight > 0
    difference = ((bill.total - home.total) * weight)[there]
    if not len(difference):
        return 0.0
    by_object = float(difference.std() * np.sqrt(len(difference)))
    return float(difference.sum()) + by_object


def _weights(trace: Trace, fees: Fees) -> Array:
    """Weigh objects alike: the few largest would else be all of the money, and all of the noise."""
    rent = fees.rent[fees.base]
    there = trace.first_day <= trace.until
    weight = np.where(there & fees.watched & (rent > 0), 1.0 / np.where(rent > 0, rent, 1.0), 0.0)
    return np.asarray(weight)


def _past(trace: Trace, start: int, day: int) -> Trace:
    """Return the trace as it was known at the end of a day; objects keep their positions."""
    known = (trace.seen <= day) & (trace.day <= day)
    return replace(
        trace,
        decide_from=start,
        until=day,
        row=trace.row[known],
        day=trace.day[known],
        seen=trace.seen[known],
        reads=trace.reads[known],
        requests=trace.requests[known],
        read_gb=trace.read_gb[known],
    )
