"""What a collector keeps outlives the console: costs, savings and tiers by day."""

import datetime as dt
from decimal import Decimal

import pytest
from tests.unit.collector import test_historian
from tests.unit.collector.test_historian import DAY, NOW, Rig, completed, cost, message
from tests.unit.console.test_api import got
from tests.unit.console.worlds import data_set, fill, job

from cloudflux.api.events import EventType
from cloudflux.console import history, past
from cloudflux.console.context import CONSOLE
from cloudflux.console.past import Asked, Day, days_of, read_days
from cloudflux.console.who import EVERYTHING, PLURALS, Scope

TODAY = NOW.date()
ASKED = Asked("east", None, None, "USD", TODAY - dt.timedelta(5), TODAY)


@pytest.fixture(autouse=True)
def forgotten():
    history._kept.clear()


def test_days_are_summed_from_the_first_that_is_known_on(tmp_path):
    rig = Rig(tmp_path)
    rig.tell(cost("30", at=NOW - 2 * DAY), cost("12", at=NOW - 2 * DAY, name="logs"))
    rig.tell(cost("20", at=NOW - DAY), completed(1, "10", NOW - DAY))
    found = read_days(tmp_path, ASKED)
    assert [(one.day, one.cost) for one in found] == [
        (TODAY - dt.timedelta(2), Decimal(42)),
        (TODAY - dt.timedelta(1), Decimal(32)),
        (TODAY, Decimal(32)),
    ]
    assert found[0].bytes_by_tier == {"Hot": 60}
    assert read_days(tmp_path, Asked(**{**_as(ASKED), "data_set": "logs"}))[0].cost == 12
    for other in ({"cluster": "west"}, {"namespaces": ("team-b",)}):
        assert read_days(tmp_path, Asked(**{**_as(ASKED), **other})) == [], other
    euros = read_days(tmp_path, Asked(**{**_as(ASKED), "currency": "EUR"}))
    assert {one.cost for one in euros} == {Decimal(0)}


def _as(asked: Asked) -> dict:
    return {name: getattr(asked, name) for name in Asked.__slots__}


def test_no_history_is_no_days(tmp_path):
    assert read_days(tmp_path, ASKED) == []


async def test_a_jobs_throughput_outlives_the_console(client, tmp_path, monkeypatch):
    now = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    monkeypatch.setattr(test_historian, "NOW", now)
    rig = Rig(tmp_path)
    for n in range(4):
        uid = "uid-team-a-move-1" if n else "uid-of-another"
        at = now + n * dt.timedelta(minutes=1)
        rig.tell(message(EventType.MIGRATION_PROGRESS, n=n, at=at, jobUid=uid,
                         bytesPerSecond=n << 20))  # fmt: skip
    console = client.app[CONSOLE]
    settings = {"state_dir": tmp_path, "cluster": "east"}
    console.settings = console.settings.model_copy(update=settings)
    moved = job("move-1")
    moved["metadata"]["creationTimestamp"] = (now - DAY).isoformat()
    fill(console.world, MigrationJob=[moved])
    text = await (await client.get("/migrations/team-a/move-1")).text()
    assert "Throughput: from 1 to 3 MiB/s, at most 3" in text


@pytest.mark.parametrize(
    ("scope", "namespace", "namespaces"),
    [
        (EVERYTHING, "", None),
        (EVERYTHING, "team-a", ("team-a",)),
        (Scope(), "", ()),
        (Scope(within=frozenset({("team-a", "datasets"), ("team-b", "migrationjobs")})), "",
         ("team-a",)),
        (Scope(within=frozenset({("team-a", "datasets")})), "team-b", ()),
        (Scope(everywhere=frozenset(set(PLURALS) - {"datasets"})), "", ()),
    ],
)  # fmt: skip
async def test_only_namespaces_that_may_be_seen_are_read(
    client, tmp_path, monkeypatch, scope, namespace, namespaces
):
    asked = []
    monkeypatch.setattr(past, "read_days", lambda _, one: asked.append(one) or [])
    console = client.app[CONSOLE]
    console.settings = console.settings.model_copy(update={"state_dir": tmp_path})
    (tmp_path / "history").mkdir()
    await days_of(console, scope, "USD", namespace=namespace)
    assert [one.namespaces for one in asked] == ([] if namespaces == () else [namespaces])


async def test_pages_and_api_show_the_kept_days(client, tmp_path, monkeypatch):
    days = [
        Day(TODAY + dt.timedelta(n), Decimal(300 - n), Decimal(9), Decimal(n),
            {"Hot": 99, "Cold": n})
        for n in range(3)
    ]  # fmt: skip
    monkeypatch.setattr(past, "read_days", lambda *_: days)
    console = client.app[CONSOLE]
    console.settings = console.settings.model_copy(update={"state_dir": tmp_path})
    (tmp_path / "history").mkdir()
    replay = {
        "madeAt": "2026-03-14T10:00:00Z", "firstDay": "2026-01-01", "lastDay": "2026-03-01",
        "objects": 10, "ofObjects": 20, "strategy": "CostOptimal", "cost": "12.5",
        "alwaysHotCost": "30", "optimumCost": "11",
    }  # fmt: skip
    fill(console.world, DataSet=[data_set("telemetry", replay=replay)])
    found = await got(client, "/analytics/trends", days="3")
    assert [one["monthlyCost"] for one in found["items"]] == [300, 299, 298]
    assert found["items"][2]["bytesByTier"] == {"Hot": 99, "Cold": 2}
    text = await (await client.get("/")).text()
    assert "Cost a month since 14 Mar" in text
    assert "Possible: from 9.00 USD to 9.00 USD; Realised: from 0.00 USD to 2.00 USD" in text
    text = await (await client.get("/datasets/team-a/telemetry")).text()
    assert "Hot: from 99 B to 99 B; Cold: from 0 B to 2 B" in text
    assert "CostOptimal, which decides now 12.50 USD" in text
    assert "2026-01-01 to 2026-03-01, 10 of 20 objects" in text
    assert "automatic class 0" not in text
