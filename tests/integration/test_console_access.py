"""Who may see and do what: the real API server's answers, on every path of the console."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from tests.unit.console.worlds import data_set, job, policy

from cloudflux.console import start, stream, who
from cloudflux.errors import ConfigurationError
from cloudflux.settings import Settings
from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import CLOUDFLUX, KubeApi, plural_of

pytestmark = pytest.mark.cluster
KINDS = ["datasets", "tieringpolicies", "migrationjobs"]
SECRET = "hunter2-never-shown"


@pytest.fixture
def other(kube_api: KubeApi) -> Any:
    name = "test-other-" + who.secrets.token_hex(4)
    kube_api.create_namespace(name)
    yield name
    kube_api.delete_namespace(name)


def user(api: KubeApi, namespace: str, name: str, verbs: list[str]) -> str:
    """A ServiceAccount with rights in its namespace only; returns its token."""
    rules = [{"apiGroups": ["cloudflux.io"], "resources": KINDS, "verbs": verbs}]
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    api.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts",
                {"metadata": {"name": name}})  # fmt: skip
    if verbs:
        api.request("POST", f"{rbac}/roles", {"metadata": {"name": name}, "rules": rules})
        api.request("POST", f"{rbac}/rolebindings", {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        })  # fmt: skip
    answer = api.request(
        "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
        {"spec": {"expirationSeconds": 3600}},
    )  # fmt: skip
    return str(answer["status"]["token"])


def put(api: KubeApi, kind: str, namespace: str, made: dict[str, Any]) -> None:
    metadata = {"namespace": namespace, "name": made["metadata"]["name"]}
    plural = plural_of(kind)
    api.create({"apiVersion": CLOUDFLUX, "kind": kind, "metadata": metadata, "spec": made["spec"]})
    api.patch(CLOUDFLUX, plural, metadata["name"], {"status": made["status"]}, namespace,
              subresource="status")  # fmt: skip


@pytest_asyncio.fixture
async def console(
    control_plane: ControlPlane, kube_api: KubeApi, namespace: str, other: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[str]:  # fmt: skip
    monkeypatch.setattr(who, "KEEP_SECONDS", 0.2)
    monkeypatch.setattr(stream, "SCOPE_SECONDS", 0.2)
    for where in (namespace, other):
        put(kube_api, "DataSet", where, data_set("telemetry"))
        put(kube_api, "TieringPolicy", where, policy("save-money"))
        waiting = job("move", phase="AwaitingApproval", plan={
            "hash": "abc", "objects": 1, "bytes": 1, "oneOffCost": "0", "savingsPerMonth": "1",
            "durationSeconds": 1, "listUri": "file:///x",
        })  # fmt: skip
        put(kube_api, "MigrationJob", where, waiting)
    kube_api.create_secret(namespace, "keys", {"secretAccessKey": SECRET}, {})
    settings = Settings.model_validate({
        "kubeconfig": control_plane.kubeconfig, "namespaces": (namespace, other),
        "state_dir": "/nonexistent",
        "console": {"port": 0, "auth": "Token", "writes": True},
    })  # fmt: skip
    async with start.running(settings) as url:
        yield url


@contextlib.asynccontextmanager
async def session(url: str, token: str | None) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(url, headers=headers, cookie_jar=jar) as made:
        yield made


async def test_the_matrix_of_who_may_what(console, kube_api, namespace, other):
    viewer = user(kube_api, namespace, "viewer", ["get", "list", "watch"])
    editor = user(kube_api, namespace, "editor", ["get", "list", "watch", "patch", "create"])
    nobody = user(kube_api, namespace, "nobody", [])
    paths = ["/api/v1/datasets", "/api/v1/stats", "/api/v1/events", "/api/v1/analytics/overview",
             "/events/stream", "/ws/stream", "/metrics-or-anything"]  # fmt: skip
    for token in (None, "nonsense", "a.b.c", viewer[:-2] + "xx"):
        async with session(console, token) as http:
            for path in paths:
                async with http.get(path) as answer:
                    assert answer.status == 401, (path, answer.status)
                    assert "Bearer" in answer.headers["WWW-Authenticate"]
            async with http.get("/", headers={"Accept": "text/html"},
                                allow_redirects=False) as page:  # fmt: skip
                assert (page.status, page.headers["Location"]) == (303, "/login")

    async with session(console, nobody) as http:
        async with http.get("/api/v1/datasets") as answer:
            assert await answer.json() == {"items": []}
        async with http.get("/", headers={"Accept": "text/html"}) as page:
            assert "You may see no namespace" in await page.text()

    for token in (viewer, editor):
        async with session(console, token) as http:
            for path in ("datasets", "policies", "migrations"):
                async with http.get(f"/api/v1/{path}") as answer:
                    items = (await answer.json())["items"]
                    assert {one["namespace"] for one in items} == {namespace}, path
            for path in (f"datasets/{other}/telemetry", f"datasets/{other}/not-there",
                         f"migrations/{other}/move", f"policies/{other}/save-money"):  # fmt: skip
                async with http.get(f"/api/v1/{path}") as answer:
                    assert answer.status == 404
                    assert "or you may not see it" in (await answer.json())["detail"]
            async with http.get("/api/v1/events?limit=500") as answer:
                text = await answer.text()
                assert namespace in text
                assert other not in text
            for page_path in ("/", "/datasets", "/migrations", "/policies", "/live"):
                async with http.get(page_path, headers={"Accept": "text/html"}) as page:
                    text = await page.text()
                    assert page.status == 200
                    assert other not in text, page_path
                    assert SECRET not in text

    cancel = f"/api/v1/migrations/{namespace}/move/cancel"
    async with session(console, viewer) as http, http.post(cancel) as answer:
        assert answer.status == 403
        assert "cannot patch" in (await answer.json())["detail"]
    async with session(console, editor) as http:
        async with http.post(f"/api/v1/migrations/{other}/move/cancel") as answer:
            assert answer.status == 404
        async with http.post(
            f"/api/v1/migrations/{namespace}/move/approve", json={"plan": "abc"}
        ) as answer:
            assert answer.status == 200, await answer.text()
        spec = {"dataSetRef": {"name": "telemetry"}, "target": {"tier": "Cold"}}
        async with http.post(
            "/api/v1/migrations", json={"namespace": other, "name": "mine", "spec": spec}
        ) as answer:
            assert answer.status == 403
    found = kube_api.get(CLOUDFLUX, "migrationjobs", "move", namespace)["spec"]
    assert found["approval"] == "abc"
    assert not found.get("cancel")
    assert not kube_api.get(CLOUDFLUX, "migrationjobs", "move", other)["spec"].get("cancel")


async def test_a_stream_shows_what_may_be_seen_and_ends_with_the_right(
    console, kube_api, namespace, other
):
    token = user(kube_api, namespace, "viewer", ["list"])
    async with session(console, token) as http, http.get("/events/stream?after=x-0") as answer:
        content = b""
        async with asyncio.timeout(20):
            while namespace.encode() not in content:
                content += await answer.content.readany()
            for where in (other, namespace):
                new = {"status": {**data_set("telemetry")["status"], "temperature": "Hot",
                                  "evaluatedAt": "2026-03-15T10:00:00Z"}}  # fmt: skip
                kube_api.patch(CLOUDFLUX, "datasets", "telemetry", new, where, subresource="status")
            while b"20260315" not in content:
                content += await answer.content.readany()
        assert other.encode() not in content
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/viewer"
        kube_api.request("DELETE", path)
        async with asyncio.timeout(30):
            rest = await answer.content.read()
        assert b"event: bye" in rest
        assert b"sign in again" in rest


async def test_a_browser_signs_in_by_form_and_can_not_be_ridden(console, kube_api, namespace):
    token = user(kube_api, namespace, "editor", ["get", "list", "watch", "patch"])
    html = {"Accept": "text/html"}
    async with session(console, None) as http:
        async with http.post("/login", data={"token": "wrong"}, headers=html) as answer:
            assert answer.status == 401
            assert "does not know this token" in await answer.text()
        foreign = {"Origin": "https://evil.example", **html}
        async with http.post("/login", data={"token": token}, headers=foreign) as answer:
            assert answer.status == 403
        async with http.post(
            "/login", data={"token": token}, headers=html, allow_redirects=False
        ) as answer:
            assert answer.status == 303
            cookie = answer.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert token not in cookie
        async with http.get(f"/migrations/{namespace}/move", headers=html) as page:
            text = await page.text()
        assert "Approve plan abc" in text
        csrf = re.search(r'name="csrf" value="(\w+)"', text)
        assert csrf
        action = f"/migrations/{namespace}/move/suspend"
        for bad in ({}, {"csrf": "0" * 64}):
            async with http.post(action, data=bad, headers=html) as answer:
                assert answer.status == 403
        async with http.post(action, data={"csrf": csrf[1]}, headers=foreign) as answer:
            assert answer.status == 403
        assert not kube_api.get(CLOUDFLUX, "migrationjobs", "move", namespace)["spec"].get(
            "suspend"
        )
        async with http.post(action, data={"csrf": csrf[1]}, headers=html) as answer:
            assert answer.status == 200, await answer.text()
        assert (
            kube_api.get(CLOUDFLUX, "migrationjobs", "move", namespace)["spec"]["suspend"] is True
        )
        async with http.post("/logout", data={"csrf": csrf[1]}, headers=html) as answer:
            assert "Sign in" in await answer.text()
        async with http.get("/api/v1/datasets") as answer:
            assert answer.status == 401


async def test_a_right_that_is_given_or_taken_counts_within_the_moment_that_answers_are_kept(
    console, kube_api, namespace
):
    token = user(kube_api, namespace, "late", [])
    async with session(console, token) as http:

        async def seen() -> int:
            async with http.get("/api/v1/datasets") as answer:
                return len(json.loads(await answer.text())["items"])

        assert await seen() == 0
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        rules = [{"apiGroups": ["cloudflux.io"], "resources": ["datasets"], "verbs": ["list"]}]
        kube_api.request("POST", f"{rbac}/roles", {"metadata": {"name": "r"}, "rules": rules})
        kube_api.request("POST", f"{rbac}/rolebindings", {
            "metadata": {"name": "r"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "late", "namespace": namespace}],
        })  # fmt: skip
        for wanted in (1, 0):
            async with asyncio.timeout(15):
                while await seen() != wanted:
                    await asyncio.sleep(0.1)
            kube_api.request("DELETE", f"{rbac}/rolebindings/r") if wanted else None


async def test_without_asking_who_comes_only_this_machine_is_served(control_plane):
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org"):
        settings = Settings.model_validate(
            {"kubeconfig": control_plane.kubeconfig, "console": {"host": host, "port": 0}}
        )
        with pytest.raises(ConfigurationError, match="--auth Token"):
            async with start.running(settings):
                pass


async def test_the_page_says_when_the_cluster_is_away(control_plane, namespace, kube_api):
    settings = Settings.model_validate({
        "kubeconfig": control_plane.kubeconfig, "namespaces": (namespace,),
        "console": {"port": 0}, "state_dir": "/nonexistent",
    })  # fmt: skip
    async with start.running(settings) as url, session(url, None) as http:
        async with http.get("/api/v1/health") as answer:
            checks = {one["name"]: one["state"] for one in (await answer.json())["checks"]}
        assert checks["kubernetes"] == "ok"
        assert checks["operator"] in ("unknown", "failed")
