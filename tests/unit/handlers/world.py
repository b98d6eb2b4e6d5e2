"""A control process over an API server in memory, for tests of what it hears and does."""

import copy
from types import SimpleNamespace as Fake
from typing import Any

from cloudflux.handlers.cache import Cache
from cloudflux.handlers.kube import Conflict, NotFound
from cloudflux.handlers.queue import WorkQueue
from cloudflux.handlers.resources import DATA_SET, JOB, Raw
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


def a_runtime(api: Api) -> Runtime:
    """A control process that tells nobody anything and has no children."""
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
