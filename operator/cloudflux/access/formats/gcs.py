"""Google Cloud Storage: usage logs (CSV of an hour) and audit logs (data access, as JSON lines)."""

import csv
import datetime as dt
from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import unquote

from cloudflux.access.formats.base import (
    LogFormat,
    Understood,
    blocks,
    count,
    lines_of,
    reader_of_json,
    time_of,
)
from cloudflux.access.records import Part, Request, table_of

NEEDED = ("time_micros", "cs_method", "sc_status", "cs_bucket", "cs_object")
WRITES = frozenset(
    {
        "PUT_Object",
        "POST_Object",
        "storage.objects.insert",
        "storage.objects.compose",
        "storage.objects.copy",
        "storage.objects.rewrite",
    }
)
_DATA_READ = frozenset({"storage.objects.get", "storage.objects.list"})
_PREFIX = "projects/_/buckets/"


def _read_usage(stream: BinaryIO, growing: bool) -> Iterator[Part]:
    part, found, names, problems = Part(table_of(())), list[Request](), list[str](), list[str]()
    for block in blocks(stream, problems, growing=growing):
        for line in lines_of(block):
            fields = next(csv.reader([line]), [])
            if not names:
                names = fields
                missing = [name for name in NEEDED if name not in names]
                if missing:
                    problems.append(f"the first line does not name {', '.join(missing)}")
                    break
                continue
            part.lines += 1
            try:
                understood = _parse_usage(dict(zip(names, fields, strict=True)))
            except (ValueError, OverflowError):
                part.reject(line)
                continue
            part.note(understood.at.date())
            if understood.request is not None:
                found.append(understood.request)
        if problems:
            break
        part.requests = table_of(found)
        yield part
        part, found = Part(table_of(())), []
    part.reject_all(problems)
    yield part


def _parse_usage(entry: dict[str, str]) -> Understood:
    at = dt.datetime.fromtimestamp(count(entry["time_micros"]) / 1e6, dt.UTC)
    method, status = entry["cs_method"], count(entry["sc_status"])
    operation = entry.get("cs_operation") or f"{method}_Object"
    key, bucket = unquote(entry["cs_object"]), entry["cs_bucket"]
    # the XML API names its operations GET_Object, the JSON API storage.objects.get, which is
    # also how the description of an object is read
    content = "alt=media" in entry.get("cs_uri", "")
    read = operation == "GET_Object" or (operation == "storage.objects.get" and content)
    write = operation in WRITES
    if not key or not bucket or not 200 <= status < 300 or not (read or write):
        return Understood(at)
    request = Request(
        bucket=bucket,
        key=key,
        at=at,
        read=read,
        partial=read and status == 206,
        bytes=count(entry.get("sc_bytes" if read else "cs_bytes")),
        operation=operation,
        request_id=entry.get("s_request_id", ""),
        user_agent=entry.get("cs_user_agent", ""),
    )
    return Understood(at, request)


def _parse_audit(entry: dict[str, Any]) -> Understood:
    at, told = time_of(entry["timestamp"]), entry["protoPayload"]
    name, resource = told["methodName"], str(told.get("resourceName") or "")
    read = name == "storage.objects.get"
    # writes are logged apart: DATA_WRITE may be on without DATA_READ
    proves = name in _DATA_READ
    failed = (told.get("status") or {}).get("code")
    bucket, there, key = resource.removeprefix(_PREFIX).partition("/objects/")
    if failed or not there or not key or not (read or name == "storage.objects.create"):
        return Understood(at, None, proves)
    about = told.get("requestMetadata") or {}
    request = Request(
        bucket=bucket,
        key=key,
        at=at,
        read=read,
        operation=name,
        request_id=str(entry.get("insertId") or ""),
        principal=str((told.get("authenticationInfo") or {}).get("principalEmail") or ""),
        user_agent=str(about.get("callerSuppliedUserAgent") or ""),
    )
    return Understood(at, request, proves)


GCS_USAGE = LogFormat("gcsusage", _read_usage, lambda key: "_usage_" in key.rpartition("/")[2])
GCS_AUDIT = LogFormat(
    "gcsaudit", reader_of_json(_parse_audit), lambda key: key.endswith((".json", ".json.gz"))
)
