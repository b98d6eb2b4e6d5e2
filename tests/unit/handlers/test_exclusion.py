"""Claims, retirements and sweeps of two jobs exclude each other."""

import asyncio
import datetime as dt
from types import SimpleNamespace as Fake
from typing import Any

import pytest

from cloudflux.api.common import Location
from cloudflux.api.dataset import ActiveLocation, ActiveMigrationRef, DataSetSpec, DataSetStatus
from cloudflux.api.migrationjob import JobPin, Phase, RetentionPolicy
from cloudflux.api.move_tasks import JobTask
from cloudflux.api.task import StoreRef
from cloudflux.handlers import claims, job_facts, retirement
from cloudflux.handlers.kube import Conflict
from cloudflux.handlers.overlap import place
from cloudflux.handlers.resources import DATA_SET, JOB
from cloudflux.handlers.standing import Standing

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
A, B = Location(uri="s3://bucket/a/"), Location(uri="s3://bucket/b/")


def pin(source: Location, target: Location, data_set: str = "ds") -> JobPin:
    return JobPin(source=source, target=target, source_generation=0, data_set_uid=data_set)


def a_job(uid: str, phase: Phase, pinned: JobPin) -> Any:
    status = Fake(
        phase=phase, reason="DataSetBusy", pin=pinned, steps=[], conditions=[], retire_after=NOW
    )
    spec = Fake(
        cancel=False,
        data_set_ref=Fake(name="data"),
        source_retention=Fake(policy=RetentionPolicy.DELETE),
    )
    return Fake(
        kind=JOB, uid=uid, name=uid, namespace="team", key=("J", "team", uid), status=status,
        spec=spec, created=NOW,
    )  # fmt: skip


def a_data_set(name: str, location: Location, generation: int = 1) -> Any:
    """A data set as the operator sees it; its location is where it was made to be."""
    active = ActiveLocation(uri=location.uri, generation=generation, since=NOW)
    return Fake(
        kind=DATA_SET, uid=f"{name}-uid", name=name, namespace="team",
        key=(DATA_SET, "team", name), spec=DataSetSpec(location=location),
        status=DataSetStatus(location=active),
    )  # fmt: skip


def a_request() -> JobTask:
    """What a task that moves A to B works on."""
    return JobTask(
        job_uid="done", job_name="done", namespace="team", data_set_uid="data-uid",
        data_set_name="data", source_generation=0, source=StoreRef(uri=A.uri),
        target=StoreRef(uri=B.uri),
    )  # fmt: skip


def a_retirement() -> Any:
    """A completed move of "data" from A to B that may delete A."""
    pinned = pin(A, B, "data-uid").model_copy(update={"written_generation": 1})
    done = a_job("done", Phase.COMPLETED, pinned)
    done.spec.suspend = False
    return done


def a_runtime(every: list[Any], running: dict[str, str] | None = None) -> Any:
    tasks = {
        uid: Fake(step=step, ended=False, key=("J", "team", uid), handle=Fake(request=a_request()))
        for uid, step in (running or {}).items()
    }
    woken: list[Any] = []
    cancelled: list[str] = []
    standing = Standing(lambda key: next((one for one in every if one.key == key), None))
    for one in every:
        location = getattr(one.status, "location", None)
        at = {"uri": location.uri} if location else None
        raw = {"metadata": {"uid": one.uid}, "spec": {"location": at}}
        standing.hear(one.kind, one.key, raw)
    return Fake(
        standing=standing,
        admitted={},
        sweeps={},
        tasks=Fake(get=tasks.get, items=lambda: list(tasks.items()), cancel=cancelled.append),
        cancelled=cancelled,
        queue=Fake(add=woken.append),
        woken=woken,
        place=lambda uri, endpoint: place(uri, endpoint),
        clock=lambda: NOW,
        find=lambda key: next((one for one in every if one.key == key), None),
    )


def claim(present: ActiveMigrationRef | None, seen: ActiveMigrationRef | None) -> list[Any]:
    data_set = Fake(name="data", status=DataSetStatus(active_migration_ref=present))
    written: list[Any] = []

    async def write(_: Any, status: DataSetStatus) -> None:
        written.append(status.active_migration_ref)

    runtime = Fake(find=lambda key: data_set, write_status=write)
    asyncio.run(claims.claim(runtime, a_job("mine", Phase.QUEUED, pin(A, B)), seen))
    return written


def test_a_claim_made_since_the_decision_is_not_overwritten() -> None:
    other = ActiveMigrationRef(name="other", uid="other")
    with pytest.raises(Conflict):
        claim(other, seen=None)
    with pytest.raises(Conflict):
        claim(other, seen=ActiveMigrationRef(name="gone", uid="gone"))


def test_nobodys_and_stale_claims_are_taken() -> None:
    stale = ActiveMigrationRef(name="gone", uid="gone")
    assert claim(None, seen=None)[0].uid == "mine"
    assert claim(stale, seen=stale)[0].uid == "mine"


