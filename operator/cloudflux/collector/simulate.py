"""Where synthetic operations go: a file, S3 server access logs, or the access topic."""

import datetime as dt
import json
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from cloudflux.collector.s3logformat import LogEntry, format_line, object_name
from cloudflux.collector.workloads import PRINCIPAL, Operation

LOG_MINUTES = 5
"""How much time one log object covers."""
_AGENT = "synthetic-trace/1.0"
_OPERATIONS = {"read": ("REST.GET.OBJECT", "GET"), "write": ("REST.PUT.OBJECT", "PUT")}


def message(operation: Operation, uri: str) -> bytes:
    """Return the value of an access event; `uri` is the location that the key is relative to."""
    body = {
        "id": operation.id,
        "time": operation.time.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"),
        "op": operation.op,
        "uri": f"{uri.rstrip('/')}/{operation.key}",
        "bytes": operation.bytes,
        "latencyMs": operation.latency_ms,
        "principal": PRINCIPAL,
        "synthetic": True,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def paced(operations: Iterable[Operation], speed: float) -> Iterator[Operation]:
    """Yield operations as their time comes, `speed` times as fast; 0: at once."""
    began: dt.datetime | None = None
    started = time.monotonic()
    for operation in operations:
        began = began or operation.time
        if speed > 0:
            due = started + (operation.time - began).total_seconds() / speed
            time.sleep(max(0.0, due - time.monotonic()))
        yield operation


def write_file(operations: Iterable[Operation], uri: str, path: Path) -> int:
    """Write access events to a file, one a line; returns how many."""
    count = 0
    with path.open("wb") as stream:
        for operation in operations:
            stream.write(message(operation, uri) + b"\n")
            count += 1
    return count


def write_s3_logs(operations: Iterable[Operation], uri: str, directory: Path) -> int:
    """Write S3 server access logs as AWS delivers them, into a directory; returns how many lines.

    Raises ValueError for a location that is not in S3.
    """
    scheme, _, rest = uri.partition("://")
    if scheme != "s3":
        raise ValueError(f"S3 access logs tell of s3:// locations, not of {uri}")
    bucket, _, prefix = rest.strip("/").partition("/")
    directory.mkdir(parents=True, exist_ok=True)
    count = 0
    above = f"{prefix}/" if prefix else ""
    for number, some in groupby(operations, _slice):
        entries = [_entry(one, bucket, above + one.key) for one in some]
        delivered = dt.datetime.fromtimestamp((number + 1) * 60 * LOG_MINUTES, dt.UTC)
        name = object_name(delivered, f"{number:016X}")
        (directory / name).write_text("".join(map(format_line, entries)))
        count += len(entries)
    return count


def _slice(operation: Operation) -> int:
    return int(operation.time.timestamp()) // (60 * LOG_MINUTES)


def _entry(operation: Operation, bucket: str, key: str) -> LogEntry:
    name, method = _OPERATIONS[operation.op]
    sent = operation.bytes if operation.op == "read" else 0
    return LogEntry(
        operation.time,
        bucket,
        name,
        key,
        method,
        quote(f"/{bucket}/{key}"),
        200,
        operation.id,
        sent,
        operation.bytes,
        max(1, int(operation.latency_ms)),
        _AGENT,
        PRINCIPAL,
    )
