"""A kill between any two system calls of a conditional write hides and loses nobody's bytes."""

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cloudflux.errors import ObjectNotFound, StorageError
from cloudflux.storage import file_exchange, file_system
from cloudflux.storage.file import FileStore

STEPS = range(20)
"""More than any of these operations makes changes; the last ones run to the end."""
NAMES = ("data", "warm", "cold")


class Place:
    """A location with two tiers, and one file `d/k`."""

    def __init__(self, base: Path) -> None:
        self.base = base
        for name in NAMES:
            (base / name).mkdir()
        self.home, self.warm, self.cold = ((base / name).as_uri() for name in NAMES)
        self.path = base / "data/d/k"

    def open(self) -> FileStore:
        return FileStore(
            self.home, file_roots=(str(self.base),), tier_roots=[self.home, self.warm, self.cold]
        )

    def put(self, data: bytes, **arguments: str) -> str:
        return self.open().put("d/k", io.BytesIO(data), len(data), **arguments).version  # type: ignore[arg-type]

    def change(self, tier: str) -> None:
        found = self.open().head("d/k")
        self.open().change_class("d/k", tier, if_version=found.version, size_bytes=found.size_bytes)

    def clean(self) -> None:
        """What the mover does at its next start."""
        store = self.open()
        for key, upload in list(store.uploads()):
            store.abort_upload(key, upload)

    def contents(self) -> list[bytes]:
        """Every regular file below the location and its tiers, hidden ones too."""
        found = (path for name in NAMES for path in (self.base / name).rglob("*"))
        return sorted(one.read_bytes() for one in found if one.is_file() and not one.is_symlink())

    def names(self) -> list[str]:
        return sorted(path.name for path in (self.base / "data/d").iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.put(b"content")
    return place


def killed_at(step: int, act: Callable[[], object], meanwhile: Callable[[], object]) -> None:
    """Run `act` in a process that dies before its `step`-th change of the file system.

    `meanwhile` is what another writer does just before the exchange or the rename aside.
    """
    process = os.fork()
    if process == 0:
        _die_at(step, meanwhile)
        with suppress(StorageError):
            act()
        os._exit(0)
    os.waitpid(process, 0)


def _die_at(step: int, meanwhile: Callable[[], object]) -> None:
    seen, quiet, written = [0], [False], [False]
    changes = {"os.rename", "os.remove", "os.symlink", "os.mkdir", "os.utime", "os.chmod"}

    def other_writer() -> None:
        if not written[0]:
            written[0] = quiet[0] = True
            meanwhile()
            quiet[0] = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
        if quiet[0] or not (event in changes or writes):
            return
        if seen[0] == step:
            os._exit(0)
        seen[0] += 1
        if event == "os.rename" and str(arguments[1]).rpartition("/")[2].startswith(
            file_exchange.ASIDE
        ):
            other_writer()

    def counted(name: str) -> Callable[[Path, Path], bool]:
        real = getattr(file_system, name)

        def call(first: Path, second: Path) -> bool:
            hook("os.rename", ("", ""))
            done: bool = real(first, second)
            return done

        return call

    for name in ("exchange", "rename_new"):
        setattr(file_system, name, counted(name))
    sys.addaudithook(hook)


def nothing() -> None:
    """Nobody else writes."""


def replaces(place: Place, data: bytes = b"theirs") -> Callable[[], None]:
    """Another writer's rename over the name, with a time long past."""

    def write() -> None:
        other = place.path.with_name("other")
        other.write_bytes(data)
        os.utime(other, ns=(1, 1))
        other.rename(place.path)

    return write


def writes_through(place: Place) -> Callable[[], None]:
    """Another writer's write into the present content, with the time set back."""

    def write() -> None:
        place.path.write_bytes(b"theirs")
        os.utime(place.path, ns=(1, 1))

    return write


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("direction", ["out", "across", "home"])
def test_a_tier_change_killed_at_any_step_loses_nothing(
    place: Place, direction: str, step: int
) -> None:
    if direction != "out":
        place.change(place.warm)
    target = {"out": place.cold, "across": place.cold, "home": place.home}[direction]
    before = place.open().head("d/k")
    killed_at(
        step,
        lambda: place.open().change_class("d/k", target, if_version=before.version, size_bytes=7),
        nothing,
    )
    assert place.path.read_bytes() == b"content"
    place.change(target)
    assert place.open().head("d/k").storage_class == target
    place.clean()
    assert (place.contents(), place.names()) == ([b"content"], ["k"])


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("origin", ["data", "warm"])
@pytest.mark.parametrize("writer", [replaces, writes_through])
def test_a_write_during_a_tier_change_survives_its_kill(
    place: Place, step: int, origin: str, writer: Callable[[Place], Callable[[], None]]
) -> None:
    if origin == "warm":
        place.change(place.warm)
    before = place.open().head("d/k")
    seen = place.base / "written"

    def meanwhile() -> None:
        writer(place)()
        seen.touch()

    killed_at(
        step,
        lambda: place.open().change_class(
            "d/k", place.cold, if_version=before.version, size_bytes=7
        ),
        meanwhile,
    )
    place.clean()
    assert place.path.read_bytes() == (b"theirs" if seen.exists() else b"content")
    assert place.names() == ["k"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("origin", ["data", "warm"])
@pytest.mark.parametrize("again", ["clean", "put", "change", "delete"])
def test_a_put_killed_in_mid_exchange_hides_no_other_writers_file(
    place: Place, step: int, origin: str, again: str
) -> None:
    if origin == "warm":
        place.change(place.warm)
    version = place.open().head("d/k").version
    seen = place.base / "written"

    def meanwhile() -> None:
        replaces(place)()
        seen.touch()

    killed_at(step, lambda: place.put(b"ours!", if_version=version), meanwhile)
    # Each of these is the first to come by again; with the old version none may destroy a write.
    with suppress(StorageError):
        if again == "clean":
            place.clean()
        elif again == "put":
            place.put(b"again", if_version=version)
        elif again == "change":
            place.open().change_class("d/k", place.cold, if_version=version, size_bytes=7)
        else:
            place.open().delete("d/k", if_version=version)
    place.clean()
    if seen.exists():
        assert place.path.read_bytes() == b"theirs"
        assert place.names() == ["k"]
    assert b"ours!" not in place.contents() or place.path.read_bytes() == b"ours!"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("origin", ["data", "warm"])
@pytest.mark.parametrize("other", [False, True])
def test_a_removal_killed_at_any_step_ends_as_if_it_was_not(
    place: Place, step: int, origin: str, other: bool
) -> None:
    if origin == "warm":
        place.change(place.warm)
    version = place.open().head("d/k").version
    seen = place.base / "written"

    def meanwhile() -> None:
        if other:
            replaces(place)()
            seen.touch()

    killed_at(step, lambda: place.open().delete("d/k", if_version=version), meanwhile)
    if seen.exists():
        with pytest.raises(StorageError):
            place.open().delete("d/k", if_version=version)
        assert place.path.read_bytes() == b"theirs"
        assert place.names() == ["k"]
        return
    with suppress(ObjectNotFound):
        place.open().delete("d/k", if_version=version)
    assert (place.contents(), place.names()) == ([], [])


def test_a_write_after_the_kill_is_kept_beside_the_hidden_one(place: Place) -> None:
    # Killed after the exchange: ours is in place, theirs is aside; then a third writer comes.
    for step in STEPS:
        version = place.put(b"content")

        def put(version: str = version) -> None:
            place.put(b"ours!", if_version=version)

        killed_at(step, put, replaces(place))
        if place.path.read_bytes() == b"ours!":
            break
    else:
        pytest.fail("no kill left another writer's file aside")
    place.path.write_bytes(b"a third writer's")
    place.clean()
    assert place.path.read_bytes() == b"a third writer's"
    (saved,) = place.path.parent.glob("k.saved-by-cloudflux-*")
    assert saved.read_bytes() == b"theirs"
    assert {entry.key for entry in place.open().list()} == {"d/k", f"d/{saved.name}"}


def test_a_file_aside_without_its_intent_is_kept_unless_its_bytes_are_there(place: Place) -> None:
    aside = file_exchange.aside_path(place.path)
    aside.write_bytes(b"content")
    place.put(b"newer")
    assert sorted(place.contents()) == [b"newer"]
    aside.write_bytes(b"unknown")
    place.put(b"newest")
    assert sorted(place.contents()) == [b"newest", b"unknown"]


def test_a_failing_exchange_leaves_nothing_aside(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = place.open().head("d/k").version

    def gone(first: Path, second: Path) -> bool:
        raise FileNotFoundError(2, "gone")

    monkeypatch.setattr(file_system, "exchange", gone)
    with pytest.raises(ObjectNotFound):
        place.put(b"ours!", if_version=version)
    assert (place.contents(), place.names()) == ([b"content"], ["k"])
