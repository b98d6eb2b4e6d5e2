"""Steps that take a moment share a write; what others wrote meanwhile is kept."""

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace as Fake
from typing import Any

import pytest
from tests.unit.handlers import world as here
from tests.unit.handlers.world import MOVE, Api, a_runtime, put
from tests.unit.migration.jobs import World, error

from cloudflux.api.dataset import ActiveMigrationRef
from cloudflux.api.events import EventType
from cloudflux.api.migrationjob import MigrationJobStatus, Phase
from cloudflux.events.derive import transitions
from cloudflux.handlers import dataset_status as compute
from cloudflux.handlers import job
from cloudflux.handlers.locationmap import repair_location_map, write_location_map
from cloudflux.handlers.resources import DATA_SET, JOB, DataSet, Raw, dump, parse
from cloudflux.handlers.shared_writes import PLANNING_SECONDS, may_wait_seconds
from cloudflux.handlers.unwritten import Unwritten
from cloudflux.migration import facts as f

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


def a_data_set() -> DataSet:
    metadata = {"name": "d", "namespace": "n", "uid": "u", "generation": 3, "resourceVersion": "7"}
    return parse(DATA_SET, {"metadata": metadata, "spec": {"location": {"uri": "s3://b/p"}}})


def a_job(status: MigrationJobStatus) -> Raw:
    metadata = {"name": "move", "namespace": "n", "uid": "j", "generation": 1}
    spec = {"dataSetRef": {"name": "d"}, "target": {"location": {"uri": "file:///new"}}}
    return {"metadata": metadata, "spec": spec, "status": dump(status)}


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


@pytest.mark.parametrize("slot_available", [True, False])
def test_only_a_plan_in_the_making_may_wait_to_be_written(slot_available: bool) -> None:
    """A sweep must know that copying began, a marker is followed, and a proof is watched."""
    world = World(gates=f.Gates(slot_available=slot_available))
    assert may_wait_seconds(world.step()) == PLANNING_SECONDS
    waited = {}
    while world.phase not in (Phase.QUEUED, Phase.COMPLETED):
        seconds = may_wait_seconds(world.finish())
        waited[world.phase] = seconds
    moving = {Phase.COPYING: 0, Phase.VERIFYING: 0, Phase.SWITCHING: 0}
    assert waited == ({**moving, Phase.COMPLETED: 0} if slot_available else {Phase.QUEUED: 0})


def test_trouble_does_not_wait_to_be_written() -> None:
    trouble = World(problem=f.Problem("SecretNotFound", "Create the Secret."))
    assert not may_wait_seconds(trouble.step())
    failing = World().until(Phase.VERIFYING)
    assert not may_wait_seconds(failing.finish(error())), "the attempt is counted"


def test_what_waits_to_be_written_tells_nothing_that_the_next_write_does_not() -> None:
    """Events are derived from what was written: leaving a status out must lose none."""
    world, of_all, of_written = World(), set(), set()
    decision = world.step()
    while True:
        assert world.status is not None
        told = {one.type for one in transitions(parse(JOB, a_job(world.status)), NOW)}
        of_all |= told
        if not may_wait_seconds(decision):
            of_written |= told
        if world.phase is Phase.COMPLETED:
            break
        decision = world.finish()
    assert of_written == of_all
    assert {EventType.MIGRATION_VERIFIED, EventType.MIGRATION_COMPLETED} <= of_written


async def test_a_status_that_waits_is_written_in_time_though_its_job_is_woken_earlier() -> None:
    api = Api()
    runtime = a_runtime(api)
    job_raw = here.a_job()
    api.objects["migrationjobs", "move"] = job_raw
    put(runtime, **{DATA_SET: here.a_data_set(), JOB: job_raw})
    for _ in range(2):  # by whatever: the second time nothing is decided
        left_seconds = await job.reconcile(runtime, MOVE)
        assert left_seconds is not None
        assert 0 < left_seconds <= PLANNING_SECONDS
    assert "status" not in api.objects["migrationjobs", "move"] or not runtime.find(MOVE).visited
    runtime.held["move-uid"].since -= PLANNING_SECONDS
    await job.reconcile(runtime, MOVE)
    assert runtime.find(MOVE).status.reason == "Pending"
    assert runtime.find(MOVE).visited
    assert not runtime.held


async def test_a_location_map_that_was_just_written_is_not_read_again() -> None:
    asked: list[str] = []

    async def create(_: object, body: Raw) -> Raw:
        asked.append(body["data"]["uri"])
        return body

    api: Any = Fake(create=create)  # which has no get
    runtime = a_runtime(api)
    location = {"uri": "s3://b/new/", "generation": 1, "since": "2026-11-21T00:00:00Z"}
    switched = parse(DATA_SET, here.a_data_set(location=location))
    await write_location_map(runtime, switched, first_move=True)
    await repair_location_map(runtime, switched)
    assert asked == ["s3://b/new/"]


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
