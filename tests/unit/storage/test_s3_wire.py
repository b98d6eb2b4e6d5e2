"""The S3 client on the wire: against a server that answers as it is told."""

import datetime as dt
import io
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudflux.api.task import Credentials, StoreRef
from cloudflux.errors import (
    ClockSkewed,
    CredentialsInvalid,
    NotSupported,
    PermissionDenied,
    Throttled,
    Unavailable,
)
from cloudflux.storage.digests import combine_crcs, crc_of
from cloudflux.storage.http_client import Pool, TransportError
from cloudflux.storage.registry import open_store
from cloudflux.storage.retry import Retrier
from cloudflux.storage.s3 import S3Store
from cloudflux.storage.s3_client import USER_AGENT
from cloudflux.storage.s3_listing import Page
from cloudflux.storage.s3_sign import EMPTY_SHA256, Keys, Signer
from cloudflux.storage.s3_wire import Answer, Wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Scripted:
    """Answers each connection's requests from a script; a None drops the connection."""

    def __init__(self, connections: list[list[bytes | None]]) -> None:
        self._connections = connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for answers in self._connections:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed: nobody asked
            with connection, connection.makefile("rb") as reader:
                for answer in answers:
                    self.requests.append(self._request(reader))
                    if answer is None:
                        break
                    connection.sendall(answer)

    @staticmethod
    def _request(reader: io.BufferedReader) -> bytes:
        head, length = b"", 0
        while (line := reader.readline()) not in (b"\r\n", b""):
            head += line
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return head + b"\r\n" + reader.read(length)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def scripted(*connections: list[bytes | None]) -> Iterator[Scripted]:
    server = Scripted(list(connections))
    try:
        yield server
    finally:
        server.close()


def wire(server: Scripted, waits: list[float]) -> Wire:
    retrier = Retrier(wait=waits.append)
    keys = Keys("AK", "SK")
    return Wire(server.url, "us-east-1", lambda: keys, user_agent="us/1", retrier=retrier)


def refusal(status: int, code: str, more: str = "") -> bytes:
    body = f"<Error><Code>{code}</Code><Message>secret</Message></Error>"
    return f"HTTP/1.1 {status} No\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def test_connections_are_kept() -> None:
    with scripted([OK, OK, OK]) as server:
        pool = Pool(server.url)
        assert [pool.request("GET", "/", {"host": "h"}).read() for _ in range(3)] == [b"ok"] * 3


def test_a_kept_connection_that_was_closed_is_replaced_once() -> None:
    with scripted([OK, None], [OK]) as server:
        pool = Pool(server.url)
        pool.request("GET", "/", {"host": "h"}).read()
        assert pool.request("PUT", "/", {"host": "h"}, b"body").read() == b"ok"
        assert len(server.requests) == 3
    with scripted([None]) as server, pytest.raises(TransportError):
        Pool(server.url).request("GET", "/", {"host": "h"})


def test_a_body_that_breaks_off_is_an_error() -> None:
    short = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    with scripted([short]) as server:
        response = Pool(server.url).request("GET", "/", {"host": "h"})
        with pytest.raises(TransportError, match="missing"):
            response.read()


def test_chunked_bodies_are_joined() -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    with scripted([chunked, chunked, OK]) as server:
        pool = Pool(server.url)
        assert pool.request("GET", "/", {"host": "h"}).read() == b"abcde"
        response = pool.request("GET", "/", {"host": "h"})
        assert [response.read(2), response.read(9), response.read(9)] == [b"ab", b"cde", b""]
        assert pool.request("GET", "/", {"host": "h"}).read() == b"ok"


def test_line_breaks_never_reach_the_wire() -> None:
    with scripted([OK]) as server, pytest.raises(ValueError, match="line break"):
        Pool(server.url).request("GET", "/", {"host": "h", "x-amz-meta-a": "b\r\nEvil: 1"})


def test_throttling_is_waited_for_and_repeated() -> None:
    waits: list[float] = []
    slow = refusal(503, "SlowDown", "Retry-After: 7\r\n")
    with scripted([slow, refusal(500, "InternalError"), OK]) as server:
        assert wire(server, waits).call("GetObject", "GET", "b", "k").body == b"ok"
    assert max(waits) == pytest.approx(7, rel=0.1)
    assert len(waits) >= 2


def test_what_goes_on_failing_is_said_as_ours() -> None:
    waits: list[float] = []
    with scripted([refusal(503, "SlowDown")] * 4) as server:  # type: ignore[list-item]
        with pytest.raises(Throttled) as raised:
            wire(server, waits).call("GetObject", "GET", "b", "k")
        assert "secret" not in str(raised.value)
    assert waits
    denied = pytest.raises(PermissionDenied, match="s3:PutObject")
    with scripted([refusal(403, "AccessDenied")]) as server, denied:
        wire(server, waits).call("PutObject", "PUT", "b", "k", body=b"x")
    with scripted([refusal(403, "ExpiredToken")]) as server, pytest.raises(CredentialsInvalid):
        wire(server, waits).call("GetObject", "GET", "b", "k")


def test_a_dead_endpoint_is_unavailable() -> None:
    with scripted() as server:
        pass
    with pytest.raises(Unavailable, match="no connection"):
        wire(server, []).call("GetObject", "GET", "b", "k")


def test_a_bucket_of_another_region_is_found() -> None:
    elsewhere = refusal(301, "PermanentRedirect", "x-amz-bucket-region: eu-west-1\r\n")
    with scripted([elsewhere, OK]) as server:
        assert wire(server, []).call("GetObject", "GET", "b", "k").status == 200
        assert b"/us-east-1/s3/" in server.requests[0]
        assert b"/eu-west-1/s3/" in server.requests[1]


