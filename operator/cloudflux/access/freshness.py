"""Is the access signal fresh and complete enough to decide on? Pure.

A day without a logged read is a zero only if its logs were delivered; else it is unknown.
Server access logs come hours late and in no order, so that a day counts as complete when it
has records of its own (any request of any data below the log prefix, the operator's own
listings among them) and a log object was delivered after its end.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

ATIME_SIGNAL = "atime:"
"""Signals of file access times begin so; a file has at most one provable read a day."""

LATE_AFTER = dt.timedelta(hours=48)
"""Logs come within hours, seldom within a day: two days of silence are a fault."""
WINDOW_DAYS = 30
"""Days that the verdict looks at."""
MIN_COVERAGE_PERCENT = 95

COMPLETE, PARTIAL, UNKNOWN = "complete", "partial", "unknown"
_RANK = {UNKNOWN: 0, PARTIAL: 1, COMPLETE: 2}


@dataclass(frozen=True, slots=True)
class SignalSpan:
    """What one signal has delivered: first day, newest delivery, its records' days."""

    first_day: dt.date | None
    newest_at: dt.datetime | None
    days: frozenset[dt.date]
    off_day: dt.date | None = None
    """Last day on which the signal was seen switched off (noatime)."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """The verdict, and the figures behind it."""

    fresh: bool
    reason: str
    message: str
    observed_days: int = 0
    coverage_percent: int = 0


def day_states(
    spans: Mapping[str, SignalSpan], since: dt.date, until: dt.date
) -> dict[dt.date, str]:
    """State of each day, both included: the best that any signal says of it."""
    states = {}
    for offset in range((until - since).days + 1):
        day = since + dt.timedelta(offset)
        known = (_state(signal, span, day) for signal, span in spans.items())
        states[day] = max(known, key=_RANK.__getitem__, default=UNKNOWN)
    return states


def _state(signal: str, span: SignalSpan, day: dt.date) -> str:
    if span.newest_at is None or span.first_day is None:
        return UNKNOWN
    newest = span.newest_at.date()
    if signal.startswith(ATIME_SIGNAL):
        off = span.off_day is not None and day <= span.off_day
        if off or not span.first_day <= day <= newest:
            return UNKNOWN
    elif day not in span.days:
        return UNKNOWN
    return COMPLETE if newest > day else PARTIAL


def assess(
    spans: Mapping[str, SignalSpan],
    now: dt.datetime,
    retention_days: int,
    trouble: tuple[str, str] | None = None,
) -> Freshness:
    """Judge the signals of a data set. `trouble`: reason and message of one that can't be read."""
    today = now.date()
    states = day_states(spans, today - dt.timedelta(retention_days - 1), today)
    complete = sorted(day for day, state in states.items() if state == COMPLETE)
    newest = max((s.newest_at for s in spans.values() if s.newest_at), default=None)
    if not spans:
        return Freshness(
            False, "NoAccessSource", "spec.access.sources is empty: name an access signal there"
        )
    observed, share = len(complete), 0 if newest is None else _share(states, newest)
    if trouble is not None:
        return Freshness(False, *trouble, observed, share)
    if newest is None:
        message = "no access log was ever delivered: switch logging on, or correct the log location"
        return Freshness(False, "AccessLogsMissing", message)
    if now - newest > LATE_AFTER:
        hours = int((now - newest).total_seconds() // 3600)
        message = f"the newest access log is {hours} hours old: is logging still on?"
        return Freshness(False, "AccessLogsLate", message, observed, share)
    if not complete:
        message = "the history has begun; its first whole day ends at midnight UTC"
        return Freshness(False, "AccessHistoryShort", message)
    if share < MIN_COVERAGE_PERCENT:
        message = (
            f"{share} % of the last {WINDOW_DAYS} days have proven logs,"
            f" {MIN_COVERAGE_PERCENT} % are needed: some days' logs did not arrive"
        )
        return Freshness(False, "AccessCoverageLow", message, observed, share)
    message = f"{observed} days are proven, {share} % of the last {WINDOW_DAYS}"
    return Freshness(True, "AccessLogsFresh", message, observed, share)


def _share(states: Mapping[dt.date, str], newest: dt.datetime) -> int:
    """Percent of complete days among the last WINDOW_DAYS before the newest delivery's day.

    A history that began later than the window is judged from its first day.
    """
    known = [day for day, state in states.items() if state != UNKNOWN]
    if not known:
        return 0
    last = newest.date() - dt.timedelta(1)
    first = max(min(known), last - dt.timedelta(WINDOW_DAYS - 1))
    days = (last - first).days + 1
    if days <= 0:
        return 0
    complete = sum(first <= day <= last and s == COMPLETE for day, s in states.items())
    return 100 * complete // days
