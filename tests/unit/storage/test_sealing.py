"""What is sealed opens again, and only with its key, whole and unaltered."""

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudflux.errors import ConfigurationError, IntegrityError
from cloudflux.storage.memory import MemoryStore
from cloudflux.storage.sealed import SealedStore
from cloudflux.storage.sealing import (
    CHUNK_BYTES,
    HEADER_BYTES,
    TAG_BYTES,
    Opening,
    Sealing,
    content_bytes,
    key_id,
    sealed_bytes,
)

KEY, OTHER = bytes(range(32)), bytes(32)
SIZES = (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7)


def sealed(data: bytes, key: bytes = KEY) -> bytes:
    return Sealing(io.BytesIO(data), key).read()


def opened(data: bytes, key: bytes = KEY) -> bytes:
    return Opening(io.BytesIO(data), key, "it").read()


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", SIZES)
def test_it_opens_again_and_its_size_is_known_before(size: int) -> None:
    data = content(size)
    closed = sealed(data)
    assert len(closed) == sealed_bytes(size)
    assert content_bytes(len(closed)) == size
    assert opened(closed) == data
    assert data not in closed or size < 16


@given(size=st.integers(0, 3 * CHUNK_BYTES), step=st.integers(1, 2 * CHUNK_BYTES))
@settings(max_examples=25, deadline=None)
def test_reading_in_any_steps_gives_the_same(size: int, step: int) -> None:
    data = content(size)
    stream = Sealing(io.BytesIO(data), KEY)
    closed = b"".join(iter(lambda: stream.read(step), b""))
    reader = Opening(io.BytesIO(closed), KEY, "it")
    assert b"".join(iter(lambda: reader.read(step), b"")) == data


@given(
    size=st.sampled_from(SIZES),
    place=st.integers(HEADER_BYTES - 32, sealed_bytes(SIZES[-1]) - 1),
    bit=st.integers(0, 7),
)
@settings(max_examples=40, deadline=None)
def test_no_bit_can_be_altered(size: int, place: int, bit: int) -> None:
    closed = bytearray(sealed(content(size)))
    closed[place % (len(closed) - HEADER_BYTES + 32) + HEADER_BYTES - 32] ^= 1 << bit
    with pytest.raises(IntegrityError):
        opened(bytes(closed))


def test_chunks_can_be_neither_cut_off_nor_dropped_nor_reordered_nor_repeated() -> None:
    closed = sealed(content(3 * CHUNK_BYTES))
    head, body = closed[:HEADER_BYTES], closed[HEADER_BYTES:]
    whole = CHUNK_BYTES + TAG_BYTES
    one, two, three = body[:whole], body[whole : 2 * whole], body[2 * whole :]
    for altered in (one + two, one + three, two + one + three, body + three, one + body, b""):
        with pytest.raises(IntegrityError):
            opened(head + altered)


def test_two_objects_of_the_same_content_have_nothing_in_common() -> None:
    one, two = sealed(b"the same"), sealed(b"the same")
    assert one[16:] != two[16:]
    assert one[:16] == two[:16]


def test_another_key_is_told_by_its_id_and_never_shown() -> None:
    with pytest.raises(ConfigurationError) as refused:
        opened(sealed(b"content"), OTHER)
    assert key_id(KEY) in str(refused.value)
    assert key_id(OTHER) in str(refused.value)
    assert KEY.hex() not in str(refused.value)


def test_what_was_never_sealed_is_refused() -> None:
    for data in (b"", b"plain", b"plain" * 100):
        with pytest.raises(IntegrityError, match="not encrypted by cloudflux"):
            opened(data)


def test_a_store_shows_content_and_keeps_its_own_objects_plain() -> None:
    inner = MemoryStore()
    store = SealedStore(inner, KEY)
    written = store.put("a", io.BytesIO(b"secret"), 6)
    assert written.attested.endswith("of the ciphertext")
    assert written.checksums == {}
    assert store.head("a").size_bytes == 6
    assert [info.size_bytes for info in store.list()] == [6]  # type: ignore[union-attr]
    assert inner.head("a").metadata == {"cloudflux-key-id": key_id(KEY)}
    assert store.head("a").metadata == {}
    with store.open("a") as stream:
        assert stream.read() == b"secret"
    store.put(".cloudflux/location.json", io.BytesIO(b"{}"), 2)
    with inner.open(".cloudflux/location.json") as stream:
        assert stream.read() == b"{}"
    inner.put("stranger", io.BytesIO(b"plain"), 5)
    assert [type(one).__name__ for one in store.list()] == ["ObjectInfo", "Unreadable"]


def test_a_source_that_is_not_the_one_announced_is_never_whole_at_the_store() -> None:
    inner = MemoryStore()
    store = SealedStore(inner, KEY)
    for size, sha256 in ((5, None), (7, None), (6, "00" * 32)):
        with pytest.raises(IntegrityError):
            store.put("a", io.BytesIO(b"secret"), size, sha256=sha256)
    assert list(inner.list()) == []


def test_a_class_change_knows_the_size_of_the_content() -> None:
    store = SealedStore(MemoryStore(), KEY)
    version = store.put("a", io.BytesIO(b"secret"), 6).version
    after = store.change_class("a", "GLACIER_IR", if_version=version, size_bytes=6)
    assert (after.storage_class, after.size_bytes) == ("GLACIER_IR", 6)
