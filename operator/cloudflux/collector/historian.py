"""Events of the operators out of Kafka into the history: each kept once, with the position.

A second consumer group beside that of access events, in the same process and on the same
machinery: rows, and the positions of the partitions that they came from, are one commit.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from aiokafka import TopicPartition
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from cloudflux.access.hashing import Hashes
from cloudflux.access.history import CARRIED_DAYS, History, open_history
from cloudflux.access.history_rows import (
    COST,
    EVENT,
    HISTORY,
    MAX_EVENT_BYTES,
    POSSIBLE,
    PROGRESS,
    REALISED,
    Unusable,
    rows_of,
    table_of_rows,
)
from cloudflux.access.rows import merged, unseen
from cloudflux.collector.counting import Counted, Pending, PositionMoved
from cloudflux.collector.fleet import JOB_TYPES, Fleet
from cloudflux.collector.parse import Parsed, Rejected, reject
from cloudflux.collector.reader import COMMIT_SECONDS, Follower
from cloudflux.events.envelope import NoCloudEvent, from_message
from cloudflux.settings import KafkaSettings

JOB_DAYS = 35
"""A job that began earlier and of which no end was heard is not shown as moving."""


class HistoryBook:
    """The history as one collector sees it: its snapshot, and which events it holds."""

    def __init__(
        self,
        history: History,
        fleet: Fleet,
        *,
        history_days: int,
        event_days: int,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._history, self._fleet, self._clock = history, fleet, clock
        self._history_days, self._event_days = history_days, event_days
        self._table: DeltaTable = history.table()
        self._seen: Hashes = np.empty(0, np.int64)

    def positions(self, applications: Sequence[str]) -> dict[str, int | None]:
        """Read positions, the events that are held and what is so now, all from one snapshot."""
        self._table = self._history.table()
        dataset = self._table.to_pyarrow_dataset()
        told = pc.field("kind").isin([EVENT, PROGRESS])
        # of all partitions: a topic made anew, or with more partitions, tells some again
        hashes = dataset.to_table(columns=["hash"], filter=told)["hash"].to_numpy()
        self._seen = merged(hashes.astype(np.int64))
        today = self._clock().date()
        for name in applications:
            self._fleet.restore(name, dataset.to_table(filter=_state(name, today)))
        return {name: self._table.transaction_version(name) for name in applications}

    def commit(self, parts: Mapping[str, Pending], now: dt.datetime) -> Counted:
        """Keep events that are new, and the positions after them. Raises PositionMoved."""
        for name, pending in parts.items():
            if (self._table.transaction_version(name) or 0) > pending.first:
                raise PositionMoved(f"{name} was kept by another collector")
        tables = [table for one in parts.values() for table in one.tables]
        rows, fresh, repeated = self._without_repeats(
            pa.concat_tables([HISTORY.empty_table(), *tables])
        )
        positions = {name: one.following for name, one in parts.items()}
        try:
            self._history.append(self._table, rows, positions)
        except CommitFailedError as error:
            raise PositionMoved(f"somebody else committed meanwhile: {error}") from error
        self._table.update_incremental()
        self._seen = merged(self._seen, fresh)
        self._fleet.take(rows)
        if self._history.maintain_if_due(now, self._history_days, self._event_days):
            self._table.update_incremental()
        return Counted(len(fresh), 0, repeated)

    def _without_repeats(self, rows: pa.Table) -> tuple[pa.Table, Hashes, int]:
        """Leave out events that are held, with the amounts that were read out of them."""
        begins = pc.is_in(rows["kind"], pa.array([EVENT, PROGRESS])).to_numpy()
        hashes = rows["hash"].to_numpy()[begins].astype(np.int64)
        keep = unseen(hashes, self._seen)
        of_event = np.cumsum(begins) - 1  # an event's amounts follow it
        kept = keep[of_event] if len(rows) else keep
        return rows.filter(pa.array(kept, pa.bool_())), hashes[keep], int((~keep).sum())


def _state(name: str, today: dt.date) -> pc.Expression:
    """Rows of a partition that tell what is so now, also if the topic was made anew since."""
    recent = pa.scalar(today - dt.timedelta(CARRIED_DAYS + 1))
    begun = pa.scalar(today - dt.timedelta(JOB_DAYS))
    kind, day = pc.field("kind"), pc.field("day")
    jobs = (kind == EVENT) & pc.field("type").isin(list(JOB_TYPES)) & (day >= begun)
    costs = kind.isin([COST, POSSIBLE]) & (day >= recent)
    mine = pc.ends_with(pc.field("application"), name[name.rindex("/") :])
    return mine & (jobs | costs | (kind == REALISED))


class Historian(Follower):
    """Keeps the operators' events."""

    def __init__(
        self,
        settings: KafkaSettings,
        state_dir: Path,
        *,
        commit_seconds: float = COMMIT_SECONDS,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.fleet = Fleet()
        self._kept = dt.timedelta(settings.history_days)
        book = HistoryBook(
            open_history(state_dir),
            self.fleet,
            history_days=settings.history_days,
            event_days=settings.history_event_days,
            clock=clock,
        )
        super().__init__(
            settings,
            book,
            topics=(settings.events_topic,),
            dead_letters=settings.dead_letter_topic,
            group=f"{settings.group}-history",
            commit_seconds=commit_seconds,
            clock=clock,
        )

    def _held(self, names: Iterable[str]) -> None:
        self.fleet.keep(names)

    def _parse(
        self,
        name: str,
        partition: TopicPartition,  # noqa: ARG002
        messages: list[Any],
        now: dt.datetime,
    ) -> Parsed:
        return parse_events(messages, name, now, now - self._kept)


def parse_events(
    messages: Sequence[Any], application: str, now: dt.datetime, oldest: dt.datetime
) -> Parsed:
    """Make rows of messages; never raises for what they hold."""
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for number, message in enumerate(messages):
        try:
            rows += rows_of(_event(message), application, now, oldest)
        except Unusable as error:
            rejected.append(reject(number, message.value, error.reason, error.message))
    return Parsed(table_of_rows(rows), rejected)


def _event(message: Any) -> dict[str, Any]:
    if len(message.value or b"") > MAX_EVENT_BYTES:
        raise Unusable("TooLarge", f"the message is larger than {MAX_EVENT_BYTES} bytes")
    try:
        return from_message(message.key, message.value, message.headers)
    except NoCloudEvent as error:
        raise Unusable("NoCloudEvent", str(error)) from error
    except (ValueError, RecursionError) as error:
        raise Unusable("InvalidJson", "data is no JSON") from error
