"""The committed dashboards are what the code makes; every panel says what it shows and in what."""

import json
import re
from typing import Any

import pytest

from cloudflux.api.metrics import METRICS, MetricKind
from cloudflux_dev import dashboards

FILES = dashboards.files()


def panels() -> list[Any]:
    return [panel for text in FILES.values() for panel in json.loads(text)["panels"]]


@pytest.mark.parametrize("path", list(FILES), ids=lambda path: path.stem)
def test_committed_is_what_the_code_makes(path: Any) -> None:
    assert path.read_text() == FILES[path], "run `make crds` and commit the result"
    assert json.loads(FILES[path])["uid"] == path.stem


def test_no_dashboard_is_left_over() -> None:
    assert set(dashboards.DIRECTORY.glob("*")) == set(FILES)


def test_every_panel_has_unit_description_and_a_chosen_source() -> None:
    assert len(panels()) > 30
    for panel in panels():
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        for query in panel["targets"]:
            assert query["datasource"]["uid"] == "${datasource}"


def test_queries_name_metrics_that_exist_and_the_job() -> None:
    known = set(METRICS) | {
        f"{name}_bucket" for name, info in METRICS.items() if info.kind is MetricKind.HISTOGRAM
    }
    for query in dashboards.queries():
        used = re.findall(r"cloudflux_\w+", query.expression)
        assert set(used) <= known, query
        assert 'job=~"$job"' in query.expression, query
        assert "@" not in query.expression, query
        assert not re.search(r"rate\([^[]*\[(?!\$__rate_interval)", query.expression), query
