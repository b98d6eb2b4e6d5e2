"""Writing a listing into the inventory in bounded memory, however many objects there are.

The listing is staged in a local file and then committed as one Delta commit: the previous
inventory is replaced at once or not at all. Of the previous one only hashes and days are held
(a few dozen bytes a key).
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, WriterProperties, write_deltalake

from cloudflux.access.atime import read_by_atime
from cloudflux.access.hashing import Hashes
from cloudflux.access.tables import CONFIGURATION, COUNTS, INVENTORY, shard_of
from cloudflux.storage.interface import ObjectInfo

_BATCH_ROWS = 8192
_ROW_GROUP_ROWS = 65_536
_FILE_BYTES = 32 << 20
_NEVER = np.iinfo(np.int64).max
_EPOCH = dt.date(1970, 1, 1)


@dataclass(slots=True)
class InventoryTotals:
    """What a listing held, by storage class: [objects, bytes]."""

    classes: dict[str, list[int]] = field(default_factory=dict)
    unnamed: int = 0
    """Objects whose name is not UTF-8: counted, but not tiered."""

    def add(self, info: ObjectInfo) -> None:
        """Count one object."""
        usage = self.classes.setdefault(info.storage_class, [0, 0])
        usage[0] += 1
        usage[1] += info.size_bytes


def hash_keys(keys: list[str]) -> Hashes:
    """64-bit hashes of keys, the same in every process."""
    digests = b"".join(
        blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest() for key in keys
    )
    return np.frombuffer(digests, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class KeyedDays:
    """A value per key (the smallest), held as two arrays sorted by the key's hash."""

    hashes: Hashes
    values: Hashes

    @classmethod
    def of(cls, tables: list[pa.Table], column: str = "day") -> "KeyedDays":
        """From tables with `key` and an integer-like column; reads them batch by batch."""
        hashes: list[Hashes] = [np.empty(0, np.int64)]
        values: list[Hashes] = [np.empty(0, np.int64)]
        for table in tables:
            for batch in table.select(["key", column]).to_batches(_ROW_GROUP_ROWS):
                hashes.append(hash_keys(batch["key"].to_pylist()))
                values.append(_integers(batch[column]))
        return cls.sorted(np.concatenate(hashes), np.concatenate(values))

    @classmethod
    def sorted(cls, hashes: Hashes, values: Hashes) -> "KeyedDays":
        """Sort by hash, then value, so that a search finds the smallest."""
        order = np.lexsort((values, hashes))
        return cls(hashes[order], values[order])

    def find(self, hashes: Hashes) -> Hashes:
        """Values of these keys; the largest integer where there is none."""
        if not len(self.hashes):
            return np.full(len(hashes), _NEVER, np.int64)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[at] == hashes, self.values[at], _NEVER)


_NONE = KeyedDays(np.empty(0, np.int64), np.empty(0, np.int64))


def _integers(column: pa.Array) -> Hashes:
    integer = (
        column.cast(pa.int32()).cast(pa.int64())
        if pa.types.is_date32(column.type)
        else column.cast(pa.int64())
    )
    filled: Hashes = integer.fill_null(_NEVER).to_numpy(zero_copy_only=False)
    return filled


def _previous(table: DeltaTable, *, with_access: bool) -> tuple[KeyedDays, KeyedDays]:
    """First days and, where asked for, access times of what was there; 16 bytes a key each."""
    hashes: list[Hashes] = [np.empty(0, np.int64)]
    first: list[Hashes] = [np.empty(0, np.int64)]
    accessed: list[Hashes] = [np.empty(0, np.int64)]
    scanner = table.to_pyarrow_dataset().scanner(
        columns=["key", "first_seen", *(["last_accessed"] if with_access else [])],
        batch_size=_BATCH_ROWS,
        batch_readahead=1,
        fragment_readahead=1,
    )
    for batch in scanner.to_batches():
        hashes.append(hash_keys(batch["key"].to_pylist()))
        first.append(_integers(batch["first_seen"]))
        if with_access:
            accessed.append(_integers(batch["last_accessed"]))
    keys = np.concatenate(hashes)
    days = KeyedDays.sorted(keys, np.concatenate(first))
    return days, KeyedDays.sorted(keys, np.concatenate(accessed)) if with_access else _NONE


