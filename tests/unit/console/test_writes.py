"""Buttons write what they say, once their form is ours; without the switch there are none."""

import re
from typing import Any

import pytest
import pytest_asyncio
from tests.unit.console.conftest import console, serving
from tests.unit.console.test_contract import TakesEverything
from tests.unit.console.worlds import data_set, fill, job, policy

HTML = {"Accept": "text/html"}
FORMS = [
    ("/migrations/team-a/move-1", "suspend", {"spec": {"suspend": True}}),
    ("/migrations/team-a/move-1", "cancel", {"spec": {"cancel": True}}),
    ("/policies/team-a/save-money", "suspend", {"spec": {"suspend": True}}),
    ("/policies/team-a/save-money", "resume", {"spec": {"suspend": False}}),
    ("/policies/team-a/save-money", "evaluate", {"spec": {"runNow": "console-"}}),
    ("/datasets/team-a/telemetry", "reclassify",
     {"metadata": {"annotations": {"cloudflux.io/scan-now": "console-"}}}),
]  # fmt: skip


def filled(**own: object) -> tuple[Any, TakesEverything]:
    made, cluster = console(**own), TakesEverything()
    taker: Any = cluster
    made.cluster = taker
    fill(
        made.world, DataSet=[data_set("telemetry")], TieringPolicy=[policy("save-money")],
        MigrationJob=[job("move-1")],
    )  # fmt: skip
    return made, cluster


@pytest_asyncio.fixture
async def client():
    made, cluster = filled(writes=True)
    async for found in serving(made):
        yield found, cluster


async def csrf(http: Any, path: str) -> str:
    text = await (await http.get(path, headers=HTML)).text()
    found = re.search(r'name="csrf" value="(\w+)"', text)
    assert found, path
    return found[1]


@pytest.mark.parametrize(("path", "action", "written"), FORMS)
async def test_a_button_writes_what_it_says(client, path, action, written):
    http, cluster = client
    url = f"{path}/{action}"
    for bad in ({}, {"csrf": "0" * 64}):
        assert (await http.post(url, data=bad, headers=HTML)).status == 403
    assert cluster.written == []
    token = await csrf(http, "/policies")
    done = await http.post(url, data={"csrf": token}, headers=HTML, allow_redirects=False)
    assert done.status == 303
    page = await http.get(done.headers["Location"], headers=HTML)
    assert page.status == 200
    [(_, namespace, name, body)] = cluster.written
    assert path.endswith(f"/{namespace}/{name}")
    assert re.sub(r"console-\d{8}T\d{12}", "console-", repr(body)) == repr(written)


async def test_unknown_actions_and_objects_are_not_there(client):
    http, cluster = client
    data = {"csrf": await csrf(http, "/policies")}
    for path in (
        "/policies/team-a/save-money/delete",
        "/policies/team-a/none/suspend",
        "/datasets/team-a/none/reclassify",
        "/migrations/team-a/move-1/delete",
    ):
        assert (await http.post(path, data=data, headers=HTML)).status == 404, path
    assert cluster.written == []


@pytest.mark.parametrize(
    "path", ["/policies", "/datasets/team-a/telemetry", "/migrations/team-a/move-1"]
)
async def test_without_the_switch_there_are_no_buttons(path):
    made, _ = filled()
    async for http in serving(made):
        assert 'name="csrf"' not in await (await http.get(path, headers=HTML)).text()
