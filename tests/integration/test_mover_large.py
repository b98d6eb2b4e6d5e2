"""Objects that are written by parts: over kills, damage on the way, and server to server."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.integration.moving import Move

from cloudflux.api.tasks import Credentials, StoreRef
from cloudflux.errors import IntegrityError
from cloudflux.migration import place_large
from cloudflux.storage.s3 import S3Store
from cloudflux_dev.s3servers import S3Server, start_versitygw

SIZE = (24 << 20) + 12_345


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with start_versitygw(tmp_path_factory.mktemp("versitygw")) as running:
        yield running


@pytest.fixture
def move(server: S3Server, request: pytest.FixtureRequest, tmp_path: Path) -> Move:
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
