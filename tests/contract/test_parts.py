"""Large objects by pieces: read in any order, written so that a later attempt goes on."""

import io
import os
from typing import Any

import pytest

from cloudflux.errors import PreconditionFailed
from cloudflux.storage.digests import crc_of, digest_bytes
from cloudflux.storage.interface import ObjectInfo, PartWriting, Ranged

from .rigs import Rig

SIZE = (24 << 20) + 5


class Died(BaseException):
    """Stands for a kill: nothing is cleaned up after it."""


class Content:
    """An object's content in pieces, which remembers what was read, as a checkpoint does."""

    def __init__(self, data: bytes, crc: str) -> None:
        self.data, self.size_bytes, self.crc = data, len(data), crc
        self.starts: list[int] = []
        self.dies_at: int | None = None
        self.known: dict[tuple[int, int], int] = {}

    def read(self, start: int, length: int) -> bytes:
        if self.dies_at is not None and start >= self.dies_at:
            raise Died
        self.starts.append(start)
        found = self.data[start : start + length]
        self.known[start, length] = crc_of(self.crc, found)
        return found

    def recall(self, start: int, length: int) -> int | None:
        return self.known.get((start, length))


@pytest.fixture
def store(rig: Rig) -> Any:
    if not isinstance(rig.store, PartWriting):
        pytest.skip("the store writes in one piece")
    return rig.store


def info(size_bytes: int) -> ObjectInfo:
    from tests.integration.moving import NOW

    return ObjectInfo("big", size_bytes, "v", "", NOW, metadata={"owner": "anna"})


def test_an_upload_that_was_killed_goes_on_with_what_is_there(store: Any, rig: Rig) -> None:
    data, ids = os.urandom(SIZE), list[str]()
    content = Content(data, store.parts_digest)
    content.dies_at = 16 << 20
    arguments: dict[str, Any] = {"info": info(SIZE), "metadata": {"job": "1"}, "begun": ids.append}
    with pytest.raises(Died):
        store.put_parts("big", content, if_absent=True, **arguments)
    assert [one.key for one in store.list()] == []
    before, content.dies_at, content.starts = set(content.starts), None, []
    upload_id = ids[0] if ids else None
    written, digests = rig.reopen().put_parts(  # type: ignore[attr-defined]
        "big", content, if_absent=True, upload_id=upload_id, **arguments
    )
    assert (
        digests[store.parts_digest] == digest_bytes(data, {store.parts_digest})[store.parts_digest]
    )
    assert before
    assert bool(before & set(content.starts)) == (rig.name in STARTS_ANEW)
    with store.open("big", if_version=written.version) as stream:
        assert stream.read() == data
    found = store.head("big")
    assert (found.version, found.metadata["owner"]) == (written.version, "anna")
    assert list(store.uploads()) == []
    with pytest.raises(PreconditionFailed):
        store.put_parts("big", content, if_absent=True, **arguments)


STARTS_ANEW = {
    "file": "a file that nobody names is removed after a kill",
    "fakegcs": "fake-gcs-server takes the question how far it is for the end of the upload",
    "moto": "moto tells no checksum of the parts that it holds",
}


def test_an_upload_that_was_dropped_begins_anew(store: Any) -> None:
    data, ids = os.urandom(SIZE), list[str]()
    content = Content(data, store.parts_digest)
    content.dies_at = 16 << 20
    with pytest.raises(Died):
        store.put_parts("big", content, info=info(SIZE), begun=ids.append)
    content.dies_at = None
    for upload_id in ids:
        store.abort_upload("big", upload_id)
    for upload_id in (*ids, "https://elsewhere.example/session", None):
        written, _ = store.put_parts("big", content, info=info(SIZE), upload_id=upload_id)
        with store.open("big", if_version=written.version) as stream:
            assert stream.read() == data


def test_ranges_are_those_of_one_version(store: Any) -> None:
    if not isinstance(store, Ranged):
        pytest.skip("the store reads as a stream")
    data = os.urandom(5 << 20)
    version = store.put("k", io.BytesIO(data), len(data)).version
    for start, length in ((0, 5 << 20), (1, 1), ((4 << 20) - 3, (1 << 20) - 5)):
        found = store.read_range("k", start, length, if_version=version)
        assert found == data[start : start + length]
    store.put("k", io.BytesIO(data[::-1]), len(data))
    with pytest.raises(PreconditionFailed):
        store.read_range("k", 0, 10, if_version=version)
