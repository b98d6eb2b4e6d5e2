"""Objects that are written by parts: over kills, damage on the way, and server to server."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.integration.moving import Move
from tests.servers import azure_ref, gcs_ref

from cloudflux.api.task import Credentials, StoreRef
from cloudflux.errors import IntegrityError
from cloudflux.migration import place_large
from cloudflux.storage.registry import open_store
from cloudflux.storage.s3 import S3Store
from cloudflux_dev.cloudservers import AzureServer, GcsServer
from cloudflux_dev.gcsstub import GcsStub
from cloudflux_dev.s3servers import S3Server, start_versitygw

SIZE = (24 << 20) + 12_345


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with start_versitygw(tmp_path_factory.mktemp("versitygw")) as running:
        yield running


@pytest.fixture
def move(
    server: S3Server,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Move:
    # both are on one server, which would copy by itself
    monkeypatch.setattr(S3Store, "copies_from", lambda *_: False)
    name = f"b{abs(hash(request.node.nodeid)):x}"
    places = []
    for side in ("source", "target"):
        server.client().create_bucket(Bucket=f"{name}-{side}")
        places.append(
            StoreRef(
                uri=f"s3://{name}-{side}/data",
                endpoint=server.endpoint,
                region=server.region,
                credentials=Credentials(
                    access_key_id=server.access_key_id,
                    secret_access_key=SecretStr(server.secret_access_key),
                ),
            )
        )
    return Move(tmp_path, *places)


def put_source(move: Move, data: bytes) -> S3Store:
    source = S3Store.from_ref(move.source)
    source.put("big", io.BytesIO(data), len(data))
    return source


def test_a_large_object_moves_and_is_proven_by_the_server(move: Move) -> None:
    data = os.urandom(SIZE)
    put_source(move, data)
    move.plan()
    assert "crc64nvme computed by the server" in move.until_switched().method
    target = S3Store.from_ref(move.target)
    with target.open("big") as stream:
        assert stream.read() == data
    assert list(target.uploads()) == []


def test_parts_that_are_there_are_not_sent_again(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(SIZE)
    put_source(move, data)
    move.plan()
    read: list[int] = []
    original = S3Store.read_range

    class Died(BaseException):
        """Stands for a kill: nothing is aborted after it."""

    def dies(self: S3Store, key: str, start: int, length: int, **given: Any) -> bytes:
        read.append(start)
        if start > 8 << 20:
            raise Died
        return original(self, key, start, length, **given)

    monkeypatch.setattr(S3Store, "read_range", dies)
    with pytest.raises(Died):
        move.copy()
    target = S3Store.from_ref(move.target)
    assert len(list(target.uploads())) == 1
    sent = {start for start in read if start <= 8 << 20}
    read.clear()

    def counts(self: S3Store, key: str, start: int, length: int, **given: Any) -> bytes:
        read.append(start)
        return original(self, key, start, length, **given)

    monkeypatch.setattr(S3Store, "read_range", counts)
    move.until_switched()
    assert sent
    assert not sent & set(read)
    with target.open("big") as stream:
        assert stream.read() == data
    assert list(target.uploads()) == []


def test_a_target_that_was_written_since_is_caught_by_its_own_checksum(move: Move) -> None:
    put_source(move, os.urandom(SIZE))
    move.plan()
    move.copy()
    target = S3Store.from_ref(move.target)
    target.put("big", io.BytesIO(os.urandom(SIZE)), SIZE)
    (failure,) = move.verify().failures
    assert "crc64nvme is " in failure.message


@pytest.mark.parametrize("times", [1, 100])
def test_bytes_that_change_on_the_way_are_never_left(
    move: Move, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    data = os.urandom(SIZE)
    put_source(move, data)
    move.plan()
    original, left = S3Store.read_range, [times]

    def flips(self: S3Store, key: str, start: int, length: int, **given: Any) -> bytes:
        found = original(self, key, start, length, **given)
        if start == 0 and left[0]:
            left[0] -= 1
            return bytes([found[0] ^ 1]) + found[1:]
        return found

    monkeypatch.setattr(S3Store, "read_range", flips)
    if times > place_large.READINGS:
        with pytest.raises(IntegrityError, match="not to be trusted"):
            move.copy()
        return
    move.until_switched()
    with S3Store.from_ref(move.target).open("big") as stream:
        assert stream.read() == data


def test_small_bytes_that_change_on_the_way_are_read_again(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = S3Store.from_ref(move.source)
    source.put("small", io.BytesIO(b"right"), 5)
    move.plan()
    original, left = S3Store.fetch, [1]

    def flips(self: S3Store, key: str, **given: Any) -> Any:
        info, stream = original(self, key, **given)
        if not left[0]:
            return info, stream
        left[0] -= 1
        stream.close()
        return info, io.BytesIO(b"wrong")

    monkeypatch.setattr(S3Store, "fetch", flips)
    move.until_switched()
    with S3Store.from_ref(move.target).open("small") as stream:
        assert stream.read() == b"right"


@pytest.mark.parametrize("way", ["gcs to azure", "azure to gcs"])
def test_a_killed_upload_goes_on_between_clouds_and_nothing_is_read_twice(
    way: str,
    azurite: AzureServer,
    gcs_stub: GcsStub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"large-{way.replace(' ', '-')}"
    azurite.client().create_container(name)
    google = GcsServer(gcs_stub.endpoint, 0)
    google.client().create_bucket(name)
    places = [gcs_ref(google, f"gs://{name}/data"), azure_ref(azurite, f"az://{name}/data")]
    move = Move(tmp_path, *(places if way == "gcs to azure" else reversed(places)))
    data, source = os.urandom(SIZE), open_store(move.source)
    source.put("big", io.BytesIO(data), SIZE)
    assert move.plan().problems == ()
    kind, read = type(source), list[int]()
    original = kind.read_range  # type: ignore[attr-defined]

    class Died(BaseException):
        """Stands for a kill: nothing is aborted after it."""

    def dies(self: Any, key: str, start: int, length: int, **given: Any) -> bytes:
        if start > 8 << 20:
            raise Died
        read.append(start)
        return original(self, key, start, length, **given)

    monkeypatch.setattr(kind, "read_range", dies)
    with pytest.raises(Died):
        move.copy()
    before = set(read)
    assert before == {0, 8 << 20}
    read.clear()

    def counts(self: Any, key: str, start: int, length: int, **given: Any) -> bytes:
        read.append(start)
        return original(self, key, start, length, **given)

    monkeypatch.setattr(kind, "read_range", counts)
    assert move.copy().objects_failed == 0
    # of GCS, what was read ahead of what was sent is read again
    assert not {0} & set(read)
    monkeypatch.setattr(kind, "read_range", original)
    method = move.until_switched().method
    assert method.startswith("crc32c computed" if way == "azure to gcs" else "crc64nvme of the")
    with open_store(move.target).open("big") as stream:
        assert stream.read() == data


def test_a_sweep_drops_an_upload_that_no_listing_shows(
    azurite: AzureServer, gcs_stub: GcsStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    azurite.client().create_container("swept")
    google = GcsServer(gcs_stub.endpoint, 0)
    google.client().create_bucket("swept")
    move = Move(tmp_path, azure_ref(azurite, "az://swept/data"), gcs_ref(google, "gs://swept/data"))
    source = open_store(move.source)
    source.put("big", io.BytesIO(bytes(SIZE)), SIZE)
    move.plan()

    def dies(*_: Any, **__: Any) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(source), "read_range", dies)
    with pytest.raises(KeyboardInterrupt):
        move.copy()

    def sessions() -> list[str]:
        return [id_ for id_, one in gcs_stub.sessions.items() if one.bucket == "swept"]

    assert len(sessions()) == 1
    move.sweep()
    assert sessions() == []
