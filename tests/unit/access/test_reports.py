"""Inventory reports of three providers instead of a listing, whole and damaged."""

import csv
import datetime as dt
import gzip
import io
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudflux.access.reports import newest_report
from cloudflux.api.dataset import InventorySource as Source
from cloudflux.errors import ConfigurationError
from cloudflux.storage.memory import MemoryStore

AT = dt.datetime(2026, 5, 18, 10, tzinfo=dt.UTC)
S3_COLUMNS = (
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
)
S3_ROWS = [
    ("data", "in/a+b%2Bc.csv", "v2", "true", "false", "70", "2026-05-18T10:00:00Z", "e1",
     "STANDARD_IA"),
    ("data", "in/a+b%2Bc.csv", "v1", "false", "false", "60", "2026-05-17T10:00:00Z", "e0",
     "STANDARD"),
    ("data", "in/gone", "v9", "true", "true", "", "2026-05-18T10:00:00Z", "", ""),
    ("data", "other/x", "v1", "true", "false", "1", "2026-05-18T10:00:00Z", "e2", "STANDARD"),
]  # fmt: skip
AZURE_COLUMNS = ["Name", "Last-Modified", "Content-Length", "Etag", "AccessTier", "LastAccessTime",
                 "Snapshot", "Deleted"]  # fmt: skip
AZURE_ROWS = [
    ("data/in/a b+c.csv", "2026-05-18T10:00:00.0000000Z", "70", "0x8D1", "Cool",
     "2026-05-19T11:00:00.0000000Z", "", "false"),
    ("data/in/a b+c.csv", "2026-05-17T10:00:00.0000000Z", "60", "0x8D0", "Cool", "",
     "2026-05-17T10:00:00Z", "false"),
    ("data/in/gone", "2026-05-18T10:00:00.0000000Z", "5", "0x8D3", "Hot", "", "", "true"),
    ("data2/in/x", "2026-05-18T10:00:00.0000000Z", "5", "0x8D4", "Hot", "", "", "false"),
]  # fmt: skip
GCS_COLUMNS = ["project", "bucket", "name", "size", "timeCreated", "timeDeleted", "updated",
               "storageClass", "generation"]  # fmt: skip
GCS_ROWS = [
    ("p", "data", "in/a b+c.csv", "70", "2026-05-18T10:00:00Z", "", "2026-05-18T10:00:00Z",
     "NEARLINE", "1716026400000000"),
    ("p", "data", "in/gone", "5", "2026-05-18T10:00:00Z", "2026-05-18T11:00:00Z",
     "2026-05-18T10:00:00Z", "STANDARD", "1716026400000001"),
    ("p", "data", "other/x", "5", "2026-05-18T10:00:00Z", "", "2026-05-18T10:00:00Z",
     "STANDARD", "1716026400000002"),
]  # fmt: skip
CLASSES = {Source.S3_INVENTORY: "STANDARD_IA", Source.AZURE_BLOB_INVENTORY: "Cool",
           Source.GCS_STORAGE_INSIGHTS: "NEARLINE"}  # fmt: skip
VERSIONS = {Source.S3_INVENTORY: "e1", Source.AZURE_BLOB_INVENTORY: "0x8D1",
            Source.GCS_STORAGE_INSIGHTS: "1716026400000000"}  # fmt: skip


class Reports(MemoryStore):
    def __init__(self):
        super().__init__("s3://reports/all")


def put(store, key, content):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    store.put(key, io.BytesIO(body), len(body))


def as_csv(rows, head=None):
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([head, *rows] if head else rows)
    return text.getvalue().encode()


def as_parquet(columns, rows):
    body = io.BytesIO()
    pq.write_table(
        pa.table(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))), body
    )
    return body.getvalue()


def s3_manifest(files, kind="CSV", columns=S3_COLUMNS):
    return {
        "sourceBucket": "data", "destinationBucket": "arn:aws:s3:::reports",
        "version": "2016-11-30", "creationTimestamp": str(int(AT.timestamp() * 1000)),
        "fileFormat": kind, "fileSchema": columns,
        "files": [{"key": f"all/{key}", "size": 1, "MD5checksum": "x"} for key in files],
    }  # fmt: skip


def azure_manifest(files, kind="csv", status="Succeeded"):
    return {
        "destinationContainer": "reports", "endpoint": "https://a.blob.core.windows.net",
        "files": [{"blob": f"all/{key}", "size": 1} for key in files],
        "inventoryCompletionTime": "2026-05-18T10:00:00.1234567Z", "status": status,
        "ruleDefinition": {"format": kind, "objectType": "blob", "schedule": "daily"},
        "ruleName": "r", "version": "1.0",
    }  # fmt: skip


