"""Steps that take a moment share a write; what others wrote meanwhile is kept."""

import datetime as dt
from dataclasses import replace

import pytest
from tests.unit.migration.jobs import World

from cloudflux.api.dataset import ActiveMigrationRef
from cloudflux.api.migrationjob import Phase
from cloudflux.handlers import dataset_status as compute
from cloudflux.handlers.job import may_wait
from cloudflux.handlers.resources import DATA_SET, DataSet, parse
from cloudflux.handlers.unwritten import Unwritten
from cloudflux.migration import facts as f

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


def a_data_set() -> DataSet:
    metadata = {"name": "d", "namespace": "n", "uid": "u", "generation": 3, "resourceVersion": "7"}
    return parse(DATA_SET, {"metadata": metadata, "spec": {"location": {"uri": "s3://b/p"}}})


def test_changes_are_applied_to_what_the_status_is_by_then() -> None:
    unwritten, data_set = Unwritten(), a_data_set()
    unwritten.add(lambda one: compute.first_visit(one, NOW))
    unwritten.add(lambda one: compute.not_ready(one, "Suspended", "asleep", NOW))
    claim = ActiveMigrationRef(name="job", uid="job-uid")
    claimed = replace(
        data_set, status=data_set.status.model_copy(update={"active_migration_ref": claim})
    )
    status = unwritten.applied(claimed).status
    assert status.active_migration_ref == claim, "a claim made meanwhile is kept"
    assert status.observed_generation == 3
    assert {one.reason for one in status.conditions} == {"Suspended", "Pending"}


def test_what_was_written_is_told_once_and_after_the_write() -> None:
    unwritten, data_set, told = Unwritten(), a_data_set(), []
    unwritten.add(lambda one: one.status, lambda before, status: told.append(before.name))
    unwritten.applied(data_set)
    assert told == []
    unwritten.written(data_set, data_set.status)
    unwritten.written(data_set, data_set.status)
    assert told == ["d"]
    assert unwritten.changes == []


@pytest.mark.parametrize(
    "phase", [Phase.PLANNED, Phase.COPYING, Phase.VERIFYING, Phase.SWITCHING, Phase.COMPLETED]
)
def test_only_the_making_of_a_plan_may_wait_to_be_written(phase: Phase) -> None:
    world = World(gates=f.Gates(slot_available=phase is not Phase.PLANNED))
    assert may_wait(world.step())
    assert not may_wait(world.finish()), "what an event tells of is written first"
    while world.phase is not phase and phase is not Phase.PLANNED:
        assert not may_wait(world.finish())
    trouble = World(problem=f.Problem("SecretNotFound", "Create the Secret."))
    assert not may_wait(trouble.step())
