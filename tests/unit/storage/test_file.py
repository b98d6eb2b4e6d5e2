import ctypes
import errno
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudflux.api.task import StoreRef
from cloudflux.errors import (
    ConfigurationError,
    IntegrityError,
    LocationRefused,
    NotSupported,
    PreconditionFailed,
    QuotaExceeded,
)
from cloudflux.storage import file_new, file_system
from cloudflux.storage.file import FileStore
from cloudflux.storage.interface import ObjectInfo, Unreadable
from cloudflux.storage.registry import open_store


class Place:
    """A location with two tiers, and a directory out of bounds."""

    def __init__(self, base: Path) -> None:
        self.base = base
        for name in ("allowed/data", "allowed/warm", "allowed/cold", "outside"):
            (base / name).mkdir(parents=True)
        self.data = base / "allowed/data"
        self.home, self.warm, self.cold = (
            f"file://{base}/allowed/{name}" for name in ("data", "warm", "cold")
        )

    def open(self) -> FileStore:
        return FileStore(
            self.home,
            file_roots=(str(self.base / "allowed"),),
            tier_roots=[self.home, self.warm, self.cold],
        )

    def contents(self, tier: str) -> list[Path]:
        root = self.base / "allowed" / tier
        return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def store(place: Place) -> FileStore:
    return place.open()


def put(store: FileStore, key: str, data: bytes = b"content", **arguments: object) -> str:
    return store.put(key, io.BytesIO(data), len(data), **arguments).version  # type: ignore[arg-type]


def to(store: FileStore, key: str, tier: str) -> ObjectInfo:
    found = store.head(key)
    return store.change_class(key, tier, if_version=found.version, size_bytes=found.size_bytes)


@pytest.mark.parametrize(
    "path",
    ["outside", "allowed/../outside", "allowed/data/..", "allowed/link", "allowed-not", ""],
)
def test_locations_outside_the_allowed_directories_are_refused(place: Place, path: str) -> None:
    (place.base / "allowed/link").symlink_to(place.base / "outside")
    ref = StoreRef(uri=f"file://{place.base}/{path}", file_roots=(str(place.base / "allowed"),))
    with pytest.raises(LocationRefused):
        open_store(ref)


def test_no_allowed_directory_means_none(place: Place) -> None:
    with pytest.raises(LocationRefused, match="file_roots"):
        open_store(StoreRef(uri=place.home))


def test_uri_needs_an_absolute_path() -> None:
    with pytest.raises(ConfigurationError, match="absolute"):
        open_store(StoreRef(uri="file://data", file_roots=("/",)))


def test_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"file://.* s3://"):
        open_store(StoreRef(uri="ftp://x"))


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/", "./a", "a\0b"])
def test_unsafe_keys_are_refused(store: FileStore, place: Place, key: str) -> None:
    for call in (
        lambda: store.head(key),
        lambda: store.open(key),
        lambda: put(store, key),
        lambda: store.delete(key),
    ):
        with pytest.raises(NotSupported):
            call()


def test_links_are_told_and_never_followed(store: FileStore, place: Place) -> None:
    secret = place.base / "outside/secret"
    secret.write_text("secret")
    put(store, "real")
    (place.data / "out").symlink_to(secret)
    (place.data / "in").symlink_to(place.data / "real")
    (place.data / "dangling").symlink_to(place.data / "gone")
    (place.data / "directory").symlink_to(place.base / "outside")
    os.mkfifo(place.data / "pipe")
    found = {entry.key: entry for entry in store.list()}
    assert isinstance(found.pop("real"), ObjectInfo)
    assert all(isinstance(entry, Unreadable) for entry in found.values())
    assert set(found) == {"out", "in", "dangling", "directory", "pipe"}
    for key in found:
        with pytest.raises(NotSupported):
            store.open(key)
    with pytest.raises(PermissionError):
        store.open("directory/secret")
    with pytest.raises(PermissionError):
        put(store, "directory/planted")
    assert not (place.base / "outside/planted").exists()


def test_hard_links_are_told(store: FileStore, place: Place) -> None:
    put(store, "one")
    os.link(place.data / "one", place.data / "two")
    assert [type(entry) for entry in store.list()] == [Unreadable, Unreadable]


def test_names_that_are_not_utf8(store: FileStore, place: Place) -> None:
    (place.data / os.fsdecode(b"caf\xe9")).write_bytes(b"x")
    (entry,) = store.list()
    assert entry.key == "caf\udce9"
    with store.open(entry.key) as stream:
        assert stream.read() == b"x"


