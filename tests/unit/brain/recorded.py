"""An access store with a recorded history of reads, written without logs."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake
from tests.unit.brain.builders import NOW, TODAY

from cloudflux.access.places import Place
from cloudflux.access.store import AccessStore, open_access_store
from cloudflux.access.tables import COUNTS, shard_of
from cloudflux.storage.interface import ObjectInfo

UID = "6f1c-recorded"
SIGNAL, BUCKET = "s3:logs", "data"


class Context:
    """What a child gives an operation."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    def progress(self, value: object) -> None: ...

    def check(self) -> None: ...

    def stop_point(self, name: str) -> None: ...


def info(key: str, size_bytes: int, days_old: int, storage_class: str = "STANDARD") -> ObjectInfo:
    return ObjectInfo(
        key=key, size_bytes=size_bytes, version=f"v-{key}", storage_class=storage_class,
        last_modified=NOW - dt.timedelta(days=days_old), last_accessed=None,
    )  # fmt: skip


def count_rows(store: AccessStore, rows: list[tuple[str, str, dt.date, int]]) -> None:
    """Append rows of (kind, key, day, number)."""
    table = [
        {
            "kind": kind, "month": f"{day:%Y-%m}", "shard": shard_of(key), "signal": SIGNAL,
            "bucket": BUCKET if kind == "reads" else "", "key": key, "day": day, "ingested": day,
            "requests": number, "reads": number, "bytes": 0, "malformed": 0,
            "at": dt.datetime.combine(day, dt.time(12), dt.UTC), "hash": 0,
        }
        for kind, key, day, number in rows
    ]  # fmt: skip
    write_deltalake(store.counts(), pa.Table.from_pylist(table, COUNTS), mode="append")


def record(
    state: Path,
    objects: list[ObjectInfo],
    reads: dict[str, dict[int, int]],
    *,
    days: int,
    gap: range = range(0),
    uid: str = UID,
) -> AccessStore:
    """Keep `reads` (by key: days before today, count) of `days` days that were seen completely.

    `gap`: days before today of which nothing is known.
    """
    store = open_access_store(state)
    store.register(uid, Place(SIGNAL, BUCKET, ""), 800)
    store.write_inventory(uid, iter(objects), now=NOW)
    known = [TODAY - dt.timedelta(days=back) for back in range(days + 1) if back not in gap]
    rows = [("ledger", f"log-{day}", day, 1) for day in known]
    rows += [
        ("reads", key, TODAY - dt.timedelta(days=back), count)
        for key, days_read in reads.items()
        for back, count in days_read.items()
    ]
    count_rows(store, rows)
    return store


def weekly_and_dead(count: int, days: int, seed: int = 5) -> tuple[list[ObjectInfo], dict]:
    """Half of the objects are read most weeks, the other half died in their first fortnight."""
    random = np.random.default_rng(seed)
    objects, reads = [], {}
    for number in range(count):
        key = f"lib/v{number % 7}/part-{number:04d}.bin"
        objects.append(info(key, 40_000_000 + number, days - number % 30))
        last = 1 if number % 2 else days - 14
        reads[key] = {
            int(back): int(random.integers(1, 4))
            for back in range(last, days - 31)
            if number % 2 and random.random() < 0.3
        }
    return objects, reads
