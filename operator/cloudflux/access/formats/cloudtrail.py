"""CloudTrail data events of S3: gzipped JSON documents, each with a list of records.

A document is read as a whole: CloudTrail delivers every few minutes, and its documents stay
below some MB. Management events and digests beside them are left alone.
"""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from cloudflux.access.formats.base import LogFormat, Understood, blocks, count, time_of
from cloudflux.access.records import Part, Request, table_of

MAX_DOCUMENT_BYTES = 256 << 20
READS = frozenset({"GetObject", "SelectObjectContent"})
WRITES = frozenset({"PutObject", "PostObject", "CopyObject", "CompleteMultipartUpload"})


def _wants(key: str) -> bool:
    return "/CloudTrail-Digest/" not in f"/{key}" and key.endswith((".json.gz", ".json"))


def _read(stream: BinaryIO, growing: bool) -> Iterator[Part]:
    part, found, problems = Part(table_of(())), list[Request](), list[str]()
    document = b""
    for block in blocks(stream, problems, growing=growing):
        document += block + b"\n"
        if len(document) > MAX_DOCUMENT_BYTES:
            problems.append(f"a document larger than {MAX_DOCUMENT_BYTES >> 20} MiB")
            break
    if not problems:
        for entry in _records(document, problems):
            part.lines += 1
            try:
                understood = _parse(entry)
            except (KeyError, TypeError, ValueError, AttributeError):
                part.reject(json.dumps(entry))
                continue
            if understood.proves:
                part.note(understood.at.date())
            if understood.request is not None:
                found.append(understood.request)
    part.reject_all(problems)
    part.requests = table_of(found)
    yield part


def _records(document: bytes, problems: list[str]) -> list[Any]:
    try:
        records = json.loads(document)["Records"]
        if isinstance(records, list):
            return records
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    problems.append("a document without a list of Records")
    return []


def _parse(entry: dict[str, Any]) -> Understood:
    at, name = time_of(entry["eventTime"]), entry["eventName"]
    # a trail may log data events of writing only, and management events beside them
    proves = bool(entry.get("readOnly")) and entry.get("managementEvent") is not True
    told = entry.get("requestParameters") or {}
    done = entry.get("eventSource") == "s3.amazonaws.com" and not entry.get("errorCode")
    if not done or (name not in READS and name not in WRITES) or not told.get("key"):
        return Understood(at, None, proves)
    more = entry.get("additionalEventData") or {}
    read = name in READS
    identity = entry.get("userIdentity") or {}
    request = Request(
        bucket=str(told["bucketName"]),
        key=str(told["key"]),
        at=at,
        read=read,
        bytes=count(more.get("bytesTransferredOut" if read else "bytesTransferredIn")),
        operation=name,
        request_id=str(entry.get("requestID") or entry.get("eventID") or ""),
        principal=str(identity.get("arn") or identity.get("principalId") or ""),
        user_agent=str(entry.get("userAgent") or ""),
    )
    return Understood(at, request, proves)


CLOUDTRAIL = LogFormat("cloudtrail", _read, _wants)
