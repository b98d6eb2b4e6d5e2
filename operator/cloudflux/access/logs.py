"""Taking log objects into the access store, each exactly once.

A batch of log objects becomes one Delta commit that holds the counts and the ledger entries
together, made on the snapshot from which the ledger was read. A kill before the commit leaves
nothing, a kill after it leaves all; a log object that is delivered again under its own name is
known from the ledger, one that is delivered under another from the ids of its requests.
"""

import datetime as dt
import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from cloudflux.access.batch import REJECTED_LINES, Batch
from cloudflux.access.formats.base import LogFormat, delivered_at, plain
from cloudflux.access.formats.s3 import S3_TEXT
from cloudflux.access.records import OURS_ALONE, Exclusions, Part, anonymous
from cloudflux.access.rows import merged
from cloudflux.access.store import AccessStore
from cloudflux.errors import ObjectNotFound
from cloudflux.storage.interface import ObjectInfo, Store

_BATCH_LINES = 200_000
_FETCHERS = 8
"""Log objects fetched and parsed at a time."""
_WHOLE_BYTES = 1 << 20
"""Larger ones are streamed: at most 24 MiB are held, and what they say."""
_ATTEMPTS = 5
_CHECK_EVERY = 100
_REJECTED_DAYS = 30
_Content = list[tuple[Part, pa.Table]] | bytes | None


@dataclass(slots=True)
class IngestTotals:
    """What one reading of a log location found."""

    log_objects: int = 0
    lines: int = 0
    malformed: int = 0


def ingest_logs(
    access: AccessStore,
    signal: str,
    logs: Store,
    *,
    now: dt.datetime,
    retention_days: int,
    log_format: LogFormat = S3_TEXT,
    exclusions: Exclusions = OURS_ALONE,
    check: Callable[[], None] = lambda: None,
) -> IngestTotals:
    """Read every log object that the ledger does not hold. Safe to repeat and to be killed."""
    totals = IngestTotals()
    with access.locked(f"signal-{signal}", check):
        for attempt in range(_ATTEMPTS):
            try:
                reader = _Reader(
                    access, signal, logs, log_format, now, retention_days, exclusions, check
                )
                reader.run(totals)
                break
            except CommitFailedError:
                # somebody without our lock (another host) was faster: read the ledger again
                if attempt == _ATTEMPTS - 1:
                    raise
    return totals


