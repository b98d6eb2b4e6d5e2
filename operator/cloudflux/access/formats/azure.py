"""Azure Storage resource logs (StorageBlobLogs) as diagnostic settings write them to a container.

One JSON object a line, in append blobs of an hour (`…/h=10/m=00/PT1H.json`) that grow until it
is over; reads and writes come in containers of their own, and may be read together.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from cloudflux.access.formats.base import LogFormat, Understood, count, reader_of_json, time_of
from cloudflux.access.records import Request

READS = frozenset({"GetBlob", "QueryBlobContents", "ReadFile"})
WRITES = frozenset(
    {"PutBlob", "PutBlockList", "CopyBlob", "PutBlobFromURL", "CreatePathFile", "AppendFile"}
)


def _parse(entry: dict[str, Any]) -> Understood:
    at, name = time_of(entry.get("time") or entry["TimeGenerated"]), entry["operationName"]
    proves = entry.get("category", "StorageRead") == "StorageRead"
    status = count(entry.get("statusCode"))
    if name not in READS | WRITES or not 200 <= status < 300:
        return Understood(at, None, proves)
    more = entry.get("properties") or {}
    container, key = _object(str(more.get("objectKey") or ""), str(entry.get("uri") or ""))
    if not key:
        return Understood(at, None, proves)
    read = name in READS
    request = Request(
        bucket=container,
        key=key,
        at=at,
        read=read,
        partial=read and status == 206,
        bytes=count(more.get("responseBodySize" if read else "requestBodySize")),
        first_byte_millis=count(more["serverLatencyMs"]) if "serverLatencyMs" in more else None,
        operation=name,
        request_id=str(entry.get("correlationId") or ""),
        principal=_principal(entry.get("identity") or {}),
        user_agent=str(more.get("userAgentHeader") or ""),
    )
    return Understood(at, request, proves)


def _object(named: str, uri: str) -> tuple[str, str]:
    """Container and name of the blob: `/account/container/name`, else out of the URI's path.

    An emulator's path begins with the account; a real one's host does.
    """
    if named.startswith("/"):
        container, _, key = named.lstrip("/").partition("/")[2].partition("/")
        return container, key
    parts = urlsplit(uri)
    container, _, key = unquote(parts.path).lstrip("/").partition("/")
    return container, key


def _principal(identity: dict[str, Any]) -> str:
    """Who: the object id of a signed-in principal, else how the request was authorised."""
    requester = identity.get("requester") or {}
    return str(requester.get("objectId") or requester.get("appId") or identity.get("type") or "")


AZURE = LogFormat(
    "azurelogs", reader_of_json(_parse), lambda key: key.endswith(".json"), grows=True
)
