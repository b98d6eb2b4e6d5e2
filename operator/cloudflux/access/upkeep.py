"""Keeping the access store small: retention, compaction, and the files of both."""

import contextlib
import datetime as dt
import shutil
from pathlib import Path

from deltalake import DeltaTable

from cloudflux.access.deltalog import PLACES_TABLE, newest_version
from cloudflux.access.places import all_rows
from cloudflux.access.tables import PLACES, open_table

_SEEN_DAYS = 7
_VACUUM_HOURS = 2
_MAINTAIN_SECONDS = 86_400
_MARKER = "maintained"


def is_due(store: Path, now: dt.datetime) -> bool:
    """Whether the last time was a day ago."""
    marker = store / _MARKER
    return not marker.exists() or now.timestamp() - marker.stat().st_mtime > _MAINTAIN_SECONDS


def maintain(store: Path, counts: DeltaTable, now: dt.datetime) -> None:
    """Do all of it; the caller holds the lock.

    Retention of shared counts is the longest that any data set asks for; the ledger is kept
    as long, and older log objects are never read, so that nothing is counted again.
    """
    places = all_rows(store / PLACES_TABLE).values()
    days = max((row["retention_days"] for rows in places for row in rows.values()), default=400)
    cutoff, seen_cutoff = now.date() - dt.timedelta(days), now.date() - dt.timedelta(_SEEN_DAYS)
    counts.delete(
        f"(kind <> 'seen' AND day < DATE '{cutoff}')"
        f" OR (kind = 'seen' AND ingested < DATE '{seen_cutoff}')"
    )
    counts.optimize.compact()
    tidy(counts)
    if newest_version(store / PLACES_TABLE) is not None:  # without one, nobody loads this store
        tidy(open_table(store / PLACES_TABLE, PLACES))
    for path in _inventories(store):
        if newest_version(path) is None:
            continue  # its first listing is being written at this moment
        if _changed_at(path) < (now - dt.timedelta(days)).timestamp():
            shutil.rmtree(path)
        else:
            tidy(DeltaTable(str(path)))
    mark_maintained(store)


def _inventories(store: Path) -> list[Path]:
    root = store / "inventory"
    return sorted(root.iterdir()) if root.exists() else []


def _changed_at(table: Path) -> float:
    newest = 0.0
    for entry in (table / "_delta_log").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a draft of a commit of somebody else
            newest = max(newest, entry.stat().st_mtime)
    return newest


def mark_maintained(store: Path) -> None:
    """Note that it was done; `is_due` tells when the next time is."""
    (store / _MARKER).touch()


def tidy(table: DeltaTable) -> None:
    """Remove files that no version needs any more."""
    # full: also what a killed writer left without committing it
    table.vacuum(_VACUUM_HOURS, dry_run=False, enforce_retention_duration=False, full=True)
    table.create_checkpoint()
    table.cleanup_metadata()
