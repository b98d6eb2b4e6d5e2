"""What a store with archive classes can do: say how far a restore is, and ask for one."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable


class RestoreState(StrEnum):
    """Whether an object's content can be read."""

    ARCHIVED = "archived"
    UNDERWAY = "underway"
    READABLE = "readable"


@dataclass(frozen=True, slots=True)
class Restoration:
    """What a store says of the restore of one object."""

    state: RestoreState
    until: dt.datetime | None = None
    """When a restored copy expires; None: it does not, or the store does not say."""


@runtime_checkable
class Restorable(Protocol):
    """A store with classes whose objects must be restored before they can be read."""

    def archives_unseen(self) -> bool:
        """Whether a listing may show objects as readable that are archived."""
        ...

    def restoration(self, key: str) -> Restoration:
        """How far the restore of an object is. Raises ObjectNotFound."""
        ...

    def restore(self, key: str, *, tier: str, days: int, to_class: str | None) -> None:
        """Ask for it; harmless while one is under way.

        `tier` is Standard, Bulk or Expedited. The restored copy lives for `days`, or the object
        goes to `to_class` (None: the dearest) where the store has no copies beside the archive.
        """
        ...
