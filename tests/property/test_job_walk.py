"""A data set moves while its owner writes and the mover is stopped and killed: nothing is lost."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.integration.moving import FakeContext, Killed, Move, contents_of, file_ref

from cloudflux.api.dataset import Writers
from cloudflux.errors import IntegrityError

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A disk waits for everybody's writes when it is asked to be durable."""
KEYS = st.sampled_from(["a", "d/b", "d/e/c", "ünï"])
DATA = st.binary(max_size=60)
COPY_POINTS = ("copy.listed", "copy.object.before", "copy.object.after", "copy.checkpointed")
OTHER_POINTS = ("verify.object", "verify.manifest", "switch.listed", "switch.marker",
                "retire.listed", "retire.object", "sweep.object")  # fmt: skip


class JobWalk(RuleBasedStateMachine):
    """`owned` is what the data set's owner wrote last; it is at the source, or retired from it."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory(prefix="cloudflux-walk-", dir=MEMORY)
        root = Path(self.home.name)
        self.source, self.target = root / "source", root / "target"
        self.state = root / "state"
        refs = [file_ref(path, root) for path in (self.source, self.target)]
        self.move = Move(self.state, *refs, {"writers": Writers.ACTIVE})
        self.move.plan()
        self.owned: dict[str, bytes] = {}
        self.digest = ""
        self.proven: dict[str, bytes] = {}
        self.cancelling = False
        """A sweep was begun; nothing but its end follows."""
        self.at_switch: dict[str, bytes] | None = None
        """What the owner had when the switch was prepared; None before it."""

    def teardown(self) -> None:
        self.home.cleanup()

    # -- the owner ------------------------------------------------------------------------------

    @rule(key=KEYS, data=DATA)
    def write(self, key: str, data: bytes) -> None:
        path = self.source / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.owned[key] = data

    @precondition(lambda self: self.at_switch is None)
    @rule(key=KEYS)
    def remove(self, key: str) -> None:
        (self.source / key).unlink(missing_ok=True)
        self.owned.pop(key, None)

    # -- the mover ------------------------------------------------------------------------------

    @precondition(lambda self: self.at_switch is None and not self.cancelling)
    @rule(point=st.sampled_from(COPY_POINTS), hits=st.integers(1, 3), killed=st.booleans())
    def copy(self, point: str, hits: int, killed: bool) -> None:
        self.digest = ""
        self.serve(self.move.copy, point if killed else None, hits)

    @precondition(lambda self: self.at_switch is None and not self.cancelling)
    @rule(point=st.sampled_from(OTHER_POINTS[:2]), killed=st.booleans())
    def verify(self, point: str, killed: bool) -> None:
        found = self.serve(self.move.verify, point if killed else None, 1)
        if found is not None:
            assert found.mismatched == 0, found.failures
            self.digest, self.proven = found.digest, contents_of(self.target)

    @precondition(lambda self: self.digest and self.at_switch is None and not self.cancelling)
    @rule(point=st.sampled_from(OTHER_POINTS[2:4]), killed=st.booleans())
    def switch(self, point: str, killed: bool) -> None:
        delta = self.serve(lambda: self.move.switch(self.digest), point if killed else None, 1)
        if delta == 0:
            assert contents_of(self.target) == self.owned
            self.at_switch = dict(self.owned)

    @precondition(lambda self: self.at_switch is not None)
    @rule(point=st.sampled_from(OTHER_POINTS[4:6]), killed=st.booleans())
    def retire(self, point: str, killed: bool) -> None:
        self.serve(lambda: self.move.retire(self.digest), point if killed else None, 1)

    @precondition(lambda self: self.at_switch is None)
    @rule(killed=st.booleans())
    def sweep(self, killed: bool) -> None:
        """As a cancelled job does; a new one of the same name begins anew."""
        self.cancelling = True
        found = self.serve(self.move.sweep, "sweep.object" if killed else None, 1)
        if found is not None:
            self.cancelling = False
            assert contents_of(self.target) == {}
            for path in (self.state / "jobs" / self.move.uid).glob("*"):
                path.unlink()
            self.digest = ""
            self.move.plan()

    def serve(self, work: Callable[[], Any], point: str | None, hits: int) -> Any:
        self.move.context = FakeContext(self.state, stop_at=point, hits=hits)
        try:
            return work()
        except Killed:
            return None
        except IntegrityError as error:
            if "stays at its source" not in str(error):
                raise
            return None  # a copy that was killed changed the target behind the manifest

    # -- what must be ---------------------------------------------------------------------------

    @invariant()
    def what_the_owner_wrote_is_there(self) -> None:
        at_source, at_target = contents_of(self.source), contents_of(self.target)
        if self.at_switch is None:
            assert at_source == self.owned
            return
        for key, data in self.owned.items():
            if self.at_switch.get(key) == data:
                assert data in (at_source.get(key), at_target.get(key))
            else:  # written after the switch: kept where its owner wrote it
                assert at_source.get(key) == data
        assert at_target == self.at_switch


JobWalk.TestCase.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, database=None
)
TestJobWalk = JobWalk.TestCase
