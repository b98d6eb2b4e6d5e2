"""One shape for the lines of all bills, and what every parser shares."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from cloudflux.errors import ConfigurationError

Row = Mapping[str, Any]


class Kind(StrEnum):
    """What a line bills, as far as another class would bill it differently."""

    STORAGE = "storage"
    READS = "reads"
    WRITES = "writes"
    CHANGES = "changes"
    """What would not be there had nothing been moved: retrieval, transitions, early deletion."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line that counts."""

    day: dt.date
    resource: str
    """Bucket or storage account."""
    storage_class: str
    kind: Kind
    amount: float
    """GB-months of storage, single requests; 0 for changes."""
    cost: Decimal
    currency: str
    days: int = 1
    """Days from `day` on that it is for: a monthly report has a line for each month."""

    @property
    def last_day(self) -> dt.date:
        """The last day that it is for."""
        return self.day + dt.timedelta(days=self.days - 1)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The lines of one file, and how many others it holds, by why they don't count."""

    provider: str
    lines: tuple[BillLine, ...]
    left_out: Mapping[str, int]


class BillError(ConfigurationError):
    """A bill that can't be used; the message says what is missing and where to get it."""


def text(row: Row, *names: str) -> str:
    """Return the first of some columns that is filled, as text; empty where none is."""
    for name in names:
        value = row.get(name)
        if value not in (None, ""):
            return str(value)
    return ""


def need(columns: Iterable[str], what: str, *names: str, advice: str) -> None:
    """Raise BillError unless the bill has one of some columns."""
    if not set(columns) & set(names):
        raise BillError(f"the bill has no {what} (a column {' or '.join(names)}): {advice}")


def number(value: str, what: str) -> Decimal:
    """Read a decimal number; empty is 0. Raises BillError."""
    try:
        return Decimal(value) if value else Decimal(0)
    except InvalidOperation as error:
        raise BillError(f"{what} is no number: {value!r}") from error


def days_between(begin: dt.date, end: str) -> int:
    """Count the days up to an end that is not part of them; 1 where no end is given."""
    return max((day_of(end) - begin).days, 1) if end else 1


def day_of(value: str) -> dt.date:
    """Read a day from a date or a time, ISO or month/day/year. Raises BillError."""
    try:
        return dt.date.fromisoformat(value[:10])
    except ValueError:
        pass
    try:
        month, day, year = (int(part) for part in value.split(" ")[0].split("/"))
        return dt.date(year, month, day)
    except ValueError as error:
        raise BillError(f"{value!r} is no day: write it as YYYY-MM-DD") from error
