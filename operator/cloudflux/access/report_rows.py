"""Rows of inventory reports as objects: which columns are needed, and what they are called."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import pyarrow as pa

from cloudflux.access.formats.base import count, time_of
from cloudflux.errors import ConfigurationError
from cloudflux.storage.interface import ObjectInfo


@dataclass(frozen=True, slots=True)
class RowFormat:
    """Columns by what they hold; a column may have one name in CSV and another in Parquet."""

    key: tuple[str, ...]
    size: tuple[str, ...]
    modified: tuple[str, ...]
    storage_class: tuple[str, ...]
    version: tuple[str, ...]
    bucket: tuple[str, ...] = ()
    """Absent: the key begins with it."""
    accessed: tuple[str, ...] = ()
    without: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Columns and values of rows that are no objects of today: deleted ones, old versions.

    No values: any value says so.
    """
    encoded: bool = False
    """Whether keys are URL-encoded in CSV."""
    usual_class: str = "STANDARD"
    """Class of an object whose row names none."""
    configuration: str = "the inventory configuration"

    @property
    def needed(self) -> list[str]:
        """Every name of the columns that must be there."""
        groups = (self.key, self.size, self.modified, self.storage_class, self.version)
        return [name for group in groups for name in group]

    @property
    def useful(self) -> list[str]:
        """Every name of the columns that may be absent."""
        return [*self.bucket, *self.accessed, *(name for name, _ in self.without)]

    @property
    def columns(self) -> list[str]:
        """All of them."""
        return [*self.needed, *self.useful]

    def columns_in(self, there: Sequence[str]) -> list[str]:
        """Those that a file has."""
        return [name for name in self.columns if name in there]

    def require(self, file: str, there: Sequence[str]) -> None:
        """Raise ConfigurationError that names the columns that a file lacks."""
        groups = (self.key, self.size, self.modified, self.storage_class, self.version)
        missing = [group[0] for group in groups if not any(name in there for name in group)]
        if missing:
            raise ConfigurationError(
                f"the inventory report {file} lacks the columns {', '.join(missing)}: add them to "
                f"{self.configuration}"
            )


S3_ROWS = RowFormat(
    key=("Key", "key"),
    size=("Size", "size"),
    modified=("LastModifiedDate", "last_modified_date"),
    storage_class=("StorageClass", "storage_class"),
    version=("ETag", "e_tag"),
    bucket=("Bucket", "bucket"),
    without=(
        ("IsLatest", ("false",)), ("is_latest", ("false",)),
        ("IsDeleteMarker", ("true",)), ("is_delete_marker", ("true",)),
    ),
    encoded=True,
    configuration="the optional fields of the S3 Inventory configuration",
)  # fmt: skip
AZURE_ROWS = RowFormat(
    key=("Name",),
    size=("Content-Length",),
    modified=("Last-Modified",),
    storage_class=("AccessTier",),
    version=("Etag",),
    accessed=("LastAccessTime",),
    without=(
        ("Deleted", ("true",)), ("IsCurrentVersion", ("false",)), ("hdi_isfolder", ("true",)),
        ("Snapshot", ()),
    ),
    usual_class="Hot",
    configuration="the schema fields of the blob inventory rule",
)  # fmt: skip
GCS_ROWS = RowFormat(
    key=("name",),
    size=("size",),
    modified=("updated", "timeCreated"),
    storage_class=("storageClass",),
    version=("generation",),
    bucket=("bucket",),
    without=(("timeDeleted", ()),),
    configuration="the metadata fields of the inventory report configuration",
)


def objects_of(
    batch: pa.RecordBatch, rows: RowFormat, bucket: str, prefix: str, *, encoded: bool
) -> Iterator[ObjectInfo]:
    """Yield the objects of a batch that are in a bucket below a prefix. Raises ValueError."""
    columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}

    def column(names: tuple[str, ...]) -> list[Any]:
        found = next((columns[name] for name in names if _filled(columns, name)), None)
        return found if found is not None else [None] * batch.num_rows

    keys, buckets = column(rows.key), column(rows.bucket)
    left_out = _left_out(columns, rows, batch.num_rows)
    values = zip(
        keys, buckets, column(rows.size), column(rows.modified), column(rows.storage_class),
        column(rows.version), column(rows.accessed), left_out, strict=True,
    )  # fmt: skip
    above = f"{bucket}/{prefix}" if not rows.bucket else prefix
    for key, there, size, modified, storage_class, version, accessed, out in values:
        if out or (there is not None and there != bucket) or size in (None, ""):
            continue
        name = unquote_plus(key) if encoded and rows.encoded else key
        if not name.startswith(above):
            continue
        yield ObjectInfo(
            key=name[len(above) :],
            size_bytes=count(size),
            version=str(version).strip('"'),
            storage_class=str(storage_class or "") or rows.usual_class,
            last_modified=_time(modified),
            last_accessed=_time(accessed) if accessed else None,
        )


def _filled(columns: dict[str, list[Any]], name: str) -> bool:
    return name in columns and any(value not in (None, "") for value in columns[name])


def _left_out(columns: dict[str, list[Any]], rows: RowFormat, size: int) -> list[bool]:
    out = [False] * size
    for name, values in rows.without:
        for n, value in enumerate(columns.get(name, ())):
            text = "" if value is None else str(value).lower()
            out[n] = out[n] or (text in values if values else bool(text))
    return out


def _time(value: dt.datetime | str) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    return time_of(value)
