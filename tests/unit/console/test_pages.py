"""Pages: complete without scripts, nothing of an event is markup, nothing secret is shown."""

import re
from html.parser import HTMLParser

import pytest
import pytest_asyncio
from tests.unit.console.test_hub import sample
from tests.unit.console.worlds import data_set, fill, job, policy

from cloudflux.console import charts, rows
from cloudflux.console.context import CONSOLE

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}"
PATHS = ("/", "/live", "/datasets", "/datasets/team-a/a", "/policies", "/migrations",
         "/migrations/team-a/m")  # fmt: skip


@pytest_asyncio.fixture
async def filled(client):
    console = client.app[CONSOLE]
    fill(
        console.world,
        DataSet=[data_set("a", whyNot=EVIL, tiers=[
            {"tier": "Hot", "storageClass": EVIL, "objects": 1, "bytes": 9, "monthlyCost": "1"},
        ])],
        TieringPolicy=[policy("p")],
        MigrationJob=[
            job("m", message=EVIL, failures=[{"key": EVIL, "reason": "X", "message": EVIL}])
        ],
    )  # fmt: skip
    evil = {"namespace": "team-a", "dataSet": EVIL, "message": EVIL, "from": EVIL, "provider": EVIL}
    console.hub.publish(sample(1, id=EVIL, type=EVIL, time=EVIL, data=evil))
    console.hub.publish(sample(2, data={**evil, "dataSet": "a", "job": "m"}))
    return client


