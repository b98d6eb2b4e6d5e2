"""The HTTP API over a filled cache, and every kind of request that can't be meant."""

import json

import pytest
import pytest_asyncio
from tests.unit.console.test_hub import sample
from tests.unit.console.worlds import condition, data_set, fill, job, policy

from cloudflux.console import history, openapi
from cloudflux.console.context import CONSOLE
from cloudflux.console.kit import PREFIX

RECOMMENDED = {
    "id": "r1", "objects": 5, "bytes": 99, "from": "STANDARD", "to": "GLACIER_IR", "tier": "Cold",
    "savingsPerMonth": "2.5", "oneOffCost": "0.1", "paybackDays": 2, "confidencePercent": 90,
    "reason": "not read for 74 days",
}  # fmt: skip
ACCESS = {"reads7D": 5, "reads30D": 20, "observedDays": 40, "coveragePercent": 100}
FORECAST = {"reads7D": 4, "reads30D": 15, "low": 1, "high": 9, "model": "m1"}


@pytest_asyncio.fixture
async def filled(client):
    console = client.app[CONSOLE]
    fill(
        console.world,
        DataSet=[
            data_set("telemetry", recommendations=[RECOMMENDED], forecast=FORECAST, access=ACCESS),
            data_set("logs", "team-b", temperature="Hot",
                     conditions=[condition("Ready", "False", "CredentialsInvalid", "mend them")]),
        ],
        TieringPolicy=[policy("save-money")],
        MigrationJob=[job("move-1"), job("move-2", phase="Failed", reason="TargetFull")],
    )  # fmt: skip
    for n in range(1, 6):
        console.hub.publish(sample(n))
    return client


async def got(client, path: str, status: int = 200, **query: str):
    response = await client.get(PREFIX + path, params=query)
    text = await response.text()
    assert response.status == status, text
    return json.loads(text)


async def test_lists_come_in_parts_and_a_cursor_goes_on(filled):
    first = await got(filled, "/datasets", limit="1")
    assert [one["name"] for one in first["items"]] == ["telemetry"]
    second = await got(filled, "/datasets", limit="1", cursor=first["nextCursor"])
    assert [one["name"] for one in second["items"]] == ["logs"]
    assert "nextCursor" not in second
    hot = await got(filled, "/datasets", temperature="Hot")
    assert [one["name"] for one in hot["items"]] == ["logs"]
    assert [
        one["name"] for one in (await got(filled, "/datasets", namespace="team-a"))["items"]
    ] == ["telemetry"]


async def test_a_data_set_and_its_parts(filled):
    one = "/datasets/team-a/telemetry"
    detail = await got(filled, one)
    assert detail["summary"]["uri"] == "s3://data/telemetry"
    assert detail["status"]["forecast"]["model"] == "m1"
    assert (await got(filled, f"{one}/tiers"))["tiers"][0]["storageClass"] == "STANDARD"
    assert (await got(filled, f"{one}/recommendation"))["recommendations"][0]["id"] == "r1"
    assert (await got(filled, f"{one}/forecast"))["forecast"]["high"] == 9
    assert (await got(filled, f"{one}/history")) == {"items": []}
    assert (await got(filled, "/ml/predict", dataset="team-a/telemetry"))["dataSet"] == "telemetry"
    assert (await got(filled, "/ml/model-info"))["items"] == [{"model": "m1", "dataSets": 1}]
    assert len((await got(filled, "/ml/recommendations"))["items"]) == 1
    missing = await got(filled, "/datasets/team-b/logs/forecast", 404)
    assert "no forecast of logs yet" in missing["detail"]


