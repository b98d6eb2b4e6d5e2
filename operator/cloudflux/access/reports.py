"""Inventory reports instead of a listing: S3 Inventory, Azure Blob Inventory, GCS Storage Insights.

A report is a manifest and data files. The newest finished one is read, a file and a batch of
rows at a time, in bounded memory; CSV is streamed, Parquet is fetched to local disk first.
What a report does not tell is an error that names it, never a guess.
"""

import datetime as dt
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from cloudflux.access.formats.base import plain, time_of
from cloudflux.access.report_rows import AZURE_ROWS, GCS_ROWS, S3_ROWS, RowFormat, objects_of
from cloudflux.api.dataset import InventorySource
from cloudflux.errors import ConfigurationError, ObjectNotFound
from cloudflux.storage.interface import ObjectInfo, Store

MAX_MANIFEST_BYTES = 64 << 20
BATCH_ROWS = 16_384
_CSV_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Report:
    """One finished report. `objects` may raise ConfigurationError while it is read."""

    at: dt.datetime
    objects: Iterator[ObjectInfo]


@dataclass(frozen=True, slots=True)
class _Manifest:
    at: dt.datetime
    files: Sequence[str]
    parquet: bool
    names: Sequence[str] | None = None
    """Columns of CSV files without a first line that names them."""


def newest_report(
    kind: InventorySource, reports: Store, bucket: str, prefix: str, check: Callable[[], None]
) -> Report:
    """Find the newest finished report about a bucket; keys come relative to `prefix`.

    Raises ConfigurationError when there is none, or it can't be used.
    """
    wanted, parse, rows = _KINDS[kind]
    newest: ObjectInfo | None = None
    for number, entry in enumerate(reports.list()):
        if number % 1000 == 0:
            check()
        if isinstance(entry, ObjectInfo) and wanted.search(entry.key):
            newest = max(entry, newest or entry, key=lambda one: (one.last_modified, one.key))
    if newest is None:
        raise ConfigurationError(
            f"no finished inventory report is at {reports.uri}: name the place where reports of "
            f"{bucket} are delivered in spec.inventory.reports, or wait for the first one"
        )
    manifest = parse(_document(reports, newest), newest, reports)
    return Report(manifest.at, _objects(manifest, reports, rows, bucket, prefix, check))


def _document(reports: Store, info: ObjectInfo) -> dict[str, Any]:
    with reports.open(info.key) as stream:
        content = stream.read(MAX_MANIFEST_BYTES + 1)
    try:
        found = json.loads(content) if len(content) <= MAX_MANIFEST_BYTES else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _unusable(info.key, "it is no JSON document of a fitting size")
    return found


def _unusable(key: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"the inventory report {key} can't be used: {why}")


# -- manifests ---------------------------------------------------------------------------


def _s3(document: dict[str, Any], info: ObjectInfo, reports: Store) -> _Manifest:
    try:
        kind, schema = document["fileFormat"], document["fileSchema"]
        files = [str(one["key"]) for one in document["files"]]
        at = dt.datetime.fromtimestamp(int(document["creationTimestamp"]) / 1000, dt.UTC)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _unusable(info.key, f"its manifest has no {error}") from error
    if kind not in ("CSV", "Parquet"):
        raise _unusable(info.key, f"its format is {kind}; choose CSV or Apache Parquet")
    names = [name.strip() for name in str(schema).split(",")] if kind == "CSV" else None
    # keys are those of the bucket, and ours begin at the place where reports are delivered
    above = reports.uri.partition("://")[2].partition("/")[2].strip("/")
    inside = [key.removeprefix(f"{above}/") if above else key for key in files]
    return _Manifest(at, inside, kind == "Parquet", names)


