"""What is decided on: the objects of a data set and their reads by day, as arrays."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
HISTORY_DAYS = 365
"""Days of history that are looked at: rhythms of a quarter are seen, those of a year are not."""
LATE_DAYS = 3
MAX_DAILY_READS = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True)
class Objects:
    """One row an object. Ages are days before the decision; NaN is unknown."""

    keys: Sequence[str]
    versions: Sequence[str]
    storage_class: Sequence[str]
    """Storage class, or the URI of the disk root."""
    size_bytes: Array
    age_days: Array
    """Since the object was first seen."""
    days_in_class: Array
    """Since it was last written, which a class change by copy is too."""
    last_access_days: Array
    """Since the last access that the store itself proves (file access time); NaN: it can't."""

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class History:
    """Reads by object (row) and day (column, ascending, the last is the day of the decision)."""

    until: dt.date
    reads: npt.NDArray[np.uint16]
    complete: npt.NDArray[np.bool_]
    """Days whose signal is proven complete. Reads of other days are a lower bound."""

    @property
    def days(self) -> int:
        """Number of columns."""
        return int(self.reads.shape[1])

    @property
    def observed_days(self) -> int:
        """Number of complete days."""
        return int(self.complete.sum())

    def reads_in(self, days: int) -> Array:
        """Sum the reads of the last `days` days, by object; a day still running comes on top."""
        columns = days if self.complete[-1] else days + 1
        return np.asarray(self.reads[:, -columns:].sum(axis=1, dtype=np.float64))

    def coverage_percent(self, days: int) -> float:
        """Return the share of complete days among the last `days`.

        The window ends with the newest complete day, but not more than LATE_DAYS ago: signals
        come late, and the day of the decision is still running.
        """
        late = next((n for n in range(LATE_DAYS) if self.complete[-1 - n]), LATE_DAYS)
        window = self.complete[: self.days - late][-days:]
        return 100.0 * float(window.sum()) / days if days > 0 else 100.0


@dataclass(frozen=True, slots=True)
class DataSet:
    """Everything known of one data set at one instant."""

    uri: str
    objects: Objects
    history: History
    endpoint: str | None = None
    region: str | None = None
    fresh: bool = False
    """The access signal is fresh and proven; where not, nothing moves colder."""
    fresh_message: str = ""
    last_move_days: float | None = None
    """Days since the last move of this data set; None: never moved."""
    warnings: tuple[str, ...] = field(default=())


def history_from_rows(
    objects: int,
    rows: npt.NDArray[np.intp],
    days: npt.NDArray[Any],
    reads: npt.NDArray[Any],
    complete_days: Sequence[dt.date],
    until: dt.date,
    length: int = HISTORY_DAYS,
) -> History:
    """Build the matrix from (object row, day, reads) triples; days outside it are dropped."""
    first = np.datetime64(until, "D") - np.timedelta64(length - 1, "D")
    columns = (np.asarray(days, dtype="datetime64[D]") - first).astype(np.int64)
    inside = (columns >= 0) & (columns < length) & (rows >= 0)
    matrix = np.zeros((objects, length), dtype=np.uint16)
    # Only cells with reads are added up: a second matrix of wider numbers would be twice as large.
    cells, where = np.unique(rows[inside] * length + columns[inside], return_inverse=True)
    sums = np.bincount(where, weights=np.asarray(reads)[inside], minlength=len(cells))
    matrix.reshape(-1)[cells] = np.minimum(sums, MAX_DAILY_READS)
    complete = np.zeros(length, dtype=np.bool_)
    known = (np.asarray(complete_days, dtype="datetime64[D]") - first).astype(np.int64)
    complete[known[(known >= 0) & (known < length)]] = True
    return History(until=until, reads=matrix, complete=complete)
