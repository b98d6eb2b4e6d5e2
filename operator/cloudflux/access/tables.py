"""The Delta tables of the access store: schemas, opening and the lock beside them."""

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import pyarrow as pa
from deltalake import DeltaTable

from cloudflux.access.deltalog import newest_version

SHARDS = 16
"""Hash buckets of a month: enough to read in parallel, few enough to stay few files."""

COUNTS = pa.schema(
    [
        ("kind", pa.string()),  # reads | puts | latency | ledger | seen | scan
        ("month", pa.string()),
        ("shard", pa.int32()),
        ("signal", pa.string()),
        ("bucket", pa.string()),
        ("key", pa.string()),
        ("day", pa.date32()),
        ("ingested", pa.date32()),
        ("requests", pa.int64()),
        ("reads", pa.int64()),
        ("bytes", pa.int64()),  # of latency: milliseconds
        ("malformed", pa.int64()),
        ("at", pa.timestamp("us", "UTC")),
        ("hash", pa.int64()),
    ]
)
"""One table holds counts and ledger, because a Delta commit is atomic for one table only."""

PLACES = pa.schema(
    [
        ("data_set_uid", pa.string()),
        ("signal", pa.string()),
        ("bucket", pa.string()),
        ("prefix", pa.string()),
        ("since", pa.date32()),
        ("retention_days", pa.int32()),
    ]
)
"""Where the data of each data set was, from which day: history is mapped to it when asked."""

INVENTORY = pa.schema(
    [
        ("key", pa.string()),
        ("size_bytes", pa.int64()),
        ("version", pa.string()),
        ("storage_class", pa.string()),
        ("last_modified", pa.timestamp("us", "UTC")),
        ("first_seen", pa.date32()),
        ("last_accessed", pa.timestamp("us", "UTC")),
    ]
)

CONFIGURATION = {
    "delta.logRetentionDuration": "interval 1 days",
    "delta.deletedFileRetentionDuration": "interval 2 hours",
    "delta.checkpointInterval": "20",
}


def shard_of(key: str) -> int:
    """Hash bucket of a key."""
    return crc32(key.encode("utf-8", "surrogateescape")) % SHARDS


def open_table(path: Path, schema: pa.Schema, partition_by: list[str] | None = None) -> DeltaTable:
    """Open a table at its newest version, creating it when absent; safe to race."""
    if newest_version(path) is None:
        path.mkdir(parents=True, exist_ok=True)
        DeltaTable.create(
            str(path),
            schema,
            mode="ignore",
            partition_by=partition_by,
            configuration=CONFIGURATION,
        )
    return DeltaTable(str(path))


_shared: dict[Path, tuple[int, DeltaTable]] = {}
_shared_lock = threading.Lock()


def shared_snapshot(path: Path) -> DeltaTable | None:
    """Return the newest snapshot, one object for all who read; None when there is no table.

    Opening a table costs milliseconds of listing and parsing, so that it is opened again only
    when it has a newer version. Never write through it: a writer opens its own.
    """
    version = newest_version(path)
    if version is None:
        return None
    with _shared_lock:
        known = _shared.get(path)
        if known is None or known[0] != version:
            table = DeltaTable(str(path))
            known = _shared[path] = (table.version(), table)
        return known[1]


@contextmanager
def file_lock(path: Path, check: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold an exclusive lock that a dead process can't keep; `check` may raise to stop waiting."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                check()
                time.sleep(0.05)
        yield