def _azure(document: dict[str, Any], info: ObjectInfo, reports: Store) -> _Manifest:
    try:
        status = document["status"]
        kind = document["ruleDefinition"]["format"]
        files = [str(one["blob"]) for one in document["files"]]
        at = time_of(document["inventoryCompletionTime"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(info.key, f"its manifest has no {error}") from error
    if status != "Succeeded":
        raise _unusable(info.key, f"its status is {status}: look at the inventory rule")
    if str(kind).lower() not in ("csv", "parquet"):
        raise _unusable(info.key, f"its format is {kind}; choose csv or parquet")
    above = reports.uri.partition("://")[2].partition("/")[2].strip("/")
    inside = [key.removeprefix(f"{above}/") if above else key for key in files]
    return _Manifest(at, inside, str(kind).lower() == "parquet")


def _gcs(document: dict[str, Any], info: ObjectInfo, reports: Store) -> _Manifest:  # noqa: ARG001
    try:
        files = [str(name) for name in document["report_shards_file_names"]]
        at = time_of(document["snapshot_time"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(info.key, f"its manifest has no {error}") from error
    folder = info.key.rpartition("/")[0]
    inside = [f"{folder}/{name.rpartition('/')[2]}".lstrip("/") for name in files]
    return _Manifest(at, inside, bool(files) and files[0].endswith(".parquet"))


_Parse = Callable[[dict[str, Any], ObjectInfo, Store], _Manifest]
_KINDS: dict[InventorySource, tuple[re.Pattern[str], _Parse, RowFormat]] = {
    InventorySource.S3_INVENTORY: (re.compile(r"(^|/)manifest\.json$"), _s3, S3_ROWS),
    InventorySource.AZURE_BLOB_INVENTORY: (re.compile(r"-manifest\.json$"), _azure, AZURE_ROWS),
    InventorySource.GCS_STORAGE_INSIGHTS: (re.compile(r"manifest\.json$"), _gcs, GCS_ROWS),
}


# -- data files --------------------------------------------------------------------------


def _objects(
    manifest: _Manifest,
    reports: Store,
    rows: RowFormat,
    bucket: str,
    prefix: str,
    check: Callable[[], None],
) -> Iterator[ObjectInfo]:
    for key in manifest.files:
        read = _parquet if manifest.parquet else _csv
        try:
            for batch in read(reports, key, rows, manifest.names):
                check()
                yield from objects_of(batch, rows, bucket, prefix, encoded=not manifest.parquet)
        except ObjectNotFound as error:
            raise _unusable(key, "a file that its manifest names is gone") from error
        except (pa.ArrowInvalid, EOFError, OSError, ValueError) as error:
            if isinstance(error, ConfigurationError):
                raise
            raise _unusable(key, f"it is damaged ({error})"[:500]) from error


def _csv(
    reports: Store, key: str, rows: RowFormat, names: Sequence[str] | None
) -> Iterator[pa.RecordBatch]:
    there = names if names is not None else _first_line(reports, key)
    rows.require(key, there)
    with reports.open(key) as stream:
        yield from arrow_csv.open_csv(
            plain(stream, key),
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=_CSV_BLOCK_BYTES, column_names=names
            ),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(rows.columns, pa.string()),
                include_columns=rows.columns_in(there),
                strings_can_be_null=False,
            ),
        )


def _first_line(reports: Store, key: str) -> list[str]:
    with reports.open(key) as stream:
        text = plain(stream, key).readline(1 << 16).decode("utf-8-sig", "replace")
    return [name.strip().strip('"') for name in text.split(",")]


def _parquet(
    reports: Store,
    key: str,
    rows: RowFormat,
    names: Sequence[str] | None,  # noqa: ARG001
) -> Iterator[pa.RecordBatch]:
    with tempfile.TemporaryDirectory(prefix="cloudflux-inventory-") as directory:
        path = Path(directory) / "part.parquet"
        with reports.open(key) as stream, path.open("wb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
        with pq.ParquetFile(path) as file:
            there = file.schema_arrow.names
            rows.require(key, there)
            columns = rows.columns_in(there)
            yield from file.iter_batches(batch_size=BATCH_ROWS, columns=columns)
