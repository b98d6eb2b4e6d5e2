"""What every provider promises; see cloudflux.storage.interface."""

import datetime as dt
import hashlib
import io
import os

import pytest

from cloudflux.errors import (
    ContainerNotFound,
    IntegrityError,
    NotSupported,
    ObjectArchived,
    ObjectNotFound,
    PreconditionFailed,
    Unavailable,
)
from cloudflux.storage.digests import Digests, digest_stream
from cloudflux.storage.interface import ObjectInfo, Store, Unreadable
from cloudflux.storage.keys import problems
from cloudflux.storage.probe import probe_conditions

from .rigs import Rig

OTHER_VERSION = "00000000000000000000000000000000"
ODD_KEYS = ["a b+c%2F.txt", "plus+plus", "ünï/☃.bin", "quote'\"&<>.xml", "a/b/c/d", "tab\there"]


def put(store: Store, key: str, data: bytes = b"hello", **arguments: object) -> str:
    return store.put(key, io.BytesIO(data), len(data), **arguments).version  # type: ignore[arg-type]


def read(store: Store, key: str, **arguments: str) -> bytes:
    with store.open(key, **arguments) as stream:
        return stream.read()


def keys(store: Store, prefix: str = "", start_after: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix, start_after)]


def test_what_is_written_is_read(store: Store) -> None:
    put(store, "a/b.txt", b"some bytes")
    assert read(store, "a/b.txt") == b"some bytes"


def test_empty_object(store: Store) -> None:
    put(store, "empty", b"")
    assert read(store, "empty") == b""
    assert store.head("empty").size_bytes == 0


def test_reads_in_pieces(store: Store) -> None:
    put(store, "k", b"0123456789")
    with store.open("k") as stream:
        assert [stream.read(4), stream.read(4), stream.read(4), stream.read(4)] == [
            b"0123",
            b"4567",
            b"89",
            b"",
        ]


def test_odd_keys_survive(rig: Rig) -> None:
    store, odd = rig.store, sorted(set(ODD_KEYS) - set(rig.impossible_keys))
    for key in odd:
        put(store, key, key.encode())
    assert sorted(keys(store)) == odd
    for key in odd:
        assert read(store, key) == key.encode()
        assert store.head(key).key == key


def test_list_tells_size_version_and_class(rig: Rig) -> None:
    version = put(rig.store, "k", b"12345")
    (found,) = rig.store.list()
    assert isinstance(found, ObjectInfo)
    assert (found.key, found.size_bytes, found.version) == ("k", 5, version)
    assert found.storage_class == rig.home_class
    assert abs(found.last_modified - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=5)


def test_list_below_prefix(store: Store) -> None:
    for key in ("a/1", "a/2", "ab", "b/1"):
        put(store, key)
    assert keys(store, "a/") == ["a/1", "a/2"]
    assert keys(store, "a") == ["a/1", "a/2", "ab"]
    assert keys(store, "nothing") == []


def test_list_is_in_key_order_and_resumes(store: Store) -> None:
    names = ["a!", "a-b", "a/x", "a/y", "a0", "b"]
    for key in names:
        put(store, key)
    assert keys(store) == names
    for position, key in enumerate(names):
        assert keys(store, start_after=key) == names[position + 1 :]
    assert keys(store, "a/", "a/x") == ["a/y"]


def test_list_goes_over_pages(store: Store) -> None:
    names = [f"k{number:04d}" for number in range(103)]
    for key in names:
        put(store, key, b"")
    assert keys(store) == names


def test_control_objects_are_hidden_and_reachable(store: Store) -> None:
    put(store, ".cloudflux/location.json", b"{}")
    put(store, "k")
    assert keys(store) == ["k"]
    assert read(store, ".cloudflux/location.json") == b"{}"
    store.delete(".cloudflux/location.json")
    with pytest.raises(ObjectNotFound):
        store.head(".cloudflux/location.json")


def test_absent_object(store: Store) -> None:
    with pytest.raises(ObjectNotFound):
        store.head("nope")
    with pytest.raises(ObjectNotFound):
        store.open("nope")


def test_absent_container(rig: Rig) -> None:
    rig.store.check()
    if rig.missing is None:
        assert rig.name == "memory"
        return
    with pytest.raises(ContainerNotFound):
        rig.missing().check()
    with pytest.raises(ContainerNotFound):
        list(rig.missing().list())


