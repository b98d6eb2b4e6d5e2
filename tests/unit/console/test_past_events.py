"""Events beyond the newest 1,000, in parts without a hole, of what may be seen."""

import datetime as dt

import pytest
from tests.unit.collector import test_historian as told
from tests.unit.console.test_api import got

from cloudflux.console import past_events
from cloudflux.console.context import CONSOLE
from cloudflux.console.who import EVERYTHING, PLURALS, Scope

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(hours=1)
ALL_OF_A = Scope(within=frozenset(("team-a", plural) for plural in PLURALS))


@pytest.fixture
def kept(client, tmp_path, monkeypatch):
    monkeypatch.setattr(told, "NOW", NOW)
    rig = told.Rig(tmp_path)
    # several of one moment, as a policy that decides on many data sets at once tells them
    rig.tell(*(told.completed(n, "1", NOW - dt.timedelta(minutes=n // 4)) for n in range(10)))
    rig.tell(told.cost("30", at=NOW - dt.timedelta(days=3)))
    console = client.app[CONSOLE]
    cluster = {"state_dir": tmp_path, "cluster": "east"}
    console.settings = console.settings.model_copy(update=cluster)
    return client


async def test_parts_follow_each_other_without_a_hole_or_a_repeat(kept):
    whole = (await got(kept, "/events/history", days="2"))["items"]
    assert len(whole) == 10
    assert [one["time"] for one in whole] == sorted((o["time"] for o in whole), reverse=True)
    found, query = [], {"limit": "3", "days": "2"}
    while True:
        part = await got(kept, "/events/history", **query)
        found += part["items"]
        if "nextCursor" not in part:
            break
        query["cursor"] = part["nextCursor"]
    assert found == whole


async def test_they_are_filtered(kept):
    assert len((await got(kept, "/events/history"))["items"]) == 11
    [one] = (await got(kept, "/events/history", type="cost.measured"))["items"]
    assert (one["dataSet"], one["data"]["monthlyCost"]) == ("telemetry", "30")
    assert (await got(kept, "/events/history", type="cost.measured", days="2"))["items"] == []
    assert (await got(kept, "/events/history", namespace="team-x"))["items"] == []
    for query in ({"cursor": "eA"}, {"type": "all"}, {"days": "0"}, {"progress": "1"}):
        await got(kept, "/events/history", 400, **query)


@pytest.mark.parametrize(
    ("scope", "namespace", "seen"),
    [
        (EVERYTHING, "", None),
        (EVERYTHING, "team-b", ("team-b",)),
        (ALL_OF_A, "", ("team-a",)),
        (ALL_OF_A, "team-b", ()),
        (Scope(within=frozenset({("team-a", "datasets")})), "", ()),
        (Scope(), "team-a", ()),
    ],
)
def test_only_where_all_kinds_may_be_seen(scope, namespace, seen):
    assert past_events._namespaces(scope, namespace) == seen


async def test_without_a_history_it_is_said_what_to_do(client):
    found = await got(client, "/events/history", 503)
    assert "--state-dir" in found["detail"]
