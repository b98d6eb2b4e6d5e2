"""The history of events: what happened, costs and savings over time, for any number of clusters.

`cloudflux collector` fills it out of the events topic, positions and rows in one commit. It is
read by plain functions of `History`; nothing else has to run for that.
"""

import contextlib
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from cloudflux.access.deltalog import newest_version
from cloudflux.access.history_rows import COST, EVENT, HISTORY, POSSIBLE, PROGRESS, REALISED
from cloudflux.access.tables import file_lock, open_table, shared_snapshot
from cloudflux.access.upkeep import is_due, mark_maintained, tidy

HISTORY_DIRECTORY = "history"
PROGRESS_DAYS = 7
"""How a job went on is of interest while it runs and shortly after."""
MAX_EVENTS = 10_000
CARRIED_DAYS = 2
"""A cost that was not told again for so long is no more: the data set is gone."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose history is asked for; what is absent does not matter."""

    cluster: str | None = None
    namespaces: Sequence[str] | None = None
    """Namespaces that may be seen."""
    data_set: str | None = None


@dataclass(frozen=True, slots=True)
class PastEvent:
    """One event as it was told."""

    at: dt.datetime
    id: str
    type: str
    severity: str
    cluster: str
    namespace: str
    data_set: str
    data_set_uid: str
    policy: str
    job: str
    reason: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CostPoint:
    """What one class of a data set cost a month, as measured last on a day."""

    day: dt.date
    cluster: str
    namespace: str
    data_set: str
    tier: str
    storage_class: str
    currency: str
    objects: int
    bytes: int
    monthly_cost: Decimal


@dataclass(frozen=True, slots=True)
class SavingsPoint:
    """Savings a month of a data set at the end of a day: what is possible, and what was done."""

    day: dt.date
    cluster: str
    namespace: str
    data_set: str
    currency: str
    possible: Decimal
    realised: Decimal
    """The sum over all jobs completed up to then, by their plans."""


def open_history(state_dir: Path) -> "History":
    """Open the history of a state directory. Makes nothing."""
    return History(state_dir / HISTORY_DIRECTORY)


