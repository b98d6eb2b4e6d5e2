"""A lean HTTP/1.1 client for object stores: kept connections, whole requests, streamed answers.

The vendors' SDKs spend one to three milliseconds of processor time on a request, which is
what bounds the rate of small objects; this one spends a tenth of that. It knows nothing of
any store. Thread-safe: a connection belongs to one request at a time.
"""

import os
import socket
import ssl
import struct
import threading
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from cloudflux.api.addresses import require_public_peer

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
IDLE_SECONDS = 15
"""A kept connection that was idle for longer is not used again: servers drop them about then."""
JOINED_BYTES = 64 << 10
"""A smaller body is sent in one packet train with its headers."""
BUFFER_BYTES = 64 << 10
MAX_LINE_BYTES = 64 << 10
MAX_HEAD_BYTES = 256 << 10
_HEAD_END = b"\r\n\r\n"


class TransportError(OSError):
    """No whole answer came: refused, reset, timed out, or not HTTP."""


class Pool:
    """Connections to one server; more are opened as more threads ask."""

    def __init__(self, url: str, *, ca_file: str | None = None, public_only: bool = False) -> None:
        """`url` is the server's, without a path. Makes no connection.

        `public_only`: a connection that leads to a private address is refused.
        """
        self._url, self._public_only = url, public_only
        parts = urlsplit(url)
        self.secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self.secure else 80)
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._proxy = _proxy_for(parts.scheme, self._host)
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | memoryview = b""
    ) -> "Response":
        """Send a request and read the answer's head. Raises TransportError.

        A kept connection that the server closed meanwhile is replaced, once; the request may
        then have reached the server twice, as with any retry.
        """
        head = _head(method, self._target(target), headers, len(body))
        connection = self._take()
        if connection is not None:
            try:
                return connection.exchange(method, head, body, self)
            except StaleConnection:
                pass
        return self._connect().exchange(method, head, body, self)

    def give_back(self, connection: "Connection") -> None:
        """Keep a connection whose answer was read to its end."""
        connection.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """Drop the kept connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> "Connection | None":
        oldest = time.monotonic() - IDLE_SECONDS
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if connection.idle_since >= oldest:
                    return connection
                connection.close()
        return None

    def _target(self, target: str) -> str:
        if self._proxy is None or self.secure:
            return target
        return f"http://{self._host}:{self._port}{target}"

    def _connect(self) -> "Connection":
        host, port = self._host, self._port
        if self._proxy is not None:
            host, port = self._proxy[0], self._proxy[1]
        try:
            plain = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_SECONDS)
            if self._public_only and self._proxy is None:
                require_public_peer(plain, self._url)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if not self.secure:
                _set_timeouts(plain)
                return Connection(plain)
            if self._proxy is not None:
                _tunnel(plain, self._host, self._port, self._proxy[2])
            wrapped = self._context().wrap_socket(plain, server_hostname=self._host)
            wrapped.settimeout(READ_TIMEOUT_SECONDS)
            return Connection(wrapped)
        except OSError as error:
            raise TransportError(f"no connection: {type(error).__name__}") from error

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            path = self._ca_file
            folder = path is not None and Path(path).is_dir()
            self._tls = ssl.create_default_context(
                cafile=None if folder else path, capath=path if folder else None
            )
        return self._tls


class StaleConnection(TransportError):
    """A kept connection turned out to be closed before any answer."""


class Connection:
    """One socket. Answers' heads are read in large pieces, bodies straight from the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        # TLS knows no flags; there a loop does what the kernel does for plain sockets.
        self._whole = 0 if isinstance(sock, ssl.SSLSocket) else socket.MSG_WAITALL
        self._rest = b""
        self.idle_since = 0.0
        self._used = False

    def exchange(
        self, method: str, head: bytes, body: bytes | memoryview, pool: Pool
    ) -> "Response":
        """Send one request and read the head of its answer."""
        reused, self._used = self._used, True
        sent: OSError | None = None
        try:
            if len(body) <= JOINED_BYTES:
                self._socket.sendall(b"".join((head, body)))
            else:
                self._socket.sendall(head)
                self._socket.sendall(body)
        except OSError as error:
            sent = error  # an early answer, such as a refusal, may still be there to read
        try:
            status, headers = self._read_head()
        except OSError as error:
            self.close()
            kind = StaleConnection if reused and not isinstance(error, _Broken) else TransportError
            raise kind(f"no answer: {type(sent or error).__name__}") from error
        return Response(self, pool, method, status, headers, keep=sent is None)

    def close(self) -> None:
        """Drop it."""
        self._socket.close()

    def read(self, size: int) -> bytes:
        """Exactly so many bytes; fewer only where the connection ends."""
        rest = self._rest
        if len(rest) >= size:
            self._rest = rest[size:]
            return rest[:size]
        self._rest = b""
        pieces, missing = [rest] if rest else [], size - len(rest)
        while missing:
            piece = self._socket.recv(missing, self._whole)
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_some(self) -> bytes:
        """What is there, at least a byte; nothing where the connection ends."""
        rest, self._rest = self._rest, b""
        return rest or self._socket.recv(BUFFER_BYTES)

    def read_line(self) -> bytes:
        """A line with its end. Raises TransportError where there is none."""
        end = self._rest.find(b"\n") + 1
        while not end:
            if len(self._rest) > MAX_LINE_BYTES:
                raise _Broken("a line is too long")
            more = self._socket.recv(BUFFER_BYTES)
            if not more:
                raise _Broken("the connection ended within a line")
            self._rest += more
            end = self._rest.find(b"\n") + 1
        line, self._rest = self._rest[:end], self._rest[end:]
        return line

    def _read_head(self) -> tuple[int, dict[str, str]]:
        while True:
            end = self._rest.find(_HEAD_END)
            while end < 0:
                if len(self._rest) > MAX_HEAD_BYTES:
                    raise _Broken("the head is too long")
                more = self._socket.recv(BUFFER_BYTES)
                if not more:
                    raise ConnectionResetError("closed")
                self._rest += more
                if not self._rest.startswith(b"HTTP/1."[: len(self._rest)]):
                    raise _Broken("not HTTP/1")
                end = self._rest.find(_HEAD_END)
            head = self._rest[:end].decode("latin-1")
            self._rest = self._rest[end + len(_HEAD_END) :]
            first, *lines = head.split("\r\n")
            if not first.startswith("HTTP/1.") or not first[9:12].isdigit():
                raise _Broken("not HTTP/1")
            headers = _headers(lines)
            if (status := int(first[9:12])) != 100:
                return status, headers