def test_a_tier_is_a_link_with_the_same_bytes(store: FileStore, place: Place) -> None:
    put(store, "a/b", b"content")
    (place.data / "a/b").chmod(0o640)
    os.utime(place.data / "a/b", (1_500_000_000, 1_600_000_000))
    os.setxattr(place.data / "a/b", "user.colour", b"red")
    moved = to(store, "a/b", place.cold)
    path = place.data / "a/b"
    assert path.is_symlink()
    assert path.read_bytes() == b"content"
    assert moved.storage_class == place.cold
    status = path.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o640, 1_600_000_000)
    assert moved.last_accessed is not None
    assert moved.last_accessed.timestamp() == pytest.approx(1_500_000_000)
    assert os.getxattr(path, "user.colour") == b"red"
    assert [len(place.contents(tier)) for tier in ("data", "warm", "cold")] == [0, 0, 1]


def test_between_tiers_and_home(store: FileStore, place: Place) -> None:
    put(store, "k", b"content")
    for tier, counts in (
        (place.warm, [0, 1, 0]),
        (place.cold, [0, 0, 1]),
        (place.home, [1, 0, 0]),
    ):
        assert to(store, "k", tier).storage_class == tier
        assert [len(place.contents(name)) for name in ("data", "warm", "cold")] == counts
        with place.open().open("k") as stream:
            assert stream.read() == b"content"
    assert not (place.data / "k").is_symlink()
    assert list((place.base / "allowed/cold").iterdir()) == []


def test_deleting_a_tiered_file_deletes_its_content(store: FileStore, place: Place) -> None:
    put(store, "k")
    version = to(store, "k", place.cold).version
    store.delete("k", if_version=version)
    assert place.contents("cold") == []
    assert list(store.list()) == []


def test_overwriting_a_tiered_file_brings_it_home(store: FileStore, place: Place) -> None:
    put(store, "k", b"old")
    version = to(store, "k", place.cold).version
    put(store, "k", b"newer", if_version=version)
    assert (place.data / "k").read_bytes() == b"newer"
    assert place.contents("cold") == []


def test_content_of_another_location_is_not_reached(store: FileStore, place: Place) -> None:
    theirs = place.base / "allowed/cold/.cloudflux-tiers/other-0123/secret"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("secret")
    (place.data / "k").symlink_to(theirs)
    (entry,) = store.list()
    assert isinstance(entry, Unreadable)
    with pytest.raises(NotSupported):
        store.open("k")


def test_a_tier_around_the_location_is_its_home(place: Place) -> None:
    allowed = f"file://{place.base}/allowed"
    store = FileStore(place.home, file_roots=(str(place.base),), tier_roots=[allowed])
    put(store, "k")
    assert store.head("k").storage_class == allowed


def change_meanwhile(
    monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[], object]
) -> None:
    """Run `change` once, just before a system call that the store makes."""
    real = getattr(file_system, name)
    done: list[int] = []

    def changed(*arguments: object) -> object:
        if not done:
            done.append(1)
            change()
        return real(*arguments)

    monkeypatch.setattr(file_system, name, changed)


def test_a_write_during_the_exchange_is_not_lost(
    store: FileStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "k", b"content")
    change_meanwhile(monkeypatch, "exchange", lambda: (place.data / "k").write_bytes(b"newer!!"))
    with pytest.raises(PreconditionFailed):
        to(store, "k", place.cold)
    assert (place.data / "k").read_bytes() == b"newer!!"
    assert not (place.data / "k").is_symlink()
    assert place.contents("cold") == []
    assert [path.name for path in place.data.iterdir()] == ["k"]


