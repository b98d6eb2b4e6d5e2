"""A front before an S3 server that makes its archive honest: restores take time, and expire.

Emulators restore at once and for ever. Requests pass through unchanged but for what concerns
archived objects; the clock is the caller's. It knows the class of objects written through it.
"""

import contextlib
import datetime as dt
import http.client
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

HOURS = {
    "GLACIER": {"Expedited": 0.08, "Standard": 5.0, "Bulk": 12.0},
    "DEEP_ARCHIVE": {"Standard": 12.0, "Bulk": 48.0},
}
_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "x-amz-restore"})


@dataclass
class ArchiveFront:
    """What was restored, and until when; `requests` counts the restores that were begun."""

    server: str
    clock: Callable[[], dt.datetime]
    endpoint: str = ""
    requests: int = 0
    classes: dict[str, str] = field(default_factory=dict)
    spans: dict[str, tuple[dt.datetime, dt.datetime]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def told(self, path: str) -> str | None:
        """The header x-amz-restore of an object, as it is now."""
        if path not in self.spans or self.clock() >= self.spans[path][1]:
            return None
        ready, expires = self.spans[path]
        if self.clock() < ready:
            return 'ongoing-request="true"'
        return f'ongoing-request="false", expiry-date="{format_datetime(expires, usegmt=True)}"'

    def refuses(self, path: str) -> bool:
        """Whether the content can't be read now."""
        return self.classes.get(path) in HOURS and "false" not in (self.told(path) or "")

    def begin(self, path: str, body: bytes) -> int:
        """Begin a restore; returns the HTTP status."""
        days = re.search(rb"<Days>(\d+)</Days>", body)
        tier = re.search(rb"<Tier>(\w+)</Tier>", body)
        hours = HOURS.get(self.classes.get(path, ""), {})
        if days is None or tier is None or tier.group(1).decode() not in hours:
            return 400
        with self.lock:
            told = self.told(path)
            if told is not None and "true" in told:
                return 409
            ready = self.clock() + dt.timedelta(hours=hours[tier.group(1).decode()])
            self.spans[path] = (ready, ready + dt.timedelta(days=int(days.group(1))))
            self.requests += 1
        return 202


@contextlib.contextmanager
def start_archive_front(
    server: str, clock: Callable[[], dt.datetime], *, port: int = 0
) -> Iterator[ArchiveFront]:
    """Serve before `server` (a URL) until the block ends."""
    front = ArchiveFront(server, clock)

    class Handler(_Handler):
        archive = front

    httpd = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    front.endpoint = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield front
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive: ArchiveFront

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the server behind logs."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path, front = unquote(parts.path), self.archive
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        copied = unquote(self.headers.get("x-amz-copy-source") or "")
        reads = copied or (path if self.command == "GET" and not parts.query else "")
        if front.refuses(reads):
            self._answer(403, "InvalidObjectState")
        elif self.command == "POST" and parts.query == "restore=":
            status = front.begin(path, body)
            code = {400: "MalformedXML", 409: "RestoreAlreadyInProgress"}.get(status, "")
            if status == 202:
                self._forward(path, body, keep=True)  # that the server behind lets it be read
            else:
                self._answer(status, code)
        else:
            self._forward(path, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def _forward(self, path: str, body: bytes, *, keep: bool = False) -> None:
        connection = http.client.HTTPConnection(urlsplit(self.archive.server).netloc, timeout=30)
        with contextlib.closing(connection):
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            data = answer.read()
        if self.command == "PUT" and answer.status == 200 and not urlsplit(self.path).query:
            self.archive.classes[path] = self.headers.get("x-amz-storage-class") or "STANDARD"
        headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in _HOP]
        told = self.archive.told(path)
        if told is not None and not keep and self.archive.classes.get(path) in HOURS:
            headers.append(("x-amz-restore", told))
        self._send(answer.status, headers, data)

    def _answer(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code></Error>".encode()
        self._send(status, [("content-length", str(len(body)))], body)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in {name.lower() for name, _ in headers}:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