def _headers(lines: Sequence[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.partition(":")
        if not separator:
            raise _Broken("no header line")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


class _Broken(TransportError):
    """The answer had begun and is no HTTP."""


class Response:
    """An answer: status, headers by lower-case name, and a body to be read or closed."""

    def __init__(
        self,
        connection: Connection,
        pool: Pool,
        method: str,
        status: int,
        headers: dict[str, str],
        *,
        keep: bool,
    ) -> None:
        self.status, self.headers = status, headers
        self._connection: Connection | None = connection
        self._pool = pool
        self._keep = keep and headers.get("connection", "").lower() != "close"
        self._chunked = False
        self._left: int | None = 0
        if method != "HEAD" and status not in (204, 304) and status >= 200:
            self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
            length = headers.get("content-length")
            if not self._chunked:
                self._left = int(length) if length is not None else None
            if self._left is None:
                self._keep = False  # the body ends with the connection
        if self._left == 0 and not self._chunked:
            self._finish()

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all with -1; fewer only at the end. Raises TransportError."""
        if self._connection is None or size == 0:
            return b""
        try:
            if self._chunked:
                return self._read_chunked(size)
            return self._read_plain(size)
        except (OSError, ValueError) as error:
            self.close()
            if isinstance(error, TransportError):
                raise
            raise TransportError(f"the answer broke off: {type(error).__name__}") from error

    def close(self) -> None:
        """Give up what was not read."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read_plain(self, size: int) -> bytes:
        assert self._connection is not None  # noqa: S101  (asked by the caller)
        if self._left is None:
            return self._read_to_the_end(self._connection, size)
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._connection.read(wanted)
        self._left -= len(data)
        if len(data) < wanted:
            raise TransportError(f"the answer broke off with {self._left} bytes missing")
        if self._left == 0:
            self._finish()
        return data

    def _read_to_the_end(self, connection: Connection, size: int) -> bytes:
        """A body without a length: whatever comes until the connection ends."""
        if size >= 0:
            data = connection.read(size)
            if len(data) < size:
                self._finish()
            return data
        data = b"".join(iter(connection.read_some, b""))
        self._finish()
        return data

    def _read_chunked(self, size: int) -> bytes:
        pieces: list[bytes] = []
        missing = size
        while missing and self._connection is not None:
            connection = self._connection
            if not self._left:
                self._left = int(connection.read_line().split(b";")[0], 16)
                if self._left == 0:
                    while connection.read_line() not in (b"\r\n", b"\n"):
                        pass
                    self._finish()
                    break
            data = connection.read(self._left if missing < 0 else min(missing, self._left))
            if not data:
                raise TransportError("the answer broke off inside a chunk")
            self._left -= len(data)
            missing -= len(data) if missing > 0 else 0
            pieces.append(data)
            if self._left == 0:
                connection.read_line()
        return b"".join(pieces)

    def _finish(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._keep:
            self._pool.give_back(connection)
        else:
            connection.close()


def _head(method: str, target: str, headers: Mapping[str, str], body_bytes: int) -> bytes:
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body_bytes or method in ("PUT", "POST"):
        lines.append(f"content-length: {body_bytes}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError("a header holds a line break")
    return f"{text}\r\n\r\n".encode("latin-1")


def _set_timeouts(plain: socket.socket) -> None:
    # The kernel's own timeouts: Python's would ask poll() before every read and write.
    plain.settimeout(None)
    span = struct.pack("@ll", READ_TIMEOUT_SECONDS, 0)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, span)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, span)


def _proxy_for(scheme: str, host: str) -> tuple[str, int, str] | None:
    """(host, port, Proxy-Authorization) of the proxy that the environment names, if any."""
    if not any(name.lower().endswith("_proxy") for name in os.environ) or proxy_bypass(host):
        return None
    url = getproxies().get(scheme)
    if not url:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    secret = ""
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        secret = f"Basic {b64encode(pair.encode()).decode()}"
    return parts.hostname or "", parts.port or 8080, secret


def _tunnel(plain: socket.socket, host: str, port: int, authorization: str) -> None:
    headers = {"host": f"{host}:{port}"}
    if authorization:
        headers["proxy-authorization"] = authorization
    plain.sendall(_head("CONNECT", f"{host}:{port}", headers, 0))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = plain.recv(1)
        if not byte or len(answer) > MAX_LINE_BYTES:
            raise TransportError("the proxy did not answer")
        answer += byte
    if int(answer[9:12]) != 200:
        raise TransportError(f"the proxy refused: {int(answer[9:12])}")
