"""The options of a data set with their prices: over the API and on its page, or why not."""

import pytest
from tests.unit.console.test_api import ACCESS, got
from tests.unit.console.worlds import data_set, fill

from cloudflux.console.context import CONSOLE

NEW = {"storageClass": "NEW", "objects": 1, "bytes": 1, "monthlyCost": "0"}
PATH = "/datasets/team-a/telemetry/alternatives"


async def test_classes_are_given_with_prices_the_cheapest_first(client):
    fill(client.app[CONSOLE].world, DataSet=[data_set("telemetry", access=ACCESS)])
    found = await got(client, PATH)
    totals = [float(one["totalPerMonth"]) for one in found["items"]]
    assert totals == sorted(totals)
    by_name = {one["storageClass"]: one for one in found["items"]}
    assert [name for name, one in by_name.items() if one["used"]] == ["STANDARD"]
    assert by_name["STANDARD"]["oneOffCost"] == "0"
    assert by_name["DEEP_ARCHIVE"]["archived"] is True
    assert float(found["now"]) == pytest.approx(float(by_name["STANDARD"]["totalPerMonth"]))
    page = await (await client.get("/datasets/team-a/telemetry")).text()
    assert "Everything in one class" in page
    assert "GLACIER_IR" in page


@pytest.mark.parametrize(
    ("status", "location", "why"),
    [
        ({}, {"uri": "s3://data/telemetry"}, "no signal is not coldness"),
        ({"tiers": []}, {"uri": "s3://data/telemetry"}, "not been listed"),
        ({"access": ACCESS}, {"uri": "file:///data"}, "directories"),
        ({"access": ACCESS}, {"uri": "s3://data/x", "region": "mars-1"},
         "no prices for s3 in mars-1"),
        ({"access": ACCESS, "tiers": [NEW]}, {"uri": "s3://data/x"},
         "no price for storage class 'NEW'"),
    ],
)  # fmt: skip
async def test_what_can_not_be_priced_says_why_and_the_page_stands(client, status, location, why):
    one = data_set("telemetry", **status)
    one["spec"]["location"] = location
    fill(client.app[CONSOLE].world, DataSet=[one])
    assert why in (await got(client, PATH, 404))["detail"]
    page = await client.get("/datasets/team-a/telemetry")
    assert page.status == 200
    assert "Everything in one class" not in await page.text()
