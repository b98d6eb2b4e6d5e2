"""Log objects that were read and not yet committed, and the rows that they become."""

import datetime as dt
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from cloudflux.access.inventory import Hashes
from cloudflux.access.s3logs import AccessRecord
from cloudflux.access.tables import shard_of


@dataclass(slots=True)
class Batch:
    """Log objects read and not yet committed."""

    records: list[tuple[AccessRecord, int, int]] = field(default_factory=list)
    """Record, hash of its request id, hash of its burst (0: none)."""
    ledger: list[dict[str, object]] = field(default_factory=list)
    lines: int = 0
    malformed: int = 0
    rejected: list[str] = field(default_factory=list)


def hashed(signal: str, record: AccessRecord) -> tuple[AccessRecord, int, int]:
    """Return the record without its requester, the hash of its request and of its burst."""
    request = (
        _hash(signal, "id", record.request_id, record.operation, record.key or "")
        if record.request_id
        else 0
    )
    burst = 0
    if record.status == 206:
        minute = f"{record.time:%Y-%m-%dT%H:%M}"
        burst = _hash(signal, "burst", record.requester, record.bucket, record.key or "", minute)
    # the requester has served its purpose
    return record._replace(requester="", user_agent=""), request, burst


def _hash(*parts: str) -> int:
    digest = blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def count(batch: Batch, seen: Hashes, today: dt.date) -> tuple[list[dict[str, object]], Hashes]:
    """Rows of reads, first PUTs and hashes out of the records that are new."""
    ids = np.array([entry[1] for entry in batch.records], np.int64)
    bursts = np.array([entry[2] for entry in batch.records], np.int64)
    stale = np.isin(ids, seen) & (ids != 0)
    known_burst = np.isin(bursts, seen) & (bursts != 0)
    reads: dict[tuple[str, str, dt.date], _ReadCount] = {}
    puts: dict[tuple[str, str], dt.date] = {}
    fresh: set[int] = set()
    for (record, request, burst), old, old_burst in zip(
        batch.records, stale.tolist(), known_burst.tolist(), strict=True
    ):
        if old or request in fresh:
            continue
        counted = not (old_burst or burst in fresh)
        fresh.update(value for value in (request, burst) if value)
        key, day = record.key or "", record.time.date()
        if record.is_write:
            puts[record.bucket, key] = min(day, puts.get((record.bucket, key), day))
        else:
            count = reads.setdefault((record.bucket, key, day), _ReadCount(record.time))
            count.add(record, counted)
    rows = [count.row(*where) for where, count in reads.items()]
    rows += [make_row("puts", day, key, bucket=bucket) for (bucket, key), day in puts.items()]
    rows += [make_row("seen", today, "", hash=value) for value in fresh]
    return rows, np.fromiter(fresh, np.int64, len(fresh))


@dataclass(slots=True)
class _ReadCount:
    """Reads of one object on one day."""

    at: dt.datetime
    requests: int = 0
    reads: int = 0
    bytes_sent: int = 0

    def add(self, record: AccessRecord, counted: bool) -> None:
        self.requests += 1
        self.reads += counted
        self.bytes_sent += record.bytes_sent
        self.at = max(self.at, record.time)

    def row(self, bucket: str, key: str, day: dt.date) -> dict[str, object]:
        return make_row(
            "reads",
            day,
            key,
            bucket=bucket,
            requests=self.requests,
            reads=self.reads,
            bytes=self.bytes_sent,
            at=self.at,
        )


def make_row(kind: str, day: dt.date, key: str, **values: object) -> dict[str, object]:
    """Make a row of the table of counts; what is not given is empty."""
    # what is not asked for by key needs no hash buckets
    shard = shard_of(key) if kind in ("reads", "puts") else 0
    empty = {"bucket": "", "requests": 0, "reads": 0, "bytes": 0, "malformed": 0}
    place = {"kind": kind, "month": f"{day:%Y-%m}", "shard": shard, "day": day, "key": key}
    return {**empty, "at": None, "hash": None, **place, **values}
