"""What MinIO tells through Kafka: entries of its audit log, and notifications about buckets."""

from typing import Any
from urllib.parse import unquote_plus

from cloudflux.access.formats.base import Understood, count, time_of
from cloudflux.access.records import Request

READS = frozenset({"GetObject", "SelectObjectContent", "s3:ObjectAccessed:Get"})
WRITES = frozenset({"PutObject", "PostPolicyBucket", "CopyObject", "CompleteMultipartUpload"})
_MADE = "s3:ObjectCreated:"


def parse_entry(entry: dict[str, Any]) -> list[Understood]:
    """Parse a message: an audit entry, or a notification with its records.

    Raises KeyError, TypeError, ValueError or AttributeError for anything else.
    """
    if "Records" in entry:
        return [_notification(record) for record in entry["Records"]]
    return [_audit(entry)]


def _audit(entry: dict[str, Any]) -> Understood:
    at, call = time_of(entry["time"]), entry["api"]
    name, status = call.get("name") or "", count(call.get("statusCode"))
    known = name in READS or name in WRITES
    bucket = str(call.get("bucket") or "")
    if not known or not 200 <= status < 300 or not bucket or not call.get("object"):
        return Understood(at, bucket=bucket)
    read = name in READS
    headers = {k.lower(): v for k, v in (entry.get("requestHeader") or {}).items()}
    request = Request(
        bucket=bucket,
        key=str(call["object"]),
        at=at,
        read=read,
        partial=read and status == 206,
        bytes=count(call.get("tx" if read else "rx")),
        first_byte_millis=_millis(call.get("timeToFirstByteInNS") or call.get("timeToFirstByte")),
        operation=name,
        request_id=str(entry.get("requestID") or ""),
        principal=str(entry.get("accessKey") or ""),
        user_agent=str(entry.get("userAgent") or headers.get("user-agent") or ""),
    )
    return Understood(at, request)


def _notification(record: dict[str, Any]) -> Understood:
    at, name, there = time_of(record["eventTime"]), str(record["eventName"]), record["s3"]
    name = name if name.startswith("s3:") else f"s3:{name}"
    read, write = name in READS, name.startswith(_MADE)
    if not (read or write):
        return Understood(at, None, False)
    about = record.get("responseElements") or {}
    request = Request(
        bucket=str(there["bucket"]["name"]),
        key=unquote_plus(str(there["object"]["key"])),
        at=at,
        read=read,
        bytes=count(there["object"].get("size")),
        operation=name,
        request_id=str(about.get("x-amz-request-id") or there["object"].get("sequencer") or ""),
        principal=str((record.get("userIdentity") or {}).get("principalId") or ""),
        user_agent=str((record.get("source") or {}).get("userAgent") or ""),
    )
    return Understood(at, request, read)  # a bucket may be told to notify of writes only


def _millis(nanoseconds: object) -> int | None:
    if nanoseconds in (None, ""):
        return None
    return count(str(nanoseconds).removesuffix("ns")) // 1_000_000
