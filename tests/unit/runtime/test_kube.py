"""The client against a server that misbehaves on demand."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, Configuration

from cloudflux.handlers.kube import (
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    MAX_TRIES,
    Forbidden,
    Kube,
    KubeUnavailable,
    NotFound,
)


class Server:
    """Answers with the given statuses in turn, then with 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.lines = b""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path_qs, body))
        if request.query.get("watch"):
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(self.lines)
            await asyncio.sleep(30)
            return response
        if self.statuses:
            status = self.statuses.pop(0)
            return web.json_response({"message": f"status {status}"}, status=status)
        return web.json_response({"metadata": {"name": "a"}})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest_asyncio.fixture
async def kube(server: Server) -> AsyncIterator[Kube]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(app) as running:
        configuration = Configuration()
        configuration.host = str(running.make_url("/"))
        configuration.retries = False
        kube = Kube(ApiClient(configuration))
        yield kube
        await kube.close()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_read_is_tried_again(kube: Kube, server: Server, status: int) -> None:
    server.statuses = [status]
    assert (await kube.get(CONFIG_MAPS, "n", "a"))["metadata"]["name"] == "a"
    assert [r[1] for r in server.requests] == ["/api/v1/namespaces/n/configmaps/a"] * 2


async def test_it_gives_up_in_the_end_and_counts_every_write(kube: Kube, server: Server) -> None:
    server.statuses = [503] * 10
    with pytest.raises(KubeUnavailable, match="status 503"):
        await kube.patch(CONFIG_MAPS, "n", "a", {"x": 1}, subresource="status")
    assert len(server.requests) == MAX_TRIES
    assert server.requests[0][2] == {"x": 1}
    assert kube.writes == {("patch", "configmaps/status"): MAX_TRIES}
    assert kube.statuses == {("patch", "configmaps/status", "503"): MAX_TRIES}


async def test_a_creation_without_a_name_is_never_repeated(kube: Kube, server: Server) -> None:
    server.statuses = [500]
    with pytest.raises(KubeUnavailable):
        await kube.create(EVENTS, {"metadata": {"namespace": "n", "generateName": "a"}})
    assert len(server.requests) == 1


async def test_a_missing_right_is_told_at_once(kube: Kube, server: Server) -> None:
    server.statuses = [403]
    with pytest.raises(Forbidden, match="status 403") as caught:
        await kube.get(CONFIG_MAPS, "n", "a")
    assert (caught.value.reason, caught.value.retryable) == ("AccessDenied", False)


async def test_names_cannot_leave_their_place_in_the_path(kube: Kube, server: Server) -> None:
    await kube.get(CONFIG_MAPS, "n", "../../secrets/s?x=1")
    assert server.requests[0][1].startswith("/api/v1/namespaces/n/configmaps/..%2F")


async def test_a_silent_watch_is_noticed(kube: Kube, server: Server) -> None:
    server.lines = b'{"type": "ADDED", "object": {}}\n'
    events = kube.watch(LEASES, "n", "a", idle_seconds=-0.8)
    assert (await anext(events))["type"] == "ADDED"
    with pytest.raises(KubeUnavailable, match="broke"):
        await asyncio.wait_for(anext(events), 5)


async def test_an_error_in_a_watch_is_raised(kube: Kube, server: Server) -> None:
    server.lines = b'{"type": "ERROR", "object": {"code": 410, "message": "too old"}}\n'
    with pytest.raises(KubeUnavailable, match="too old"):
        await asyncio.wait_for(anext(kube.watch(LEASES, "n", "a")), 5)


@pytest.mark.parametrize("name", [".", ".."])
async def test_a_name_that_would_change_the_path_names_nothing(
    kube: Kube, server: Server, name: str
) -> None:
    with pytest.raises(NotFound):
        await kube.get(CONFIG_MAPS, "n", name)
    assert server.requests == []
