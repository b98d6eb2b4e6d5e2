"""Unknown days are not zeros, and a late signal is no signal."""

import datetime as dt

from cloudflux.access.freshness import ATIME_SIGNAL, SignalSpan, assess, day_states

NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
TODAY = NOW.date()
LOGS = "s3logs:x"
ATIME = ATIME_SIGNAL + "ds"


def days(first, last, missing=()):
    span = [TODAY - dt.timedelta(n) for n in range(last, first + 1)]
    return frozenset(d for n, d in enumerate(span, last) if n not in missing)


def span(first=60, last=0, missing=(), newest=NOW):
    known = days(first, last, missing)
    return SignalSpan(min(known), newest, known)


def test_fresh():
    verdict = assess({LOGS: span()}, NOW, 400)
    assert (verdict.fresh, verdict.reason) == (True, "AccessLogsFresh")
    assert (verdict.observed_days, verdict.coverage_percent) == (60, 100)


def test_a_day_without_delivered_logs_is_unknown_and_today_is_partial():
    states = day_states({LOGS: span(missing=(3,))}, TODAY - dt.timedelta(4), TODAY)
    assert list(states.values()) == ["complete", "unknown", "complete", "complete", "partial"]
    assert set(day_states({}, TODAY, TODAY).values()) == {"unknown"}


def test_a_gap_lowers_coverage_until_nothing_is_decided():
    one = assess({LOGS: span(missing=(3,))}, NOW, 400)
    assert (one.fresh, one.coverage_percent, one.observed_days) == (True, 96, 59)
    two = assess({LOGS: span(missing=(3, 9))}, NOW, 400)
    assert (two.fresh, two.reason, two.coverage_percent) == (False, "AccessCoverageLow", 93)
    old = assess({LOGS: span(missing=range(40, 50))}, NOW, 400)
    assert (old.fresh, old.observed_days) == (True, 50)


def test_late_after_two_days():
    newest = NOW - dt.timedelta(hours=47)
    assert assess({LOGS: span(last=2, newest=newest)}, NOW, 400).fresh
    newest = NOW - dt.timedelta(hours=49)
    late = assess({LOGS: span(last=2, newest=newest)}, NOW, 400)
    assert (late.fresh, late.reason, late.observed_days) == (False, "AccessLogsLate", 58)
    assert "49 hours" in late.message


def test_no_signal_is_said():
    assert assess({}, NOW, 400).reason == "NoAccessSource"
    empty = SignalSpan(None, None, frozenset())
    assert assess({LOGS: empty}, NOW, 400).reason == "AccessLogsMissing"
    trouble = assess({LOGS: span()}, NOW, 400, ("AccessTimesOff", "noatime"))
    assert (trouble.fresh, trouble.reason, trouble.message) == (False, "AccessTimesOff", "noatime")


def test_the_first_day_is_short_history():
    first = assess({LOGS: span(first=0)}, NOW, 400)
    assert (first.fresh, first.reason) == (False, "AccessHistoryShort")


def test_access_times_prove_the_days_since_the_files_are_there():
    known = SignalSpan(TODAY - dt.timedelta(90), NOW, frozenset())
    verdict = assess({ATIME: known}, NOW, 400)
    assert (verdict.fresh, verdict.observed_days) == (True, 90)
    assert assess({ATIME: known}, NOW, 30).observed_days == 29


def test_a_scan_with_noatime_ends_what_access_times_prove():
    known = SignalSpan(TODAY - dt.timedelta(90), NOW, frozenset(), TODAY - dt.timedelta(10))
    states = day_states({ATIME: known}, TODAY - dt.timedelta(11), TODAY)
    assert list(states.values()) == ["unknown"] * 2 + ["complete"] * 9 + ["partial"]


def test_signals_complete_each_other_and_never_lower():
    atime = SignalSpan(TODAY - dt.timedelta(5), NOW, frozenset())
    states = day_states({LOGS: span(missing=(3,)), ATIME: atime}, TODAY - dt.timedelta(4), TODAY)
    assert list(states.values()) == ["complete"] * 4 + ["partial"]
