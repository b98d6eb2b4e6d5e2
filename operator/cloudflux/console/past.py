"""Costs, savings and tiers over days, out of the history that a collector keeps.

It outlives the console and knows what was before it; without it the console has only what it saw
itself. Its libraries are large; they are imported when somebody asks.
"""

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path

from cloudflux.api.events import EventType
from cloudflux.console.context import Console
from cloudflux.console.history import remembered
from cloudflux.console.who import Scope
from cloudflux.handlers.resources import Job

DEFAULT_DAYS = 30
MAX_DAYS = 400
DIRECTORY = "history"
MAX_TOLD = 2000
"""Events of progress that are looked through for one job."""


@dataclass(slots=True)
class Day:
    """The amounts at the end of a day, in one currency."""

    day: dt.date
    cost: Decimal = Decimal(0)
    possible: Decimal = Decimal(0)
    realised: Decimal = Decimal(0)
    bytes_by_tier: dict[str, int] = field(default_factory=dict)
    """A class without a tier is called Other."""

    @property
    def at(self) -> dt.datetime:
        """The day as a time."""
        return dt.datetime.combine(self.day, dt.time(), dt.UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose days."""

    cluster: str
    namespaces: tuple[str, ...] | None
    """None: all."""
    data_set: str | None
    currency: str
    since: dt.date
    until: dt.date


async def days_of(
    console: Console, scope: Scope, currency: str, *, days: int = DEFAULT_DAYS,
    namespace: str = "", data_set: str = "",
) -> list[Day]:  # fmt: skip
    """Return the days of what may be seen, from the first that is known on; empty without history.

    Raises Problem 503 when it can't be read.
    """
    directory = console.settings.state_dir
    if not (directory / DIRECTORY).is_dir():
        return []
    seen = _namespaces(scope)
    if namespace:
        seen = (namespace,) if seen is None or namespace in seen else ()
    if seen == ():
        return []
    today = dt.datetime.now(dt.UTC).date()
    asked = Asked(
        console.settings.cluster, seen, data_set or None, currency,
        today - dt.timedelta(days - 1), today,
    )  # fmt: skip
    found: list[Day] = await remembered((directory, asked), partial(read_days, directory, asked))
    return found


async def speed_of(console: Console, job: Job) -> list[tuple[dt.datetime, float]]:
    """Return the speed of a job over time, in bytes a second; empty without history.

    Raises Problem 503 when it can't be read.
    """
    directory = console.settings.state_dir
    if not (directory / DIRECTORY).is_dir():
        return []
    read = partial(
        read_speed, directory, console.settings.cluster, job.namespace,
        job.spec.data_set_ref.name, job.uid, job.created,
    )  # fmt: skip
    found: list[tuple[dt.datetime, float]] = await remembered((directory, job.uid, "speed"), read)
    return found


def read_speed(
    directory: Path, cluster: str, namespace: str, data_set: str, uid: str, since: dt.datetime
) -> list[tuple[dt.datetime, float]]:
    """Read what was told of a job's progress; a collector keeps it for a week."""
    from cloudflux.access.history import Wanted, open_history

    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    told = open_history(directory).events(
        Wanted(cluster, (namespace,), data_set), since, until,
        types=[EventType.MIGRATION_PROGRESS.value], progress=True, limit=MAX_TOLD,
    )  # fmt: skip
    return [
        (one.at, float(one.data["bytesPerSecond"])) for one in reversed(told)
        if one.data.get("jobUid") == uid and isinstance(one.data.get("bytesPerSecond"), int)
    ]  # fmt: skip


def _namespaces(scope: Scope) -> tuple[str, ...] | None:
    if scope.sees("", "datasets"):
        return None
    return tuple(sorted(name for name, plural in scope.within if plural == "datasets"))


def read_days(directory: Path, asked: Asked) -> list[Day]:
    """Read and sum up; days before the first measurement are left out."""
    from cloudflux.access.history import Wanted, open_history

    history = open_history(directory)
    if not history.exists:
        return []
    wanted = Wanted(asked.cluster, asked.namespaces, asked.data_set)
    found: dict[dt.date, Day] = {}
    for point in history.costs(wanted, asked.since, asked.until):
        day = found.setdefault(point.day, Day(point.day))
        tier = point.tier or "Other"
        day.bytes_by_tier[tier] = day.bytes_by_tier.get(tier, 0) + point.bytes
        if point.currency == asked.currency:
            day.cost += point.monthly_cost
    for one in history.savings(wanted, asked.since, asked.until):
        if one.currency == asked.currency and one.day in found:
            found[one.day].possible += one.possible
            found[one.day].realised += one.realised
    return [found[day] for day in sorted(found)]
