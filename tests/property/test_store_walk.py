"""Whatever is asked of a store, in whatever order, it holds what a dictionary would hold."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.servers import azure_ref, gcs_ref, s3_ref

from cloudflux.api.task import StoreRef
from cloudflux.errors import ObjectNotFound, PreconditionFailed, Unavailable
from cloudflux.storage import file_system as fs
from cloudflux.storage.interface import ObjectInfo, Store
from cloudflux.storage.memory import MemoryStore
from cloudflux.storage.registry import open_store
from cloudflux_dev.cloudservers import AzureServer, GcsServer
from cloudflux_dev.gcsstub import GcsStub
from cloudflux_dev.s3servers import S3Server

KEYS = st.sampled_from(["a", "d/b", "d/e/c", "d b+%2F", "ünï"])
DATA = st.binary(max_size=40)
STALE = "00000000000000000000000000000000"
CALLS = ("rename", "replace", "unlink", "link", "symlink", "fsync", "pwrite")


@dataclass
class Held:
    """What the model holds of one object."""

    data: bytes
    version: str
    storage_class: str


class BreaksOff(io.RawIOBase):
    """A source that gives a byte and dies, as one that is cancelled does."""

    def __init__(self) -> None:
        self.begun = False

    def read(self, size: int = -1, /) -> bytes:
        if self.begun:
            raise Unavailable("cancelled")
        self.begun = True
        return b"x"


class StoreWalk(RuleBasedStateMachine):
    """Puts, deletions and changes of class, with and without conditions; cancels and kills."""

    fresh: Callable[[], tuple[Store, Callable[[], Store]]]
    other_class: str | None = None
    home_class = ""
    stale = STALE
    may_be_killed = False

    def __init__(self) -> None:
        super().__init__()
        self.store, self.reopen = type(self).fresh()
        self.home_class = self.home_class or self.store.uri  # a directory's class is itself
        self.model: dict[str, Held] = {}

    def teardown(self) -> None:
        self.store.close()

    # -- what is asked --------------------------------------------------------------------------

    @rule(key=KEYS, data=DATA)
    def put(self, key: str, data: bytes) -> None:
        self.wrote(key, data, self.write(key, data))

    @rule(key=KEYS, data=DATA)
    def put_if_absent(self, key: str, data: bytes) -> None:
        if key in self.model:
            self.refused(lambda: self.write(key, data, if_absent=True))
        else:
            self.wrote(key, data, self.write(key, data, if_absent=True))

    @rule(key=KEYS, data=DATA)
    def put_over_what_is_there(self, key: str, data: bytes) -> None:
        if key not in self.model:
            self.refused(lambda: self.write(key, data, if_version=self.stale))
            return
        version = self.model[key].version
        self.wrote(key, data, self.write(key, data, if_version=version))

    @rule(key=KEYS, data=DATA)
    def put_over_what_is_not_there_any_more(self, key: str, data: bytes) -> None:
        self.refused(lambda: self.write(key, data, if_version=self.stale))

    @rule(key=KEYS, absent=st.booleans())
    def cancel_a_put(self, key: str, absent: bool) -> None:
        with pytest.raises((Unavailable, PreconditionFailed)):
            self.store.put(key, BreaksOff(), 10, if_absent=absent)  # type: ignore[arg-type]
        assert list(self.store.uploads()) == []

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.store.delete(key)
        self.model.pop(key, None)

    @rule(key=KEYS, stale=st.booleans())
    def delete_a_version(self, key: str, stale: bool) -> None:
        if key not in self.model:
            with pytest.raises(ObjectNotFound):
                self.store.delete(key, if_version=self.stale)
        elif stale:
            self.refused(lambda: self.store.delete(key, if_version=self.stale))
        else:
            self.store.delete(key, if_version=self.model.pop(key).version)

    @precondition(lambda self: self.other_class is not None)
    @rule(key=KEYS, home=st.booleans())
    def change_class(self, key: str, home: bool) -> None:
        if key not in self.model:
            return
        held, target = self.model[key], self.home_class if home else self.other_class
        size = len(held.data)
        after = self.store.change_class(key, target, if_version=held.version, size_bytes=size)
        assert (after.storage_class, after.size_bytes) == (target, size)
        self.model[key] = Held(held.data, after.version, target)

    @rule()
    def another_process_goes_on(self) -> None:
        self.store.close()
        self.store = self.reopen()

    @precondition(lambda self: self.may_be_killed)
    @rule(
        key=KEYS, data=DATA, at=st.integers(1, 9), what=st.sampled_from(["put", "over", "delete"])
    )
    def kill(self, key: str, data: bytes, at: int, what: str) -> None:
        held = self.model.get(key)
        if held is None and what != "put":
            return
        work: dict[str, Callable[[], Any]] = {
            "put": lambda: self.write(key, data),
            "over": lambda: self.write(key, data, if_version=held.version if held else None),
            "delete": lambda: self.store.delete(key, if_version=held.version if held else None),
        }
        in_a_process_that_is_killed(work[what], at)
        self.store = self.reopen()
        for directory, name in list(self.store.uploads()):
            self.store.abort_upload(directory, name)
        assert list(self.store.uploads()) == []
        self.look_what_came_of_it(key, held, None if what == "delete" else data)

    # -- what must be ---------------------------------------------------------------------------

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        found = {}
        for info in self.store.list():
            assert isinstance(info, ObjectInfo), info
            assert info.key not in found
            found[info.key] = (info.size_bytes, info.version, info.storage_class)
        expected = {
            key: (len(held.data), held.version, held.storage_class)
            for key, held in self.model.items()
        }
        assert found == expected
        for key, held in self.model.items():
            with self.store.open(key, if_version=held.version) as stream:
                assert stream.read() == held.data

    # -- helpers --------------------------------------------------------------------------------

    def write(self, key: str, data: bytes, **conditions: Any) -> str:
        return self.store.put(key, io.BytesIO(data), len(data), **conditions).version

    def wrote(self, key: str, data: bytes, version: str) -> None:
        self.model[key] = Held(data, version, self.home_class)

    def refused(self, call: Callable[[], object]) -> None:
        with pytest.raises(PreconditionFailed):
            call()

    def look_what_came_of_it(self, key: str, held: Held | None, data: bytes | None) -> None:
        """After a kill: the old object or the new one (or none), whole."""
        try:
            info = self.store.head(key)
        except ObjectNotFound:
            assert held is None or data is None, "neither the old nor the new object is there"
            self.model.pop(key, None)
            return
        with self.store.open(key, if_version=info.version) as stream:
            found = stream.read()
        assert found in {one for one in (held.data if held else None, data) if one is not None}
        self.model[key] = Held(found, info.version, info.storage_class)


def in_a_process_that_is_killed(work: Callable[[], Any], at: int) -> None:
    """Do the work in a child that ends without a word before its n-th call to the system."""
    child = os.fork()
    if child == 0:
        calls = [0]

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def counting(*arguments: Any, **more: Any) -> Any:
                calls[0] += 1
                if calls[0] == at:
                    os._exit(9)
                return call(*arguments, **more)

            return counting

        try:
            for name in CALLS:
                setattr(os, name, counted(getattr(os, name)))
            fs._renameat2 = counted(fs._renameat2)
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def walk(examples: int, steps: int, **parts: Any) -> None:
    """Run the machine over one kind of store."""
    machine = type("Walk", (StoreWalk,), {**parts, "fresh": staticmethod(parts["fresh"])})
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=slow,
        database=None,
    )
    run_state_machine_as_test(machine, settings=how)


def numbered(make: Callable[[int], tuple[Store, Callable[[], Store]]]) -> Callable[[], Any]:
    """A fresh location for every example."""
    count = [0]

    def fresh() -> tuple[Store, Callable[[], Store]]:
        count[0] += 1
        return make(count[0])

    return fresh


def of_ref(ref_of: Callable[[int], StoreRef], **options: Any) -> Callable[[], Any]:
    def make(number: int) -> tuple[Store, Callable[[], Store]]:
        ref = ref_of(number)
        return open_store(ref, **options), lambda: open_store(ref, **options)

    return numbered(make)


def test_memory_is_a_dictionary() -> None:
    def make(_: int) -> tuple[Store, Callable[[], Store]]:
        store = MemoryStore()
        return store, lambda: store

    walk(40, 30, fresh=numbered(make), other_class="GLACIER_IR", home_class="STANDARD")


def directories(below: Path) -> Callable[[int], StoreRef]:
    def ref_of(number: int) -> StoreRef:
        home = below / f"{number}"
        home.mkdir()
        return StoreRef(uri=home.as_uri(), file_roots=(str(below),))

    return ref_of


def test_a_directory_is_a_dictionary_also_when_its_writers_are_killed(tmp_path: Path) -> None:
    walk(40, 25, fresh=of_ref(directories(tmp_path)), may_be_killed=True)


def test_tiers_of_a_directory_are_a_dictionary_also_when_their_writers_are_killed(
    tmp_path: Path,
) -> None:
    cold = tmp_path / "cold"
    cold.mkdir()
    fresh = of_ref(directories(tmp_path), tier_roots=[cold.as_uri()])
    walk(25, 20, fresh=fresh, may_be_killed=True, other_class=cold.as_uri())


def test_minio_is_a_dictionary(minio: S3Server) -> None:
    minio.client().create_bucket(Bucket="walk")
    walk(4, 15, fresh=of_ref(lambda n: s3_ref(minio, f"s3://walk/{n}")), home_class="STANDARD")


def test_azurite_is_a_dictionary(azurite: AzureServer) -> None:
    azurite.client().create_container("walk")
    walk(
        4,
        15,
        fresh=of_ref(lambda n: azure_ref(azurite, f"az://walk/{n}")),
        home_class="Hot",
        other_class="Cool",
        stale="0x8D0000000000000",
    )


def test_google_is_a_dictionary(gcs_stub: GcsStub) -> None:
    gcs_stub.buckets.setdefault("walk", {})
    server = GcsServer(gcs_stub.endpoint, 0)
    walk(
        8,
        15,
        fresh=of_ref(lambda n: gcs_ref(server, f"gs://walk/{n}")),
        home_class="STANDARD",
        other_class="NEARLINE",
        stale="1",
    )
