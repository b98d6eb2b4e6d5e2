"""What is known about each object at the end of a day, as features of a forecast.

Everything comes from rows that had been ingested by that day and from objects that were born
by then. Sums are of whole numbers in float64, hence exact and the same in any order.
"""

import numpy as np
import numpy.typing as npt

from cloudflux.brain.replay.families import base_name, directory_name, families
from cloudflux.brain.replay.ledger import ByDay
from cloudflux.brain.replay.trace import NEVER, Array, Trace

Matrix = npt.NDArray[np.float32]

FEATURES_VERSION = 1
WINDOWS = (1, 3, 7, 14, 30, 60, 90, 180, 365)
CAP_PER_DAY = 3.0
"""More reads than this in a day count as this many: rare bursts would drown everything else."""
_YEAR, _SEASON = 365, 60

NAMES = (
    "log_idle_days",
    "log_age_days",
    "log_size",
    *(f"log_reads_{window}d" for window in WINDOWS),
    *(f"read_days_{window}d" for window in WINDOWS[2:]),
    "log_lifetime_rate",
    "log_last_gap",
    "log_mean_gap",
    "idle_by_mean_gap",
    "read_days_same_season_last_year",
    "trend_30_90",
    *(
        f"{kind}_{name}"
        for kind in ("versions", "directory")
        for name in ("newer", "log_days_since_newer", "log_days_since_newest", "log_others_30d")
    ),
)


class Histories:
    """Walks through a trace, day after day; `features` describes the day that was reached."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        count = len(trace)
        self._seen = ByDay(
            np.minimum(trace.seen, trace.until + 1).astype(np.int32), trace.train_from, trace.until
        )
        self.day = trace.train_from - 1
        self.last_read = np.full(count, NEVER, dtype=np.int32)
        self._last_gap = np.zeros(count)
        self._mean_gap = np.zeros(count)
        self._lifetime = np.zeros(count)
        ids = trace.ids.tolist()
        self._families = [
            families([key(name) for name in ids], trace.first_day)
            for key in (base_name, directory_name)
        ]

    def advance(self, day: int) -> None:
        """Take in everything that became known up to and including a day."""
        while self.day < day:
            self.day += 1
            rows = self._seen.on(self.day)
            if len(rows):
                self._take(self.trace.row[rows], self.trace.day[rows], self.trace.reads[rows])

    def _take(self, row: npt.NDArray[np.int32], day: npt.NDArray[np.int32], reads: Array) -> None:
        self._lifetime += np.bincount(row, weights=reads, minlength=len(self._lifetime))
        latest = self.last_read.copy()
        np.maximum.at(latest, row, day)
        which = np.unique(row)
        which = which[(latest[which] > self.last_read[which]) & (self.last_read[which] > NEVER)]
        gap = (latest[which] - self.last_read[which]).astype(np.float64)
        known = self._mean_gap[which] > 0
        self._mean_gap[which] = np.where(known, 0.7 * self._mean_gap[which] + 0.3 * gap, gap)
        self._last_gap[which] = gap
        self.last_read = latest

    def features(self, which: npt.NDArray[np.intp]) -> Matrix:
        """Describe some objects, all of them born by the day that was reached."""
        day, trace = self.day, self.trace
        count = len(trace)
        known = self._known_since(day - _YEAR)
        row, reads = trace.row[known], trace.reads[known]
        back = day - trace.day[known]
        age = (day - trace.first_day[which]).astype(np.float64)
        idle = np.minimum(day - np.maximum(self.last_read[which], trace.first_day[which]), age)
        sums: dict[int, Array] = {}
        read_days: dict[int, Array] = {}
        for window in reversed(WINDOWS):
            recent = back < window
            row, reads, back = row[recent], reads[recent], back[recent]
            sums[window] = np.asarray(
                np.bincount(row, weights=reads, minlength=count), dtype=np.float64
            )
            read_days[window] = np.bincount(row, minlength=count)[which].astype(np.float64)
        month = sums[30]
        picked = {window: total[which] for window, total in sums.items()}
        mean_gap = self._mean_gap[which]
        columns = [
            np.log1p(idle),
            np.log1p(age),
            np.log1p(trace.known_size_bytes[which]),
            *(np.log1p(picked[window]) for window in WINDOWS),
            *(read_days[window] for window in WINDOWS[2:]),
            np.log1p(1000.0 * self._lifetime[which] / (age + 30.0)),
            np.log1p(self._last_gap[which]),
            np.log1p(mean_gap),
            np.where(mean_gap > 0, np.minimum(idle / np.maximum(mean_gap, 1.0), 20.0), -1.0),
            self._last_season(which),
            np.log1p(picked[30]) - np.log1p(picked[90] / 3.0),
        ]
        for family in range(len(self._families)):
            columns += self._siblings(family, which, month)
        return np.column_stack(columns).astype(np.float32)

    def _known_since(self, first: int) -> npt.NDArray[np.int64]:
        """Return rows of days after `first` that are known by now."""
        begin = max(first, self.trace.train_from - 1)
        rows = self._seen.between(begin + 1, self.day)
        return rows[self.trace.day[rows] > first]

    def _last_season(self, which: npt.NDArray[np.intp]) -> Array:
        """Count read days in what comes next, one year ago; -1 where that is not recorded."""
        end = self.day - _YEAR + _SEASON
        first = self.day - _YEAR
        rows = self._known_since(first)
        rows = rows[self.trace.day[rows] <= end]
        found = np.bincount(self.trace.row[rows], minlength=len(self.trace))[which]
        recorded = np.maximum(self.trace.first_day[which], self.trace.train_from) <= first
        return np.where(recorded, found, -1.0)

    def _siblings(self, family: int, which: npt.NDArray[np.intp], month: Array) -> list[Array]:
        group = self._families[family]
        code = group.code[which]
        born = self.trace.first_day <= self.day
        members = np.bincount(group.code[born], minlength=group.count)
        others = np.bincount(group.code, weights=np.minimum(month, 90.0), minlength=group.count)
        newest = np.full(group.count, NEVER, dtype=np.int64)
        np.maximum.at(newest, group.code[born], self.trace.first_day[born])
        since_newest = (self.day - newest[code]).astype(np.float64)
        newer = np.maximum(members[code] - group.older[which] - 1, 0)
        superseded = self.day - group.next_birth[which].astype(np.int64)
        return [
            np.log1p(np.where(superseded >= 0, newer, 0.0)),
            np.where(superseded >= 0, np.log1p(np.maximum(superseded, 0)), -1.0),
            np.log1p(since_newest),
            np.log1p(np.maximum(others[code] - np.minimum(month[which], 90.0), 0.0)),
        ]