@dataclass(frozen=True, slots=True)
class Staged:
    """A listing, ready to be committed, and the reads its access times tell of.

    A short one is in memory, a long one in local files.
    """

    totals: InventoryTotals
    objects: pa.Table | Path
    reads: pa.Table | Path

    def commit(self, inventory: DeltaTable | Path) -> None:
        """Replace the inventory by the listing in one commit; a path: make it by that commit."""
        write_deltalake(
            str(inventory) if isinstance(inventory, Path) else inventory,
            _stream(self.objects) if isinstance(self.objects, Path) else self.objects,
            mode="overwrite",
            configuration=CONFIGURATION if isinstance(inventory, Path) else None,
            target_file_size=_FILE_BYTES,
            writer_properties=WriterProperties(
                compression="ZSTD", max_row_group_size=_ROW_GROUP_ROWS, write_batch_size=_BATCH_ROWS
            ),
        )

    def commit_reads(self, counts: Callable[[], DeltaTable]) -> None:
        """Add the reads; must come before `commit`, or a kill between would lose them."""
        if isinstance(self.reads, Path):
            with pq.ParquetFile(self.reads) as file:
                rows = file.metadata.num_rows
        else:
            rows = self.reads.num_rows
        if rows:
            reads = _stream(self.reads) if isinstance(self.reads, Path) else self.reads
            write_deltalake(counts(), reads, mode="append")

    def drop(self) -> None:
        """Remove the local files."""
        for one in (self.objects, self.reads):
            if isinstance(one, Path):
                one.unlink(missing_ok=True)


def stage_listing(
    directory: Path,
    previous: DeltaTable | None,
    objects: Iterator[ObjectInfo],
    first_puts: KeyedDays,
    atime_signal: str | None,
    now: dt.datetime,
) -> Staged:
    """Take a listing in, completed by what was known before; a long one to local disk.

    first_seen is the earliest of LastModified, a logged PUT and what was known before. With
    `atime_signal`, changed access times become reads of that signal. What `objects` raises
    passes through. The listing is staged, because Delta Lake would pull it from a thread of
    its own runtime, in which no other table can be written.
    """
    totals = InventoryTotals()
    first_seen, accessed = _NONE, _NONE
    if previous is not None:
        first_seen, accessed = _previous(previous, with_access=atime_signal is not None)

    def rows(chunk: list[ObjectInfo]) -> tuple[pa.RecordBatch, pa.Table]:
        hashes = hash_keys([info.key for info in chunk])
        known = np.minimum(first_seen.find(hashes), first_puts.find(hashes))
        reads: list[dict[str, object]] = []
        if atime_signal is not None:
            reads = _atime_rows(chunk, accessed.find(hashes), atime_signal, now)
        return _batch(chunk, known), pa.Table.from_pylist(reads, COUNTS)

    chunks = _chunks(objects, totals)
    first, second = next(chunks, []), next(chunks, None)
    batch, reads = rows(first)
    if second is None:
        return Staged(totals, pa.Table.from_batches([batch], INVENTORY), reads)
    directory.mkdir(parents=True, exist_ok=True)
    staged = Staged(totals, directory / "objects.parquet", directory / "reads.parquet")
    with (
        pq.ParquetWriter(staged.objects, INVENTORY, compression="zstd") as listing,
        pq.ParquetWriter(staged.reads, COUNTS, compression="zstd") as read,
    ):
        listing.write_batch(batch)
        read.write_table(reads)
        for chunk in chain([second], chunks):
            batch, reads = rows(chunk)
            listing.write_batch(batch)
            if reads.num_rows:
                read.write_table(reads)
    return staged


def _stream(path: Path) -> pa.RecordBatchReader:
    file = pq.ParquetFile(path)
    return pa.RecordBatchReader.from_batches(
        file.schema_arrow, file.iter_batches(batch_size=_BATCH_ROWS)
    )


def _chunks(objects: Iterator[ObjectInfo], totals: InventoryTotals) -> Iterator[list[ObjectInfo]]:
    chunk: list[ObjectInfo] = []
    for info in objects:
        totals.add(info)
        try:
            info.key.encode()
        except UnicodeEncodeError:
            totals.unnamed += 1
            continue
        chunk.append(info)
        if len(chunk) == _BATCH_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _batch(chunk: list[ObjectInfo], known_days: Hashes) -> pa.RecordBatch:
    modified = np.array([(info.last_modified.date() - _EPOCH).days for info in chunk], np.int64)
    first = np.minimum(modified, known_days).astype(np.int32)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([info.key for info in chunk], pa.string()),
            pa.array([info.size_bytes for info in chunk], pa.int64()),
            pa.array([info.version for info in chunk], pa.string()),
            pa.array([info.storage_class for info in chunk], pa.string()),
            pa.array([info.last_modified for info in chunk], pa.timestamp("us", "UTC")),
            pa.array(first, pa.int32()).cast(pa.date32()),
            pa.array([info.last_accessed for info in chunk], pa.timestamp("us", "UTC")),
        ],
        schema=INVENTORY,
    )


def _atime_rows(
    chunk: list[ObjectInfo], known: Hashes, signal: str, now: dt.datetime
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for info, before in zip(chunk, known.tolist(), strict=True):
        at = read_by_atime(info, now)
        if at is None or int(at.timestamp() * 1_000_000) == before:
            continue
        rows.append(
            {
                "kind": "reads",
                "month": f"{at:%Y-%m}",
                "shard": shard_of(info.key),
                "signal": signal,
                "bucket": "",
                "key": info.key,
                "day": at.date(),
                "ingested": now.date(),
                "requests": 1,
                "reads": 1,
                "bytes": info.size_bytes,
                "malformed": 0,
                "at": at,
                "hash": None,
            }
        )
    return rows
