"""From parsed operations to rows of the access store, and committing them with their positions."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from cloudflux.access.hashing import Hashes, hash_texts
from cloudflux.access.latency import latency_rows
from cloudflux.access.places import KAFKA_SIGNAL, kafka_signal
from cloudflux.access.rows import (
    make_row,
    merged,
    put_rows,
    read_rows,
    seen_rows,
    unseen,
    with_signal,
)
from cloudflux.access.store import AccessStore
from cloudflux.access.tables import COUNTS
from cloudflux.errors import CloudFluxError

LEDGER_MINUTES = 10
"""A day is noted as seen at most so often: it has to be known, not by the second."""

MAX_NOTED = 100_000


class PositionMoved(CloudFluxError):
    """Another collector counted the same partition meanwhile: read again from its position."""

    reason = "FencedOut"
    retryable = True


@dataclass(slots=True)
class Pending:
    """What was read of one partition and is not committed."""

    first: int
    """Offset from which on this counts: the position that was committed before."""
    following: int
    """Offset after the last of it."""
    tables: list[pa.Table] = field(default_factory=list)
    events: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """What one commit did."""

    reads: int
    writes: int
    duplicates: int


def application(topic_id: str, partition: int) -> str:
    """Name of a partition's position in the store; a topic made anew has another id."""
    return f"{KAFKA_SIGNAL}/{topic_id}/{partition}"


class Ledger:
    """The access store as one collector sees it: its snapshot, and the ids seen lately."""

    def __init__(self, store: AccessStore, excluded_principals: Sequence[str] = ()) -> None:
        self._store = store
        self._excluded = pa.array(list(excluded_principals), pa.string())
        self._table: DeltaTable = store.counts()
        self._seen: dict[str, Hashes] = {}
        self._noted: dict[tuple[str, dt.date], dt.datetime] = {}

    def positions(self, applications: Sequence[str]) -> dict[str, int | None]:
        """Read the committed position of each partition anew, and the ids seen in it."""
        self._table = self._store.counts()
        self._noted.clear()
        for name in applications:
            where = (pc.field("kind") == "seen") & (pc.field("signal") == name)
            dataset = self._table.to_pyarrow_dataset()
            hashes = dataset.to_table(columns=["hash"], filter=where)["hash"].to_numpy()
            self._seen[name] = merged(hashes.astype(np.int64))
        return {name: self._table.transaction_version(name) for name in applications}

    def commit(self, parts: Mapping[str, Pending], now: dt.datetime) -> Counted:
        """Commit counts, ids and positions of several partitions at once.

        Raises PositionMoved when one of them was counted by someone else since `positions`.
        """
        for name, pending in parts.items():
            if (self._table.transaction_version(name) or 0) > pending.first:
                raise PositionMoved(f"{name} was counted by another collector")
        rows, fresh, counted = self._rows(parts, now)
        properties = CommitProperties(
            app_transactions=[Transaction(name, one.following) for name, one in parts.items()],
            max_commit_retries=20,
        )
        try:
            write_deltalake(self._table, rows, mode="append", commit_properties=properties)
        except CommitFailedError as error:
            raise PositionMoved(f"somebody else committed meanwhile: {error}") from error
        self._table.update_incremental()
        for name, hashes in fresh.items():
            self._seen[name] = merged(self._seen[name], hashes)
        return counted

    def _rows(
        self, parts: Mapping[str, Pending], now: dt.datetime
    ) -> tuple[pa.Table, dict[str, Hashes], Counted]:
        kept, fresh, tables, duplicates = [], {}, [], 0
        for name, pending in parts.items():
            if not pending.tables:
                continue
            table = pa.concat_tables(pending.tables)
            mine, hashes, repeated = self._without_repeats(name, table)
            duplicates += repeated
            fresh[name] = hashes
            kept.append(mine)
            tables.append(seen_rows(name, hashes, now.date()))
        counted = Counted(0, 0, duplicates)
        if kept:
            table = pa.concat_tables(kept)
            tables.append(self._days(table.filter(table["proves"]), now))
            demand = table.filter(table["counts"])
            if len(self._excluded):
                excluded = pc.is_in(demand["principal"], self._excluded)
                demand = demand.filter(pc.invert(excluded))
            every = np.ones(len(demand), bool)
            today = now.date()
            rows = [
                read_rows(demand, every, today),
                put_rows(demand, today),
                latency_rows(demand, today),
            ]
            tables += [_signalled(one) for one in rows]
            reads = pc.sum(pc.cast(demand["read"], pa.int64())).as_py() or 0
            counted = Counted(reads, len(demand) - reads, duplicates)
        if not tables:  # only rejected messages: the positions still go forward
            tables = [COUNTS.empty_table()]
        return pa.concat_tables(tables), fresh, counted

    def _without_repeats(self, name: str, table: pa.Table) -> tuple[pa.Table, Hashes, int]:
        """Leave out operations whose id was seen, in this batch or before."""
        hashes = _hashes(table["id"])
        keep = unseen(hashes, self._seen[name])
        fresh = hashes[keep & (hashes != 0)]
        return table.filter(pa.array(keep)), fresh, int((~keep).sum())

    def _days(self, table: pa.Table, now: dt.datetime) -> pa.Table:
        """Rows that say of which bucket something was heard, and on which days.

        A bucket that others tell of proves nothing of the one that nobody tells of.
        """
        rows = []
        days = table.append_column("day", pc.cast(table["at"], pa.date32()))
        grouped = days.group_by(["bucket", "day"]).aggregate([("row", "count")])
        for entry in grouped.to_pylist():
            bucket, day = entry["bucket"], entry["day"]
            noted = self._noted.get((bucket, day))
            if noted is None or now - noted > dt.timedelta(minutes=LEDGER_MINUTES):
                self._noted[bucket, day] = now
                key = f"{now:%Y-%m-%dT%H:%M}"
                row = make_row("ledger", day, key, requests=entry["row_count"], at=now)
                rows.append({**row, "signal": kafka_signal(bucket), "ingested": now.date()})
        if len(self._noted) > MAX_NOTED:
            self._noted.clear()
        return pa.Table.from_pylist(rows, COUNTS)


def _hashes(identities: pa.ChunkedArray) -> Hashes:
    """Hashes of ids; 0 for none."""
    known = pc.fill_null(identities, "")
    found = hash_texts(known, "id")
    found[np.asarray(pc.equal(known, ""))] = 0
    return found


def _signalled(rows: pa.Table) -> pa.Table:
    return with_signal(rows, pc.binary_join_element_wise(KAFKA_SIGNAL, rows["bucket"], ":"))
