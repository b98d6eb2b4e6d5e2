"""Following worker pods: made once, found again, taken back, stopped for good."""

import asyncio
from types import SimpleNamespace as Fake
from typing import Any

import pytest
from tests.unit.handlers.test_worker_pods import ON, SHARE, job, pin

from cloudflux.api.common import Location
from cloudflux.api.move_tasks import CopyRequest
from cloudflux.api.task import StoreRef, Task
from cloudflux.children.supervisor import TaskHandle
from cloudflux.errors import Cancelled, CloudFluxError, PermissionDenied
from cloudflux.handlers import worker_jobs
from cloudflux.handlers.kube import Conflict, NotFound
from cloudflux.handlers.worker_jobs import copy_by_workers
from cloudflux.handlers.worker_pods import job_name
from cloudflux.settings import Settings

REQUEST = CopyRequest(
    job_uid="u-1", job_name="move", namespace="team", data_set_uid="ds", source_generation=0,
    source=StoreRef(uri="s3://a/x"), target=StoreRef(uri="s3://b/y"),
)  # fmt: skip
DONE = {"objects_done": 5}


class World:
    """An API server with one namespace, and a mover that answers at once."""

    def __init__(self) -> None:
        self.jobs: dict[str, Any] = {}
        self.account: Any = {"metadata": {"labels": {"cloudflux.io/mover": "true"}}}
        self.claims: dict[str, Any] = {}
        self.pin = pin()
        self.asked: list[str] = []
        self.events: list[str] = []
        self.ends: Any = {"type": "Complete", "status": "True"}
        self.error: Any = None
        self.shares = 0
        self.handle = TaskHandle(0, "Copy", REQUEST, asyncio.get_running_loop().create_future())
        self.settings = Settings(workers=ON)
        self.kube = self.tasks = self

    async def get(self, resource: Any, _namespace: str, name: str) -> Any:
        if resource.plural == "serviceaccounts":
            if self.account is None:
                raise NotFound(name)
            return self.account
        if resource.plural == "persistentvolumeclaims":
            if name not in self.claims:
                raise NotFound(name)
            return self.claims[name]
        if name not in self.jobs:
            raise NotFound(name)
        return self.jobs[name]

    async def create(self, _resource: Any, body: Any) -> Any:
        if body["metadata"]["name"] in self.jobs:
            raise Conflict("exists")
        conditions = [self.ends] if self.ends else []
        self.jobs[body["metadata"]["name"]] = {
            **body,
            "metadata": {**body["metadata"], "uid": f"job-{self.shares}"},
            "status": {"conditions": conditions},
        }

    async def delete(self, _resource: Any, _namespace: str, name: str, **how: Any) -> None:
        assert how["propagation"] == "Foreground"
        assert how["uid"] == self.jobs.pop(name)["metadata"]["uid"]

    async def ask(self, operation: str, request: Task, _handle: TaskHandle) -> dict[str, Any]:
        self.asked.append(operation)
        if operation == "mover.share":
            self.shares += getattr(request, "anew", False)
            return SHARE.model_copy(update={"run": f"r{self.shares}"}).model_dump()
        if operation == "mover.gather":
            told = {"seen": request.seen, "objects": 2, "size_bytes": 3}  # type: ignore[attr-defined]
            return {**told, "error": self.error}
        return DONE

    def event(self, _job: Any, reason: str, _message: str) -> None:
        self.events.append(reason)

    async def copy(self) -> Any:
        runtime: Any = Fake(
            settings=self.settings, kube=self, tasks=self, event=self.event, clock=None
        )
        return await copy_by_workers(runtime, job(), self.pin, REQUEST, self.handle)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(worker_jobs, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(worker_jobs, "STOP_SLICE_SECONDS", 0.01)
    return World()


async def test_work_is_shared_followed_and_ended_by_the_operators_own_pass(world: World) -> None:
    assert await world.copy() == DONE
    assert world.asked == ["mover.share", "mover.gather", "mover.copy"]
    assert world.jobs == {}
    assert world.events == ["WorkersStarted"]
    assert world.handle.progress is not None
    assert world.handle.progress["objects_done"] == 2


async def test_an_operator_that_starts_again_finds_the_job_and_makes_no_other(
    world: World,
) -> None:
    world.ends = None
    first = asyncio.create_task(world.copy())
    while not world.jobs:
        await asyncio.sleep(0)
    first.cancel()  # the operator was killed
    made = world.jobs[job_name(job())]
    made["status"]["conditions"] = [{"type": "Complete", "status": "True"}]
    assert await world.copy() == DONE
    assert world.shares == 1
    assert world.events == ["WorkersStarted"]


async def test_a_job_of_an_older_run_is_removed_first(world: World) -> None:
    name = job_name(job())
    owner = [{"uid": "u-1"}]
    old = {"name": name, "uid": "old", "annotations": {"cloudflux.io/run": "stale"}}
    world.jobs[name] = {"metadata": {**old, "ownerReferences": owner}}
    assert await world.copy() == DONE
    assert world.shares == 1


async def test_a_job_deleted_by_hand_is_a_failure_that_is_tried_again(world: World) -> None:
    world.ends = None
    copying = asyncio.create_task(world.copy())
    while not world.jobs:
        await asyncio.sleep(0)
    world.jobs.clear()
    with pytest.raises(CloudFluxError, match="was deleted") as error:
        await copying
    assert error.value.retryable
    assert error.value.reason == "WorkersFailed"


async def test_stopping_deletes_the_job_and_waits_for_its_pods(world: World) -> None:
    world.ends = None
    copying = asyncio.create_task(world.copy())
    while not world.jobs:
        await asyncio.sleep(0)
    world.handle.cancelled = True
    with pytest.raises(Cancelled):
        await copying
    assert world.jobs == {}
    assert "mover.copy" not in world.asked


async def test_what_a_worker_said_is_the_jobs_failure(world: World) -> None:
    world.ends = {"type": "Failed", "status": "True", "reason": "PodFailurePolicy"}
    world.error = {
        "kind": "PermissionDenied", "message": "worker 1: may not write", "retryable": False,
        "reason": "AccessDenied",
    }  # fmt: skip
    with pytest.raises(PermissionDenied, match="worker 1: may not write"):
        await world.copy()
    assert world.jobs == {}
    world.error = None
    with pytest.raises(CloudFluxError, match="kubectl -n team logs job/") as error:
        await world.copy()
    assert error.value.retryable


@pytest.mark.parametrize("account", [None, {"metadata": {"labels": {}}}, {"metadata": {}}])
async def test_an_account_that_is_not_labelled_is_not_used(world: World, account: Any) -> None:
    world.account = account
    with pytest.raises(CloudFluxError, match=r"cloudflux\.io/mover=true") as error:
        await world.copy()
    assert error.value.reason == "MoverAccountMissing"
    assert world.jobs == {}


async def test_a_job_of_another_owner_is_left_alone(world: World) -> None:
    name = job_name(job())
    world.jobs[name] = {"metadata": {"name": name, "uid": "theirs", "ownerReferences": []}}
    with pytest.raises(CloudFluxError, match="is not ours"):
        await world.copy()
    assert name in world.jobs


async def test_a_claim_that_its_owner_did_not_label_is_mounted_by_nobody(world: World) -> None:
    place = {"uri": "file:///data/a", "volumeClaim": {"name": "database", "mountPath": "/data"}}
    world.pin = pin().model_copy(update={"source": Location.model_validate(place)})
    with pytest.raises(CloudFluxError, match="is not there"):
        await world.copy()
    for labels in (None, {"app": "database"}, {"cloudflux.io/mover": "false"}):
        world.claims["database"] = {"metadata": {"labels": labels}}
        with pytest.raises(CloudFluxError, match="label persistentvolumeclaim database") as refused:
            await world.copy()
        assert refused.value.reason == "VolumeClaimRefused"
    assert world.jobs == {}
    world.claims["database"] = {"metadata": {"labels": {"cloudflux.io/mover": "true"}}}
    assert await world.copy() == DONE
