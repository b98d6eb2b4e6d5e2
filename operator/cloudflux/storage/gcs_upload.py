"""Writing an object: one request when it is small, else a resumable upload in bounded memory."""

import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any, BinaryIO
from urllib.parse import urlencode

from cloudflux.errors import CloudFluxError, ObjectNotFound, Unavailable
from cloudflux.storage.digests import Digests, combine_crcs, crc_hex, crc_of, hex_to_base64
from cloudflux.storage.gcs_client import TIMEOUTS_SECONDS, Connection
from cloudflux.storage.gcs_errors import Requests
from cloudflux.storage.interface import Pieces
from cloudflux.storage.keys import printable
from cloudflux.storage.parts import MIB, made_ahead, read_exactly, read_whole, require_announced

SINGLE_REQUEST_BYTES = 16 * MIB
CHUNK_BYTES = 8 * MIB
AHEAD = 2
"""Pieces on their way from the source while one is sent."""
CRC = "crc32c"
ASKING_SECONDS = (5, 15)
"""For the question how far an upload is, which moves no bytes: to connect, and to be answered."""
OPERATION = "objects.insert"


class Upload:
    """One object to write; each call sends it once."""

    def __init__(self, requests: Requests, connection: Connection, bucket: str, key: str) -> None:
        self._requests, self._connection = requests, connection
        self._bucket, self._key = bucket, key

    def whole(
        self,
        stream: BinaryIO,
        size_bytes: int,
        *,
        body: Mapping[str, Any],
        conditions: Mapping[str, int | str],
        sha256: str | None,
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Send everything in one request, with the CRC32C that the server compares."""
        data, digests = read_whole(self._key, stream, size_bytes, sha256, {CRC})
        described = {**body, CRC: hex_to_base64(digests[CRC])}
        boundary = secrets.token_hex(16)
        content = body.get("contentType", "application/octet-stream")
        message = b"".join((
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode(),
            json.dumps(described).encode(),
            f"\r\n--{boundary}\r\nContent-Type: {content}\r\n\r\n".encode(),
            data,
            f"\r\n--{boundary}--\r\n".encode(),
        ))  # fmt: skip

        query = urlencode({"uploadType": "multipart", **conditions})
        url = f"{self._connection.url('upload/storage', self._bucket)}?{query}"
        headers = {"content-type": f"multipart/related; boundary={boundary}"}

        def request() -> dict[str, Any]:
            answer = self._connection.sender.post(url, headers, message)
            return self._resource(answer)

        return self._send(request), digests

    def resumable(
        self,
        stream: BinaryIO,
        size_bytes: int,
        *,
        body: Mapping[str, Any],
        conditions: Mapping[str, int | str],
        sha256: str | None,
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Send chunk by chunk; a broken one goes on where the server says it is.

        The last chunk is sent only when the stream was the one announced, with its CRC32C.
        """
        digests = Digests({CRC, *(("sha256",) if sha256 else ())})
        session = self.begin(body, conditions, size_bytes)
        try:
            start = 0
            chunk = read_exactly(stream, CHUNK_BYTES)
            while True:
                digests.update(chunk)
                following = read_exactly(stream, CHUNK_BYTES)
                last = not following
                if last or start + len(chunk) >= size_bytes:
                    digests.update(following)  # nothing, unless the stream is too long
                    require_announced(self._key, digests, size_bytes, sha256)
                whole = digests.hex()[CRC] if last else None
                answer = self._chunk(session, chunk, start, size_bytes, whole)
                if last:
                    if answer is None:
                        raise Unavailable(
                            "GCS: the upload is whole but was not accepted", key=self._key
                        )
                    return answer, digests.hex()
                start, chunk = start + len(chunk), following
        except BaseException:
            self.abort(session)
            raise

    def pieces(
        self, session: str, pieces: Pieces, there: int, stored: dict[str, Any] | None
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Send an object's pieces in order, from the byte `there` on that the server waits for.

        Of what it has, only pieces whose CRC is not known are read; where that is all, `stored`
        is the object. The last piece goes with the CRC32C of all.
        """
        size_bytes = pieces.size_bytes
        crcs: list[tuple[int, int]] = []

        def made(start: int) -> Callable[[], tuple[int, int, int, bytes]]:
            length = min(CHUNK_BYTES, size_bytes - start)

            def make() -> tuple[int, int, int, bytes]:
                known = pieces.recall(start, length) if start + length <= there else None
                data = b"" if known is not None else pieces.read(start, length)
                return start, length, crc_of(CRC, data) if known is None else known, data

            return make

        makers = (made(start) for start in range(0, size_bytes, CHUNK_BYTES))
        with closing(made_ahead(makers, AHEAD, "gcs-piece")) as bodies:
            for start, length, crc, data in bodies:
                crcs.append((crc, length))
                if start + length <= there:
                    continue
                last = start + length == size_bytes
                whole = crc_hex(CRC, combine_crcs(CRC, crcs)) if last else None
                stored = self._chunk(session, data, start, size_bytes, whole, begun=there > start)
        if stored is None:
            raise Unavailable("GCS: the upload is whole but was not accepted", key=self._key)
        return stored, {CRC: crc_hex(CRC, combine_crcs(CRC, crcs))}

    def held(self, session: str, size_bytes: int) -> tuple[int, dict[str, Any] | None]:
        """How many bytes a session has, and the object when it is whole; none when it is gone."""
        if not self._ours(session):
            return 0, None
        try:
            found: tuple[int, dict[str, Any] | None] = self._send(
                lambda: self._position(session, size_bytes)
            )
        except ObjectNotFound:
            return 0, None
        return found

    def abort(self, session: str) -> None:
        """Drop a session; the server forgets it after a week by itself."""
        if self._ours(session):
            with suppress(CloudFluxError), self._requests.translated(OPERATION, self._key):
                self._connection.session.delete(session, timeout=TIMEOUTS_SECONDS)

    def _ours(self, session: str) -> bool:
        """Whether a URL that was written down leads where our token may be sent."""
        return session.startswith(f"{self._connection.endpoint}/")

    def begin(
        self, body: Mapping[str, Any], conditions: Mapping[str, int | str], size_bytes: int
    ) -> str:
        """Begin a session, and return its URL: who has it may write this object for a week."""

        def request() -> str:
            answer = self._connection.session.post(
                self._connection.url("upload/storage", self._bucket),
                params={"uploadType": "resumable", "name": body["name"], **conditions},
                headers={"X-Upload-Content-Length": str(size_bytes)},
                json=dict(body),
                timeout=TIMEOUTS_SECONDS,
            )
            self._requests.require_success(answer, OPERATION, self._key)
            return str(answer.headers["Location"])

        session: str = self._send(request)
        return session

    def _chunk(
        self,
        session: str,
        chunk: bytes,
        start: int,
        size_bytes: int,
        whole: str | None,
        *,
        begun: bool = False,
    ) -> dict[str, Any] | None:
        """Send a chunk, `whole` is the CRC of all with the last; returns the resource then.

        Of one that is `begun` already, what the server has is not sent.
        """
        headers = {}
        if whole is not None:
            headers["X-Goog-Hash"] = f"{CRC}={hex_to_base64(whole)}"

        def request() -> dict[str, Any] | None:
            nonlocal begun
            there = start
            if begun:
                there, finished = self._position(session, size_bytes)
                if finished is not None or there >= start + len(chunk):
                    return finished
            begun = True
            rest = chunk[max(0, there - start) :]
            span = f"bytes {there}-{start + len(chunk) - 1}/{size_bytes}"
            answer = self._connection.session.put(
                session,
                data=rest,
                headers={"Content-Range": span, **headers},
                timeout=TIMEOUTS_SECONDS,
            )
            if answer.status_code == 308:
                return None
            return self._resource(answer)

        try:
            stored: dict[str, Any] | None = self._send(request)
        except ObjectNotFound as gone:  # the session, not an object that somebody removed
            raise Unavailable(
                f"GCS {OPERATION} {printable(self._key)}: the server forgot the upload; it begins "
                "anew; look at the server's health if it goes on",
                backend="gcs",
                operation=OPERATION,
                key=self._key,
            ) from gone
        return stored

    def _position(self, session: str, size_bytes: int) -> tuple[int, dict[str, Any] | None]:
        """How many bytes the server has, and the object when it has them all."""
        answer = self._connection.session.put(
            session, headers={"Content-Range": f"bytes */{size_bytes}"}, timeout=ASKING_SECONDS
        )
        if answer.status_code == 308:
            span = answer.headers.get("Range", "")
            return (int(span.rpartition("-")[2]) + 1 if span else 0), None
        if answer.status_code in (404, 410):
            answer.close()
            raise ObjectNotFound("GCS: the upload is gone; it begins anew", key=self._key)
        return size_bytes, self._resource(answer)

    def _resource(self, answer: Any) -> dict[str, Any]:
        self._requests.require_success(answer, OPERATION, self._key)
        found: dict[str, Any] = answer.json()
        return found

    def _send(self, request: Any) -> Any:
        return self._requests.send(self._connection.retrier, OPERATION, self._key, request)
