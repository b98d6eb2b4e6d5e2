"""A thin stand-in for Google Cloud Storage's JSON API, in memory and in this process.

It has what fake-gcs-server lacks: classes that a rewrite changes, in several requests when asked
to, preconditions everywhere, object contexts, and checksums that are compared. What it answers
follows the API's reference; it knows nothing of `cloudflux.storage`.
"""

import base64
import contextlib
import datetime as dt
import hashlib
import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

WRITABLE = (
    "contentType", "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage",
    "metadata", "contexts", "storageClass", "customTime",
)  # fmt: skip


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, reason: str, message: str = "", **headers: str) -> None:
        super().__init__(message or reason)
        self.status, self.reason, self.headers = status, reason, headers


@dataclass
class StubObject:
    """Content and resource of one object."""

    data: bytes
    resource: dict[str, Any]


@dataclass
class Session:
    """One unfinished resumable upload."""

    bucket: str
    resource: dict[str, Any]
    query: dict[str, str]
    data: bytes = b""


@dataclass
class GcsStub:
    """The state of the server; tests look into it and make it fail."""

    endpoint: str = ""
    buckets: dict[str, dict[str, StubObject]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of buckets that have some: versioning, retentionPolicy and the like."""
    sessions: dict[str, Session] = field(default_factory=dict)
    rewrites: dict[str, int] = field(default_factory=dict)
    requests_per_rewrite: int = 1
    failures: list[Refused | str] = field(default_factory=list)
    """What the next requests get instead: an error, or "lost": done, but the answer never comes."""
    requests: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1_700_000_000_000_000))

    def generation(self) -> int:
        """The next generation."""
        return next(self._numbers)

    # -- what the API does --------------------------------------------------------------------

    def objects(self, bucket: str) -> dict[str, StubObject]:
        """Objects of a bucket."""
        if bucket not in self.buckets:
            raise Refused(404, "notFound", "The specified bucket does not exist.")
        return self.buckets[bucket]

    def find(self, bucket: str, name: str) -> StubObject:
        """One object."""
        found = self.objects(bucket).get(name)
        if found is None:
            raise Refused(404, "notFound", f"No such object: {bucket}/{name}")
        return found

    def check(self, bucket: str, name: str, query: dict[str, str], prefix: str = "if") -> None:
        """Preconditions on a generation; `prefix` is if or ifSource."""
        wanted = query.get(f"{prefix}GenerationMatch")
        if wanted is None:
            return
        present = self.objects(bucket).get(name)
        actual = present.resource["generation"] if present else "0"
        if wanted != actual:
            raise Refused(412, "conditionNotMet", "At least one precondition did not hold.")

    def insert(
        self, bucket: str, asked: dict[str, Any], data: bytes, query: dict[str, str]
    ) -> dict[str, Any]:
        """Write an object."""
        name = asked.get("name") or query["name"]
        self.check(bucket, name, query)
        crc32c = base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()
        if asked.get("crc32c", crc32c) != crc32c:
            raise Refused(400, "invalid", "Provided CRC32C does not match.")
        resource = {key: asked[key] for key in WRITABLE if key in asked}
        if "kmsKeyName" in query:
            resource["kmsKeyName"] = f"{query['kmsKeyName']}/cryptoKeyVersions/1"
        self._store(bucket, name, data, resource)
        return self.find(bucket, name).resource

    def rewrite(
        self, source: tuple[str, str], target: tuple[str, str], body: Any, query: dict[str, str]
    ) -> dict[str, Any]:
        """One request of a rewrite; a body replaces all metadata."""
        found = self.find(*source)
        self.check(*source, query, "ifSource")
        self.check(*target, query)
        token = query.get("rewriteToken") or f"t{self.generation()}"
        done = self.rewrites.get(token, 0) + 1
        size = len(found.data)
        if done < self.requests_per_rewrite:
            self.rewrites[token] = done
            part = size * done // self.requests_per_rewrite
            return {"done": False, "rewriteToken": token, "objectSize": str(size),
                    "totalBytesRewritten": str(part)}  # fmt: skip
        kept = body or found.resource
        resource = {key: kept[key] for key in WRITABLE if key in kept}
        self._store(*target, found.data, resource)
        return {"done": True, "objectSize": str(size), "totalBytesRewritten": str(size),
                "resource": self.find(*target).resource}  # fmt: skip

    def _store(self, bucket: str, name: str, data: bytes, resource: dict[str, Any]) -> None:
        now = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
        crc32c = google_crc32c.value(data).to_bytes(4, "big")
        self.objects(bucket)[name] = StubObject(
            data,
            {
                "storageClass": "STANDARD",
                **resource,
                "kind": "storage#object",
                "name": name,
                "bucket": bucket,
                "generation": str(self.generation()),
                "metageneration": "1",
                "size": str(len(data)),
                "crc32c": base64.b64encode(crc32c).decode(),
                "md5Hash": base64.b64encode(hashlib.md5(data).digest()).decode(),
                "timeCreated": now,
                "updated": now,
            },
        )

    def listing(self, bucket: str, query: dict[str, str]) -> dict[str, Any]:
        """A page of a listing, by the bytes of names."""
        names = sorted(self.objects(bucket), key=str.encode)
        start = max(query.get("startOffset", ""), query.get("pageToken", ""), key=str.encode)
        found = [
            name
            for name in names
            if name.startswith(query.get("prefix", "")) and name.encode() >= start.encode()
        ]
        limit = int(query.get("maxResults", "1000"))
        page = {"items": [self.find(bucket, name).resource for name in found[:limit]]}
        return {**page, "nextPageToken": found[limit]} if len(found) > limit else page


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: GcsStub

    def log_message(self, *_: object) -> None:
        """Nothing: tests read `requests`."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # broken off: a server does nothing then
            self.close_connection = True
            return
        split = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        parts = [unquote(part) for part in split.path.split("/")[1:]]
        with self.stub.lock:
            self.stub.requests.append(f"{self.command} {split.path}")
            fault = self.stub.failures.pop(0) if self.stub.failures else None
            try:
                if isinstance(fault, Refused):
                    raise fault
                status, headers, answer = self._route(parts, query, body)
            except Refused as error:
                status, headers = error.status, dict(error.headers)
                told = {"reason": error.reason, "message": str(error), "domain": "global"}
                answer = json.dumps(
                    {"error": {"code": status, "message": str(error), "errors": [told]}}
                ).encode()
        if fault == "lost":
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _route(
        self, parts: list[str], query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        stub, method = self.stub, self.command
        if parts[0] == "session":
            return self._session(parts[1], body)
        kind, rest = parts[0], parts[parts.index("v1") + 2 :]  # after storage/v1/b
        if not rest:
            stub.buckets.setdefault(json.loads(body)["name"], {})
            return _json(json.loads(body))
        bucket = rest[0]
        if len(rest) == 1:
            return _json({"name": bucket, **stub.settings.get(bucket, {})})
        if kind == "upload":
            return self._upload(bucket, query, body)
        if len(rest) == 2:
            return _json(stub.listing(bucket, query))
        name = rest[2]
        if "rewriteTo" in rest:
            at = rest.index("rewriteTo")
            asked = json.loads(body or b"{}")
            target = (rest[at + 2], rest[at + 4])
            return _json(stub.rewrite((bucket, name), target, asked, query))
        found = stub.find(bucket, name)
        stub.check(bucket, name, query)
        if method == "DELETE":
            del stub.objects(bucket)[name]
            return 204, {}, b""
        if kind == "download":
            told = {"X-Goog-Generation": found.resource["generation"]}
            span = self.headers.get("Range", "").removeprefix("bytes=")
            if not span:
                return 200, told, found.data
            start, _, end = span.partition("-")
            return 206, told, found.data[int(start) : int(end) + 1]
        return _json(found.resource)

    def _upload(
        self, bucket: str, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if query["uploadType"] == "resumable":
            self.stub.check(bucket, query["name"], query)
            number = str(self.stub.generation())
            self.stub.sessions[number] = Session(bucket, json.loads(body), query)
            return 200, {"Location": f"{self.stub.endpoint}/session/{number}"}, b""
        boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
        _, described, content, _ = body.split(b"--" + boundary)
        resource = json.loads(described.partition(b"\r\n\r\n")[2])
        data = content.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        return _json(self.stub.insert(bucket, resource, data, query))

    def _session(self, number: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        session = self.stub.sessions.get(number)
        if session is None:
            raise Refused(404, "notFound", "no such upload")
        if self.command == "DELETE":
            del self.stub.sessions[number]
            return 499, {}, b""
        span, _, total = self.headers["Content-Range"].removeprefix("bytes ").partition("/")
        if span != "*":
            start = int(span.partition("-")[0])
            if start > len(session.data):
                raise Refused(400, "invalid", "a chunk is missing")
            session.data = session.data[:start] + body
        if len(session.data) < int(total):
            there = {"Range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
            return 308, there, b""
        claimed = self.headers.get("X-Goog-Hash", "").removeprefix("crc32c=")
        asked = {**session.resource, **({"crc32c": claimed} if claimed else {})}
        present = self.stub.objects(session.bucket).get(session.query["name"])
        if present is not None and present.resource.get("_session") == number:
            return _json(present.resource)
        resource = self.stub.insert(session.bucket, asked, session.data, session.query)
        resource["_session"] = number
        return _json(resource)


def _json(value: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextlib.contextmanager
def start_gcs_stub() -> Iterator[GcsStub]:
    """Serve a stub on a free port of 127.0.0.1 until the block ends."""
    stub = GcsStub()
    handler = type("Handler", (_Handler,), {"stub": stub})
    server = _Server(("127.0.0.1", 0), handler)
    stub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
