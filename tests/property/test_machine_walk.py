"""Whatever happens, in whatever order: what a job must never do."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.migration.jobs import IN_PLACE, PIN, RESULTS, World, error

from cloudflux.api.migrationjob import Phase
from cloudflux.api.move_tasks import PrepareSwitchResult, RetireResult
from cloudflux.migration import facts as f
from cloudflux.migration.machine import TERMINAL
from cloudflux.settings import Moves


class Walk(RuleBasedStateMachine):
    """Drives one job with good and bad results, edits, kills and time."""

    @initialize(in_place=st.booleans(), delete=st.booleans())
    def begin(self, in_place: bool, delete: bool) -> None:
        retention = {"policy": "Delete" if delete else "Retain", "graceSeconds": 30}
        self.world = World(
            spec={"sourceRetention": retention, "retry": {"maxAttempts": 3}},
            pin=IN_PLACE if in_place else PIN,
        )
        self.ended: Phase | None = None
        self.switched = self.verified = self.target_kept = False

    def look(self) -> None:
        world = self.world
        switched_before = self.switched
        world.actions.clear()
        world.step()
        for action in world.actions:
            if isinstance(action, f.SwitchDataSet):
                assert self.verified, "switched without proof"
                assert not self.switched, "switched twice"
                self.switched = True
            if isinstance(action, f.StartTask) and action.step == f.RETIRE:
                assert self.switched, "the source is deleted before the switch"
                assert world.pin is PIN, "an in-place change has no source to delete"
                assert world.now >= world.status.retire_after
            if isinstance(action, f.StartTask) and action.step == f.SWEEP:
                assert not self.switched, "the only copy in use would be swept"
        if switched_before:
            assert world.phase in (Phase.SWITCHING, Phase.COMPLETED), "not after the switch"

    @rule()
    def decide_again(self) -> None:
        self.look()

    @precondition(lambda self: isinstance(self.world.outcome, f.Running))
    @rule()
    def succeed(self) -> None:
        step = self.world.outcome.step
        self.verified = step in (f.VERIFY, f.SWITCH) or (self.verified and step != f.COPY)
        self.world.outcome = f.Done(step, RESULTS[step])
        self.look()

    @precondition(lambda self: isinstance(self.world.outcome, f.Running))
    @rule(retryable=st.booleans())
    def fail(self, retryable: bool) -> None:
        self.world.outcome = f.Failed(self.world.outcome.step, error(retryable=retryable))
        self.look()

    @precondition(lambda self: self.world.outcome == f.Running(f.VERIFY))
    @rule()
    def mismatch(self) -> None:
        result = RESULTS[f.VERIFY].model_copy(update={"mismatched": 1})
        self.world.outcome, self.verified = f.Done(f.VERIFY, result), False
        self.look()
        assert self.world.phase is not Phase.COMPLETED

    @precondition(lambda self: self.world.outcome == f.Running(f.SWITCH))
    @rule()
    def delta(self) -> None:
        self.world.outcome = f.Done(f.SWITCH, PrepareSwitchResult(delta_objects=1))
        self.look()

    @precondition(lambda self: self.world.outcome == f.Running(f.RETIRE))
    @rule()
    def retire_a_part(self) -> None:
        self.world.outcome = f.Done(f.RETIRE, RetireResult(deleted=1, remaining=1))
        self.look()

    @rule()
    def kill(self) -> None:
        self.world.outcome = None
        self.look()

    @rule(lost=st.booleans())
    def kill_before_the_status_write(self, lost: bool) -> None:
        before = self.world.status
        self.look()
        if lost and before is not None:
            # What was done before the write stands; status and task are lost.
            self.world.status, self.world.outcome = before, None

    @rule(seconds=st.sampled_from([1, 45, 700, 100_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.wait(seconds)
        self.look()

    @rule(edit=st.sampled_from([{"suspend": True}, {"suspend": False}, {"cancel": True}]))
    def edit(self, edit: dict[str, Any]) -> None:
        if self.world.spec.get("cancel") and "cancel" not in edit:
            edit = {**edit, "cancel": True}
        self.world.spec = {**self.world.spec, **edit}
        self.world.generation += 1
        self.look()

    @rule(moves=st.sampled_from(list(Moves)), slot=st.booleans())
    def gates(self, moves: Moves, slot: bool) -> None:
        self.world.gates = f.Gates(moves=moves, slot_available=slot)
        self.look()

    @invariant()
    def terminal_stays_terminal(self) -> None:
        phase = self.world.phase if hasattr(self, "world") else None
        if self.ended is not None and phase in TERMINAL:
            assert phase is self.ended
        if phase in TERMINAL and self.ended is None and self.settled():
            self.ended = phase

    def settled(self) -> bool:
        """A terminal phase that was seen by a later decision can't be lost any more."""
        return self.world.status.completed_at is not None and self.world.now > (
            self.world.status.completed_at
        )

    @invariant()
    def status_is_coherent(self) -> None:
        if not hasattr(self, "world") or self.world.status is None:
            return
        succeeded = self.world.condition("Succeeded").status
        assert (succeeded == "True") == (self.world.phase is Phase.COMPLETED)
        assert (succeeded == "False") == (self.world.phase in (Phase.FAILED, Phase.CANCELLED))
        assert len(self.world.status.steps) <= 8


Walk.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestWalk = Walk.TestCase
