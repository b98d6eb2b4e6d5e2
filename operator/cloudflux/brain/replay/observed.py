"""A day of a trace as the operator itself would see it: objects, and a year of their reads."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cloudflux.brain.inputs import HISTORY_DAYS, History, Objects, history_from_rows
from cloudflux.brain.replay.trace import Array, Trace


def as_observed(
    trace: Trace,
    day: int,
    born: npt.NDArray[np.intp],
    classes: Sequence[str] | None = None,
    held_days: Array | None = None,
) -> tuple[Objects, History]:
    """Return some objects and their history, as it was known at the end of a day.

    Every day since the trace began counts as proven. Without `held_days` an object has been in
    its class since it was born.
    """
    length = min(HISTORY_DAYS, day - trace.train_from + 1)
    place = np.full(len(trace), -1, dtype=np.intp)
    place[born] = np.arange(len(born))
    known = np.flatnonzero((trace.seen <= day) & (trace.day <= day) & (trace.day > day - length))
    until = dt.date(1970, 1, 1) + dt.timedelta(days=day)
    history = history_from_rows(
        len(born),
        place[trace.row[known]],
        trace.day[known].astype("datetime64[D]"),
        trace.reads[known],
        [until - dt.timedelta(days=back) for back in range(length)],
        until,
        length,
    )
    age = (day - trace.first_day[born]).astype(np.float64)
    names = trace.ids[born].tolist()
    return (
        Objects(
            keys=names,
            versions=[""] * len(names),
            storage_class=[""] * len(names) if classes is None else classes,
            size_bytes=trace.known_size_bytes[born],
            age_days=age,
            days_in_class=age if held_days is None else held_days,
            last_access_days=np.full(len(born), np.nan),
        ),
        history,
    )