def test_create_only_if_absent(store: Store) -> None:
    put(store, "k", b"first", if_absent=True)
    with pytest.raises(PreconditionFailed):
        put(store, "k", b"second", if_absent=True)
    assert read(store, "k") == b"first"


def test_overwrite_only_the_version(store: Store) -> None:
    first = put(store, "k", b"first")
    second = put(store, "k", b"second!", if_version=first)
    with pytest.raises(PreconditionFailed):
        put(store, "k", b"third", if_version=first)
    assert read(store, "k") == b"second!"
    assert store.head("k").version == second
    with pytest.raises(PreconditionFailed):
        put(store, "nope", b"x", if_version=first)
    assert keys(store) == ["k"]


def test_version_changes_with_content(store: Store) -> None:
    first = put(store, "k", b"first")
    assert store.head("k").version == first
    assert put(store, "k", b"other") != first


def test_open_only_the_version(store: Store) -> None:
    first = put(store, "k", b"first")
    assert read(store, "k", if_version=first) == b"first"
    put(store, "k", b"second")
    with pytest.raises(PreconditionFailed):
        read(store, "k", if_version=first)


def test_delete(store: Store) -> None:
    put(store, "k")
    store.delete("k")
    store.delete("k")
    assert keys(store) == []
    with pytest.raises(ObjectNotFound):
        store.delete("k", if_version=OTHER_VERSION)


def test_delete_only_the_version(store: Store) -> None:
    first = put(store, "k", b"first")
    second = put(store, "k", b"second")
    with pytest.raises(PreconditionFailed):
        store.delete("k", if_version=first)
    assert read(store, "k") == b"second"
    store.delete("k", if_version=second)
    assert keys(store) == []


def test_metadata_headers_and_tags_travel(store: Store) -> None:
    info = ObjectInfo(
        key="elsewhere",
        size_bytes=5,
        version="v",
        storage_class="STANDARD",
        last_modified=dt.datetime(2020, 1, 2, tzinfo=dt.UTC),
        metadata={"owner": "anna"},
        headers={"content-type": "text/csv", "cache-control": "max-age=60"},
        tags={"project": "sea + air=1"},
    )
    put(store, "k", info=info, metadata={"job": "42"})
    found = store.head("k")
    assert {"owner": "anna", "job": "42"}.items() <= found.metadata.items()
    assert info.headers.items() <= found.headers.items()
    assert found.tags == info.tags


def test_streams_that_are_not_as_announced_leave_nothing(store: Store) -> None:
    for size, sha256 in ((4, None), (6, None), (5, hashlib.sha256(b"other").hexdigest())):
        with pytest.raises(IntegrityError):
            store.put("k", io.BytesIO(b"hello"), size, sha256=sha256)
    assert keys(store) == []
    put(store, "k", sha256=hashlib.sha256(b"hello").hexdigest())


def test_server_digests_are_those_of_the_content(store: Store) -> None:
    put(store, "k", b"some bytes")
    digests = Digests()
    digests.update(b"some bytes")
    found = store.head("k").checksums
    assert found.items() <= digests.hex().items()
    assert set(found) <= set(store.capabilities.checksums)
    assert bool(found) == bool(store.capabilities.checksums)


def test_large_objects(rig: Rig) -> None:
    data = os.urandom(rig.large_bytes)
    version = put(rig.store, "big", data, if_absent=True)
    with rig.store.open("big", if_version=version) as stream:
        digests = digest_stream(stream)
    assert digests.hex()["sha256"] == hashlib.sha256(data).hexdigest()
    found = rig.store.head("big")
    assert (found.size_bytes, found.version) == (len(data), version)
    assert found.checksums.items() <= digests.hex().items()
    with pytest.raises(PreconditionFailed):
        put(rig.store, "big", data, if_absent=True)
    assert list(rig.store.uploads()) == []


class BreaksOff(io.RawIOBase):
    """A source that dies in the middle."""

    def __init__(self, after_bytes: int) -> None:
        self.left = after_bytes

    def read(self, size: int = -1, /) -> bytes:
        if self.left <= 0:
            raise Unavailable("the connection broke")
        taken = min(size if size >= 0 else self.left, self.left)
        self.left -= taken
        return bytes(taken)


def test_broken_off_writes_leave_nothing(rig: Rig) -> None:
    size = 2 * rig.large_bytes
    with pytest.raises(Unavailable):
        rig.store.put("big", BreaksOff(size - 10), size)  # type: ignore[arg-type]
    assert keys(rig.store) == []
    assert list(rig.store.uploads()) == []


