"""What a status tells of is what its events told, word for word."""

import pytest
from tests.unit.migration.jobs import World, error

from cloudflux.api.migrationjob import Phase
from cloudflux.migration import facts as f
from cloudflux.migration.transitions import transitions


def told(world: World) -> set[tuple[str, str]]:
    return {(one.reason, one.message) for one in world.actions if isinstance(one, f.EmitEvent)}


@pytest.mark.parametrize(
    "phase", [Phase.PLANNED, Phase.COPYING, Phase.VERIFYING, Phase.SWITCHING, Phase.COMPLETED]
)
def test_a_status_holds_every_transition_so_far(phase: Phase) -> None:
    gates = f.Gates(slot_available=phase is not Phase.PLANNED)
    world = World(gates=gates).until(Phase.QUEUED if phase is Phase.PLANNED else phase)
    assert {(one.reason, one.message) for one in transitions(world.status)} == told(world)


def test_a_failure_and_a_cancellation_are_transitions() -> None:
    failed = World().until(Phase.COPYING)
    failed.finish(error("AccessDenied", retryable=False))
    assert {(one.reason, one.message) for one in transitions(failed.status)} == told(failed)
    assert transitions(failed.status)[-1].reason == "AccessDenied"
    cancelled = World(spec={"cancel": True})
    cancelled.step()
    assert [one.reason for one in transitions(cancelled.status)] == ["Cancelled"]
    assert {(one.reason, one.message) for one in transitions(cancelled.status)} == told(cancelled)
