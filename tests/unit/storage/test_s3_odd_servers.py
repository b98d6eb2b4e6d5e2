"""Servers that speak an older or a looser S3: what they lack is done without, or refused."""

import io
import threading
from collections.abc import Iterator
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from pydantic import SecretStr

from cloudflux.api.task import Credentials, StoreRef
from cloudflux.errors import NotSupported, PreconditionFailed
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.probe import protects_writes
from cloudflux.storage.registry import open_store
from cloudflux.storage.s3 import S3Store
from cloudflux.storage.s3_listing import Page

PAST = "2026-01-02T03:04:05.000Z"


class OddServer(ThreadingHTTPServer):
    """One bucket in memory. It ignores every condition and knows no ?tagging."""

    daemon_threads = True
    knows_checksums = True
    entry = "Contents"
    reverse = False
    somebody_writes = False
    """While parts are sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, bytes] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OddServer

    def _handle(self) -> None:
        split = urlsplit(self.path)
        query = parse_qs(split.query, keep_blank_values=True)
        key = unquote(split.path).removeprefix("/bucket").lstrip("/")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not self.server.knows_checksums and (
            any("checksum" in name.lower() for name in self.headers) or b"Checksum" in body
        ):
            self._answer(501, b"<Error><Code>NotImplemented</Code></Error>")
        elif not key:
            self._answer(200, self._listing(query["prefix"][0]))
        else:
            getattr(self, f"_{self.command.lower()}")(key, query, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815

    def _get(self, key: str, *_: object) -> None:
        found = self.server.objects.get(key)
        if found is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            self._answer(200, found, etag=md5(found, usedforsecurity=False).hexdigest())

    _head = _get

    def _put(self, key: str, query: dict[str, list[str]], body: bytes) -> None:
        if "partNumber" in query:
            self.server.parts[query["partNumber"][0].zfill(5)] = body
            if self.server.somebody_writes:
                self.server.objects[key] = b"theirs"
        else:
            self.server.objects[key] = body
        self._answer(200, b"", etag=md5(body, usedforsecurity=False).hexdigest())

    def _post(self, key: str, query: dict[str, list[str]], _: bytes) -> None:
        if "uploads" in query:
            self.server.parts.clear()
            self._answer(200, b"<Result><UploadId>u</UploadId></Result>")
        else:
            self.server.objects[key] = b"".join(v for _, v in sorted(self.server.parts.items()))
            self._answer(200, b"<Result><ETag>&quot;whole-2&quot;</ETag></Result>")

    def _delete(self, key: str, query: dict[str, list[str]], _: bytes) -> None:
        if "uploadId" not in query:
            self.server.objects.pop(key, None)
        self._answer(204, b"")

    def _listing(self, prefix: str) -> bytes:
        name = self.server.entry
        found = sorted(
            (k for k in self.server.objects if k.startswith(prefix)), reverse=self.server.reverse
        )
        items = "".join(
            f"<{name}><Key>{key}</Key><LastModified>{PAST}</LastModified>"
            f"<ETag>&quot;e&quot;</ETag><Size>1</Size></{name}>"
            for key in found
        )
        space = ' xmlns:s3="urn:x"' if name.startswith("s3:") else ""
        text = f"<ListBucketResult{space}>{items}<IsTruncated>false</IsTruncated>"
        return f"{text}</ListBucketResult>".encode()

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
        for header, value in headers.items():
            self.send_header(header, f'"{value}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def store(server: OddServer) -> S3Store:
    keys = Credentials(access_key_id="A", secret_access_key=SecretStr("s"))
    url = f"http://127.0.0.1:{server.server_port}"
    found = open_store(StoreRef(uri="s3://bucket/data", endpoint=url, credentials=keys))
    assert isinstance(found, S3Store)
    return found


def test_what_others_wrote_is_not_overwritten_where_conditions_are_ignored(
    server: OddServer, store: S3Store
) -> None:
    server.objects["data/theirs"] = b"theirs"
    with pytest.raises(PreconditionFailed):
        store.put("theirs", io.BytesIO(b"mine"), 4, if_absent=True)
    with pytest.raises(PreconditionFailed):
        store.put("theirs", io.BytesIO(b"mine"), 4, if_version="another")
    with pytest.raises(PreconditionFailed):
        store.put("absent", io.BytesIO(b"mine"), 4, if_version="another")
    assert server.objects == {"data/theirs": b"theirs"}, "and no scratch object is left"
    written = store.put("new", io.BytesIO(b"mine"), 4, if_absent=True)
    store.put("new", io.BytesIO(b"newer"), 5, if_version=written.version)
    assert server.objects["data/new"] == b"newer"
    assert not protects_writes(store), "a plan says that nobody else may write"


def test_a_large_object_is_not_put_over_what_came_while_its_parts_were_sent(
    server: OddServer, store: S3Store
) -> None:
    body, server.somebody_writes = bytes(17 << 20), True
    with pytest.raises(PreconditionFailed):
        store.put("big", io.BytesIO(body), len(body), if_absent=True)
    assert server.objects["data/big"] == b"theirs"


def test_another_version_is_not_read_where_conditions_are_ignored(
    server: OddServer, store: S3Store
) -> None:
    server.objects["data/k"] = b"now"
    with pytest.raises(PreconditionFailed):
        store.open("k", if_version="before")
    with pytest.raises(PreconditionFailed):
        store.read_range("k", 0, 1, if_version="before")
    now = md5(b"now", usedforsecurity=False).hexdigest()
    assert store.open("k", if_version=now).read() == b"now"


def test_a_server_without_the_newer_checksums_is_written_to_and_read_from(
    server: OddServer, store: S3Store
) -> None:
    server.knows_checksums = False
    body = bytes(17 << 20)
    store.put("small", io.BytesIO(b"x"), 1, if_absent=True)
    store.put("big", io.BytesIO(body), len(body), if_absent=True)
    assert server.objects == {"data/small": b"x", "data/big": body}
    assert store.head("small").size_bytes == 1
    _, stream = store.fetch("small", if_version=store.head("small").version)
    assert stream.read() == b"x"


def test_an_object_is_not_taken_for_its_tags(server: OddServer, store: S3Store) -> None:
    server.objects["data/k"] = b"<Tag><Key>no</Key><Value>tag</Value></Tag>" * 10_000
    assert store.head("k").tags == {}


def test_a_listing_out_of_order_is_refused(server: OddServer, store: S3Store) -> None:
    server.objects = {"data/a": b"", "data/b": b""}
    assert [entry.key for entry in store.list()] == ["a", "b"]
    server.reverse = True
    with pytest.raises(NotSupported, match="lists a after b"):
        list(store.list())
    with pytest.raises(NotSupported):
        list(store.list_briefs())


def test_entries_in_a_namespace_of_their_own_are_seen(server: OddServer, store: S3Store) -> None:
    server.objects, server.entry = {"data/a": b"", "data/b": b""}, "s3:Contents"
    listed = [entry for entry in store.list() if isinstance(entry, ObjectInfo)]
    assert [(one.key, one.size_bytes, one.version) for one in listed] == [
        ("a", 1, "e"),
        ("b", 1, "e"),
    ]
    assert [brief for page in store.list_briefs() for brief in page] == [
        ("a", 1, "e"),
        ("b", 1, "e"),
    ]


def test_a_commented_listing_hides_no_entry() -> None:
    entry = b"<Contents><Key>%s</Key><LastModified>%s</LastModified><ETag>e</ETag><Size>1</Size>"
    text = b"<ListBucketResult><!-- <Contents> -->" + b"".join(
        entry % (key, PAST.encode()) + b"</Contents>" for key in (b"a", b"<![CDATA[b]]>")
    )
    assert [one.key for one in Page(text + b"</ListBucketResult>").objects(0)] == ["a", "b"]
