"""A thin reverse proxy before an S3 server that writes real access logs in AWS's format.

It forwards every request as it came (the signature covers the Host header, so that is kept)
and records those for logged buckets. `flush()` delivers what was recorded since the last time.
"""

import datetime as dt
import http.client
import secrets
import threading
import time
from collections.abc import Callable, Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cloudflux.collector.s3logformat import LogEntry, format_line, object_name

LogSink = Callable[[str, bytes], None]
"""Takes the name and the content of one log object."""

_BLOCK_BYTES = 1 << 20
_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "trailer"}
_SUBRESOURCES = ("acl", "tagging", "torrent", "retention", "legal-hold", "attributes")


class Front:
    """A running front."""

    def __init__(
        self,
        upstream: str,
        log_sink: LogSink,
        buckets: Collection[str] | None,
        interval_seconds: float | None,
        port: int,
    ) -> None:
        parts = urlsplit(upstream)
        if parts.hostname is None:
            raise ValueError(f"{upstream}: write http://host:port")
        self.upstream = (parts.hostname, parts.port or 80)
        self._sink, self._buckets = log_sink, buckets
        self._entries: list[LogEntry] = []
        self._lock, self._stopped = threading.Lock(), threading.Event()
        front = self

        class Handler(_Handler):
            """Bound to this front."""

            recorder = front

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(
            target=self._server.serve_forever,
            name="front",
            kwargs={"poll_interval": 0.1},
            daemon=True,
        ).start()
        if interval_seconds is not None:
            threading.Thread(
                target=self._flush_regularly,
                args=(interval_seconds,),
                name="front-flush",
                daemon=True,
            ).start()

    def record(self, entry: LogEntry) -> None:
        """Keep one request for the next flush."""
        if self._buckets is None or entry.bucket in self._buckets:
            with self._lock:
                self._entries.append(entry)

    def flush(self) -> int:
        """Deliver what was recorded as one log object; return the number of lines."""
        with self._lock:
            entries, self._entries = self._entries, []
        if entries:
            name = object_name(dt.datetime.now(dt.UTC), secrets.token_hex(8).upper())
            self._sink(name, "".join(map(format_line, entries)).encode())
        return len(entries)

    def stop(self) -> None:
        """Stop serving and deliver the rest."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self.flush()

    def _flush_regularly(self, interval_seconds: float) -> None:
        while not self._stopped.wait(interval_seconds):
            self.flush()


def start_front(
    upstream: str,
    log_sink: LogSink,
    *,
    buckets: Collection[str] | None = None,
    interval_seconds: float | None = None,
    port: int = 0,
) -> Front:
    """Start a front on 127.0.0.1. `buckets`: those that are logged; None: all.

    Leave the log bucket out, or write logs to the upstream directly.
    """
    return Front(upstream, log_sink, buckets, interval_seconds, port)


class _Handler(BaseHTTPRequestHandler):
    """Forwards one request."""

    protocol_version = "HTTP/1.1"
    recorder: Front

    def _forward(self) -> None:
        started = time.monotonic()
        upstream = http.client.HTTPConnection(*self.recorder.upstream, timeout=300)
        try:
            try:
                self._send(upstream)
                response = upstream.getresponse()
            except OSError:
                self.send_error(502, "the S3 server does not answer")
                return
            sent = self._reply(response)
            self._record(response, sent, int(1000 * (time.monotonic() - started)))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            upstream.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = _forward  # noqa: N815

    def _send(self, upstream: http.client.HTTPConnection) -> None:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        for name, value in self.headers.items():
            if name.lower() not in _HOP_HEADERS | {"expect"}:
                upstream.putheader(name, value)
        if chunked:
            upstream.putheader("Transfer-Encoding", "chunked")
        upstream.endheaders()
        if chunked:
            while size := int(self.rfile.readline().split(b";")[0], 16):
                upstream.send(b"%x\r\n%s\r\n" % (size, self.rfile.read(size)))
                self.rfile.readline()
            self.rfile.readline()
            upstream.send(b"0\r\n\r\n")
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left and (block := self.rfile.read(min(left, _BLOCK_BYTES))):
            upstream.send(block)
            left -= len(block)

    def _reply(self, response: http.client.HTTPResponse) -> int:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_HEADERS:
                self.send_header(name, value)
        bodiless = self.command == "HEAD" or response.status in (204, 304)
        if response.getheader("Content-Length") is None and not bodiless:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        sent = 0
        while not bodiless and (block := response.read(_BLOCK_BYTES)):
            self.wfile.write(block)
            sent += len(block)
        return sent

    def _record(self, response: http.client.HTTPResponse, sent: int, millis: int) -> None:
        path, _, query = self.path.partition("?")
        bucket, _, raw_key = path.lstrip("/").partition("/")
        key = unquote(raw_key) or None
        if not bucket:
            return
        values: dict[str, Any] = {
            "time": dt.datetime.now(dt.UTC),
            "bucket": bucket,
            "method": self.command,
            "request_uri": self.path,
            "status": response.status,
            "total_millis": millis,
            "user_agent": self.headers.get("User-Agent", "-"),
            "requester": "arn:aws:iam::111122223333:user/" + self._access_key(),
        }
        request_id = secrets.token_hex(8).upper()
        name = operation(self.command, key, query, "x-amz-copy-source" in self.headers)
        self.recorder.record(
            LogEntry(
                operation=name,
                key=key,
                request_id=request_id,
                bytes_sent=sent,
                object_size_bytes=sent if name == "REST.GET.OBJECT" else None,
                **values,
            )
        )
        copied = self.headers.get("x-amz-copy-source")
        if copied is not None:
            source_bucket, _, source_key = unquote(copied.split("?")[0]).lstrip("/").partition("/")
            values["bucket"] = source_bucket
            self.recorder.record(
                LogEntry(
                    operation="REST.COPY.OBJECT_GET",
                    key=source_key,
                    request_id=request_id,
                    **values,
                )
            )

    def _access_key(self) -> str:
        _, _, rest = self.headers.get("Authorization", "").partition("Credential=")
        return rest.split("/")[0] or "anonymous"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the access log is the log."""


def operation(method: str, key: str | None, query: str, is_copy: bool) -> str:
    """Name of the operation as AWS logs it."""
    asked = parse_qs(query, keep_blank_values=True)
    if key is None:
        resource = "MULTI_OBJECT_DELETE" if "delete" in asked else "BUCKET"
        return f"REST.{method}.{resource}"
    subresource = next((name for name in _SUBRESOURCES if name in asked), None)
    if subresource is not None:
        return f"REST.{method}.OBJECT_{subresource.replace('-', '_').upper()}"
    if "uploads" in asked:
        return f"REST.{method}.UPLOADS"
    if "partNumber" in asked:
        return "REST.COPY.PART" if is_copy else f"REST.{method}.PART"
    if "uploadId" in asked:
        return f"REST.{method}.UPLOAD"
    if "restore" in asked:
        return "REST.POST.OBJECT_RESTORE"
    return "REST.COPY.OBJECT" if is_copy else f"REST.{method}.OBJECT"