def test_change_class_keeps_everything(rig: Rig) -> None:
    if rig.other_class is None:
        version = put(rig.store, "k", b"content")
        with pytest.raises(NotSupported):
            rig.store.change_class("k", "STANDARD_IA", if_version=version, size_bytes=7)
        assert read(rig.store, "k") == b"content"
        return
    info = ObjectInfo("x", 7, "v", "c", dt.datetime(2020, 1, 2, tzinfo=dt.UTC), tags={"a": "b"})
    version = put(rig.store, "d/k", b"content", info=info, metadata={"owner": "anna"})
    before = rig.store.head("d/k")
    after = rig.store.change_class("d/k", rig.other_class, if_version=version, size_bytes=7)
    assert after.storage_class == rig.other_class
    assert (after.size_bytes, after.tags) == (7, {"a": "b"})
    assert after.metadata == before.metadata
    assert read(rig.store, "d/k") == b"content"
    assert [(entry.key, entry.storage_class) for entry in rig.store.list()] == [  # type: ignore[union-attr]
        ("d/k", rig.other_class)
    ]
    assert rig.reopen().head("d/k") == rig.store.head("d/k")


def test_change_class_twice_and_back(rig: Rig) -> None:
    if rig.other_class is None:
        return  # what such a server is to say, shows the test before
    version = put(rig.store, "k", b"content")
    once = rig.store.change_class("k", rig.other_class, if_version=version, size_bytes=7)
    again = rig.store.change_class("k", rig.other_class, if_version=version, size_bytes=7)
    assert again == once
    back = rig.store.change_class("k", rig.home_class, if_version=once.version, size_bytes=7)
    assert back.storage_class == rig.home_class
    assert read(rig.store, "k") == b"content"


def test_change_class_only_of_the_version(rig: Rig) -> None:
    target = rig.other_class or "STANDARD_IA"
    first = put(rig.store, "k", b"first")
    put(rig.store, "k", b"other")
    with pytest.raises(PreconditionFailed):
        rig.store.change_class("k", target, if_version=first, size_bytes=5)
    with pytest.raises(ObjectNotFound):
        rig.store.change_class("nope", target, if_version=first, size_bytes=5)
    assert rig.store.head("k").storage_class == rig.home_class
    assert read(rig.store, "k") == b"other"


def test_unknown_class_is_refused(store: Store) -> None:
    version = put(store, "k")
    with pytest.raises(NotSupported):
        store.change_class("k", "NO_SUCH_CLASS", if_version=version, size_bytes=5)
    assert read(store, "k") == b"hello"


def test_archived_objects_say_so(store: Store) -> None:
    if not store.capabilities.archive_classes:
        put(store, "k")  # all its classes are read at once
        assert not store.head("k").archived
        return
    archive = store.capabilities.archive_classes[-1]
    try:
        put(store, "k", storage_class=archive)
    except NotSupported:
        return  # MinIO has no such class, and says so
    if store.head("k").storage_class != archive:
        assert not store.head("k").archived  # versitygw ignores classes
        return
    assert store.head("k").archived
    (listed,) = store.list()
    assert not isinstance(listed, Unreadable)
    assert listed.archived
    with pytest.raises(ObjectArchived):
        store.open("k")


def test_conditions_are_measured(rig: Rig) -> None:
    writes, copies = probe_conditions(rig.store)
    assert writes is rig.enforces_writes
    assert copies is (rig.enforces_copy_source and rig.enforces_copy_target)
    assert keys(rig.store) == []


def test_absent_upload_is_no_error(store: Store) -> None:
    if store.capabilities.scheme == "file":
        store.abort_upload("", ".cloudflux-tmp-0")
        return
    store.abort_upload("k", "no-such-upload")


def test_keys_that_do_not_fit_are_told_beforehand(rig: Rig) -> None:
    store = rig.store
    bad = ["../x", "a/../b", "", "k" * 5000, ".cloudflux/x"]
    assert [key for key, _ in problems(bad, store.capabilities)] == bad
    odd = [key for key, _ in problems(ODD_KEYS, store.capabilities)]
    assert odd == list(rig.impossible_keys)
    collision = list(problems(["a", "a-b", "a/b"], store.capabilities))
    assert [key for key, _ in collision] == (["a/b"] if store.capabilities.hierarchical else [])
