"""What was found out about a data set and is not in its status yet: steps share a write."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cloudflux.api.dataset import DataSetStatus
from cloudflux.handlers.resources import DataSet

Change = Callable[[DataSet], DataSetStatus]
"""The status that follows from the data set as it is now; pure, and applied anew at each look."""
Tell = Callable[[DataSet, DataSetStatus], None]
"""Says what was written: the data set before, and its status now."""


@dataclass(slots=True)
class Unwritten:
    """Changes in order. Losing them in a kill costs their steps once more, nothing else."""

    changes: list[tuple[Change, int]] = field(default_factory=list)
    """Each with the generation of the spec that it speaks of."""
    _tells: list[Tell] = field(default_factory=list)
    _since: float = 0.0

    def add(self, change: Change, generation: int, tell: Tell | None = None) -> None:
        """Note a change, of which spec it speaks, and what is to be said once it is written."""
        if not self.changes:
            self._since = time.monotonic()
        self.changes.append((change, generation))
        if tell is not None:
            self._tells.append(tell)

    @property
    def age_seconds(self) -> float:
        """For how long the oldest change has waited."""
        return time.monotonic() - self._since if self.changes else 0.0

    def applied(self, data_set: DataSet) -> DataSet:
        """The data set as it will be; others' changes to its status meanwhile are kept.

        What was found out for a spec that was edited since does not speak for the new one.
        """
        for change, generation in self.changes:
            status = change(replace(data_set, generation=min(generation, data_set.generation)))
            observed = max(
                data_set.status.observed_generation or 0, status.observed_generation or 0
            )
            status = status.model_copy(update={"observed_generation": observed})
            data_set = replace(data_set, status=status)
        return data_set

    def written(self, before: DataSet, status: DataSetStatus) -> None:
        """Forget the changes, and say what they were."""
        self.changes.clear()
        tells, self._tells = self._tells, []
        for tell in tells:
            tell(before, status)