def gcs_manifest(files):
    return {
        "report_config": {"object_metadata_report_options": {}}, "records_processed": 3,
        "snapshot_time": "2026-05-18T10:00:00Z", "shard_count": len(files),
        "report_shards_file_names": files,
    }  # fmt: skip


def deliver(store, source, form, rows=None):
    if source is Source.S3_INVENTORY:
        rows = rows or S3_ROWS
        if form == "csv":
            put(store, "data/1.csv.gz", gzip.compress(as_csv(rows)))
            put(store, "2026-05-18T10-00Z/manifest.json", s3_manifest(["data/1.csv.gz"]))
        else:
            names = ["bucket", "key", "version_id", "is_latest", "is_delete_marker", "size",
                     "last_modified_date", "e_tag", "storage_class"]  # fmt: skip
            typed = [
                (b, k.replace("+", " ").replace("%2B", "+"), v, latest == "true", gone == "true",
                 int(size) if size else None, dt.datetime.fromisoformat(at), tag, kind)
                for b, k, v, latest, gone, size, at, tag, kind in rows
            ]  # fmt: skip
            put(store, "data/1.parquet", as_parquet(names, typed))
            schema = "message s3.inventory { required binary bucket (UTF8); }"
            put(store, "2026-05-18T10-00Z/manifest.json",
                s3_manifest(["data/1.parquet"], "Parquet", schema))  # fmt: skip
    elif source is Source.AZURE_BLOB_INVENTORY:
        rows = rows or AZURE_ROWS
        body = as_csv(rows, AZURE_COLUMNS) if form == "csv" else as_parquet(AZURE_COLUMNS, rows)
        put(store, f"2026/05/18/10-00-00/r/r_1.{form}", body)
        put(store, "2026/05/18/10-00-00/r/r-manifest.json",
            azure_manifest([f"2026/05/18/10-00-00/r/r_1.{form}"], form))  # fmt: skip
    else:
        rows = rows or GCS_ROWS
        body = as_csv(rows, GCS_COLUMNS) if form == "csv" else as_parquet(GCS_COLUMNS, rows)
        put(store, f"insights/c_2026-05-18T10:00_0.{form}", body)
        put(store, "insights/c_2026-05-18T10:00_manifest.json",
            gcs_manifest([f"c_2026-05-18T10:00_0.{form}"]))  # fmt: skip


def read(store, source):
    report = newest_report(source, store, "data", "in/", lambda: None)
    return report, list(report.objects)


REPORTS = [source for source in Source if source is not Source.LISTING]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("source", REPORTS)
def test_a_report_lists_what_is_there_now(source, form):
    """Old versions, deleted objects, snapshots and other prefixes are left out."""
    store = Reports()
    deliver(store, source, form)
    report, found = read(store, source)
    assert report.at.replace(microsecond=0) == AT
    (one,) = found
    assert (one.key, one.size_bytes, one.last_modified) == ("a b+c.csv", 70, AT)
    assert (one.storage_class, one.version) == (CLASSES[source], VERSIONS[source])
    if source is Source.AZURE_BLOB_INVENTORY:
        assert one.last_accessed == dt.datetime(2026, 5, 19, 11, tzinfo=dt.UTC)


@pytest.mark.parametrize("source", REPORTS)
def test_without_a_finished_report_the_message_says_what_to_do(source):
    store = Reports()
    put(store, "2026-05-18T10-00Z/data.csv", b"")
    with pytest.raises(ConfigurationError, match=r"spec\.inventory\.reports, or wait"):
        read(store, source)


@pytest.mark.parametrize(
    ("source", "key", "document", "message"),
    [
        (Source.S3_INVENTORY, "x/manifest.json", s3_manifest([], "ORC"), "format is ORC; choose"),
        (Source.S3_INVENTORY, "x/manifest.json", {"fileFormat": "CSV"}, "no 'fileSchema'"),
        (Source.S3_INVENTORY, "x/manifest.json", b"{", "no JSON document"),
        (Source.S3_INVENTORY, "x/manifest.json", s3_manifest(["gone.csv.gz"]), "is gone"),
        (Source.AZURE_BLOB_INVENTORY, "r-manifest.json", azure_manifest([], status="Failed"),
         "status is Failed"),
        (Source.AZURE_BLOB_INVENTORY, "r-manifest.json", azure_manifest([], "avro"), "format is"),
        (Source.GCS_STORAGE_INSIGHTS, "c_manifest.json", {"x": 1}, "report_shards_file_names"),
    ],
)  # fmt: skip
def test_a_manifest_that_can_t_be_used_says_why(source, key, document, message):
    store = Reports()
    put(store, key, document)
    with pytest.raises(ConfigurationError, match=message):
        read(store, source)