async def test_objects_are_filtered_or_it_is_said_what_is_missing(filled, monkeypatch):
    path = "/datasets/team-a/telemetry/objects"
    said = await got(filled, path, 503)
    assert "--state-dir" in said["detail"]

    async def remembered(*_):
        return [
            {"key": f"{n}.bin", "size_bytes": n * 100, "storage_class": "STANDARD",
             "last_modified": None, "reads7d": n * 4, "reads30d": n * 4}
            for n in range(4)
        ]  # fmt: skip

    monkeypatch.setattr(history, "store_directory", lambda _: "here")
    monkeypatch.setattr(history, "remembered", remembered)
    every = await got(filled, path)
    assert [(one["key"], one["temperature"]) for one in every["items"]] == [
        ("0.bin", "Unknown"), ("1.bin", "Warm"), ("2.bin", "Hot"), ("3.bin", "Hot"),
    ]  # fmt: skip
    some = await got(filled, path, temperature="Hot", maxBytes="200", tier="Hot", prefix="2")
    assert [one["key"] for one in some["items"]] == ["2.bin"]


async def test_sums(filled):
    overview = await got(filled, "/analytics/overview")
    assert overview["monthlyCost"] == [{"currency": "USD", "amount": "20"}]
    assert overview["savingsPossible"] == [{"currency": "USD", "amount": "9"}]
    assert overview["savingsRealised"] == [{"currency": "USD", "amount": "3"}]
    assert {one["reason"] for one in overview["alerts"]} == {"CredentialsInvalid", "TargetFull"}
    assert overview["migrationsRunning"] == 1
    costs = (await got(filled, "/analytics/costs"))["items"]
    assert [(one["namespace"], one["monthlyCost"]) for one in costs] == [
        ("team-a", "10"), ("team-b", "10"),
    ]  # fmt: skip
    assert (await got(filled, "/analytics/performance"))["failed"] == 1
    assert (await got(filled, "/analytics/savings"))["realised"][0]["policy"] == "save-money"
    assert (await got(filled, "/analytics/trends"))["items"] == []


async def test_events_are_listed_replayed_and_found(filled):
    newest = await got(filled, "/events", limit="2")
    assert [one["id"] for one in newest["items"]] == ["e-5", "e-4"]
    older = await got(filled, "/events", limit="9", cursor=newest["nextCursor"])
    assert [one["id"] for one in older["items"]] == ["e-3", "e-2", "e-1"]
    replayed = await got(filled, "/events", after="e-3")
    assert [one["id"] for one in replayed["items"]] == ["e-4", "e-5"]
    assert (await got(filled, "/events/item", id=sample(2)["id"])) == sample(2)
    assert (await got(filled, "/events", type="policy"))["items"] == []


async def test_what_a_client_has_is_not_sent_again(filled):
    first = await filled.get(f"{PREFIX}/analytics/costs")
    again = await filled.get(
        f"{PREFIX}/analytics/costs", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status, await again.read()) == (304, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/datasets?limit=0", 400),
        ("/datasets?limit=501", 400),
        ("/datasets?limit=-1", 400),
        ("/datasets?limit=1e3", 400),
        ("/datasets?limit=%C2%B2", 400),
        ("/datasets?limit=1&limit=2", 400),
        ("/datasets?cursor=%25%25%25", 400),
        ("/datasets?cursor=%FF%FE", 400),
        ("/datasets?temperature=Tepid", 400),
        ("/datasets?namespace=a%00b", 400),
        ("/datasets?namespace=" + "a" * 2000, 400),
        ("/events?cursor=b2xkLTM", 400),
        ("/events?after=e-1&cursor=ZS0x", 400),
        ("/events?q=" + "a" * 300, 400),
        ("/migrations?phase=Moving", 400),
        ("/datasets/team-a/nothing", 404),
        ("/datasets/team-a/..%2F..%2Fetc%2Fpasswd", 404),
        ("/datasets/team-a/%2e%2e/%2e%2e/secrets", 404),
        ("/policies/team-a/%00", 404),
        ("/nothing", 404),
        ("/events/item?id=nothing", 404),
    ],
)
async def test_what_can_not_be_meant_is_a_problem_with_words(filled, path, status):
    response = await filled.get(PREFIX + path)
    assert response.status == status
    assert response.content_type == "application/problem+json"
    body = await response.json()
    assert body["status"] == status
    assert len(body["detail"]) > 10


@pytest.mark.parametrize("name", ["..%2fserver.py", "%2e%2e%2fserver.py", "live.js%00.css", "x"])
async def test_no_path_leads_out_of_the_static_files(client, name):
    assert (await client.get(f"/static/{name}")).status == 404


