"""What is Azure's own: tiers under writers, leases, blocks, damage on the wire."""

import io
import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.storage.blob import BlobServiceClient, StandardBlobTier
from tests.servers import azure_ref

from cloudflux.errors import (
    ContainerNotFound,
    NotSupported,
    ObjectArchived,
    ObjectNotFound,
    PermissionDenied,
    PreconditionFailed,
    Unavailable,
)
from cloudflux.storage.azure import AzureStore
from cloudflux.storage.azure_client import client_for
from cloudflux.storage.azure_errors import Requests
from cloudflux.storage.azure_send import Answer, Sender
from cloudflux.storage.interface import ObjectInfo, Unreadable
from cloudflux.storage.registry import open_store
from cloudflux.storage.retry import Backoff, Retrier
from cloudflux_dev.cloudservers import AzureServer

from .rigs import Rig

BIG = 2 * (8 << 20) + 5


class Once(SansIOHTTPPolicy):  # type: ignore[type-arg]
    """Does something just before the first request whose method and query match."""

    def __init__(self, matches: Callable[[Any], bool], act: Callable[[Any], None]) -> None:
        self.matches, self.act, self.done = matches, act, False

    def on_request(self, request: Any) -> None:
        if not self.done and self.matches(request.http_request):
            self.done = True
            self.act(request.http_request)


def sender_of(client: BlobServiceClient) -> Sender:
    """What writes small blobs, as `client_for` makes it."""
    return Sender(client, user_agent="test", public_only=False)