def test_requests_say_who_asks() -> None:
    with scripted([OK]) as server:
        credentials = Credentials(access_key_id="AK", secret_access_key="SK")
        ref = StoreRef(uri="s3://bucket", endpoint=server.url, credentials=credentials)
        open_store(ref).check()
        assert f"user-agent: {USER_AGENT}".encode() in server.requests[0]


def test_the_signature_is_the_published_one() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "GET Object"
    when = dt.datetime(2013, 5, 24, tzinfo=dt.UTC).timestamp()
    keys = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    headers = {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9"}
    Signer("us-east-1", clock=lambda: when).sign(
        keys, "GET", "/test.txt", "", headers, EMPTY_SHA256
    )
    assert headers["authorization"].endswith(
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified>"
    "<ETag>&quot;0123&quot;</ETag><Size>7</Size><StorageClass>GLACIER</StorageClass></Contents>"
)
OTHER_ORDER = (
    '<Contents>\n <ETag>"0123"</ETag><Key>{key}</Key><Size>7</Size>'
    "<StorageClass>GLACIER</StorageClass><LastModified>2026-01-02T03:04:05Z</LastModified>"
    "<Owner><ID>x</ID></Owner></Contents>"
)


@pytest.mark.parametrize("entry", [ENTRY, OTHER_ORDER])
def test_listings_are_read_whatever_their_order(entry: str) -> None:
    body = f"<ListBucketResult>{entry.format(key='a/b&amp;c')}</ListBucketResult>".encode()
    page = Page(body)
    (info,) = page.objects(2)
    assert (info.key, info.size_bytes, info.version, info.archived) == ("b&c", 7, "0123", True)
    assert list(page.briefs(2)) == [("b&c", 7, "0123")]
    assert not page.truncated


def test_escaped_keys_are_read_where_the_server_says_so() -> None:
    entry = ENTRY.format(key="a+b%2Bc")
    plain = f"<ListBucketResult>{entry}</ListBucketResult>".encode()
    escaped = plain.replace(b"<Contents>", b"<EncodingType>url</EncodingType><Contents>", 1)
    assert Page(plain).briefs(0)[0][0] == "a+b%2Bc"
    assert Page(escaped).briefs(0)[0][0] == "a b+c"


@given(st.lists(st.binary(max_size=40), max_size=6), st.sampled_from(["crc32c", "crc64nvme"]))
def test_crcs_of_parts_make_the_whole(parts: list[bytes], name: str) -> None:
    pairs = [(crc_of(name, part), len(part)) for part in parts]
    assert combine_crcs(name, pairs) == crc_of(name, b"".join(parts))


def test_a_head_that_is_refused_without_a_word_names_what_it_may_be() -> None:
    refused = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    with scripted([refused]) as server, pytest.raises(CredentialsInvalid, match=r"key .*Secret"):
        wire(server, []).call("HeadObject", "HEAD", "b", "k")


def test_a_wrong_clock_is_called_a_clock_and_not_a_missing_right() -> None:
    refused = b"<Error><Code>RequestTimeTooSkewed</Code></Error>"
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(refused), refused)
    with scripted([answer]) as server, pytest.raises(ClockSkewed, match=r"clock .*time server"):
        wire(server, []).call("GetObject", "GET", "b", "k")


def test_a_refusal_that_breaks_off_before_its_reason_is_asked_for_again() -> None:
    torn = refusal(400, "BadDigest")[:-20]
    with scripted([torn], [OK]) as server:
        waits: list[float] = []
        assert wire(server, waits).call("PutObject", "PUT", "b", "k").body == b"ok"
        assert len(waits) == 1


class Telling:
    """Stands for the wire: tells of one object, and remembers what it was asked."""

    is_amazon = True

    def __init__(self, *, knows_classes: bool = True) -> None:
        self.knows_classes = knows_classes
        self.asked: dict[str, Mapping[str, str]] = {}
        self.held = {"etag": '"v"', "content-length": "1", "x-amz-tagging-count": "0",
                     "last-modified": "Mon, 02 Feb 2026 09:00:00 GMT"}  # fmt: skip

    def call(self, operation: str, *_: Any, headers: Mapping[str, str], **__: Any) -> Answer:
        self.asked[operation] = headers
        if operation == "CopyObject" and self.knows_classes:
            self.held["x-amz-storage-class"] = headers["x-amz-storage-class"]
        return Answer(200, self.held, b'<CopyObjectResult><ETag>"w"</ETag></CopyObjectResult>')


def test_what_means_a_version_says_so_to_the_server() -> None:
    """A look before is not enough: somebody may write in between."""
    told = Telling()
    store = S3Store(told, "b", "p/")  # type: ignore[arg-type]
    store.delete("k", if_version="v")
    assert told.asked["DeleteObject"]["if-match"] == '"v"'
    store.change_class("k", "STANDARD_IA", if_version="v", size_bytes=1)
    copied = told.asked["CopyObject"]
    assert (copied["x-amz-copy-source-if-match"], copied["if-match"]) == ('"v"', '"v"')


def test_a_success_that_changed_no_class_is_an_error() -> None:
    store = S3Store(Telling(knows_classes=False), "b", "p/")  # type: ignore[arg-type]
    with pytest.raises(NotSupported, match="answered with success but left k in STANDARD"):
        store.change_class("k", "STANDARD_IA", if_version="v", size_bytes=1)
