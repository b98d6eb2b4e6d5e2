"""The access store: who read what on which day, how well that is known, and what is there.

Counts are kept by the place where the read was logged (signal, bucket, full key), and each
data set has a list of the places where its data was. Both meet when a question is asked, so
that one log prefix is read once for all data sets, history survives a move, and a data set
that is created later finds the history that is already there.
"""

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from cloudflux.access import places, upkeep
from cloudflux.access.deltalog import PLACES_TABLE, newest_version
from cloudflux.access.freshness import ATIME_SIGNAL, SignalSpan, day_states
from cloudflux.access.inventory import InventoryTotals, KeyedDays, stage_listing
from cloudflux.access.latency import FirstByte, first_byte
from cloudflux.access.places import Place
from cloudflux.access.queries import log_span, relative, rows, select
from cloudflux.access.tables import (
    COUNTS,
    INVENTORY,
    file_lock,
    open_table,
    shared_snapshot,
)
from cloudflux.errors import ConfigurationError
from cloudflux.storage.interface import ObjectInfo

_SAFE_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def open_access_store(state_dir: Path) -> "AccessStore":
    """Open the store of a state directory, creating it when absent."""
    return AccessStore(state_dir / "access")


class AccessStore:
    """Delta tables in one directory. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    # -- opening -------------------------------------------------------------------------

    def counts(self) -> DeltaTable:
        """Open the table of counts and ledger, at its newest version."""
        return open_table(self.path / "daily", COUNTS, ["kind", "month", "shard"])

    def _counts_to_read(self) -> DeltaTable:
        """The same, shared with other readers; never to be written through."""
        return shared_snapshot(self.path / "daily") or self.counts()

    def locked(
        self, name: str, check: Callable[[], None] = lambda: None
    ) -> AbstractContextManager[None]:
        """Lock one signal or data set against other threads and processes."""
        return file_lock(self.path / "locks" / re.sub(r"[^A-Za-z0-9._-]", "_", name), check)

    def _inventory_path(self, data_set_uid: str) -> Path:
        if not _SAFE_UID.fullmatch(data_set_uid):
            raise ConfigurationError(f"{data_set_uid!r} is no UID of a data set")
        return self.path / "inventory" / data_set_uid

    # -- places --------------------------------------------------------------------------

    def register(self, data_set_uid: str, place: Place, retention_days: int) -> None:
        """Remember that the data set's data is (also) at this place; repeating it is harmless.

        The first place of a signal counts since ever, so that a new data set finds the whole
        history; later ones since the day given, because others' data may have been there.
        """
        with self.locked(f"places-{data_set_uid}"):
            places.register(self.path / PLACES_TABLE, data_set_uid, place, retention_days)

    def places(self, data_set_uid: str) -> list[Place]:
        """Every place where the data set's data was."""
        return places.places_of(self.path / PLACES_TABLE, data_set_uid)

    # -- writing -------------------------------------------------------------------------

    def append(self, table: DeltaTable, rows: pa.Table, signal: str, position: int) -> None:
        """Commit counts and ledger rows at once, on top of the snapshot in `table`.

        `position` is one more than `table.transaction_version(signal)`; a commit by someone
        else for the same signal since then makes this one fail (CommitFailedError).
        """
        write_deltalake(
            table,
            rows,
            mode="append",
            commit_properties=CommitProperties(
                app_transactions=[Transaction(signal, position)], max_commit_retries=10
            ),
        )

    def write_inventory(
        self,
        data_set_uid: str,
        objects: Iterator[ObjectInfo],
        *,
        now: dt.datetime,
        uses_atime: bool = False,
    ) -> InventoryTotals:
        """Replace the inventory by a listing, in one commit and in bounded memory.

        With `uses_atime`, changed access times become reads first; repeated rows (after a
        kill between the two commits) change no count. What the listing raises passes through,
        and then the previous inventory stays.
        """
        path = self._inventory_path(data_set_uid)
        signal = ATIME_SIGNAL + data_set_uid if uses_atime else None
        with self.locked(f"inventory-{data_set_uid}"):
            table = DeltaTable(str(path)) if newest_version(path) is not None else None
            puts = self._first_puts(data_set_uid)
            directory = self.path / "staging" / data_set_uid
            staged = stage_listing(directory, table, objects, puts, signal, now)
            staged.commit_reads(self.counts)
            staged.commit(table if table is not None else path)
            staged.drop()
        return staged.totals

    def note_scan(self, data_set_uid: str, now: dt.datetime, *, recorded: bool) -> None:
        """Remember whether access times were recorded on the day of a scan."""
        row = {
            "kind": "scan",
            "month": f"{now:%Y-%m}",
            "shard": 0,
            "signal": ATIME_SIGNAL + data_set_uid,
            "bucket": "",
            "key": "on" if recorded else "off",
            "day": now.date(),
            "ingested": now.date(),
            "requests": 0,
            "reads": 0,
            "bytes": 0,
            "malformed": 0,
            "at": now,
        }
        write_deltalake(self.counts(), pa.Table.from_pylist([row], COUNTS), mode="append")

    # -- asking --------------------------------------------------------------------------

    def inventory(self, data_set_uid: str) -> pa.Table:
        """Return the last listing, one row per object; empty when there was none."""
        path = self._inventory_path(data_set_uid)
        if newest_version(path) is None:
            return INVENTORY.empty_table()
        return DeltaTable(str(path)).to_pyarrow_table()

    def daily_reads(self, data_set_uid: str, since: dt.date, until: dt.date) -> pa.Table:
        """Return key, day, reads, bytes, both days included; days without reads are absent.

        A place's rows add up; where several signals saw the same day, the larger one counts.
        Whether an absent day means no read is told by `coverage`.
        """
        parts: dict[str, list[pa.Table]] = {}
        known = self.places(data_set_uid)
        table = self._counts_to_read() if known else None
        for place in known:
            start = max(since, place.since)
            found = select(table, "reads", place, start, until, ["key", "day", "reads", "bytes"])
            parts.setdefault(place.signal, []).append(relative(found, place.prefix))
        per_signal = [
            pa.concat_tables(tables)
            .group_by(["key", "day"])
            .aggregate(
                [
                    (c, "max" if signal.startswith(ATIME_SIGNAL) else "sum")
                    for c in ("reads", "bytes")
                ]
            )
            .rename_columns(["key", "day", "reads", "bytes"])
            for signal, tables in parts.items()
        ]
        schema = pa.schema([COUNTS.field(c) for c in ("key", "day", "reads", "bytes")])
        if not per_signal:
            return schema.empty_table()
        return (
            pa.concat_tables(per_signal)
            .group_by(["key", "day"])
            .aggregate([("reads", "max"), ("bytes", "max")])
            .rename_columns(["key", "day", "reads", "bytes"])
            .cast(schema)
        )

    def last_read_at(self, data_set_uid: str) -> dt.datetime | None:
        """Tell when the newest read was seen; None without any."""
        known, newest = self.places(data_set_uid), []
        table = self._counts_to_read() if known else None
        for place in known:
            rows = select(table, "reads", place, place.since, dt.date.max, ["key", "at"])
            newest.append(pc.max(rows["at"]).as_py())
        return max((at for at in newest if at is not None), default=None)

    def first_byte(self, data_set_uid: str, since: dt.date, until: dt.date) -> FirstByte | None:
        """Tell how long reads of these days, both included, waited; None when it is not known."""
        known = self.places(data_set_uid)
        return first_byte(self._counts_to_read(), known, since, until) if known else None

    def spans(self, data_set_uid: str) -> dict[str, SignalSpan]:
        """Tell what each of the data set's signals has delivered so far."""
        known, spans = self.places(data_set_uid), {}
        table = self._counts_to_read() if known else None
        for signal in sorted({place.signal for place in known}):
            spans[signal] = (
                self._atime_span(table, signal, data_set_uid)
                if signal.startswith(ATIME_SIGNAL)
                else log_span(table, signal)
            )
        return spans

    def coverage(self, data_set_uid: str, since: dt.date, until: dt.date) -> pa.Table:
        """Tell for each day, both included, whether it is complete, partial or unknown."""
        states = day_states(self.spans(data_set_uid), since, until)
        schema = pa.schema([("day", pa.date32()), ("state", pa.string())])
        rows = [{"day": day, "state": state} for day, state in states.items()]
        return pa.Table.from_pylist(rows, schema)

    def _atime_span(self, table: DeltaTable, signal: str, data_set_uid: str) -> SignalSpan:
        scans = rows(
            table,
            (pc.field("kind") == "scan") & (pc.field("signal") == signal),
            ["key", "at", "day"],
        )
        on = [row for row in scans if row["key"] == "on"]
        off = [row["day"] for row in scans if row["key"] == "off"]
        first = pc.min(self.inventory(data_set_uid)["first_seen"]).as_py()
        newest = max((row["at"] for row in on), default=None)
        return SignalSpan(first if on else None, newest, frozenset(), max(off, default=None))

    def _first_puts(self, data_set_uid: str) -> KeyedDays:
        known = self.places(data_set_uid)
        table = self._counts_to_read() if known else None
        parts = [
            relative(
                select(table, "puts", place, place.since, dt.date.max, ["key", "day"]),
                place.prefix,
            )
            for place in known
        ]
        return KeyedDays.of(parts)

    # -- keeping small -------------------------------------------------------------------

    def maintain(self, now: dt.datetime) -> None:
        """Delete what is older than retention, compact, and remove the files of both."""
        with self.locked("maintain"):
            upkeep.maintain(self.path, self.counts(), now)

    def maintain_if_due(self, now: dt.datetime) -> None:
        """Maintain once a day."""
        if upkeep.is_due(self.path, now):
            # a commit by another thread or host was in the way: the next scan tries again
            with contextlib.suppress(CommitFailedError):
                self.maintain(now)