class _Reader:
    """One pass over a log location, on one chain of snapshots."""

    def __init__(
        self,
        access: AccessStore,
        signal: str,
        logs: Store,
        log_format: LogFormat,
        now: dt.datetime,
        retention_days: int,
        exclusions: Exclusions,
        check: Callable[[], None],
    ) -> None:
        self.access, self.signal, self.logs, self.now = access, signal, logs, now
        self.format = log_format
        self.cutoff = now.date() - dt.timedelta(retention_days)
        self.exclusions, self.check = exclusions, check
        self.table = access.counts()
        self.position = self.table.transaction_version(signal) or 0
        self.ledger = _stored(self.table, "ledger", signal, "key")
        hashes = _stored(self.table, "seen", signal, "hash")
        self.seen = merged(np.fromiter(hashes, np.int64, len(hashes)))

    def run(self, totals: IngestTotals) -> None:
        batch = Batch(self.signal)
        for info, content in self._contents():
            self._read(info, content, batch)
            if batch.lines >= _BATCH_LINES:
                self._commit(batch, totals)
                batch = Batch(self.signal)
        self._commit(batch, totals)

    def _new_objects(self) -> Iterator[ObjectInfo]:
        for number, entry in enumerate(self.logs.list()):
            if number % _CHECK_EVERY == 0:
                self.check()
            # older than the ledger is kept: reading it again could count it again
            if (
                isinstance(entry, ObjectInfo)
                and self.format.wants(entry.key)
                and self.format.ledger_key(entry) not in self.ledger
                and delivered_at(entry).date() >= self.cutoff
            ):
                yield entry

    def _contents(self) -> Iterator[tuple[ObjectInfo, "Future[_Content]"]]:
        """Yield the new log objects in order, a few of them fetched and parsed ahead.

        There are thousands of small ones, and each is a round trip; parsing them is mostly
        Arrow's and NumPy's work, which goes on beside other threads.
        """
        ahead: deque[tuple[ObjectInfo, Future[_Content]]] = deque()
        pool = ThreadPoolExecutor(_FETCHERS, "fetch-log")
        try:
            for info in self._new_objects():
                ahead.append((info, pool.submit(self._fetch, info)))
                if len(ahead) > 2 * _FETCHERS:
                    yield ahead.popleft()
            yield from ahead
        finally:
            pool.shutdown(cancel_futures=True)

    def _fetch(self, info: ObjectInfo) -> "_Content":
        """Return what a log object says; its content when it is compressed, None of a large one.

        What a few compressed bytes become is not known before, and a large one is streamed:
        both are read when their turn comes.
        """
        if info.size_bytes > _WHOLE_BYTES:
            return None
        with self.logs.open(info.key) as stream:
            content = stream.read()
        whole = BytesIO(content)
        return content if plain(whole, info.key) is not whole else list(self._parts(info, whole))

    def _parts(self, info: ObjectInfo, stream: BinaryIO) -> Iterator[tuple[Part, pa.Table]]:
        for part in self.format.read(plain(stream, info.key), self.format.grows):
            yield part, anonymous(part.requests, self.signal, self.exclusions)

    def _read(self, info: ObjectInfo, fetched: "Future[_Content]", batch: Batch) -> None:
        self.check()
        days: dict[dt.date, int] = {}
        malformed = 0
        try:
            for part, records in self._said(info, fetched.result()):
                self.check()
                batch.add(part, records)
                malformed += part.malformed
                for day, lines in part.days.items():
                    days[day] = days.get(day, 0) + lines
        except ObjectNotFound:
            return  # a lifecycle rule was faster
        batch.end(self.format.ledger_key(info), delivered_at(info), days, malformed)

    def _said(self, info: ObjectInfo, content: "_Content") -> Iterator[tuple[Part, pa.Table]]:
        if isinstance(content, list):
            yield from content
            return
        with self.logs.open(info.key) if content is None else BytesIO(content) as stream:
            yield from self._parts(info, stream)

    def _commit(self, batch: Batch, totals: IngestTotals) -> None:
        if not batch.ledger:
            return
        rows, hashes = batch.rows(self.seen, self.now.date())
        self.check()
        self.access.append(self.table, rows, self.signal, self.position + 1)
        self.table.update_incremental()
        self.position += 1
        self.ledger.update(str(row["key"]) for row in batch.ledger)
        self.seen = merged(self.seen, hashes)
        totals.log_objects += batch.objects
        totals.lines += batch.lines
        totals.malformed += batch.malformed
        if batch.rejected:
            _keep_rejected(self.access.path / "rejected.jsonl", batch.rejected, self.now)


def _stored(table: DeltaTable, kind: str, signal: str, column: str) -> set[object]:
    where = (pc.field("kind") == kind) & (pc.field("signal") == signal)
    found = table.to_pyarrow_dataset().to_table(columns=[column], filter=where)
    return set(found[column].to_pylist())


def _keep_rejected(path: Path, shapes: list[str], now: dt.datetime) -> None:
    """Keep the newest redacted samples; older than 30 days they go."""
    oldest = (now - dt.timedelta(_REJECTED_DAYS)).date().isoformat()
    kept = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in kept if json.loads(line)["day"] >= oldest]
    kept += [json.dumps({"day": now.date().isoformat(), "shape": shape}) for shape in shapes]
    temporary = path.with_suffix(".new")
    temporary.write_text("".join(line + "\n" for line in kept[-REJECTED_LINES:]))
    temporary.replace(path)
