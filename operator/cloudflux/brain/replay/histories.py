"""What is known about each object at the end of a day, as features of a forecast.

Everything comes from rows that had been ingested by that day and from objects that were born
by then. Sums of windows are of whole numbers in float64, hence exact; fading rates are summed
in the order of days, hence the same whatever comes later.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cloudflux.brain.replay.families import base_names, directory_names, families
from cloudflux.brain.replay.ledger import ByDay
from cloudflux.brain.replay.trace import NEVER, Array, Trace

Matrix = npt.NDArray[np.float32]

FEATURES_VERSION = 2
WINDOWS = (1, 3, 7, 14, 30, 60, 90, 180, 365)
CAP_PER_DAY = 3.0
"""More reads than this in a day count as this many: rare bursts would drown everything else."""
HALF_LIVES = (60, 180, 365, 1000)
"""Days after which a read weighs half in a fading rate: a slow one knows what is rarely read."""
_PRIOR_DAYS = 30.0
"""Days without a read that every rate begins with: little history is little proof."""
_YEAR, _SEASON = 365, 60

NAMES = (
    "log_idle_days",
    "log_age_days",
    "log_size",
    *(f"log_reads_{window}d" for window in WINDOWS),
    *(f"read_days_{window}d" for window in WINDOWS[2:]),
    "log_lifetime_rate",
    *(f"log_rate_half_life_{half}d" for half in HALF_LIVES),
    "log_observed_days",
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
        first, last = trace.train_from, trace.until
        self._seen = ByDay(np.minimum(trace.seen, last + 1).astype(np.int32), first, last)
        self._happened = ByDay(trace.day, first, last)
        self.day = first - 1
        self.last_read = np.full(count, NEVER, dtype=np.int32)
        self._last_gap = np.zeros(count)
        self._mean_gap = np.zeros(count)
        self._lifetime = np.zeros(count)
        self._fading = {half: np.zeros(count) for half in HALF_LIVES}
        """Reads in weights of the first day: growing with the day, they need no daily fading."""
        self._reads = {window: np.zeros(count) for window in WINDOWS}
        """Known reads of the last so many days, kept up to date day by day."""
        self._read_days = {window: np.zeros(count) for window in WINDOWS[2:]}
        names = pa.array(trace.ids, pa.string())
        self._families = [
            families(names_of(names), trace.first_day) for names_of in (base_names, directory_names)
        ]

    def advance(self, day: int) -> None:
        """Take in everything that became known up to and including a day."""
        while self.day < day:
            self.day += 1
            self._let_go()
            rows = self._seen.on(self.day)
            if len(rows):
                self._take(self.trace.row[rows], self.trace.day[rows], self.trace.reads[rows])

    def _let_go(self) -> None:
        """Take out of each window the day that is too old for it now."""
        for window in WINDOWS:
            old = self.day - window
            if old < self.trace.train_from:
                break
            rows = self._happened.on(old)
            rows = rows[self.trace.seen[rows] < self.day]
            row = self.trace.row[rows]
            np.subtract.at(self._reads[window], row, self.trace.reads[rows])
            if window in self._read_days:
                np.subtract.at(self._read_days[window], row, 1.0)

    def _take(self, row: npt.NDArray[np.int32], day: npt.NDArray[np.int32], reads: Array) -> None:
        np.add.at(self._lifetime, row, reads)
        capped, elapsed = np.minimum(reads, CAP_PER_DAY), day - self.trace.train_from
        for half, total in self._fading.items():
            np.add.at(total, row, capped * 2.0 ** (elapsed / half))
        for window in WINDOWS:
            recent = day > self.day - window
            np.add.at(self._reads[window], row[recent], reads[recent])
            if window in self._read_days:
                np.add.at(self._read_days[window], row[recent], 1.0)
        which, before = np.unique(row), self.last_read
        latest = before[which]
        np.maximum.at(before, row, day)
        newer = (before[which] > latest) & (latest > NEVER)
        which, latest = which[newer], latest[newer]
        gap = (before[which] - latest).astype(np.float64)
        known = self._mean_gap[which] > 0
        self._mean_gap[which] = np.where(known, 0.7 * self._mean_gap[which] + 0.3 * gap, gap)
        self._last_gap[which] = gap

    def features(self, which: npt.NDArray[np.intp]) -> Matrix:
        """Describe some objects, all of them born by the day that was reached."""
        day, trace = self.day, self.trace
        age = (day - trace.first_day[which]).astype(np.float64)
        idle = np.minimum(day - np.maximum(self.last_read[which], trace.first_day[which]), age)
        picked = {window: total[which] for window, total in self._reads.items()}
        read_days = {window: total[which] for window, total in self._read_days.items()}
        month = self._reads[30]
        mean_gap = self._mean_gap[which]
        columns = [
            np.log1p(idle),
            np.log1p(age),
            np.log1p(trace.known_size_bytes[which]),
            *(np.log1p(picked[window]) for window in WINDOWS),
            *(read_days[window] for window in WINDOWS[2:]),
            *self._rates(which),
            np.log1p(self._last_gap[which]),
            np.log1p(mean_gap),
            np.where(mean_gap > 0, np.minimum(idle / np.maximum(mean_gap, 1.0), 20.0), -1.0),
            self._last_season(which),
            np.log1p(picked[30]) - np.log1p(picked[90] / 3.0),
        ]
        for family in range(len(self._families)):
            columns += self._siblings(family, which, month)
        return np.column_stack(columns).astype(np.float32)

    def _rates(self, which: npt.NDArray[np.intp]) -> list[Array]:
        """Reads per day recorded: of the whole record, then fading; and the days recorded.

        An object's days before the record began are unknown, not days without a read.
        """
        trace = self.trace
        begin = np.maximum(trace.first_day[which], trace.train_from)
        observed = (self.day - begin + 1).astype(np.float64)
        found = [np.log1p(1000.0 * self._lifetime[which] / (observed + _PRIOR_DAYS))]
        for half, total in self._fading.items():
            fades_by = 0.5 ** (1 / half)
            reads = total[which] * 0.5 ** ((self.day - trace.train_from) / half)
            days = (1.0 - fades_by**observed) / (1.0 - fades_by)
            found.append(np.log1p(1000.0 * reads / (days + _PRIOR_DAYS)))
        return [*found, np.log1p(observed)]

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
