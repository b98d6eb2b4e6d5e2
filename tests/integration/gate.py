"""A proxy before an S3 server that holds, refuses and counts requests, as a test says.

With a request held, a job stands still in a phase for as long as the test wants.
"""

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

HELD_SECONDS = 60
_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect"}


@dataclass(eq=False)
class Rule:
    """Requests of a method whose path holds all these words, after the first `after` of them."""

    method: str
    words: tuple[str, ...]
    after: int = 0
    refuse_with: int | None = None
    """Answer with this status; None: hold until released."""
    released: threading.Event = field(default_factory=threading.Event)
    caught: int = 0

    def catches(self, method: str, path: str) -> bool:
        return method == self.method and all(word in path for word in self.words)


class Gate:
    """The proxy; `url` is its endpoint."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        self.seen: list[tuple[str, str]] = []
        """Method and path of every request that was let through."""
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        gate = self

        class Handler(_Handler):
            owner = gate

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    @contextlib.contextmanager
    def rule(
        self, method: str, *words: str, after: int = 0, refuse_with: int | None = None
    ) -> Iterator[Rule]:
        """Hold or refuse such requests within the block; held ones go on at its end."""
        rule = Rule(method, words, after, refuse_with)
        with self._lock:
            self._rules.append(rule)
        try:
            yield rule
        finally:
            with self._lock:
                self._rules.remove(rule)
            rule.released.set()

    def count(self, method: str, *words: str) -> int:
        """How many such requests were let through."""
        with self._lock:
            return sum(
                one == method and all(word in path for word in words) for one, path in self.seen
            )

    def ask(self, method: str, path: str) -> int | None:
        """Wait while the request is held; returns the status to refuse it with, or None."""
        with self._lock:
            rule = next((one for one in self._rules if one.catches(method, path)), None)
            if rule is not None and rule.after > 0:
                rule.after -= 1
                rule = None
            if rule is not None:
                rule.caught += 1
        if rule is not None and rule.refuse_with is not None:
            return rule.refuse_with
        if rule is not None:
            rule.released.wait(HELD_SECONDS)
        with self._lock:
            self.seen.append((method, path))
        return None

    def stop(self) -> None:
        for rule in list(self._rules):
            rule.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Forwards one request with its own Host header, which the signature covers."""

    protocol_version = "HTTP/1.1"
    owner: Gate

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        refused = self.owner.ask(self.command, unquote(self.path))
        with contextlib.suppress(ConnectionError):
            if refused is not None:
                self._answer(refused, [("Content-Length", "0")], b"")
                return
            connection = http.client.HTTPConnection(*self.owner.upstream, timeout=60)
            with contextlib.closing(connection):
                connection.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in self.headers.items():
                    if name.lower() not in _HOP_HEADERS:
                        connection.putheader(name, value)
                connection.endheaders(body)
                response = connection.getresponse()
                data = response.read()
                length = response.getheader("Content-Length") or str(len(data))
                headers = [
                    (name, value)
                    for name, value in response.getheaders()
                    if name.lower() not in _HOP_HEADERS | {"content-length"}
                ]
                self._answer(response.status, [*headers, ("Content-Length", length)], data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _forward  # noqa: N815

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
