"""Claims, retirements and sweeps of two jobs exclude each other."""

import asyncio
from types import SimpleNamespace as Fake
from typing import Any

import pytest

from cloudflux.api.common import Location
from cloudflux.api.dataset import ActiveMigrationRef, DataSetStatus
from cloudflux.api.migrationjob import JobPin, Phase
from cloudflux.handlers import job as jobs
from cloudflux.handlers import job_facts
from cloudflux.handlers.kube import Conflict
from cloudflux.handlers.overlap import place

A, B = Location(uri="s3://bucket/a/"), Location(uri="s3://bucket/b/")


def pin(source: Location, target: Location, data_set: str = "ds") -> JobPin:
    return JobPin(source=source, target=target, source_generation=0, data_set_uid=data_set)


def a_job(uid: str, phase: Phase, pinned: JobPin) -> Any:
    status = Fake(phase=phase, pin=pinned, steps=[], conditions=[])
    spec = Fake(
        cancel=False,
        data_set_ref=Fake(name="data"),
        source_retention=Fake(policy=job_facts.RetentionPolicy.DELETE),
    )
    return Fake(
        uid=uid, name=uid, namespace="team", key=("J", "team", uid), status=status, spec=spec
    )


def a_runtime(every: list[Any], running: dict[str, str] | None = None) -> Any:
    tasks = {uid: Fake(step=step, ended=False) for uid, step in (running or {}).items()}
    woken: list[Any] = []
    return Fake(
        admitted={},
        sweeps={},
        tasks=Fake(get=tasks.get),
        queue=Fake(add=woken.append),
        woken=woken,
        place=lambda uri, endpoint: place(uri, endpoint),
        all=lambda kind, namespace=None: every if kind == job_facts.JOB else [],
    )


def claim(present: ActiveMigrationRef | None, seen: ActiveMigrationRef | None) -> list[Any]:
    data_set = Fake(name="data", status=DataSetStatus(active_migration_ref=present))
    written: list[Any] = []

    async def write(_: Any, status: DataSetStatus) -> None:
        written.append(status.active_migration_ref)

    runtime = Fake(find=lambda key: data_set, write_status=write)
    asyncio.run(jobs._claim(runtime, a_job("mine", Phase.QUEUED, pin(A, B)), seen))
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