def test_a_move_back_waits_while_its_target_is_being_retired() -> None:
    done = a_job("done", Phase.COMPLETED, pin(A, B))
    back = a_job("back", Phase.QUEUED, pin(B, A))
    idle = a_runtime([done, back])
    assert job_facts._overlap(idle, back, back.status.pin) is None
    busy = a_runtime([done, back], {"done": "Retire"})
    assert job_facts._overlap(busy, back, back.status.pin)
    assert busy.woken == [done.key]


def test_a_source_that_another_namespace_only_names_is_kept_for_a_day_and_no_longer() -> None:
    done = a_retirement()
    runtime = a_runtime([done])
    raw = {"metadata": {"uid": "claim"}, "spec": {"location": {"uri": A.uri}}}
    runtime.standing.hear(DATA_SET, (DATA_SET, "other", "claim"), raw)
    kept = retirement.source_in_use(runtime, done)
    assert kept is not None
    assert "2026-11-22T00:00:00Z" in kept
    runtime.clock = lambda: NOW + dt.timedelta(hours=24)
    assert retirement.source_in_use(runtime, done) is None
    reached = {**raw, "status": {"location": {"uri": A.uri}}}
    runtime.standing.hear(DATA_SET, (DATA_SET, "other", "claim"), reached)
    assert retirement.source_in_use(runtime, done) is not None


def test_a_move_of_another_namespace_keeps_a_source_once_it_may_write_there() -> None:
    done, wish = a_retirement(), a_job("wish", Phase.PENDING, pin(B, A))
    wish.namespace = "other"
    assert retirement.source_in_use(a_runtime([done, wish]), done) is None
    wish.status.phase = Phase.COPYING
    assert retirement.source_in_use(a_runtime([done, wish]), done) is not None
    wish.namespace, wish.status.phase = "team", Phase.PENDING
    assert retirement.source_in_use(a_runtime([done, wish]), done) is not None


def test_a_move_waits_while_a_deleted_moves_copies_are_swept() -> None:
    mine = a_job("mine", Phase.QUEUED, pin(A, B))
    runtime = a_runtime([mine])
    runtime.sweeps["gone"] = pin(A, B)
    assert job_facts._overlap(runtime, mine, mine.status.pin)


def test_a_target_that_another_move_writes_is_not_swept() -> None:
    mine = a_job("mine", Phase.CANCELLING, pin(A, B))
    other = a_job("other", Phase.COPYING, pin(A, B))
    assert job_facts.target_in_use(a_runtime([mine]), mine) is None
    assert job_facts.target_in_use(a_runtime([mine, other]), mine)


@pytest.mark.parametrize("step", ["Copy", "Retire", "Sweep"])
def test_a_move_waits_for_the_task_of_a_job_that_was_just_deleted(step: str) -> None:
    back = a_job("back", Phase.QUEUED, pin(B, A))
    assert job_facts._overlap(a_runtime([back], {"gone": step}), back, back.status.pin)
    assert job_facts._overlap(a_runtime([back], {"gone": "Plan"}), back, back.status.pin) is None
    far = a_job("far", Phase.QUEUED, pin(Location(uri="s3://other/x/"), Location(uri="s3://o/y/")))
    assert job_facts._overlap(a_runtime([far], {"gone": step}), far, far.status.pin) is None


def test_a_retirement_is_stopped_by_a_data_set_that_appears_at_its_source() -> None:
    data, done = a_data_set("data", B), a_retirement()
    new = a_data_set("new", Location(uri="s3://bucket/a/below/"))
    far = a_data_set("far", Location(uri="s3://bucket/far/"))
    runtime = a_runtime([data, done, new, far], {"done": "Retire"})
    retirement.revoke(runtime, far.key)
    assert runtime.cancelled == [], "it has nothing to do with the source"
    retirement.revoke(runtime, new.key)
    assert runtime.cancelled == ["done"]
    assert runtime.woken == [done.key]


def test_a_retirement_is_stopped_when_its_own_data_set_or_job_changes() -> None:
    done = a_retirement()
    for data in ([], [a_data_set("data", B, generation=2)]):
        runtime = a_runtime([*data, done], {"done": "Retire"})
        retirement.revoke(runtime, (DATA_SET, "team", "data"))
        assert runtime.cancelled == ["done"]
    data = a_data_set("data", B)
    runtime = a_runtime([data, done], {"done": "Retire"})
    retirement.revoke(runtime, data.key)
    assert runtime.cancelled == [], "nothing forbids it"
    runtime = a_runtime([data], {"done": "Retire"})
    retirement.revoke(runtime, ("J", "team", "done"))
    assert runtime.cancelled == ["done"], "a deleted job retires no source"
    done.spec.suspend = True
    runtime = a_runtime([data, done], {"done": "Retire"})
    retirement.revoke(runtime, done.key)
    assert runtime.cancelled == ["done"]
