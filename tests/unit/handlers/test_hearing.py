"""What is heard, read or missed: nobody who depends on a change is left asleep."""

import datetime as dt
from types import SimpleNamespace as Fake
from typing import Any

import pytest
from tests.unit.handlers.world import (
    DATA,
    MOVE,
    TEAM,
    Api,
    a_data_set,
    a_job,
    a_policy,
    a_runtime,
    put,
    woken,
)

from cloudflux.handlers import dataset, hearing, job
from cloudflux.handlers.claims import free_stale_claim, release_claim
from cloudflux.handlers.dataset_requests import fingerprint
from cloudflux.handlers.kube import Conflict
from cloudflux.handlers.resources import DATA_SET, JOB, POLICY, parse
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.selection import Assignment


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def runtime(api: Api) -> Runtime:
    return a_runtime(api)


async def test_an_edit_that_a_lost_write_shows_wakes_as_the_watch_would(
    runtime: Runtime, api: Api
) -> None:
    """A person edits the data set just before a job writes its claim to it."""
    claim = {"name": "move", "uid": "move-uid"}
    before = a_data_set(activeMigrationRef=claim)
    put(runtime, **{DATA_SET: before, JOB: a_job(), POLICY: a_policy()})
    edited = a_data_set(version=9, generation=2, activeMigrationRef=claim)
    api.objects["datasets", "data"] = edited
    await release_claim(runtime, TEAM, "data", "move-uid")
    hearing.hear(runtime, DATA_SET, "MODIFIED", edited)  # the watch comes afterwards
    assert woken(runtime) >= {DATA, MOVE, (POLICY, TEAM, "cheap")}


