"""What the strategy Predictive wants, as decisions take it: by object, before any guardrail."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.brain.inputs import Array

PREDICTED_DAYS = 60
NO_OPINION = -2
"""The object is in a class that the rule knows nothing of: the floors decide on it."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """By object, in the order of the data set's objects."""

    target: npt.NDArray[np.intp]
    """Position among `names`, or NO_OPINION."""
    names: tuple[str, ...]
    reads_60d: Array
    """Expected in the next 60 days, at most three a day counted."""

    def wants(self, name: str, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Where a class is the one that is wanted."""
        position = self.names.index(name) if name in self.names else NO_OPINION - 1
        return np.asarray(self.target[rows] == position)

    def silent(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Where it has no opinion."""
        return np.asarray(self.target[rows] == NO_OPINION)
