"""What is Google's own: generations, rewrites in steps, resumable uploads, contexts, quotas."""

import dataclasses
import io
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from cloudflux.api.task import AzureCredentials, GcsCredentials, StoreRef
from cloudflux.errors import (
    ConfigurationError,
    ContainerNotFound,
    CredentialsInvalid,
    IntegrityError,
    NotSupported,
    ObjectNotFound,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Throttled,
    Unavailable,
)
from cloudflux.storage import gcs_client
from cloudflux.storage.gcs import GcsStore
from cloudflux.storage.gcs_client import Connector, split_uri
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import problems
from cloudflux.storage.registry import open_store
from cloudflux.storage.retry import Retrier
from cloudflux_dev.gcsstub import GcsStub, Refused, start_gcs_stub

CHUNK = 8 << 20
BIG = 2 * CHUNK + 5


class World:
    """A stub, a store on it, and the pauses that were made."""

    def __init__(self, stub: GcsStub) -> None:
        self.stub, self.waits = stub, list[float]()
        stub.buckets["bucket"] = {}
        self.store = self.open(stub.endpoint)

    def open(self, endpoint: str) -> GcsStore:
        """A store that makes no real pause."""
        ref = StoreRef(uri="gs://bucket/data", endpoint=endpoint, credentials=GcsCredentials())
        found = Connector(ref).connect()
        retrier = Retrier(wait=self.waits.append, clock=lambda: sum(self.waits), chance=lambda: 0.0)
        store = GcsStore(Connector(ref), "bucket", "data/")
        store._remote = dataclasses.replace(found, retrier=retrier)
        return store

    def put(self, key: str, data: bytes, **arguments: Any) -> str:
        return self.store.put(key, io.BytesIO(data), len(data), **arguments).version

    def read(self, key: str) -> bytes:
        with self.store.open(key) as stream:
            return stream.read()

    def resource(self, key: str) -> dict[str, Any]:
        return self.stub.find("bucket", f"data/{key}").resource


@pytest.fixture
def world() -> Iterator[World]:
    with start_gcs_stub() as stub:
        yield World(stub)


def test_a_class_change_keeps_all_that_a_body_would_replace(world: World) -> None:
    headers = {
        "content-type": "text/csv",
        "cache-control": "no-store",
        "content-language": "de",
        "content-encoding": "gzip",
        "content-disposition": "inline",
        "expires": "0",
    }
    info = ObjectInfo("x", 7, "v", "c", None, headers=headers, tags={"a": "b"})  # type: ignore[arg-type]
    version = world.put("k", b"content", info=info, metadata={"owner": "anna"})
    world.resource("k")["customTime"] = "2026-01-02T03:04:05Z"
    before = world.store.head("k")
    after = world.store.change_class("k", "COLDLINE", if_version=version, size_bytes=7)
    assert (after.storage_class, after.headers, after.tags) == ("COLDLINE", headers, {"a": "b"})
    assert after.metadata == before.metadata == {"owner": "anna"}
    assert world.resource("k")["customTime"].startswith("2026-01-02T03:04:05")
    assert world.read("k") == b"content"


def test_a_rewrite_goes_on_until_the_server_is_done(world: World) -> None:
    version = world.put("k", b"content")
    world.stub.requests_per_rewrite = 4
    after = world.store.change_class("k", "ARCHIVE", if_version=version, size_bytes=7)
    assert (after.storage_class, after.archived) == ("ARCHIVE", False)
    assert sum("rewriteTo" in line for line in world.stub.requests) == 4


def test_what_is_written_between_look_and_rewrite_is_not_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = world.put("k", b"content")
    rewrite = world.stub.rewrite

    def raced(*arguments: Any) -> dict[str, Any]:
        monkeypatch.setattr(world.stub, "rewrite", rewrite)
        world.stub.insert("bucket", {"name": "data/k"}, b"other!!", {})
        return rewrite(*arguments)

    monkeypatch.setattr(world.stub, "rewrite", raced)
    with pytest.raises(PreconditionFailed):
        world.store.change_class("k", "COLDLINE", if_version=version, size_bytes=7)
    assert (world.read("k"), world.store.head("k").storage_class) == (b"other!!", "STANDARD")