def test_missing_columns_are_named():
    store = Reports()
    put(store, "data/1.csv.gz", gzip.compress(b'"data","a","7"\n'))
    put(store, "x/manifest.json", s3_manifest(["data/1.csv.gz"], columns="Bucket, Key, Size"))
    with pytest.raises(ConfigurationError, match="LastModifiedDate, StorageClass, ETag: add them"):
        read(store, Source.S3_INVENTORY)
    azure = Reports()
    put(azure, "r/r_1.csv", as_csv([], ["Name", "Last-Modified", "Content-Length", "Etag"]))
    put(azure, "r/r-manifest.json", azure_manifest(["r/r_1.csv"]))
    with pytest.raises(ConfigurationError, match="lacks the columns AccessTier"):
        read(azure, Source.AZURE_BLOB_INVENTORY)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_data_file_cut_in_half_is_an_error_and_no_shorter_inventory(form):
    store = Reports()
    deliver(store, Source.S3_INVENTORY, form, S3_ROWS * 500)
    name = "data/1.csv.gz" if form == "csv" else "data/1.parquet"
    with store.open(name) as stream:
        body = stream.read()
    put(store, name, body[: len(body) // 2])
    with pytest.raises(ConfigurationError, match="damaged"):
        read(store, Source.S3_INVENTORY)


MANY = """
import datetime as dt, json, resource, sys
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.compute as pc, pyarrow.csv as pcsv, pyarrow.parquet as pq
from cloudflux.access.reports import newest_report
from cloudflux.access.store import AccessStore
from cloudflux.api.dataset import InventorySource
from cloudflux.api.task import StoreRef
from cloudflux.storage.registry import open_store
from tests.unit.access.test_reports import s3_manifest
directory, rows, form, per_file = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], 1_000_000
there = directory / "reports"
(there / "x").mkdir(parents=True)
def write(path, first, n):
    numbers = pa.array(np.arange(first, first + n))
    at = pa.repeat(pa.scalar(dt.datetime(2026, 5, 18, 10), pa.timestamp("ms", "UTC")), n)
    columns = {
        "bucket": pa.repeat("data", n),
        "key": pc.binary_join_element_wise("in/part", numbers.cast(pa.string()), "-"),
        "size": numbers, "last_modified_date": at,
        "e_tag": pa.repeat("0123456789abcdef0123456789abcdef", n),
        "storage_class": pa.repeat("STANDARD", n)}
    if form == "Parquet":
        pq.write_table(pa.table(columns), path)
        return
    columns["size"] = numbers.cast(pa.string())
    columns["last_modified_date"] = pa.repeat("2026-05-18T10:00:00.000Z", n)
    options = pcsv.WriteOptions(include_header=False, quoting_style="all_valid")
    pcsv.write_csv(pa.table(columns), path, options)
names = []
for first in range(0, rows, per_file):
    names.append(there / f"{first}.{form.lower()}")
    write(names[-1], first, min(per_file, rows - first))
manifest = s3_manifest([], form, "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass")
manifest["files"] = [{"key": str(name).lstrip("/")} for name in names]
(there / "x" / "manifest.json").write_text(json.dumps(manifest))
store = open_store(StoreRef(uri=there.as_uri(), file_roots=(str(there),)))
access = AccessStore(directory / "access")
now = dt.datetime(2026, 5, 19, tzinfo=dt.UTC)
for _ in range(2):
    report = newest_report(InventorySource.S3_INVENTORY, store, "data", "in/", lambda: None)
    totals = access.write_inventory("ds", report.objects, now=now)
print(totals.classes["STANDARD"][0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def memory_of(tmp_path, rows, form):
    found = subprocess.run(
        [sys.executable, "-c", MANY, str(tmp_path), str(rows), form],
        capture_output=True, text=True, timeout=3000, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr[-2000:]
    objects, megabytes = map(int, found.stdout.split())
    assert objects == rows
    return megabytes


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_ten_million_rows_are_taken_in_bounded_memory(tmp_path, form):
    """Twice: what was known before is held by 16 bytes a key, with the room to sort it."""
    assert memory_of(tmp_path, 10_000_000, form) < 1200