class Tags(HTMLParser):
    """The attributes and scripts of a page, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: set[str] = set()
        self.scripts: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.attributes |= {name for name, _ in attrs}
        if tag == "script":
            self.scripts.add(dict(attrs).get("src", "inline"))


async def html(client, path: str, status: int = 200) -> str:
    response = await client.get(path, headers={"Accept": "text/html"})
    assert response.status == status, await response.text()
    assert response.content_type == "text/html"
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    return await response.text()


@pytest.mark.parametrize("path", PATHS)
async def test_what_comes_from_outside_is_text(filled, path):
    text = await html(filled, path)
    assert "<script>alert" not in text
    assert "<img" not in text
    tags = Tags()
    tags.feed(text)
    assert not [name for name in tags.attributes if name.startswith("on") or name == "style"]
    assert tags.scripts <= {"/static/live.js"}
    assert "&#39;49" not in text, "a template was made of it"


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_has_its_landmarks_and_one_heading(filled, path):
    text = await html(filled, path)
    assert len(re.findall(r"<h1[ >]", text)) == 1
    for wanted in ("<main", "<nav aria-label", 'lang="en"', "<footer", 'class="skip"', "<title>"):
        assert wanted in text, wanted
    assert len(re.findall(r'aria-current="page"', text)) == 1


async def test_the_live_page_is_a_table_without_scripts_and_keeps_its_filter(filled):
    text = await html(filled, "/live?type=migration&severity=info&q=scr")
    assert 'value="scr"' in text
    assert '<option value="migration" selected>' in text
    assert 'data-query="type=migration' in text
    assert "migration.started" in text
    assert "No event of the last 1000 matches" in await html(filled, "/live?q=nothing-like-it")


async def test_a_page_for_each_error(filled):
    assert "does not exist, or you may not see it" in await html(filled, "/datasets/x/y", 404)
    assert "sorted by" in await html(filled, "/datasets?sort=evil", 400)
    assert "there is no page" in (await html(filled, "/nothing", 404)).lower()


async def test_nothing_that_lets_somebody_in_is_shown(client):
    console = client.app[CONSOLE]
    signed = "https://u:pa55@host/x?X-Amz-Signature=abc123&X-Amz-Credential=KEY7"
    one = data_set("a", whyNot=signed, conditions=[])
    one["spec"]["location"]["endpoint"] = "https://user:pa55@host"
    one["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "pa55"}
    fill(console.world, DataSet=[one])
    console.hub.publish(sample(1, data={"message": signed}))
    for path in ("/datasets/team-a/a", "/live", "/api/v1/datasets/team-a/a", "/api/v1/events",
                 "/api/v1/datasets/team-a/a/recommendation"):  # fmt: skip
        text = await (await client.get(path)).text()
        for secret in ("pa55", "abc123", "KEY7"):
            assert secret not in text, path
    assert b"pa55" not in console.hub.joined(0)


async def test_simulated_activity_is_marked_and_needs_our_own_form(client):
    page = await html(client, "/live")
    token = re.search(r'name="csrf" value="(\w+)"', page)
    assert token
    assert (await client.post("/simulate", data={"csrf": "0" * 64})).status == 403
    done = await client.post("/simulate", data={"csrf": token[1]}, allow_redirects=False)
    assert done.status == 303
    page = await html(client, "/live")
    assert page.count('class="synthetic">simulated') == 9


async def test_data_sets_are_sorted_by_any_column(client):
    fill(client.app[CONSOLE].world, DataSet=[
        data_set("a", monthlyCost="1"), data_set("b", monthlyCost="9"),
        data_set("c", monthlyCost="5"),
    ])  # fmt: skip
    found = re.findall(r'href="/datasets/team-a/(\w)"', await html(client, "/datasets?sort=-cost"))
    assert found == ["b", "c", "a"]


def test_a_chart_says_what_it_shows():
    chart = charts.stacked({"S3": {"Hot": 1024, "Cold": 2048}}, ("Hot", "Warm", "Cold"), "Bytes")
    assert 'role="img"' in chart.drawing
    assert "S3: Hot 1.00 KiB, Cold 2.00 KiB" in chart.drawing
    assert chart.rows == (("S3", "1.00 KiB", "2.00 KiB"),)
    reads = charts.forecast(charts.Reads(10, 3, 7, 1, 20))
    assert "between 1 and 20" in reads.drawing
    assert "<b>" not in charts.stacked({"<b>": {"Hot": 1}}, ("Hot",), "<b>").drawing


async def test_where_nothing_is_it_is_said_how_to_begin(client):
    for path in ("/", "/datasets"):
        page = await (await client.get(path)).text()
        assert "kubectl apply" in page, path
        assert "kind: DataSet" in page, path
    fill(client.app[CONSOLE].world, DataSet=[data_set("telemetry")])
    for path in ("/", "/datasets"):
        assert "kubectl apply" not in await (await client.get(path)).text(), path
    none = await (await client.get("/datasets?q=nothing")).text()
    assert 'No data set matches the filter. <a href="/datasets">Clear it</a>' in none


@pytest.mark.parametrize(
    ("value", "written"),
    [("0", "0.00"), ("0.00003", "< 0.0001"), ("0.0002", "0.0002"), ("0.25", "0.25"),
     ("1234.5", "1,234.50"), ("-0.00001", "-0.0000"), ("none", "")],
)  # fmt: skip
def test_an_amount_is_written_in_one_form(value, written):
    assert rows.amount(value) == written


def test_a_long_reason_is_cut_where_many_events_stand():
    assert len(rows.describe({"message": "word " * 100})) <= rows.MAX_WHAT
    assert rows.describe({"message": "word " * 100}).endswith("word…")


async def test_what_nobody_reads_is_said_in_words(client):
    none = {"reads7D": 0, "reads30D": 0, "observedDays": 40, "coveragePercent": 100}
    ahead = {"reads7D": 0, "reads30D": 0, "low": 0, "high": 0, "model": "m1"}
    fill(client.app[CONSOLE].world, DataSet=[data_set("telemetry", access=none, forecast=ahead)])
    page = await (await client.get("/datasets/team-a/telemetry")).text()
    assert "nothing is expected in the next 7" in page
    assert "Reads a week." not in page


def test_an_event_of_a_measured_cost_shows_the_cost():
    data = {"currency": "USD", "monthlyCost": "12.5", "savingsPerMonth": "3"}
    assert rows._money(data) == "saves 3.00 USD"
    assert rows._money({**data, "tiers": []}) == "12.50 USD"