class History:
    """One Delta table. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        """Whether a collector has ever been here."""
        return newest_version(self.path / "events") is not None

    # -- writing -------------------------------------------------------------------------

    def table(self) -> DeltaTable:
        """Open the table at its newest version to write; made when absent."""
        return open_table(self.path / "events", HISTORY, ["kind", "month"])

    def append(self, table: DeltaTable, rows: pa.Table, positions: Mapping[str, int]) -> None:
        """Commit rows and positions at once. Raises CommitFailedError when someone was faster."""
        properties = CommitProperties(
            app_transactions=[Transaction(name, one) for name, one in positions.items()],
            max_commit_retries=20,
        )
        write_deltalake(table, rows, mode="append", commit_properties=properties)

    def maintain_if_due(self, now: dt.datetime, history_days: int, event_days: int) -> bool:
        """Once a day: drop what is older than it is kept for, and compact. True: it was tried."""
        if not self.exists or not is_due(self.path, now):
            return False
        with (
            # a commit by somebody else was in the way: the next time tries again
            contextlib.suppress(CommitFailedError),
            file_lock(self.path / "lock"),
        ):
            table = self.table()
            # a clock that has jumped ahead must not make everything look old
            days = table.to_pyarrow_dataset().to_table(columns=["day"])["day"]
            newest = pc.max(days).as_py() or now.date()
            today = min(now.date(), newest + dt.timedelta(CARRIED_DAYS))
            ages = {PROGRESS: PROGRESS_DAYS, EVENT: event_days}
            ages |= dict.fromkeys((COST, POSSIBLE, REALISED), history_days)
            table.delete(
                " OR ".join(
                    f"(kind = '{kind}' AND day < DATE '{today - dt.timedelta(days)}')"
                    for kind, days in ages.items()
                )
            )
            table.optimize.compact()
            tidy(table)
            mark_maintained(self.path)
        return True

    # -- reading -------------------------------------------------------------------------

    def events(
        self,
        wanted: Wanted,
        since: dt.datetime,
        until: dt.datetime,
        *,
        types: Sequence[str] = (),
        progress: bool = False,
        limit: int = 100,
    ) -> list[PastEvent]:
        """Return the newest events of a time, newest first; the end of it is not included.

        `types`: full names of CloudEvents types. `progress`: also how jobs went on. For the page
        that follows, ask until the time of the last one.
        """
        kinds = [EVENT, PROGRESS] if progress else [EVENT]
        where = _between(kinds, since.date(), until.date()) & _of(wanted)
        where &= (pc.field("at") >= pa.scalar(since)) & (pc.field("at") < pa.scalar(until))
        if types:
            where &= pc.field("type").isin(list(types))
        columns = [
            "at", "id", "type", "severity", "cluster", "namespace", "data_set", "data_set_uid",
            "policy", "job", "reason", "data",
        ]  # fmt: skip
        found = self._rows(where, columns)
        count = min(limit, MAX_EVENTS, len(found))
        order = pc.select_k_unstable(found, count, sort_keys=[("at", "descending")])
        return [
            PastEvent(**{**row, "data": json.loads(row["data"])})
            for row in found.take(order).to_pylist()
        ]

    def costs(self, wanted: Wanted, since: dt.date, until: dt.date) -> list[CostPoint]:
        """Return costs by day, data set and class, both days included, oldest first.

        A day shows its last measurement, or that of the day before when there was none.
        """
        points: list[CostPoint] = []
        for day, measured in self._measured(COST, wanted, since, until):
            points += [
                CostPoint(
                    day=day,
                    cluster=row["cluster"],
                    namespace=row["namespace"],
                    data_set=row["data_set"],
                    tier=row["tier"] or "",
                    storage_class=row["storage_class"] or "",
                    currency=row["currency"],
                    objects=row["objects"] or 0,
                    bytes=row["bytes"] or 0,
                    monthly_cost=row["amount"],
                )
                for rows in measured.values()
                for row in rows
            ]
        return points

    def savings(self, wanted: Wanted, since: dt.date, until: dt.date) -> list[SavingsPoint]:
        """Return possible and realised savings by day and data set, both days included."""
        columns = ["day", "cluster", "namespace", "data_set", "currency", "amount"]
        done = self._rows(_between([REALISED], dt.date.min, until) & _of(wanted), columns)
        jobs = sorted(done.to_pylist(), key=lambda row: row["day"])
        realised: dict[tuple[str, str, str, str], Decimal] = {}
        points: list[SavingsPoint] = []
        for day, measured in self._measured(POSSIBLE, wanted, since, until):
            while jobs and jobs[0]["day"] <= day:
                row = jobs.pop(0)
                realised[_name(row)] = realised.get(_name(row), Decimal(0)) + row["amount"]
            possible = {_name(row): row["amount"] for rows in measured.values() for row in rows}
            present = {name[:3] for name in possible}  # a data set that is gone saves nothing
            names = possible.keys() | {name for name in realised if name[:3] in present}
            points += [
                SavingsPoint(
                    day, *name, possible.get(name, Decimal(0)), realised.get(name, Decimal(0))
                )
                for name in sorted(names)
            ]
        return points

    def _measured(
        self, kind: str, wanted: Wanted, since: dt.date, until: dt.date
    ) -> list[tuple[dt.date, dict[tuple[str, str, str], list[dict[str, Any]]]]]:
        """For each day, the rows of each data set's last measurement that still holds."""
        first = since - dt.timedelta(CARRIED_DAYS)
        columns = [
            "day", "at", "hash", "cluster", "namespace", "data_set", "data_set_uid", "tier",
            "storage_class", "currency", "objects", "bytes", "amount",
        ]  # fmt: skip
        found = self._rows(_between([kind], first, until) & _of(wanted), columns)
        whose = ["cluster", "namespace", "data_set_uid"]
        last = found.group_by([*whose, "day"]).aggregate([("at", "max")])
        last = last.rename_columns([*whose, "day", "at"])
        rows = found.join(last, keys=[*whose, "day", "at"], join_type="inner").to_pylist()
        by_day: dict[dt.date, dict[tuple[str, str, str], list[dict[str, Any]]]] = {}
        for row in rows:
            owner = (row["cluster"], row["namespace"], row["data_set_uid"])
            known = by_day.setdefault(row["day"], {}).setdefault(owner, [])
            if not known or known[0]["hash"] == row["hash"]:
                known.append(row)
        days = []
        for n in range((until - since).days + 1):
            day = since + dt.timedelta(n)
            held: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
            for back in range(CARRIED_DAYS, -1, -1):
                held |= by_day.get(day - dt.timedelta(back), {})
            days.append((day, held))
        return days

    def _rows(self, where: pc.Expression, columns: list[str]) -> pa.Table:
        table = shared_snapshot(self.path / "events")
        if table is None:
            return pa.schema([HISTORY.field(name) for name in columns]).empty_table()
        return table.to_pyarrow_dataset().to_table(columns=columns, filter=where)


def _name(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return row["cluster"], row["namespace"], row["data_set"], row["currency"]


def _between(kinds: Sequence[str], since: dt.date, until: dt.date) -> pc.Expression:
    return (
        pc.field("kind").isin(list(kinds))
        & (pc.field("month") >= f"{since:%Y-%m}")
        & (pc.field("month") <= f"{until:%Y-%m}")
        & (pc.field("day") >= pa.scalar(since))
        & (pc.field("day") <= pa.scalar(until))
    )


def _of(wanted: Wanted) -> pc.Expression:
    where = pc.scalar(True)
    if wanted.cluster is not None:
        where &= pc.field("cluster") == wanted.cluster
    if wanted.namespaces is not None:
        # typed: of an empty list Arrow knows no type to compare
        where &= pc.field("namespace").isin(pa.array(wanted.namespaces, pa.string()))
    if wanted.data_set is not None:
        where &= pc.field("data_set") == wanted.data_set
    return where