def test_a_lost_answer_to_a_create_is_found_as_a_precondition(world: World) -> None:
    world.stub.failures.append("lost")
    with pytest.raises(PreconditionFailed):
        world.put("k", b"content", if_absent=True, metadata={"job": "1"})
    assert world.store.head("k").metadata == {"job": "1"}


@pytest.mark.parametrize("failure", [Refused(503, "backendError"), "lost"])
@pytest.mark.parametrize("request_number", [1, 2, 3])
def test_a_broken_chunk_goes_on_where_the_server_is(
    world: World, failure: Any, request_number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(BIG)
    send = world.store._remote.session.put
    count = 0

    def put(*arguments: Any, **keywords: Any) -> Any:
        nonlocal count
        count += 1
        if count == request_number:
            world.stub.failures.append(failure)
        return send(*arguments, **keywords)

    monkeypatch.setattr(world.store._remote.session, "put", put)
    world.put("k", data, if_absent=True)
    assert world.read("k") == data
    assert len(world.waits) == 1


def test_an_upload_that_the_server_forgot_is_no_object_that_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = world.store._remote.session.put

    def forgets(*arguments: Any, **keywords: Any) -> Any:
        world.stub.sessions.clear()
        return send(*arguments, **keywords)

    monkeypatch.setattr(world.store._remote.session, "put", forgets)
    with pytest.raises(Unavailable, match="forgot the upload; it begins anew"):
        world.put("k", os.urandom(BIG))


def test_a_stream_that_is_not_as_announced_never_becomes_an_object(world: World) -> None:
    for size in (BIG - 1, BIG + 1):
        with pytest.raises(IntegrityError):
            world.store.put("k", io.BytesIO(bytes(BIG)), size)
    assert list(world.store.list()) == []
    assert world.stub.sessions == {}


@pytest.mark.parametrize("size", [10, BIG])
def test_bytes_damaged_on_the_wire_are_refused(
    world: World, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = world.stub.insert

    def damaged(bucket: str, asked: Any, data: bytes, query: Any) -> Any:
        return insert(bucket, asked, bytes([data[0] ^ 1]) + data[1:], query)

    monkeypatch.setattr(world.stub, "insert", damaged)
    with pytest.raises((Unavailable, IntegrityError), match=r"damaged|not to be trusted"):
        world.put("k", os.urandom(size))
    assert list(world.store.list()) == []


def test_an_object_whose_checksum_is_wrong_afterwards_is_removed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = world.stub.insert

    def careless(bucket: str, asked: Any, data: bytes, query: Any) -> Any:
        return insert(bucket, {"name": asked["name"]}, b"x", query)

    monkeypatch.setattr(world.stub, "insert", careless)
    with pytest.raises(IntegrityError):
        world.put("k", b"content")
    assert list(world.store.list()) == []


@pytest.mark.parametrize("lost", ["contexts", "metadata"])
def test_what_a_server_drops_is_said_and_nothing_half_kept_stays(
    world: World, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = world.stub.insert

    def forgetful(bucket: str, asked: Any, data: bytes, query: Any) -> Any:
        asked.pop(lost, None)
        return insert(bucket, asked, data, query)

    monkeypatch.setattr(world.stub, "insert", forgetful)
    info = ObjectInfo("x", 1, "v", "c", None, tags={"a": "b"}, metadata={"c": "d"})  # type: ignore[arg-type]
    with pytest.raises(NotSupported, match="dropped its"):
        world.put("k", b"x", info=info)
    assert list(world.store.list()) == []


def test_compressed_objects_are_moved_as_they_are_stored(world: World) -> None:
    info = ObjectInfo("x", 1, "v", "c", None, headers={"content-encoding": "gzip"})  # type: ignore[arg-type]
    world.put("k", b"not really gzip", info=info)
    assert world.read("k") == b"not really gzip"


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Refused(401, "authError"), CredentialsInvalid),
        (Refused(403, "forbidden"), PermissionDenied),
        (Refused(403, "retentionPolicyNotMet"), PermissionDenied),
        (Refused(403, "rateLimitExceeded"), Throttled),
        (Refused(403, "quotaExceeded"), QuotaExceeded),
        (Refused(404, "notFound", "No such object: bucket/k"), ObjectNotFound),
        (Refused(404, "notFound", "The specified bucket does not exist."), ContainerNotFound),
        (Refused(412, "conditionNotMet"), PreconditionFailed),
        (Refused(429, "rateLimitExceeded"), Throttled),
        (Refused(500, "internalError"), Unavailable),
        (Refused(503, "backendError"), Throttled),
    ],
)
def test_errors_are_told_apart(world: World, failure: Refused, kind: type[StorageError]) -> None:
    for call in (world.store.head, world.store.open):
        world.stub.failures[:] = [failure] * 4
        with pytest.raises(StorageError) as raised:
            call("k")
        assert type(raised.value) is kind
        assert len(world.stub.failures) == (0 if raised.value.retryable else 3)


