"""One line of an S3 server access log, written as AWS writes it."""

import datetime as dt
from dataclasses import dataclass
from urllib.parse import quote

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What differs from line to line; the rest is constant."""

    time: dt.datetime
    bucket: str
    operation: str
    key: str | None
    method: str
    request_uri: str
    status: int
    request_id: str
    bytes_sent: int = 0
    object_size_bytes: int | None = None
    total_millis: int = 10
    user_agent: str = "-"
    requester: str = "-"
    remote_ip: str = "192.0.2.3"
    error_code: str = "-"


def format_line(entry: LogEntry) -> str:
    """Write one line with its end, all fields of the present format."""
    at = entry.time.astimezone(dt.UTC)
    time = f"{at:%d}/{_MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S} +0000"
    key = "-" if entry.key is None else quote(entry.key, safe="/-_.~")
    size = "-" if entry.object_size_bytes is None else str(entry.object_size_bytes)
    sent = str(entry.bytes_sent) if entry.bytes_sent else "-"
    agent = f'"{entry.user_agent}"'
    return (
        f"{OWNER} {entry.bucket} [{time}] {entry.remote_ip} {entry.requester} {entry.request_id}"
        f' {entry.operation} {key} "{entry.method} {entry.request_uri} HTTP/1.1"'
        f" {entry.status} {entry.error_code} {sent} {size} {entry.total_millis}"
        f' {max(1, entry.total_millis - 1)} "-" {agent}'
        " - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6U="
        f" SigV4 TLS_AES_128_GCM_SHA256 AuthHeader {entry.bucket}.s3.us-east-1.amazonaws.com"
        " TLSv1.3 - - us-east-1\n"
    )


def object_name(delivered: dt.datetime, suffix: str) -> str:
    """Name of a log object, below the log prefix."""
    return f"{delivered.astimezone(dt.UTC):%Y-%m-%d-%H-%M-%S}-{suffix}"
