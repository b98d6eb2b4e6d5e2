"""Every query of every panel, asked of a Prometheus that scraped an operator at work."""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator_rig import World, fill, manifest, operating, wait_for

from cloudflux_dev import dashboards, parts
from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.ports import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]
WITHOUT_KAFKA = "there are series only where Kafka is configured"
EMPTY = {
    "cloudflux_resources_not_ready": "everything is ready in a healthy run",
    "cloudflux_migration_progress_ratio": "the moves of the run are over",
    "offset 7d": "the run is minutes old",
    "cloudflux_events_produced": WITHOUT_KAFKA,
    "cloudflux_events_failures": WITHOUT_KAFKA,
    "cloudflux_events_dropped": WITHOUT_KAFKA,
    "cloudflux_outbox": WITHOUT_KAFKA,
}
"""What a query may hold that has no data here, and why."""
VARIABLES = {
    "$__rate_interval": "30s", "$__range": "1h", "$job": ".*", "$namespace": ".*", "$dataset": ".*",
}  # fmt: skip


@pytest.fixture(scope="module")
def prometheus(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An operator that listed, decided and moved, and the Prometheus that watched it."""
    if missing := parts.why_system_missing("prometheus"):
        pytest.skip(missing)
    directory, port = tmp_path_factory.mktemp("dashboards"), free_port()
    with operating(control_plane, "dashboards", directory, probe_port=port) as world:
        server, address = start(directory, port)
        try:
            # what happens before the first scrape is no increase of anything
            wait_for("the first scrape", lambda: scraped(address))
            work(world, directory)
            yield address
        finally:
            server.terminate()
            server.wait(timeout=30)


def start(directory: Path, target: int) -> tuple[subprocess.Popen[bytes], str]:
    scrape = {
        "job_name": "cloudflux",
        "scrape_interval": "1s",
        "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
    }
    configuration = directory / "prometheus.yaml"
    configuration.write_text(json.dumps({"scrape_configs": [scrape]}))
    port = free_port()
    with (directory / "prometheus.log").open("wb") as log:
        server = subprocess.Popen(
            ["prometheus", f"--config.file={configuration}",
             f"--storage.tsdb.path={directory / 'series'}",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    return server, f"http://127.0.0.1:{port}"


def work(world: World, directory: Path) -> None:
    source, target = directory / "source", directory / "target"
    target.mkdir()
    fill(source, 20)
    policy = {"mode": "Recommend", "tiers": [{"name": "Hot", "fileRoot": source.as_uri()}]}
    world.api.create(manifest("TieringPolicy", world.namespace, "tiers", policy))
    sources = [{"type": "FileAtime"}]
    world.data_set("books", source.as_uri(), writers="Quiesced", access={"sources": sources})
    world.wait_ready("books")
    world.job("move", "books", {"location": {"uri": target.as_uri()}})
    world.wait_condition("migrationjobs", "move", "Succeeded", "True")
    wait_for("a forecast", lambda: world.status("datasets", "books").get("forecast"))


def scraped(address: str) -> Any:
    try:
        return ask(address, "up == 1")
    except OSError:
        return None  # it does not listen yet


def ask(address: str, expression: str) -> Any:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    query = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"{address}/api/v1/query?{query}", timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def test_every_query_of_every_panel_has_data(prometheus: str) -> None:
    wanted = dashboards.queries()
    deadline = time.monotonic() + 60
    while True:
        empty = [one for one in wanted if not ask(prometheus, one.expression)]
        unexplained = [one for one in empty if not any(word in one.expression for word in EMPTY)]
        if not unexplained or time.monotonic() > deadline:
            break
        time.sleep(1)
    assert unexplained == []
    assert len(wanted) - len(empty) > 35


def test_every_exception_is_needed(prometheus: str) -> None:
    expressions = [one.expression for one in dashboards.queries()]
    for word in EMPTY:
        assert [one for one in expressions if word in one], word


def test_the_run_shows_what_was_moved(prometheus: str) -> None:
    def moved() -> Any:
        found = ask(prometheus, 'cloudflux_migration_objects_total{stage="verified"}')
        return sum(float(one["value"][1]) for one in found) == 20

    wait_for("twenty objects", moved, 30)
    ended = 'cloudflux_migrations_total{result="completed"} == 1'
    wait_for("the end of the move", lambda: ask(prometheus, ended), 30)
    names = {one["metric"]["dataset"] for one in ask(prometheus, "cloudflux_dataset_bytes")}
    assert names == {"books"}
    assert re.fullmatch(
        r"\d+\.\d+.*", ask(prometheus, "cloudflux_build_info")[0]["metric"]["version"]
    )
