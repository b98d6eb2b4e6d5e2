"""After a power failure a disk holds what was made durable; nothing that stood on more is lost."""

import io
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.integration.moving import FakeContext, Move, contents_of, file_ref

from cloudflux.api.task import StoreRef
from cloudflux.migration import checkpoint
from cloudflux.storage import file_new
from cloudflux.storage import file_system as fs
from cloudflux.storage.interface import Store
from cloudflux.storage.registry import open_store

OLD, NEW = b"old" * 5000, b"new" * 7000


class PowerFailure(BaseException):
    """Nothing of the process runs after it."""


@dataclass(frozen=True)
class Bytes:
    """A file's content, or a link's text, with what tells it from others."""

    data: bytes
    modified_ns: int = 0
    changed_ns: int = 0


Was = tuple[Any, str, str]
"""Inode before, change time on coming back, and change time before."""


@dataclass
class Image:
    """What is on the disk for sure: names of each directory and bytes of each file, by inode."""

    names: dict[int, dict[str, int]] = field(default_factory=dict)
    contents: dict[int, Bytes] = field(default_factory=dict)
    links: dict[int, Bytes] = field(default_factory=dict)


class PowerDisk:
    """Keeps account of what was made durable below a directory, and forgets the rest.

    Of names that were not made durable, `names_survive` says whether they are there all the
    same: a file system may write them before, or may not. Bytes that were not, are not.
    """

    def __init__(self, root: Path, *, names_survive: bool) -> None:
        self.root, self.names_survive = root, names_survive
        self.image = Image()
        self.calls = 0
        self.fails_at: int | None = None
        self._fsync, self._version_of = os.fsync, fs.version_of
        self._directories: set[int] = set()
        self._pins: dict[int, int] = {}
        """An inode that is still open is not given to another file."""
        self._known_as: dict[int, Was] = {}
        """Inode and change time that files had before: what comes back is the same file."""

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(os, "fsync", self.fsync)
        patch.setattr(file_new, "_SYNCFS", self.syncfs)
        patch.setattr(fs, "version_of", self.version_of)

    def version_of(self, status: os.stat_result) -> str:
        """As it was before the failure, for files that nobody touched since."""
        inode, size, modified, changed = self._version_of(status).split(":")
        was, came_back, changed_then = self._known_as.get(int(inode), (inode, "", ""))
        if changed == came_back:
            changed = changed_then
        return f"{was}:{size}:{modified}:{changed}"

    def _bytes(self, status: os.stat_result, data: bytes) -> Bytes:
        changed = self.version_of(status).rpartition(":")[2]
        return Bytes(data, status.st_mtime_ns, int(changed))

    def fsync(self, descriptor: int) -> None:
        self._count()
        status, path = os.fstat(descriptor), Path(f"/proc/self/fd/{descriptor}")
        self._pin(status.st_ino, path.readlink())
        if stat.S_ISDIR(status.st_mode):
            self.image.names[status.st_ino] = self._names_of(path.readlink())
            return
        self.image.contents[status.st_ino] = self._bytes(status, path.read_bytes())

    def syncfs(self, _: int) -> int:
        self._count()
        self.keep_all()
        return 0

    def keep_all(self) -> None:
        for path in (self.root, *self.root.rglob("*")):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                self.image.names[status.st_ino] = self._names_of(path)
            elif stat.S_ISREG(status.st_mode):
                kept = self._bytes(status, path.read_bytes())
                self.image.contents[status.st_ino] = kept

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            self._build()  # before anybody tidies up: a process without power does not
            raise PowerFailure

    def come_back(self) -> None:
        """Make the tree what is on the disk."""
        if not self._aside.exists():
            self._build()
        shutil.rmtree(self.root)
        self._aside.rename(self.root)
        for pin in self._pins.values():
            os.close(pin)
        self.image, self._directories, self._pins = Image(), set(), {}
        self.keep_all()

    @property
    def _aside(self) -> Path:
        return self.root.with_name(f"{self.root.name}-again")

    def _build(self) -> None:
        known: dict[int, Was] = {}
        self._write(self.root.stat().st_ino, self.root, self._aside, known)
        self._known_as = known

    def _write(self, inode: int, old: Path, new: Path, known: dict[int, Was]) -> None:
        new.mkdir()
        names = self.image.names.get(inode, {})
        if self.names_survive and old.is_dir():
            names = self._names_of(old)
        for name, at in names.items():
            if at in self.image.links:
                kept = self.image.links[at]
                (new / name).symlink_to(os.fsdecode(kept.data))
            elif at in self._directories:
                self._write(at, old / name, new / name, known)
                continue
            else:
                kept = self.image.contents.get(at, Bytes(b""))
                (new / name).write_bytes(kept.data)
            times = (kept.modified_ns, kept.modified_ns)
            os.utime(new / name, ns=times, follow_symlinks=False)
            now = (new / name).lstat()
            was = self._known_as.get(at, (at, "", ""))[0]
            known[now.st_ino] = (was, str(now.st_ctime_ns), str(kept.changed_ns))

    def _pin(self, inode: int, path: Path) -> None:
        if inode not in self._pins:
            self._pins[inode] = os.open(path, os.O_PATH | os.O_NOFOLLOW)

    def _names_of(self, directory: Path) -> dict[str, int]:
        found = {}
        for entry in os.scandir(directory):
            status = entry.stat(follow_symlinks=False)
            self._pin(status.st_ino, Path(entry))
            found[entry.name] = status.st_ino
            if stat.S_ISLNK(status.st_mode):
                text = os.fsencode(Path(entry).readlink())
                self.image.links[status.st_ino] = self._bytes(status, text)
            elif stat.S_ISDIR(status.st_mode):
                self._directories.add(status.st_ino)
        return found


