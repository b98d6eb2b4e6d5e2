"""The access store: who read what on which day, how well that is known, and what is there.

Counts are kept by the place where the read was logged (signal, bucket, full key), and each
data set has a list of the places where its data was. Both meet when a question is asked, so
that one log prefix is read once for all data sets, history survives a move, and a data set
that is created later finds the history that is already there.
"""

import contextlib
import datetime as dt
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from cloudflux.access.freshness import ATIME_SIGNAL, SignalSpan, day_states
from cloudflux.access.inventory import InventoryTotals, KeyedDays, stage_listing
from cloudflux.access.tables import COUNTS, INVENTORY, PLACES, file_lock, open_table
from cloudflux.errors import ConfigurationError
from cloudflux.storage.interface import ObjectInfo

_SAFE_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SEEN_DAYS = 7
_VACUUM_HOURS = 2
_MAINTAIN_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Place:
    """Where a data set's data was, as a signal names it, and from which day."""

    signal: str
    bucket: str
    prefix: str
    since: dt.date = dt.date.min


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
            known = self._place_rows(data_set_uid)
            signal_known = any(row["signal"] == place.signal for row in known)
            for row in known:
                if (row["signal"], row["bucket"], row["prefix"]) == (
                    place.signal,
                    place.bucket,
                    place.prefix,
                ):
                    if row["retention_days"] == retention_days:
                        return
                    since = row["since"]
                    break
            else:
                since = place.since if signal_known else dt.date(1970, 1, 1)
            row = {
                "data_set_uid": data_set_uid,
                "signal": place.signal,
                "bucket": place.bucket,
                "prefix": place.prefix,
                "since": since,
                "retention_days": retention_days,
            }
            table = open_table(self.path / "places", PLACES)
            write_deltalake(table, pa.Table.from_pylist([row], PLACES), mode="append")

    def _place_rows(self, data_set_uid: str | None = None) -> list[dict[str, Any]]:
        table = open_table(self.path / "places", PLACES).to_pyarrow_table()
        rows = {
            (row["data_set_uid"], row["signal"], row["bucket"], row["prefix"]): row
            for row in table.to_pylist()
            if data_set_uid is None or row["data_set_uid"] == data_set_uid
        }
        return list(rows.values())

    def places(self, data_set_uid: str) -> list[Place]:
        """Every place where the data set's data was."""
        return [
            Place(str(r["signal"]), str(r["bucket"]), str(r["prefix"]), r["since"])
            for r in self._place_rows(data_set_uid)
        ]

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
            table = open_table(path, INVENTORY)
            puts = self._first_puts(data_set_uid)
            directory = self.path / "staging" / data_set_uid
            staged = stage_listing(directory, table, objects, puts, signal, now)
            staged.commit_reads(self.counts())
            staged.commit(table)
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
        return open_table(self._inventory_path(data_set_uid), INVENTORY).to_pyarrow_table()

    def daily_reads(self, data_set_uid: str, since: dt.date, until: dt.date) -> pa.Table:
        """Return key, day, reads, bytes, both days included; days without reads are absent.

        A place's rows add up; where several signals saw the same day, the larger one counts.
        Whether an absent day means no read is told by `coverage`.
        """
        parts: dict[str, list[pa.Table]] = {}
        table = self.counts()
        for place in self.places(data_set_uid):
            start = max(since, place.since)
            found = _select(table, "reads", place, start, until, ["key", "day", "reads", "bytes"])
            parts.setdefault(place.signal, []).append(_relative(found, place.prefix))
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
        table, newest = self.counts(), []
        for place in self.places(data_set_uid):
            rows = _select(table, "reads", place, place.since, dt.date.max, ["key", "at"])
            newest.append(pc.max(rows["at"]).as_py())
        return max((at for at in newest if at is not None), default=None)

    def spans(self, data_set_uid: str) -> dict[str, SignalSpan]:
        """Tell what each of the data set's signals has delivered so far."""
        table, spans = self.counts(), {}
        for signal in sorted({place.signal for place in self.places(data_set_uid)}):
            spans[signal] = (
                self._atime_span(table, signal, data_set_uid)
                if signal.startswith(ATIME_SIGNAL)
                else _log_span(table, signal)
            )
        return spans

    def coverage(self, data_set_uid: str, since: dt.date, until: dt.date) -> pa.Table:
        """Tell for each day, both included, whether it is complete, partial or unknown."""
        states = day_states(self.spans(data_set_uid), since, until)
        schema = pa.schema([("day", pa.date32()), ("state", pa.string())])
        rows = [{"day": day, "state": state} for day, state in states.items()]
        return pa.Table.from_pylist(rows, schema)

    def _atime_span(self, table: DeltaTable, signal: str, data_set_uid: str) -> SignalSpan:
        scans = _rows(
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
        table = self.counts()
        parts = [
            _relative(
                _select(table, "puts", place, place.since, dt.date.max, ["key", "day"]),
                place.prefix,
            )
            for place in self.places(data_set_uid)
        ]
        return KeyedDays.of(parts)

    # -- keeping small -------------------------------------------------------------------

    def maintain(self, now: dt.datetime) -> None:
        """Delete what is older than retention, compact, and remove the files of both.

        Retention of shared counts is the longest that any data set asks for; the ledger is
        kept as long, and older log objects are never read, so that nothing is counted again.
        """
        rows = self._place_rows()
        days = max((row["retention_days"] for row in rows), default=400)
        cutoff, seen_cutoff = now.date() - dt.timedelta(days), now.date() - dt.timedelta(_SEEN_DAYS)
        with self.locked("maintain"):
            table = self.counts()
            table.delete(
                f"(kind <> 'seen' AND day < DATE '{cutoff}')"
                f" OR (kind = 'seen' AND ingested < DATE '{seen_cutoff}')"
            )
            table.optimize.compact()
            self._tidy(table)
            self._tidy(open_table(self.path / "places", PLACES))
            for path in self._inventories():
                inventory = DeltaTable(str(path))
                newest = max(f.stat().st_mtime for f in (path / "_delta_log").iterdir())
                if newest < (now - dt.timedelta(days)).timestamp():
                    shutil.rmtree(path)
                else:
                    self._tidy(inventory)
            (self.path / "maintained").touch()

    def maintain_if_due(self, now: dt.datetime) -> None:
        """Maintain once a day."""
        marker = self.path / "maintained"
        if not marker.exists() or now.timestamp() - marker.stat().st_mtime > _MAINTAIN_SECONDS:
            # a commit by another thread or host was in the way: the next scan tries again
            with contextlib.suppress(CommitFailedError):
                self.maintain(now)

    def _inventories(self) -> list[Path]:
        root = self.path / "inventory"
        return sorted(root.iterdir()) if root.exists() else []

    @staticmethod
    def _tidy(table: DeltaTable) -> None:
        # full: also what a killed writer left without committing it
        table.vacuum(_VACUUM_HOURS, dry_run=False, enforce_retention_duration=False, full=True)
        table.create_checkpoint()
        table.cleanup_metadata()


def fill(rows: pa.Table, constant: dict[str, Any]) -> pa.Table:
    """Complete a table to the schema of counts with constant columns."""
    columns = [
        rows[f.name].cast(f.type)
        if f.name in rows.column_names
        else pa.chunked_array([pa.array([constant[f.name]] * len(rows), f.type)])
        for f in COUNTS
    ]
    return pa.Table.from_arrays(columns, schema=COUNTS)


def _select(
    table: DeltaTable, kind: str, place: Place, since: dt.date, until: dt.date, columns: list[str]
) -> pa.Table:
    where = (
        (pc.field("kind") == kind)
        & (pc.field("month") >= f"{since:%Y-%m}")
        & (pc.field("month") <= f"{until:%Y-%m}")
        & (pc.field("signal") == place.signal)
        & (pc.field("bucket") == place.bucket)
        & (pc.field("day") >= pa.scalar(since))
        & (pc.field("day") <= pa.scalar(until))
    )
    if place.prefix:
        where &= pc.starts_with(pc.field("key"), place.prefix)
    return table.to_pyarrow_dataset().to_table(columns=columns, filter=where)


def _relative(rows: pa.Table, prefix: str) -> pa.Table:
    keys = pc.utf8_slice_codeunits(rows["key"], start=len(prefix))
    return rows.set_column(rows.schema.get_field_index("key"), "key", keys)


def _rows(table: DeltaTable, where: pc.Expression, columns: list[str]) -> list[dict[str, Any]]:
    found = table.to_pyarrow_dataset().to_table(columns=columns, filter=where)
    return found.to_pylist()  # type: ignore[no-any-return]


def _log_span(table: DeltaTable, signal: str) -> SignalSpan:
    where = (pc.field("kind") == "ledger") & (pc.field("signal") == signal)
    rows = table.to_pyarrow_dataset().to_table(columns=["day", "at", "requests"], filter=where)
    days = rows.filter(pc.field("requests") > 0)["day"].unique().to_pylist()
    return SignalSpan(min(days, default=None), pc.max(rows["at"]).as_py(), frozenset(days))
