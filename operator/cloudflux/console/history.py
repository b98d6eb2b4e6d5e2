"""What the access store holds of a data set: read where its directory can be read, else not.

Its libraries are large; they are imported when somebody asks, and never at the start.
"""

import asyncio
import datetime as dt
import re
import time
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from typing import Any

from cloudflux.console.context import Console
from cloudflux.console.problems import Problem, unavailable

DAYS = 90
KEEP_SECONDS = 60.0
MAX_KEPT = 32

_kept: dict[Hashable, tuple[float, Any]] = {}
_one_at_a_time = asyncio.Lock()
_UID = re.compile(r"[A-Za-z0-9-]{1,64}")


def store_directory(console: Console) -> Path | None:
    """Return the state directory if it holds an access store that can be read."""
    directory = console.settings.state_dir
    return directory if (directory / "access" / "inventory").is_dir() else None


def manifest_of(console: Console, uid: str) -> Path | None:
    """Return the manifest of a job, if it is at hand: found by UID, never by an address."""
    if not _UID.fullmatch(uid):
        return None
    path = console.settings.state_dir / "jobs" / uid / "manifest.jsonl"
    return path if path.is_file() and not path.is_symlink() else None


async def reads_by_day(console: Console, uid: str) -> list[tuple[dt.date, int]]:
    """Return reads of the last 90 days by day; empty where no access store is at hand."""
    directory = store_directory(console)
    if directory is None:
        return []
    found: list[tuple[dt.date, int]] = await remembered(
        (directory, uid, "reads"), partial(_reads, directory, uid)
    )
    return found


async def objects_of(console: Console, uid: str) -> list[dict[str, Any]]:
    """Return the objects of the last listing, by key. Raises Problem 503 without a store."""
    directory = store_directory(console)
    if directory is None:
        raise unavailable(
            "the list of objects is in the operator's access store, which is not at hand: start "
            "the console with --state-dir, on the volume that the operator writes",
            retry_after_seconds=None,
        )
    found: list[dict[str, Any]] = await remembered(
        (directory, uid, "objects"), partial(_objects, directory, uid)
    )
    return found


async def remembered(key: Hashable, read: Callable[[], Any]) -> Any:
    """Return what a table says, read once a minute. Raises Problem 503 when it can't be read."""
    async with _one_at_a_time:
        known = _kept.get(key)
        if known is not None and time.monotonic() - known[0] < KEEP_SECONDS:
            return known[1]
        try:
            found = await asyncio.to_thread(read)
        except OSError as error:
            raise Problem(503, "unavailable", f"the access store can't be read: {error}") from error
        while len(_kept) >= MAX_KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = (time.monotonic(), found)
        return found


def _reads(directory: Path, uid: str) -> list[tuple[dt.date, int]]:
    from cloudflux.access.store import open_access_store

    until = dt.datetime.now(dt.UTC).date()
    since = until - dt.timedelta(days=DAYS - 1)
    table = open_access_store(directory).daily_reads(uid, since, until)
    by_day: dict[dt.date, int] = {}
    for day, reads in zip(table["day"].to_pylist(), table["reads"].to_pylist(), strict=True):
        by_day[day] = by_day.get(day, 0) + reads
    if not by_day:
        return []
    return [(day, by_day.get(day, 0)) for n in range(DAYS) if (day := since + dt.timedelta(n))]


def _objects(directory: Path, uid: str) -> list[dict[str, Any]]:
    from cloudflux.access.store import open_access_store

    store = open_access_store(directory)
    table = store.inventory(uid)
    columns = ["key", "size_bytes", "storage_class", "last_modified"]
    found: list[dict[str, Any]] = table.select(columns).sort_by("key").to_pylist()
    today = dt.datetime.now(dt.UTC).date()
    week, month = today - dt.timedelta(days=6), today - dt.timedelta(days=29)
    reads = store.daily_reads(uid, month, today)
    by_key: dict[str, list[int]] = {}
    for key, day, count in zip(
        reads["key"].to_pylist(), reads["day"].to_pylist(), reads["reads"].to_pylist(), strict=True
    ):
        counts = by_key.setdefault(key, [0, 0])
        counts[0] += count if day >= week else 0
        counts[1] += count
    for row in found:
        row["reads7d"], row["reads30d"] = by_key.get(row["key"], (0, 0))
    return found
