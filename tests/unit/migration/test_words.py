"""What a person reads in conditions and messages: whole sentences, right numbers, units."""

import pytest
from tests.unit.migration.jobs import World

from cloudflux.api.display import counted
from cloudflux.migration import facts as f
from cloudflux.migration.display import plan_money
from cloudflux.migration.failures import failure_words


def test_one_is_no_plural() -> None:
    assert counted(1, "object") == "1 object"
    assert counted(0, "object") == "0 objects"
    assert counted(1, "was", "were") == "1 was"
    assert failure_words("could not be moved", 1, ()) == "1 object could not be moved."


def test_no_condition_of_a_job_is_without_a_message() -> None:
    world = World(spec={"require_approval": True})
    world.step()
    assert world.status is not None
    silent = [one.type for one in world.status.conditions if not one.message.strip()]
    assert silent == []


@pytest.mark.parametrize(
    ("once", "monthly", "words"),
    [
        ("0", "0", "costs nothing, saves nothing"),
        ("0.01", "1.5", "costs 0.01 USD once, saves 1.5 USD a month"),
        ("0", "-0.25", "costs nothing, makes each month 0.25 USD dearer"),
    ],
)
def test_a_plans_money_is_said_in_words(once: str, monthly: str, words: str) -> None:
    world = World()
    world.step()
    world.finish()
    plan = world.status.plan if world.status else None
    assert plan is not None
    update = {"one_off_cost": once, "savings_per_month": monthly}
    assert plan_money(plan.model_copy(update=update)) == words


def test_the_list_of_a_plan_is_a_uri() -> None:
    world = World(gates=f.Gates(slot_available=False))
    world.step()
    world.finish()
    assert world.status is not None
    assert world.status.plan.list_uri == "file:///plan"
    assert "2 objects, 2.00 KiB: costs 0.01 USD once" in (
        next(one.message for one in world.status.conditions if one.type == "Planned")
    )


def test_a_budget_is_said_with_its_units() -> None:
    world = World(spec={"budget": {"max_bytes": 1024}})
    world.step()
    world.finish()
    assert world.status is not None
    assert world.status.reason == "BudgetExceeded"
    assert "2.00 KiB; the budget is 1.00 KiB (2048 against 1024 bytes)" in world.status.message


def test_a_job_that_can_t_be_planned_shows_from_where_to_where_all_the_same() -> None:
    world = World(problem=f.Problem("LocationOverlap", "Choose another target.", fatal=True))
    world.step()
    assert world.status is not None
    assert world.status.source_display == "file:///old"
    assert world.status.target_display
