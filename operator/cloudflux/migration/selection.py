"""Which objects of a data set a job moves: all, or those of its selection."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudflux.api.display import counted
from cloudflux.api.move_tasks import PlanRequest
from cloudflux.migration.files import read_lines
from cloudflux.storage.interface import ObjectInfo


@dataclass(frozen=True, slots=True)
class Reads:
    """What the access store knows of a data set's reads."""

    known: bool = False
    """There is a proven signal over the days that are asked for."""
    last_30d: Mapping[str, int] = field(default_factory=dict)
    read_since_idle: frozenset[str] = frozenset()
    """Keys that were read within the selection's idle days."""


class Selector:
    """Says of each listed object whether the job wants it."""

    def __init__(self, request: PlanRequest, state_dir: Path, reads: Reads) -> None:
        self.prefix = request.prefix or ""
        self._request, self._reads = request, reads
        self._wanted: dict[str, str] | None = None
        self._expected: dict[str, float] = {}
        self._missing_list = False
        self._changed = self._taken = 0
        if request.recommendation is not None:
            self._load(state_dir, request.recommendation)

    def wants(self, info: ObjectInfo) -> bool:
        """Say whether this object is to move."""
        request = self._request
        if self._wanted is not None:
            version = self._wanted.get(info.key)
            if version is None:
                return False
            if version != info.version:
                self._changed += 1
                return False
        if request.min_size_bytes is not None and info.size_bytes < request.min_size_bytes:
            return False
        if request.idle_days is not None and not self._idle(info, request.idle_days):
            return False
        self._taken += 1
        return True

    def reads_30d(self, key: str) -> float:
        """Return reads of an object in 30 days: as the recommendation expects, else as seen."""
        seen = self._reads.last_30d.get(key, 0)
        return self._expected.get(key, float(seen))

    def problems(self) -> Iterator[str]:
        """Yield what makes the selection impossible."""
        if self._missing_list:
            yield (
                f"the recommendation {self._request.recommendation} is not known any more; "
                "take a present one from the DataSet's status"
            )
        if self._request.idle_days is not None and not self._reads.known:
            yield (
                "selection.idleDays needs a proven access history over those days; "
                "the DataSet's condition AccessHistoryFresh says what is missing"
            )

    def warnings(self) -> Iterator[str]:
        """Yield what the user should know of it."""
        if self._changed:
            objects = counted(self._changed, "object")
            yield f"{objects} changed since the recommendation and left out"

    def _idle(self, info: ObjectInfo, days: int) -> bool:
        written_lately = self._request.now - info.last_modified < dt.timedelta(days=days)
        return not written_lately and info.key not in self._reads.read_since_idle

    def _load(self, state_dir: Path, recommendation: str) -> None:
        name = Path(recommendation).name
        path = state_dir / "recommendations" / self._request.data_set_uid / f"{name}.jsonl"
        self._missing_list = not path.exists()
        self._wanted = {}
        for row in read_lines(path):
            self._wanted[row["key"]] = row["version"]
            self._expected[row["key"]] = row["reads_30d"]
