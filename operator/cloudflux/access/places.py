"""Where the data of each data set was, by signal: history is mapped to it when it is asked for."""

import datetime as dt
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from cloudflux.access.tables import PLACES, open_table, shared_snapshot

Rows = dict[tuple[str, str, str], dict[str, Any]]
"""By signal, bucket and prefix; what was written last counts."""


KAFKA_SIGNAL = "kafka"


def kafka_signal(bucket: str) -> str:
    """Name of the signal of access events about a bucket, given as `scheme://bucket`.

    One for each: events about one bucket don't prove that another's reads are told.
    """
    return f"{KAFKA_SIGNAL}:{bucket}"


def data_set_bucket(data_set_uid: str) -> str:
    """What stands for the bucket where events name the data set itself."""
    return f"dataset:{data_set_uid}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a data set's data was, as a signal names it, and from which day."""

    signal: str
    bucket: str
    prefix: str
    since: dt.date = dt.date.min


def register(path: Path, data_set_uid: str, place: Place, retention_days: int) -> None:
    """Add a place to the table at `path`; the caller holds the data set's lock."""
    known = all_rows(path).get(data_set_uid, {})
    before = known.get((place.signal, place.bucket, place.prefix))
    if before is not None and before["retention_days"] == retention_days:
        return
    if before is not None:
        since = before["since"]
    elif any(row["signal"] == place.signal for row in known.values()):
        since = place.since
    else:
        since = dt.date(1970, 1, 1)
    row = {
        "data_set_uid": data_set_uid,
        "signal": place.signal,
        "bucket": place.bucket,
        "prefix": place.prefix,
        "since": since,
        "retention_days": retention_days,
    }
    table = open_table(path, PLACES)
    write_deltalake(table, pa.Table.from_pylist([row], PLACES), mode="append")


def places_of(path: Path, data_set_uid: str) -> list[Place]:
    """Every place where the data set's data was."""
    return [
        Place(str(r["signal"]), str(r["bucket"]), str(r["prefix"]), r["since"])
        for r in all_rows(path).get(data_set_uid, {}).values()
    ]


_parsed: dict[Path, tuple[int, dict[str, Rows]]] = {}
_lock = threading.Lock()


def all_rows(path: Path) -> dict[str, Rows]:
    """All places by data set, read once for each version of the table."""
    table = shared_snapshot(path)
    if table is None:
        return {}
    with _lock:
        version = table.version()
        known = _parsed.get(path)
        if known is None or known[0] != version:
            found: dict[str, Rows] = {}
            for row in table.to_pyarrow_table().to_pylist():
                rows = found.setdefault(row["data_set_uid"], {})
                rows[row["signal"], row["bucket"], row["prefix"]] = row
            known = _parsed[path] = (version, found)
        return known[1]