async def test_writes_are_off_and_bodies_are_bounded(filled):
    off = await filled.post(f"{PREFIX}/migrations/team-a/move-1/cancel")
    assert (off.status, (await off.json())["type"].rpartition("/")[2]) == (403, "read-only")
    large = await filled.post(
        f"{PREFIX}/migrations/estimate", data=b"x" * 70_000,
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert large.status == 413
    typed = await filled.post(f"{PREFIX}/migrations/estimate", data=b"{}")
    assert typed.status == 415
    bad = await filled.post(f"{PREFIX}/migrations/estimate", json={"namespace": 3, "more": 1})
    assert bad.status == 422
    assert (await filled.post(f"{PREFIX}/datasets")).status == 405


@pytest.mark.parametrize("path", ["/simulate", "/migrations/team-a/move-1/cancel"])
async def test_forms_are_bounded_also_when_their_length_is_not_told(filled, path):
    async def pieces():
        for _ in range(70):
            yield b"x" * 1000

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"csrf=" + b"x" * 70_000, pieces()):
        assert (await filled.post(path, data=body, headers=form)).status == 413


async def test_an_estimate_is_what_the_recommendations_say(filled):
    asked = {"namespace": "team-a", "dataSet": "telemetry", "target": "Cold"}
    found = await (await filled.post(f"{PREFIX}/migrations/estimate", json=asked)).json()
    assert (found["objects"], found["oneOffCost"]) == (5, "0.1")
    none = await filled.post(f"{PREFIX}/migrations/estimate", json={**asked, "target": "ARCHIVE"})
    assert none.status == 404
    assert "requireApproval" in (await none.json())["detail"]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_sites_page_can_not_write(filled, site):
    for headers in ({"Sec-Fetch-Site": site}, {"Origin": "https://evil.example"}):
        response = await filled.post(
            f"{PREFIX}/migrations/estimate", json={}, headers=headers
        )  # fmt: skip
        assert response.status == 403


async def test_a_foreign_name_is_refused(client):
    for host in ("evil.example", "127.0.0.1.evil.example", "[::2]:80", "localhost.evil.example"):
        assert (await client.get("/", headers={"Host": host})).status == 421, host
    for host in ("localhost:1", "[::1]:99", "127.0.0.9"):
        assert (await client.get("/api/v1/stats", headers={"Host": host})).status == 200, host
    assert (await client.get("/healthz", headers={"Host": "10.1.2.3:8090"})).status == 200


async def test_too_many_requests_are_told_when_to_come_back(client):
    answers = [await client.get("/healthz") for _ in range(260)]
    refused = [one for one in answers if one.status == 429]
    assert refused
    assert int(refused[0].headers["Retry-After"]) >= 1


async def test_the_document_describes_every_answer(filled):
    """Each GET is asked; what it answers is what the document promises."""
    import jsonschema

    document = await got(filled, "/openapi.json")
    assert document["openapi"] == "3.1.0"
    asked = 0
    for path, operations in document["paths"].items():
        if "get" not in operations or path.endswith(("/objects", "/item", "/events/history")):
            continue
        name = (
            "save-money"
            if "policies" in path
            else "move-1"
            if "migrations" in path
            else "telemetry"
        )
        url = path.replace("{namespace}", "team-a").replace("{name}", name)
        query = {"dataset": "team-a/telemetry"} if path.endswith("/predict") else {}
        response = await filled.get(url, params=query)
        content = operations["get"]["responses"][str(response.status)]["content"]
        schema = content["application/json"]["schema"]
        jsonschema.validate(
            await response.json(), {**schema, "components": document["components"]}
        )  # fmt: skip
        asked += 1
    assert asked >= 18
    assert len(openapi.ENDPOINTS) == sum(len(one) for one in document["paths"].values())


async def test_prometheus_reads_figures_that_name_nobody(filled):
    text = await (await filled.get("/metrics")).text()
    assert "cloudflux_console_events_total 5.0" in text
    assert "cloudflux_console_source_connected 1.0" in text
    assert "team-a" not in text
