"""Sweeping spares a target that a data set, or another move, uses."""

from dataclasses import replace

from tests.unit.migration.jobs import World, error

from cloudflux.api.migrationjob import Phase
from cloudflux.api.move_tasks import PrepareSwitchResult
from cloudflux.migration import facts as f
from cloudflux.migration.machine import decide


def test_a_data_set_replaced_after_markers_were_written_keeps_the_target() -> None:
    world = World().until(Phase.SWITCHING)
    world.finish(PrepareSwitchResult(delta_objects=1))
    assert world.phase is Phase.COPYING
    world.data_set = replace(world.data_set, uid="another")
    world.actions.clear()
    world.step()
    world.step()
    assert world.phase is Phase.FAILED
    assert not any(one == f.StartTask("mover.sweep", "Sweep") for one in world.actions)
    assert "kept" in world.status.residue


def test_a_data_set_replaced_while_a_sweep_goes_on_keeps_the_target() -> None:
    world = World().until(Phase.SWITCHING)
    world.finish(error("AccessDenied", retryable=False))
    assert world.phase is Phase.FAILED
    world.data_set = replace(world.data_set, uid="another")
    world.step()
    assert "re-created" in world.status.residue
    assert world.did(f.CancelTask)


def test_a_target_in_use_is_not_swept() -> None:
    world = World().until(Phase.COPYING)
    world.finish(error("AccessDenied", retryable=False))
    used = replace(world.facts(), target_in_use="Kept: in use.", outcome=None)
    decision = decide(used)
    assert decision.status is not None
    assert decision.status.residue == "Kept: in use."
    assert not any(isinstance(one, f.StartTask) for one in decision.actions)