class Damaging(Sender):
    """Flips a bit of the first body that it sends."""

    def __init__(self, client: BlobServiceClient, once: Once) -> None:
        super().__init__(client, user_agent="test", public_only=False)
        self._once = once

    def put(self, container: str, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if not self._once.done:
            self._once.done = True
            body = bytes([body[0] ^ 1]) + body[1:]
        return super().put(container, name, headers, body)


@pytest.fixture
def azure(rig_azurite: Rig) -> AzureStore:
    assert isinstance(rig_azurite.store, AzureStore)
    return rig_azurite.store


def put(store: AzureStore, key: str, data: bytes, **arguments: Any) -> str:
    return store.put(key, io.BytesIO(data), len(data), **arguments).version


def test_all_tiers_up_and_down(azure: AzureStore) -> None:
    version = put(azure, "k", b"content", metadata={"a-b": "1"}, storage_class="Cold")
    assert azure.head("k").storage_class == "Cold"
    for tier in ("Hot", "Cool", "Archive", "Hot", "Archive", "Cold"):
        after = azure.change_class("k", tier, if_version=version, size_bytes=7)
        assert (after.storage_class, after.archived) == (tier, tier == "Archive")
        assert (after.version, after.metadata) == (version, {"a-b": "1"})


def test_a_blob_written_while_its_tier_changes_is_found(
    azure: AzureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = put(azure, "k", b"first")
    send = Requests.send

    def raced(self: Requests, operation: str, key: str, request: Callable[[], Any]) -> Any:
        if operation == "Set Blob Tier":
            put(azure, "k", b"other")
        return send(self, operation, key, request)

    monkeypatch.setattr(Requests, "send", raced)
    with pytest.raises(PreconditionFailed, match="was written while its tier was changed"):
        azure.change_class("k", "Cool", if_version=version, size_bytes=5)
    with azure.open("k") as stream:
        assert stream.read() == b"other"


def test_no_writer_comes_between_the_look_and_the_archive(
    azure: AzureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = put(azure, "k", b"first")
    send = Requests.send
    refused = []

    def raced(self: Requests, operation: str, key: str, request: Callable[[], Any]) -> Any:
        if operation == "Set Blob Tier":
            with pytest.raises(PreconditionFailed, match="leased"):
                put(azure, "k", b"other")
            refused.append(operation)
        return send(self, operation, key, request)

    monkeypatch.setattr(Requests, "send", raced)
    after = azure.change_class("k", "Archive", if_version=version, size_bytes=5)
    assert (after.storage_class, refused) == ("Archive", ["Set Blob Tier"])
    azure.delete("k", if_version=version)  # the lease was given back


def test_a_blob_written_before_the_lease_is_not_archived(
    azure: AzureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = put(azure, "k", b"first")
    send = Requests.send

    def raced(self: Requests, operation: str, key: str, request: Callable[[], Any]) -> Any:
        if operation == "Lease Blob" and azure.head("k").version == version:
            put(azure, "k", b"other")
        return send(self, operation, key, request)

    monkeypatch.setattr(Requests, "send", raced)
    with pytest.raises(PreconditionFailed):
        azure.change_class("k", "Archive", if_version=version, size_bytes=5)
    assert azure.head("k").storage_class == "Hot"


def test_archived_blobs_can_not_be_overwritten(azure: AzureStore) -> None:
    version = put(azure, "k", b"first", storage_class="Archive")
    with pytest.raises((ObjectArchived, PreconditionFailed)):
        put(azure, "k", b"other", if_absent=True)
    azure.delete("k", if_version=version)


def test_an_md5_that_only_the_writer_claims_is_no_checksum(
    azure: AzureStore, azurite: AzureServer
) -> None:
    from azure.storage.blob import BlobBlock, ContentSettings

    put(azure, "known", b"content")
    assert set(azure.head("known").checksums) == {"md5"}
    container = azure.uri.removeprefix("az://").partition("/")[0]
    blob = azurite.client().get_blob_client(container, "data/claimed")
    blob.stage_block("MQ==", b"content", length=7)
    claim = ContentSettings(content_md5=bytearray(16))
    blob.commit_block_list([BlobBlock("MQ==")], content_settings=claim)
    assert blob.get_blob_properties().content_settings.content_md5 == bytearray(16)
    assert azure.head("claimed").checksums == {}
    put(azure, "big", os.urandom(BIG))
    assert azure.head("big").checksums == {}


def test_blocks_are_never_more_in_memory_than_stated(azure: AzureStore) -> None:
    class Source(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1, /) -> bytes:
            size = min(size, BIG - self.taken)
            self.taken += size
            return bytes(size)

    source = Source()
    azure.put("k", source, BIG)  # type: ignore[arg-type]
    with azure.open("k") as stream:
        read = 0
        while chunk := stream.read(1 << 20):
            assert len(chunk) <= 1 << 20
            read += len(chunk)
    assert read == source.taken == BIG


def test_pages_and_other_kinds_of_blobs_are_said_to_be_unreadable(
    azure: AzureStore, azurite: AzureServer
) -> None:
    container = azure.uri.removeprefix("az://").partition("/")[0]
    azurite.client().get_blob_client(container, "data/page").create_page_blob(512)
    (found,) = azure.list()
    assert isinstance(found, Unreadable)
    assert found.reason == "is a PageBlob, which has no storage class"


@pytest.mark.parametrize("damaged", ["PUT", "block"])
def test_bytes_damaged_on_the_wire_are_refused_by_the_server(
    azurite: AzureServer, rig_azurite: Rig, damaged: str
) -> None:
    def matches(request: Any) -> bool:
        return request.method == "PUT" and ("comp=block&" in request.url) == (damaged == "block")

    def flip(request: Any) -> None:
        body = request.body if isinstance(request.body, bytes) else request.body.read()
        request.set_bytes_body(bytes([body[0] ^ 1]) + body[1:])

    policy = Once(matches, flip)
    container = rig_azurite.store.uri.removeprefix("az://").partition("/")[0]
    client = type(azurite.client()).from_connection_string(
        azurite.connection_string, retry_total=0, _additional_pipeline_policies=[policy]
    )
    store = AzureStore(
        client, Retrier(Backoff(attempts=1)), Damaging(client, policy), container, "data/"
    )
    size = 10 if damaged == "PUT" else BIG
    with pytest.raises((Unavailable, NotSupported)):
        put(store, "k", os.urandom(size))
    assert policy.done
    assert list(store.list()) == []


def test_wrong_keys_and_missing_containers_are_told_apart(
    azurite: AzureServer, rig_azurite: Rig
) -> None:
    ref = azure_ref(azurite, rig_azurite.store.uri)
    assert ref.credentials is not None
    wrong = ref.credentials.model_copy(update={"account_key": _secret("d3Jvbmc=")})
    # Azure says AuthenticationFailed, Azurite AuthorizationFailure.
    with pytest.raises(PermissionDenied, match=r"correct the Secret|its key may be wrong"):
        open_store(ref.model_copy(update={"credentials": wrong})).check()
    with pytest.raises(ContainerNotFound):
        put(_open(azure_ref(azurite, "az://no-such-container")), "k", b"x")


def test_signatures_open_what_they_are_for(azurite: AzureServer, rig_azurite: Rig) -> None:
    import datetime as dt

    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    container = rig_azurite.store.uri.removeprefix("az://").partition("/")[0]
    token = generate_container_sas(
        azurite.account,
        container,
        account_key=azurite.account_key,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1),
    )
    put(rig_azurite.store, "k", b"content")  # type: ignore[arg-type]
    ref = azure_ref(azurite, rig_azurite.store.uri)
    keys = ref.credentials.model_copy(update={"account_key": None, "sas_token": _secret(token)})  # type: ignore[union-attr]
    store = _open(ref.model_copy(update={"credentials": keys}))
    store.check()
    with store.open("k") as stream:
        assert stream.read() == b"content"
    with pytest.raises(PermissionDenied):
        store.delete("k")


def test_a_server_that_is_away_may_be_tried_again() -> None:
    gone = AzureServer("http://127.0.0.1:9/acct", "acct", "c2VjcmV0", 0)
    client, _, sender = client_for(azure_ref(gone, "az://box"))
    store = AzureStore(client, Retrier(Backoff(attempts=1)), sender, "box", "")
    with pytest.raises(Unavailable, match="the endpoint does not answer"):
        store.check()


def test_a_page_that_fails_once_is_listed_nevertheless(
    azurite: AzureServer, rig_azurite: Rig
) -> None:
    names = [f"k{number:02d}" for number in range(25)]
    for name in names:
        put(rig_azurite.store, name, b"")  # type: ignore[arg-type]

    def cut(request: Any) -> None:
        raise ServiceRequestError("cut")

    policy = Once(lambda request: "marker=" in request.url, cut)
    client = type(azurite.client()).from_connection_string(
        azurite.connection_string, retry_total=0, _additional_pipeline_policies=[policy]
    )
    container = rig_azurite.store.uri.removeprefix("az://").partition("/")[0]
    store = AzureStore(client, Retrier(wait=lambda _: None), sender_of(client), container, "data/")
    store.page_keys = 10
    assert [entry.key for entry in store.list()] == names
    assert policy.done


def test_the_enum_of_the_sdk_has_our_tiers() -> None:
    assert {"Hot", "Cool", "Cold", "Archive"} <= {tier.value for tier in StandardBlobTier}


def _open(ref: Any) -> AzureStore:
    store = open_store(ref)
    assert isinstance(store, AzureStore)
    return store


def _secret(value: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(value)


def test_many_blobs_change_their_tiers_in_one_request(
    azure: AzureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"a/{n:03} ä" for n in range(300)]
    briefs = [(key, 3, put(azure, key, b"one", storage_class="Hot")) for key in keys]
    put(azure, keys[0], b"two")
    azure.delete(keys[1])
    azure.change_class(keys[2], "Cool", if_version=briefs[2][2], size_bytes=3)
    azure.change_class(keys[3], "Archive", if_version=briefs[3][2], size_bytes=3)
    sent: list[str] = []
    send = Requests.send

    def counts(requests: Requests, operation: str, key: str, request: Any) -> Any:
        sent.append(operation)
        return send(requests, operation, key, request)

    monkeypatch.setattr(Requests, "send", counts)
    found = azure.change_classes(briefs, "Cool")
    assert set(found) == set(keys)
    assert isinstance(found[keys[0]], PreconditionFailed)
    assert isinstance(found[keys[1]], ObjectNotFound)
    assert azure.head(keys[0]).storage_class == "Hot"
    for key, _, version in briefs[2:]:
        outcome = found[key]
        assert isinstance(outcome, ObjectInfo), (key, outcome)
        assert (outcome.storage_class, outcome.version) == ("Cool", version)
    assert sent.count("Blob Batch") == 2
    assert sent.count("Set Blob Tier") == 1  # out of the archive, by itself


def test_a_blob_written_while_many_change_is_said(
    azure: AzureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    briefs = [(key, 5, put(azure, key, b"first")) for key in ("k", "l")]
    send = Requests.send

    def interferes(requests: Requests, operation: str, key: str, request: Any) -> Any:
        if operation == "Blob Batch":
            monkeypatch.setattr(Requests, "send", send)
            put(azure, "k", b"other")
        return send(requests, operation, key, request)

    monkeypatch.setattr(Requests, "send", interferes)
    found = azure.change_classes(briefs, "Cool")
    assert isinstance(found["k"], PreconditionFailed)
    assert "written while its tier was changed" in str(found["k"])
    assert isinstance(found["l"], ObjectInfo)
