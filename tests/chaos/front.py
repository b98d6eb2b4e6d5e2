"""A proxy before an object store that fails as servers and networks do, by rules."""

import contextlib
import email.utils
import http.client
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.chaos.dialects import Asked, Body, Dialect, classify, refusal

ALWAYS = 1_000_000
_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect"}
_CLOCKS = ("date", "last-modified")
SKEW_SECONDS = 26 * 3600


@dataclass(eq=False)
class Rule:
    """One fault: which requests meet it, and how often."""

    fault: str
    operations: frozenset[str]
    steps: frozenset[str]
    """Steps of the job in which it happens."""
    marks: bool = False
    """Only requests about markers, or only others."""
    after: int = 0
    """So many such requests pass first."""
    times: int = 1
    seconds: float = 0.0
    """How long a delay is, or how long the server asks to wait."""
    hits: int = 0

    def catches(self, step: str, operation: str, *, marks: bool) -> bool:
        """Count a request; say whether it meets the fault."""
        if step not in self.steps or operation not in self.operations or marks != self.marks:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.hits >= self.times:
            return False
        self.hits += 1
        return True


@dataclass(frozen=True, slots=True)
class Entry:
    """A request that the server answered."""

    step: str
    asked: Asked
    status: int


@dataclass
class Front:
    """The proxy; `url` is its endpoint. `point_at` chooses the server behind it."""

    url: str = ""
    step: str = ""
    """What the job does now; the driver says it."""
    rules: list[Rule] = field(default_factory=list)
    log: list[Entry] = field(default_factory=list)
    kill: Callable[[], None] = lambda: None
    dialect: Dialect = "s3"
    upstream: tuple[str, int] = ("", 0)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _server: Any = None

    def start(self) -> "Front":
        handler = type("Handler", (_Handler,), {"front": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        serve = self._server.serve_forever
        threading.Thread(target=serve, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def point_at(self, endpoint: str, dialect: Dialect) -> str:
        """Forget all rules; returns the endpoint to use instead."""
        parts = urlsplit(endpoint)
        with self.lock:
            self.rules, self.log, self.step = [], [], ""
            self.upstream, self.dialect = (parts.hostname or "", parts.port or 80), dialect
        return self.url + parts.path

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def met(self, asked: Asked) -> Rule | None:
        with self.lock:
            for rule in self.rules:
                if rule.catches(self.step, asked.operation, marks=asked.marks):
                    return rule
        return None

    def note(self, asked: Asked, status: int) -> None:
        with self.lock:
            self.log.append(Entry(self.step, asked, status))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A peer that was killed, or that we reset."""


class _Handler(BaseHTTPRequestHandler):
    """Serves one connection; keeps one to the server."""

    protocol_version = "HTTP/1.1"
    front: Front
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.behind = http.client.HTTPConnection(*self.front.upstream, timeout=60)

    def finish(self) -> None:
        self.behind.close()
        with contextlib.suppress(OSError):
            super().finish()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        span = self.headers.get("Content-Range", "")
        asked = classify(self.front.dialect, self.command, self.path, body, span)
        rule = self.front.met(asked)
        fault = rule.fault if rule else ""
        try:
            self._answer_with(fault, rule.seconds if rule else 0.0, asked, body)
        except (OSError, http.client.HTTPException):
            self._reset()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def _answer_with(self, fault: str, seconds: float, asked: Asked, body: bytes) -> None:
        match fault:
            case "reset":
                self._reset()
            case "kill before":
                self.front.kill()
                self._reset()
            case "half request":
                self._forward_half(body)
                self._reset()
            case "lost" | "kill after":
                self._forward(asked, body)
                if fault == "kill after":
                    self.front.kill()
                self._reset()
            case "half answer":
                self._reply(self._forward(asked, body), whole=False)
            case "flip request":
                self._reply(self._forward(asked, flipped(body, near_end=True)))
            case "flip answer":
                status, headers, data = self._forward(asked, body)
                self._reply((status, headers, flipped(data) if status < 300 else data))
            case "server clock":
                status, headers, data = self._forward(asked, body)
                self._reply((status, {n: _shifted(n, v) for n, v in headers.items()}, data))
            case "" | "latency":
                time.sleep(seconds)
                self._reply(self._forward(asked, body))
            case _:
                status, headers, data = refusal(self.front.dialect, fault)
                headers["Content-Length"] = str(len(data))
                if fault == "throttled":
                    headers["Retry-After"] = f"{seconds:.0f}"
                self._reply((status, headers, data))

    def _forward(self, asked: Asked, body: bytes) -> Body:
        self._send_head(len(body))
        if body:
            self.behind.send(body)
        response = self.behind.getresponse()
        data = response.read()
        self.front.note(asked, response.status)
        headers = {n: v for n, v in response.getheaders() if n.lower() not in _HOP_HEADERS}
        lengths = [name for name in headers if name.lower() == "content-length"]
        if self.command != "HEAD" and not lengths:
            headers["Content-Length"] = str(len(data))
        host = "{}:{}".format(*self.front.upstream)
        if host in headers.get("Location", ""):  # an upload's session comes through here, too
            headers["Location"] = headers["Location"].replace(host, self.headers["Host"])
        return response.status, headers, data

    def _forward_half(self, body: bytes) -> None:
        self._send_head(len(body))
        self.behind.send(body[: len(body) // 2])
        self.behind.close()

    def _send_head(self, length: int) -> None:
        self.behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP_HEADERS:
                self.behind.putheader(name, value)
        self.behind.endheaders()

    def _reply(self, answer: Body, *, whole: bool = True) -> None:
        status, headers, data = answer
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data if whole else data[: len(data) // 2])
        if not whole:
            self._reset()

    def _reset(self) -> None:
        """Close so that the peer sees a reset and not an end."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def flipped(data: bytes, *, near_end: bool = False) -> bytes:
    """One wrong bit: in the middle, or where a small body of several parts has its content."""
    if not data:
        return data
    place = max(0, len(data) - 60) if near_end else len(data) // 2
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


def _shifted(name: str, value: str) -> str:
    if name.lower() not in _CLOCKS:
        return value
    at = email.utils.parsedate_to_datetime(value).timestamp() + SKEW_SECONDS
    return email.utils.formatdate(at, usegmt=True)
