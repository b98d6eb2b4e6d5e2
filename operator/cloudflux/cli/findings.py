"""What the doctor found: a mark, what was looked at, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and what to do when it is not as it must be."""

    mark: Mark
    what: str
    message: str
