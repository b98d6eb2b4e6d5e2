"""The phase Restoring: what is archived is awaited before anything moves."""

import pytest
from tests.unit.migration.jobs import IN_PLACE, RESULTS, World, error

from cloudflux.api.brain_tasks import RestoreQuote
from cloudflux.api.migrationjob import Phase, RestoreTier
from cloudflux.api.move_tasks import CopyResult, ObjectFailure, PlanResult, RestoreResult
from cloudflux.migration import facts as f
from cloudflux.migration.restore_phase import look_after_seconds
from cloudflux.settings import Moves

QUOTE = RestoreQuote(
    objects=2, size_bytes=2048, tier=RestoreTier.BULK, hours=48, days=5, cost="0.02", terms=()
)
PLAN = RESULTS[f.PLAN].model_copy(update={"restore": QUOTE})
assert isinstance(PLAN, PlanResult)


def told(ready: int = 0, requested: int = 2, cost: str = "0.02") -> RestoreResult:
    waiting = 2 - ready
    return RestoreResult(
        objects=2, ready=ready, waiting=waiting, requested=requested, cost=cost, hours=48
    )


def restoring(**spec: object) -> World:
    world = World(spec=dict(spec), pin=IN_PLACE)
    while not isinstance(world.outcome, f.Running):
        world.step()
    world.finish(PLAN)
    while world.phase is not Phase.RESTORING:
        world.step()
    return world


def test_the_plan_says_price_and_hours_and_the_restore_begins_before_the_copy() -> None:
    world = restoring()
    assert world.status is not None
    assert world.status.plan is not None
    assert world.status.plan.restore is not None
    assert (world.status.plan.restore.hours, world.status.plan.restore.cost) == (48, "0.02")
    assert world.started == f.RESTORE
    assert "Restores 2 objects by Bulk: up to 48 h, 0.02 USD." in str(world.status.message)
    assert world.data_set is not None
    assert world.data_set.status.active_migration_ref is not None


def test_it_looks_again_until_all_can_be_read_then_waits_for_a_slot() -> None:
    world = restoring()
    world.gates = f.Gates(slot_available=False)
    world.finish(told())
    assert world.status is not None
    assert world.status.restore is not None
    assert world.status.restore.expected_at is not None
    expected = world.status.restore.expected_at
    assert "0 of 2 restored" in str(world.status.message)
    world.step()
    assert world.outcome is None, "it must not look again at once"
    world.wait(3600)
    world.step()
    assert world.outcome == f.Running(f.RESTORE)
    world.finish(told(ready=1))
    assert world.status.restore.expected_at == expected
    world.wait(48 * 3600)
    world.step()
    world.finish(told(ready=2))
    world.step()
    assert (world.phase, world.outcome) == (Phase.QUEUED, None)
    world.gates = f.Gates()
    assert world.until(Phase.COMPLETED).reason == "Completed"


def test_a_plan_that_expires_meanwhile_is_kept() -> None:
    world = restoring(requireApproval=False)
    world.finish(told())
    world.wait(3 * 86_400)  # longer than a plan lives
    world.step()
    world.finish(told(ready=2))
    assert world.until(Phase.COPYING).status is not None


def test_what_expired_is_asked_for_again_and_a_real_failure_fails() -> None:
    world = restoring()
    world.finish(told(ready=2))
    world.until(Phase.COPYING)
    failure = ObjectFailure(key="a", reason="ObjectArchived", message="archived")
    counts = {
        "objects_total": 2, "objects_done": 1, "objects_failed": 1, "objects_skipped": 0,
        "bytes_total": 2, "bytes_done": 1,
    }  # fmt: skip
    world.actions.clear()
    world.finish(CopyResult(**counts, failures=(failure,)))
    assert (world.phase, world.started) == (Phase.RESTORING, f.RESTORE)
    assert "1 restored copy expired" in str(world.status and world.status.message)
    assert "Restoring" in world.events()
    world.finish(told(ready=2, requested=3, cost="0.03"))
    world.until(Phase.COPYING)
    other = failure.model_copy(update={"reason": "TargetOccupied"})
    world.finish(CopyResult(**counts, failures=(failure, other)))
    assert world.phase is Phase.FAILED
    assert "3 restores were requested for 0.03 USD; that fee is spent" in str(
        world.status and world.status.message
    )


@pytest.mark.parametrize("when", ["asked", "asking"])
def test_cancelling_says_that_the_fee_is_spent(when: str) -> None:
    world = restoring()
    if when == "asked":
        world.finish(told())
    world.spec = {"cancel": True}
    world.step()
    assert world.phase is Phase.CANCELLED
    assert "fee is spent" in str(world.status and world.status.residue)


def test_a_suspended_restore_goes_on_where_it_was() -> None:
    world = restoring()
    world.finish(told())
    world.spec = {"suspend": True}
    world.step()
    assert world.phase is Phase.SUSPENDED
    world.wait(86_400)
    world.spec = {"suspend": False}
    world.step()
    assert (world.phase, world.started) == (Phase.RESTORING, f.RESTORE)


def test_no_restore_goes_on_while_moves_are_stopped() -> None:
    world = restoring()
    world.gates = f.Gates(moves=Moves.STOP)
    for _ in range(3):
        world.step()
    assert (world.phase, world.reason) == (Phase.QUEUED, "MovesStopped")
    world.gates = f.Gates()
    for _ in range(3):
        world.step()
    assert (world.phase, world.outcome) == (Phase.RESTORING, f.Running(f.RESTORE))


def test_a_budget_that_is_used_up_fails_the_job() -> None:
    world = restoring()
    world.finish(error("BudgetExceeded", retryable=False))
    assert (world.phase, world.reason) == (Phase.FAILED, "BudgetExceeded")


def test_it_looks_soon_at_first_and_rarely_later() -> None:
    assert look_after_seconds("Bulk", 0) == 5
    assert look_after_seconds("Bulk", 400) == 100
    assert look_after_seconds("Bulk", 86_400) == 1800
