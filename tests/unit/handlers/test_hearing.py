"""What is heard, read or missed: nobody who depends on a change is left asleep."""

import copy
from types import SimpleNamespace as Fake
from typing import Any

import pytest

from cloudflux.handlers import hearing, job
from cloudflux.handlers.cache import Cache
from cloudflux.handlers.claims import release_claim
from cloudflux.handlers.kube import Conflict, NotFound
from cloudflux.handlers.queue import WorkQueue
from cloudflux.handlers.resources import DATA_SET, JOB, POLICY, Raw
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tasks import Key, Tasks
from cloudflux.settings import Settings

TEAM = "team"
DATA: Key = (DATA_SET, TEAM, "data")
MOVE: Key = (JOB, TEAM, "move")


def a_data_set(uid: str = "data-uid", version: int = 1, generation: int = 1, **status: Any) -> Raw:
    return {
        "metadata": {
            "namespace": TEAM, "name": "data", "uid": uid, "resourceVersion": str(version),
            "generation": generation,
        },
        "spec": {"location": {"uri": "s3://bucket/here/"}},
        "status": status,
    }  # fmt: skip


def a_job(uid: str = "move-uid", version: int = 2, **status: Any) -> Raw:
    target = {"location": {"uri": "s3://bucket/there/"}}
    return {
        "metadata": {
            "namespace": TEAM, "name": "move", "uid": uid, "resourceVersion": str(version),
            "generation": 1,
        },
        "spec": {"dataSetRef": {"name": "data"}, "target": target},
        "status": status,
    }  # fmt: skip


def a_policy(name: str = "cheap", version: int = 3) -> Raw:
    return {
        "metadata": {
            "namespace": TEAM, "name": name, "uid": f"{name}-uid", "generation": 1,
            "resourceVersion": str(version),
        },
        "spec": {
            "selector": {}, "mode": "Observe",
            "tiers": [{"name": "Hot", "s3StorageClass": "STANDARD"}],
        },
    }  # fmt: skip


class Api:
    """An API server that holds these objects and refuses writes that stand on older ones."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Raw] = {}

    async def get(self, resource: Any, namespace: str, name: str) -> Raw:
        try:
            return copy.deepcopy(self.objects[resource.plural, name])
        except KeyError:
            raise NotFound(name) from None

    async def replace_status(self, resource: Any, body: Raw) -> Raw:
        name = body["metadata"]["name"]
        present = await self.get(resource, TEAM, name)
        if present["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict(name)
        version = str(int(present["metadata"]["resourceVersion"]) + 100)
        metadata = {**present["metadata"], "resourceVersion": version}
        self.objects[resource.plural, name] = {
            **present,
            "metadata": metadata,
            "status": body["status"],
        }
        return self.objects[resource.plural, name]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def runtime(api: Api) -> Runtime:
    silent: Any = Fake(event=lambda *_: None, saw=lambda *_: None, forget=lambda *_: None)
    queue: WorkQueue[Key] = WorkQueue()
    kube: Any = api
    return Runtime(
        settings=Settings(), kube=kube, cache=Cache(), queue=queue, recorder=silent,
        publisher=silent, tasks=Tasks(queue),
    )  # fmt: skip


def woken(runtime: Runtime) -> set[Key]:
    """Every key in the queue; none of them is in it afterwards."""
    keys = set()
    while (taken := runtime.queue._take()[0]) is not None:
        keys.add(taken)
    return keys


def put(runtime: Runtime, **objects: Raw) -> None:
    for kind, raw in objects.items():
        runtime.cache.put(kind, raw)


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