def test_the_pause_that_the_server_asks_for_is_made(world: World) -> None:
    version = world.put("k", b"content")
    world.stub.failures += [Refused(429, "rateLimitExceeded", Retry_After="7")]
    assert world.store.head("k").version == version
    assert world.waits == [7.0]


def test_a_version_that_is_none_matches_nothing(world: World) -> None:
    with pytest.raises(PreconditionFailed):
        world.put("k", b"x", if_version="0" * 32)
    with pytest.raises(ObjectNotFound):
        world.store.delete("k", if_version="0")


def test_a_server_that_is_away_may_be_tried_again(world: World) -> None:
    with pytest.raises(Unavailable, match="the endpoint does not answer"):
        world.open("http://127.0.0.1:9").check()
    assert len(world.waits) == 3


def test_a_page_that_fails_once_is_listed_nevertheless(world: World) -> None:
    names = [f"k{number:02d}" for number in range(25)]
    for name in names:
        world.put(name, b"")
    world.store.page_keys = 10
    listed = []
    for entry in world.store.list():
        listed.append(entry.key)
        if len(listed) in (1, 15):
            world.stub.failures += [Refused(503, "backendError"), "lost"]
    assert listed == names
    assert len(world.waits) == 4


def test_the_folder_marker_of_the_location_is_no_object(world: World) -> None:
    world.stub.insert("bucket", {"name": "data/"}, b"", {})
    assert list(world.store.list()) == []


@pytest.mark.parametrize(
    "uri", ["gs://", "gs://UP/x", "gs://ab", "gs://good/../x", "gs://a-b/a//b"]
)
def test_bad_locations_are_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError):
        split_uri(uri)


def _ref(**arguments: Any) -> StoreRef:
    return StoreRef(uri="gs://bucket", **arguments)


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        (_ref(), "no credentials"),
        (_ref(ambient=True, endpoint="https://evil.example"), "googleapis.com only"),
        (_ref(ambient=True, endpoint="http://storage.googleapis.com"), "googleapis.com only"),
        (_ref(ambient=True, endpoint="https://xgoogleapis.com"), "googleapis.com only"),
        (_ref(credentials=AzureCredentials(account="a")), "not those of Google"),
    ],
)
def test_without_an_identity_nothing_is_opened(ref: StoreRef, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        open_store(ref)


def test_a_key_file_asks_google_only_for_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    def used(info: dict[str, str], scopes: Any) -> Any:
        pytest.fail("the key is used")

    monkeypatch.setattr(gcs_client.service_account.Credentials, "from_service_account_info", used)
    for key in ("{}", "no json", json.dumps({"token_uri": "http://169.254.169.254/token"})):
        store = open_store(_ref(credentials=GcsCredentials(service_account=key)))
        with pytest.raises(ConfigurationError, match="can't be used"):
            store.check()


def test_keys_that_gcs_can_not_hold_are_named(world: World) -> None:
    found = dict(problems(["a\nb", "a\rb", "a\\b", "a./b"], world.store.capabilities))
    assert set(found) == {"a\nb", "a\rb"}
    reserved = [".well-known/acme-challenge/x"]
    assert list(problems(reserved, world.store.capabilities))
    assert not list(problems(reserved, world.store.capabilities, prefix="data/"))
