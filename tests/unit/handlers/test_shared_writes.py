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
    unwritten.add(lambda one: compute.first_visit(one, NOW), 3)
    unwritten.add(lambda one: compute.not_ready(one, "Suspended", "asleep", NOW), 3)
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
    unwritten.add(lambda one: one.status, 3, lambda before, status: told.append(before.name))
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


def test_what_was_found_for_an_older_spec_does_not_speak_for_the_new_one() -> None:
    """Else `kubectl wait --for=condition=Ready` would end before the edit was looked at."""
    unwritten, data_set = Unwritten(), a_data_set()
    unwritten.add(lambda one: compute.ready(one, one.status, NOW), 3)
    edited = replace(data_set, generation=4)
    status = unwritten.applied(edited).status
    assert [one.observed_generation for one in status.conditions] == [3]
    assert status.observed_generation == 3, "so that the edit is still to be looked at"
    seen = replace(edited, status=status.model_copy(update={"observed_generation": 4}))
    assert unwritten.applied(seen).status.observed_generation == 4, "and never goes back"
