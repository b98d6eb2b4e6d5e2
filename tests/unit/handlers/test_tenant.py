"""What somebody who may edit the three kinds in one namespace gets the operator to ask for."""

import datetime as dt
from types import SimpleNamespace as Fake
from typing import Any

import pytest

from cloudflux.api.common import Location
from cloudflux.errors import CloudFluxError, EndpointRefused, LocationRefused
from cloudflux.handlers.cache import Cache
from cloudflux.handlers.dataset_requests import scan_request
from cloudflux.handlers.kube import NotFound
from cloudflux.handlers.queue import WorkQueue
from cloudflux.handlers.resources import DATA_SET, parse
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tasks import Key, Tasks
from cloudflux.settings import Settings

INSIDE = (
    "http://127.0.0.1:9000", "http://localhost", "http://169.254.169.254", "http://10.1.2.3",
    "http://[::1]:80", "http://[fd00::1]", "https://kubernetes.default.svc",
    "http://minio.team-b.svc.cluster.local:9000", "http://kubernetes", "http://0.0.0.0",
    "http://[::ffff:10.1.2.3]",
)  # fmt: skip
NOW = dt.datetime(2026, 3, 14, tzinfo=dt.UTC)
KEYS = {"credentialsSecretRef": {"name": "keys"}}
FREE = {"uri": "s3://bucket/data"}


class Api:
    """An API server without objects that remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    async def get(self, resource: Any, namespace: str, name: str) -> Any:
        self.asked.append((resource.plural, namespace, name))
        raise NotFound(name)


@pytest.fixture
async def runtime() -> Runtime:
    queue: WorkQueue[Key] = WorkQueue()
    api: Any = Api()
    silent: Any = Fake()
    return Runtime(
        settings=Settings(file_roots={"team-b": ("/data",)}), kube=api, cache=Cache(),
        queue=queue, recorder=silent, publisher=silent, tasks=Tasks(queue),
    )  # fmt: skip


def data_set(**spec: Any) -> Any:
    meta = {"namespace": "team-a", "name": "d", "uid": "u", "generation": 1, "resourceVersion": "1"}
    return parse(DATA_SET, {"metadata": meta, "spec": spec, "status": {}})


@pytest.mark.parametrize("endpoint", INSIDE)
@pytest.mark.parametrize(
    "where",
    [
        lambda bad: {"location": bad},
        lambda bad: {
            "location": FREE, "access": {"sources": [{"type": "S3AccessLogs", "logs": bad}]},
        },
        lambda bad: {
            "location": FREE, "inventory": {"source": "S3Inventory", "reports": bad},
        },
    ],
    ids=["location", "access logs", "inventory reports"],
)  # fmt: skip
async def test_no_place_of_a_data_set_leads_into_the_cluster_or_has_a_secret_sent_there(
    runtime: Any, where: Any, endpoint: str
) -> None:
    bad = {"uri": "s3://bucket/x", "endpoint": endpoint, **KEYS}
    with pytest.raises(EndpointRefused):
        await scan_request(runtime, data_set(**where(bad)), NOW)
    assert runtime.kube.asked == []


@pytest.mark.parametrize(
    "uri",
    ["file:///data/x", "file:///var/lib/cloudflux/jobs", "file:///proc/self/environ", "file:///"],
)
async def test_directories_of_another_namespace_or_of_the_operator_are_refused(
    runtime: Any, uri: str
) -> None:
    with pytest.raises(LocationRefused):
        await runtime.store(Location(uri=uri), "team-a")


@pytest.mark.parametrize("name", ["keys", "team-b/keys", "../../team-b/secrets/keys"])
async def test_a_secret_is_only_ever_asked_for_in_the_resources_own_namespace(
    runtime: Any, name: str
) -> None:
    for location in (
        {**FREE, "credentialsSecretRef": {"name": name}},
        {**FREE, "encryption": {"type": "Client", "keySecretRef": {"name": name}}},
    ):
        with pytest.raises(CloudFluxError):
            await runtime.store(Location.model_validate(location), "team-a")
    assert {(kind, namespace) for kind, namespace, _ in runtime.kube.asked} <= {
        ("secrets", "team-a")
    }


async def test_nobody_without_a_grant_uses_the_operators_own_identity(runtime: Any) -> None:
    ref = await runtime.store(Location(uri="s3://bucket/data"), "team-a")
    assert not ref.ambient
    assert ref.credentials is None