async def test_a_job_whose_claim_lost_wakes_the_data_set_that_was_edited(
    runtime: Runtime, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(runtime, **{DATA_SET: a_data_set(), JOB: a_job(), POLICY: a_policy()})
    edited = a_data_set(version=9, generation=2)
    api.objects["datasets", "data"] = edited
    api.objects["migrationjobs", "move"] = a_job()

    async def loses(*_: Any) -> float | None:
        raise Conflict("data")

    async def nothing(*_: Any) -> Any:
        return None

    decided: Any = Fake(status=None, before=(), after=())
    monkeypatch.setattr(job, "gather", nothing)
    monkeypatch.setattr(job, "decide", lambda _: decided)
    monkeypatch.setattr(job, "_carry_out", loses)
    assert await job.reconcile(runtime, MOVE) == job.CONFLICT_SECONDS
    hearing.hear(runtime, DATA_SET, "MODIFIED", edited)
    assert woken(runtime) >= {DATA, (POLICY, TEAM, "cheap")}


async def test_an_object_that_was_created_again_unheard_ends_what_was_done_for_the_old_one(
    runtime: Runtime,
) -> None:
    """A watch that breaks off shows the new object and never the deletion of the old one."""
    put(runtime, **{DATA_SET: a_data_set(), JOB: a_job()})
    runtime.memory("data-uid").failures = 3
    hearing.hear(runtime, JOB, None, a_job("new-uid", version=20))
    assert hearing.sweep_key("move-uid") in woken(runtime)
    hearing.hear(runtime, DATA_SET, None, a_data_set("new-data", version=21))
    assert "data-uid" not in runtime.observed


async def test_an_old_listing_does_not_end_what_is_done_for_the_new_object(
    runtime: Runtime,
) -> None:
    put(runtime, **{JOB: a_job("new-uid", version=20)})
    hearing.hear(runtime, JOB, "MODIFIED", a_job("old-uid", version=2))
    assert hearing.sweep_key("new-uid") not in woken(runtime)
    assert runtime.cache.get(JOB, TEAM, "move") == a_job("new-uid", version=20)


async def test_a_deleted_job_wakes_its_data_set_and_who_is_next(runtime: Runtime) -> None:
    """It may have held the data set, and a slot."""
    waits = {"phase": "Queued", "reason": "Queued"}
    put(runtime, **{DATA_SET: a_data_set(), JOB: a_job(phase="Copying")})
    runtime.cache.put(JOB, {**a_job("next-uid", 4, **waits), "metadata": {
        **a_job("next-uid", 4)["metadata"], "name": "next"}})  # fmt: skip
    hearing.hear(runtime, JOB, "DELETED", a_job(version=9))
    assert woken(runtime) >= {hearing.sweep_key("move-uid"), DATA, (JOB, TEAM, "next")}


async def test_a_claim_of_a_job_that_is_gone_is_freed(runtime: Runtime, api: Api) -> None:
    claim = {"name": "move", "uid": "move-uid"}
    claimed = a_data_set(activeMigrationRef=claim)
    api.objects["datasets", "data"] = claimed
    put(runtime, **{DATA_SET: claimed, JOB: a_job()})
    await free_stale_claim(runtime, runtime.find(DATA))
    assert runtime.find(DATA).status.active_migration_ref is not None, "its job is there"
    runtime.cache.remove(JOB, a_job(version=9))
    api.objects["migrationjobs", "move"] = a_job()
    await free_stale_claim(runtime, runtime.find(DATA))
    assert runtime.find(DATA).status.active_migration_ref is not None, "the API knows it"
    del api.objects["migrationjobs", "move"]
    await free_stale_claim(runtime, runtime.find(DATA))
    assert runtime.find(DATA).status.active_migration_ref is None


async def test_a_job_whose_turn_came_and_that_is_held_wakes_the_next(runtime: Runtime) -> None:
    queued, held = {"phase": "Queued", "reason": "Queued"}, {
        "phase": "Queued", "reason": "DataSetBusy"}  # fmt: skip
    runtime.cache.put(JOB, {**a_job("next-uid", 4, **queued), "metadata": {
        **a_job("next-uid", 4)["metadata"], "name": "next"}})  # fmt: skip
    before, after = parse(JOB, a_job(**queued)), parse(JOB, a_job(**held))
    job._wake(runtime, before, before)
    assert woken(runtime) == set()
    job._wake(runtime, before, after)
    assert woken(runtime) == {(JOB, TEAM, "next")}


async def test_a_job_that_is_deleted_wakes_its_data_set_and_its_policy(runtime: Runtime) -> None:
    made = a_job()
    made["spec"]["policyRef"] = {"name": "cheap"}
    put(runtime, **{DATA_SET: a_data_set(), JOB: made})
    woken(runtime)
    hearing.hear(runtime, JOB, "DELETED", made)
    assert woken(runtime) >= {DATA, (POLICY, TEAM, "cheap")}


def test_two_policies_that_come_at_once_are_a_new_ground_for_a_decision() -> None:
    nobody, disputed = fingerprint(Assignment()), fingerprint(Assignment(conflict=("a", "b")))
    assert nobody != disputed


async def test_an_edit_after_a_failure_is_looked_at_at_once(runtime: Runtime, api: Api) -> None:
    """It may have mended what failed: the back-off is not waited for."""
    failed = a_data_set(version=2, generation=2, observedGeneration=1, conditions=[
        {"type": "Ready", "status": "False", "reason": "SecretNotFound", "message": "m",
         "lastTransitionTime": "2026-11-21T00:00:00Z", "observedGeneration": 1}])  # fmt: skip
    failed["spec"]["suspend"] = True
    put(runtime, **{DATA_SET: failed})
    api.objects["datasets", "data"] = failed
    memory = runtime.memory("data-uid")
    memory.failures, memory.not_before = 9, runtime.clock() + dt.timedelta(hours=1)
    await dataset.reconcile(runtime, DATA)
    assert (memory.failures, memory.not_before) == (0, None)


async def test_who_gave_way_to_moves_is_woken_when_they_leave_room(runtime: Runtime) -> None:
    put(runtime, **{DATA_SET: a_data_set(), JOB: a_job(phase="Queued", reason="Queued")})
    runtime.yielding.add(DATA)
    hearing.wake_line(runtime)
    assert woken(runtime) == {MOVE}, "a move waits for a slot"
    runtime.cache.put(JOB, a_job(version=5, phase="Completed"))
    hearing.wake_line(runtime)
    assert woken(runtime) == {DATA}
    hearing.wake_line(runtime)
    assert woken(runtime) == set(), "once"


async def test_what_gives_way_looks_again_though_nobody_wakes_it(runtime: Runtime) -> None:
    at = runtime.clock()
    moved = parse(DATA_SET, a_data_set(history=[{
        "job": "move", "completedAt": at.isoformat(), "source": "s3://a/", "target": "s3://b/",
        "objects": 1, "bytes": 1, "manifestUri": "file:///m"}]))  # fmt: skip
    assert dataset._await_turn(runtime, moved, at) == dataset.YIELD_AGAIN_SECONDS
    assert not runtime.yielding, "nothing keeps it waiting"
    put(runtime, **{JOB: a_job(phase="Queued", reason="Queued")})
    assert dataset._await_turn(runtime, moved, at) == dataset.YIELD_SECONDS
    assert runtime.yielding == {DATA}
    late = at + dt.timedelta(seconds=dataset.YIELD_SECONDS)
    assert dataset._await_turn(runtime, moved, late) == dataset.YIELD_AGAIN_SECONDS
