"""Recorded history as arrays: objects, their reads by day, and when each row became known.

Days are whole days since 1970-01-01. What is known at the end of day d are the rows whose
`seen` is at most d; a read is billed on its own day, whenever it became known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cloudflux.brain.prices import BYTES_PER_GB

Array = npt.NDArray[np.float64]
Days = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int32]

NEVER = np.iinfo(np.int32).min // 2
"""A day before all others, for what has not happened."""


@dataclass(frozen=True, slots=True)
class RawReads:
    """Rows as they were read: positions into the objects (-1: unknown object), days, counts."""

    row: Rows
    day: Array
    """Days since the epoch; NaN where missing."""
    reads: Array
    seen: Array
    """Day of ingest; NaN where missing, which means the day itself."""
    bytes_read: Array
    """NaN where not recorded: every read is of the whole object."""
    requests: Array
    """NaN where not recorded: one request a read."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Objects sorted by name, and their reads sorted by object and day."""

    ids: npt.NDArray[np.str_]
    size_bytes: Array
    """Unknown sizes are the median of all; this is what is billed."""
    known_size_bytes: Array
    """Unknown sizes are the median of what was there in time; this is what is decided on."""
    first_day: Days
    row: Rows
    day: Days
    seen: Days
    reads: Array
    requests: Array
    read_gb: Array
    train_from: int
    decide_from: int
    until: int
    rejected: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def start(self) -> Days:
        """First day that is billed, by object."""
        return np.maximum(self.first_day, self.decide_from).astype(np.int32)


def build_trace(
    ids: Sequence[str] | npt.NDArray[np.str_],
    size_bytes: Array,
    first_day: Array,
    raw: RawReads,
    *,
    train_from: int | None,
    decide_from: int,
    until: int,
) -> Trace:
    """Clean, sort and check. Sizes and first days may be NaN; sizes below 0 are unknown too.

    No `train_from` means from the first read on. Objects born after `until` are left out, and
    rows that can't be used are left out and counted.
    """
    if train_from is None:
        days = raw.day[np.isfinite(raw.day) & (raw.reads > 0) & (raw.row >= 0)]
        train_from = min(int(days.min()), decide_from) if len(days) else decide_from
    names = np.asarray(ids, dtype=np.str_)
    notes: list[str] = []
    unborn_date = ~np.isfinite(first_day)
    if unborn_date.any():
        notes.append(
            f"{int(unborn_date.sum())} objects without first_day are taken as there from the start"
        )
    born = np.where(unborn_date, train_from, first_day)
    keep = np.flatnonzero(born <= until)
    keep = keep[np.argsort(names[keep], kind="stable")]
    place = np.full(len(names) + 1, -1, dtype=np.int64)
    place[keep] = np.arange(len(keep))
    size = np.where(np.isfinite(size_bytes) & (size_bytes >= 0), size_bytes, np.nan)[keep]
    if np.isnan(size).any():
        notes.append(f"{int(np.isnan(size).sum())} objects of unknown size count as the median")
    first = born[keep].astype(np.int32)
    rows, rejected = _clean(raw, place, first, train_from, until)
    billed = np.where(np.isnan(size), _median(size), size)
    row = rows["row"].astype(np.int32)
    whole_gb = rows["reads"] * billed[row] / BYTES_PER_GB
    requests = np.where(np.isnan(rows["requests"]), rows["reads"], rows["requests"])
    read_gb = np.where(np.isnan(rows["bytes"]), whole_gb, rows["bytes"] / BYTES_PER_GB)
    return Trace(
        ids=names[keep],
        size_bytes=billed,
        known_size_bytes=_sizes_as_known(size, first, decide_from),
        first_day=first,
        row=row,
        day=rows["day"].astype(np.int32),
        seen=rows["seen"].astype(np.int32),
        reads=rows["reads"],
        requests=np.maximum(requests, 0.0),
        read_gb=np.maximum(read_gb, 0.0),
        train_from=train_from,
        decide_from=decide_from,
        until=until,
        rejected=rejected,
        notes=tuple(notes),
    )


def _clean(
    raw: RawReads, place: npt.NDArray[np.int64], first: Days, train_from: int, until: int
) -> tuple[dict[str, Array], dict[str, int]]:
    """Leave out what can't be: each rejected row counts once, under the first reason that fits."""
    row = place[raw.row]
    seen = np.where(np.isnan(raw.seen), raw.day, raw.seen)
    with np.errstate(invalid="ignore"):
        reasons = {
            "missing": ~(np.isfinite(raw.day) & np.isfinite(raw.reads)),
            "negative": (raw.reads < 0) | (raw.bytes_read < 0) | (raw.requests < 0),
            "future": (raw.day > until) | (seen < raw.day),
            "unknown_object": row < 0,
        }
        birth = first[np.maximum(row, 0)] if len(first) else np.zeros(len(row))
        reasons["before_first_day"] = raw.day < birth
    good = np.ones(len(row), dtype=np.bool_)
    counts: dict[str, int] = {}
    for reason, bad in reasons.items():
        counts[reason] = int((good & bad).sum())
        good &= ~bad
    good &= (raw.reads > 0) & (raw.day >= train_from)
    picked = {
        "row": row[good].astype(np.float64),
        "day": raw.day[good],
        "seen": seen[good],
        "reads": raw.reads[good],
        "bytes": raw.bytes_read[good],
        "requests": raw.requests[good],
    }
    order = np.lexsort((picked["seen"], picked["day"], picked["row"]))
    return {name: values[order] for name, values in picked.items()}, counts


def _median(size: Array) -> float:
    known = size[np.isfinite(size)]
    return float(np.median(known)) if len(known) else 0.0


def _sizes_as_known(size: Array, first: Days, decide_from: int) -> Array:
    """Fill unknown sizes with the median of the objects that were there when it was needed."""
    filled = size.copy()
    unknown = np.flatnonzero(np.isnan(size))
    needed = np.maximum(first[unknown], decide_from)
    for day in np.unique(needed):
        filled[unknown[needed == day]] = _median(size[first <= day])
    return filled