def test_a_flipped_byte_on_the_disk_is_caught(
    store: FileStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "k", b"content")
    real = os.fsync

    def corrupting(descriptor: int) -> None:
        real(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.pwrite(descriptor, b"X", 0)

    monkeypatch.setattr(os, "fsync", corrupting)
    with pytest.raises(IntegrityError):
        to(store, "k", place.cold)
    monkeypatch.undo()
    assert (place.data / "k").read_bytes() == b"content"
    assert place.contents("cold") == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_so_and_leaves_nothing(
    store: FileStore, place: Place, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(QuotaExceeded):
        put(store, "k")
    assert list(place.data.iterdir()) == []


def test_reading_leaves_access_times(store: FileStore, place: Place) -> None:
    put(store, "k")
    os.utime(place.data / "k", (1_500_000_000, 1_600_000_000))
    with store.open("k") as stream:
        stream.read()
    assert (place.data / "k").stat().st_atime == 1_500_000_000


def test_a_killed_writer_leaves_an_upload_that_can_be_dropped(
    store: FileStore, place: Place
) -> None:
    (place.data / "d").mkdir()
    (place.data / "d/.cloudflux-tmp-1").write_bytes(b"half")
    assert list(store.list()) == []
    (upload,) = store.uploads()
    store.abort_upload(*upload)
    store.abort_upload(*upload)
    assert list((place.data / "d").iterdir()) == []


def test_file_attributes_survive_a_detour(store: FileStore, place: Place) -> None:
    put(store, "k")
    (place.data / "k").chmod(0o750)
    os.utime(place.data / "k", ns=(1, 1_600_000_000_123_456_789))
    os.setxattr(place.data / "k", "user.colour", b"red\xff")
    info = store.head("k")
    put(store, "copy", info=info)
    status = (place.data / "copy").stat()
    assert stat.S_IMODE(status.st_mode) == 0o750
    assert status.st_mtime_ns == 1_600_000_000_123_456_789
    assert os.getxattr(place.data / "copy", "user.colour") == b"red\xff"


def test_a_tiered_file_stays_readable_when_no_policy_names_its_tier_any_more(
    store: FileStore, place: Place
) -> None:
    put(store, "k", b"content")
    to(store, "k", place.cold)
    forgotten = FileStore(place.home, file_roots=(str(place.base / "allowed"),))
    (entry,) = forgotten.list()
    assert isinstance(entry, ObjectInfo)
    assert entry.storage_class == place.cold
    with forgotten.open("k") as stream:
        assert stream.read() == b"content"
    forgotten.delete("k", if_version=entry.version)
    assert place.contents("cold") == []


def test_a_link_out_of_the_granted_directories_is_never_followed(
    store: FileStore, place: Place
) -> None:
    put(store, "k", b"content")
    to(store, "k", place.cold)
    own = next((place.base / "allowed/cold/.cloudflux-tiers").iterdir()).name
    # It looks like a tier of ours, bears our identity, and lies where we may not go.
    theirs = place.base / "outside/.cloudflux-tiers" / own / "secret"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("secret")
    (place.data / "planted").symlink_to(theirs)
    # A granted link to a tier that is itself a link out.
    (place.base / "allowed/detour").symlink_to(place.base / "outside")
    (place.data / "detour").symlink_to(
        place.base / "allowed/detour/.cloudflux-tiers" / own / "secret"
    )
    for key in ("planted", "detour"):
        with pytest.raises(NotSupported):
            store.open(key)


def test_a_users_own_link_into_a_tier_root_is_not_followed(store: FileStore, place: Place) -> None:
    (place.base / "allowed/cold/other").write_text("of somebody")
    (place.data / "k").symlink_to(place.base / "allowed/cold/other")
    with pytest.raises(NotSupported):
        store.open("k")


def test_renaming_a_tiered_file_costs_no_data(store: FileStore, place: Place) -> None:
    put(store, "old", b"content")
    to(store, "old", place.cold)
    (place.data / "old").rename(place.data / "new")
    put(store, "old", b"another")
    to(store, "old", place.cold)
    assert (place.data / "new").read_bytes() == b"content"
    store.delete("old", if_version=store.head("old").version)
    to(store, "new", place.home)
    assert (place.data / "new").read_bytes() == b"content"
    assert place.contents("cold") == []


def test_what_is_read_back_otherwise_than_written_is_not_kept(
    store: FileStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os.pread

    def flips(descriptor: int, length: int, start: int) -> bytes:
        data = original(descriptor, length, start)
        return bytes([data[0] ^ 1]) + data[1:] if data else data

    monkeypatch.setattr(os, "pread", flips)
    with pytest.raises(IntegrityError, match="check the target disk"):
        put(store, "key", if_absent=True)
    assert list((place.base / "allowed/data").iterdir()) == []


def test_postponed_writes_wait_for_the_disk_once(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: waits.append("one"))
    monkeypatch.setattr(file_new, "_SYNCFS", lambda _: waits.append("all") or 0)
    put(store, "a/at once", if_absent=True)
    assert waits
    waits.clear()
    store.postpone()
    for number in range(3):
        put(store, f"b/{number}", if_absent=True)
    assert waits == []
    store.settle()
    assert waits == ["all"]


def test_a_disk_that_fails_later_is_told_when_it_is_waited_for(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: int) -> int:
        ctypes.set_errno(errno.ENOSPC)
        return -1

    monkeypatch.setattr(file_new, "_SYNCFS", fails)
    store.postpone()
    put(store, "key", if_absent=True)
    with pytest.raises(QuotaExceeded, match="disk is full"):
        store.settle()


def test_a_file_that_changes_between_two_pieces_is_noticed(store: FileStore, place: Place) -> None:
    version = put(store, "key", b"0123456789")
    assert store.read_range("key", 2, 3, if_version=version) == b"234"
    (place.base / "allowed/data/key").write_bytes(b"9876543210")
    with pytest.raises(PreconditionFailed):
        store.read_range("key", 5, 3, if_version=version)