@pytest.fixture(params=[False, True], ids=["names go", "names stay"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> PowerDisk:
    root = tmp_path / "disk"
    for name in ("home", "cold", "state", "target"):
        (root / name).mkdir(parents=True)
    return PowerDisk(root, names_survive=request.param)


def open_at(disk: PowerDisk) -> Store:
    cold = (disk.root / "cold").as_uri()
    ref = StoreRef(uri=(disk.root / "home").as_uri(), file_roots=(str(disk.root),))
    return open_store(ref, tier_roots=[cold])


def put(store: Store, data: bytes, **more: Any) -> None:
    store.put("deep/er/k", io.BytesIO(data), len(data), **more)


def new_whole(disk: PowerDisk) -> None:
    put(open_at(disk), NEW, if_absent=True)


def new_over_old(disk: PowerDisk) -> None:
    store = open_at(disk)
    put(store, NEW, if_version=store.head("deep/er/k").version)


def new_over_any(disk: PowerDisk) -> None:
    put(open_at(disk), NEW)


def colder(disk: PowerDisk) -> None:
    store = open_at(disk)
    found = store.head("deep/er/k")
    store.change_class(
        found.key,
        (disk.root / "cold").as_uri(),
        if_version=found.version,
        size_bytes=found.size_bytes,
    )


def by_the_batch(disk: PowerDisk) -> None:
    store: Any = open_at(disk)
    store.postpone()
    put(store, NEW, if_absent=True)
    store.settle()
    store.close()


WAYS: list[tuple[Callable[[PowerDisk], None], bytes | None, bytes]] = [
    (new_whole, None, NEW), (new_over_old, OLD, NEW), (new_over_any, OLD, NEW),
    (colder, OLD, OLD),
]  # fmt: skip


def contents(disk: PowerDisk) -> list[bytes]:
    """What a store finds after the failure, after its own recovery."""
    store, found = open_at(disk), []
    for info in store.list():
        with store.open(info.key) as stream:
            found.append(stream.read())
    return found


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way[0].__name__)
def test_what_was_answered_is_on_the_disk_and_what_was_not_is_old_or_new(
    disk: PowerDisk,
    way: tuple[Callable[[PowerDisk], None], bytes | None, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    act, before, after = way
    if before is not None:
        put(open_at(disk), before)
    disk.keep_all()
    disk.install(monkeypatch)
    for number in range(1, 50):
        disk.calls, disk.fails_at = 0, number
        try:
            act(disk)
        except PowerFailure:
            disk.come_back()
            disk.fails_at = None
            found = contents(disk)
            assert found in ([] if before is None else [before], [after]), number
            if found == [after]:  # as it would be looked at: begin anew from what was
                shutil.rmtree(disk.root / "home")
                shutil.rmtree(disk.root / "cold")
                for name in ("home", "cold"):
                    (disk.root / name).mkdir()
                if before is not None:
                    put(open_at(disk), before)
                disk.keep_all()
            continue
        assert number > 1
        disk.come_back()
        assert contents(disk) == [after]
        return
    raise AssertionError("the write never ended")


def test_what_was_settled_is_on_the_disk(disk: PowerDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.keep_all()
    disk.install(monkeypatch)
    by_the_batch(disk)
    disk.come_back()
    assert contents(disk) == [NEW]


@pytest.fixture
def powered(disk: PowerDisk, monkeypatch: pytest.MonkeyPatch) -> tuple[PowerDisk, Move]:
    source = disk.root / "home"
    for number in range(3):
        (source / f"deep-{number}").mkdir()
        (source / f"deep-{number}" / "k").write_bytes(bytes([number]) * (1000 + number))
    disk.keep_all()
    move = Move(
        disk.root / "state",
        file_ref(source, disk.root),
        file_ref(disk.root / "target", disk.root),
    )
    disk.install(monkeypatch)
    boots = [0]
    monkeypatch.setattr(checkpoint, "boot_id", lambda: f"boot {boots[0]}")

    def again() -> None:
        boots[0] += 1
        PowerDisk.come_back(disk)

    monkeypatch.setattr(disk, "come_back", again)
    return disk, move


def drive(move: Move) -> None:
    """From wherever it is to the end, as an operator does after a restart."""
    move.context = FakeContext(move.state_dir)
    digest_file = move.state_dir.parent.with_name("digest")  # stands for the job's status
    if not digest_file.exists():
        move.plan()
        digest = move.until_switched().digest
        digest_file.write_text(digest)
    found = move.retire(digest_file.read_text())
    assert found.kept_objects == 0


def test_a_move_that_loses_its_power_anywhere_loses_no_object(
    powered: tuple[PowerDisk, Move],
) -> None:
    disk, move = powered
    wanted = contents_of(disk.root / "home")
    ends = 0
    for number in range(1, 200):
        disk.calls, disk.fails_at = 0, number
        try:
            drive(move)
        except PowerFailure:
            disk.come_back()
            there = {**contents_of(disk.root / "target"), **contents_of(disk.root / "home")}
            at_target = contents_of(disk.root / "target")
            for key, data in wanted.items():
                assert data in (there.get(key), at_target.get(key)), f"{key} is lost at {number}"
            continue
        ends = number
        break
    assert ends > 5
    disk.come_back()
    assert contents_of(disk.root / "target") == wanted
    assert contents_of(disk.root / "home") == {}
