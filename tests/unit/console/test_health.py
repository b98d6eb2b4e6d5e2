"""Health is what the parts say of themselves, and says what to do where nothing is known."""

import socket

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.unit.console.conftest import console

from cloudflux.console.collector import collector_check

LAGS = """# HELP cloudflux_access_events_lag Messages behind.
cloudflux_access_events_lag{partition="0",topic="a"} 40.0
cloudflux_access_events_lag{partition="1",topic="a"} 2.0
cloudflux_fleet_events_lag{cluster="x"} 1.0
cloudflux_access_events_lag_other 9.0
"""


@pytest.mark.parametrize(
    ("status", "text", "state", "words"),
    [
        (200, LAGS, "ok", "43 events behind"),
        (200, "something_else 1\n", "failed", "no figures of a collector"),
        (500, LAGS, "failed", "answer with 500"),
    ],
)
async def test_a_collector_is_asked(status, text, state, words):
    async def figures(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    app = web.Application()
    app.router.add_get("/metrics", figures)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    found = await collector_check(console(collector_url=str(server.make_url("/metrics"))))
    assert (found.state, words in found.message) == (state, True), found.message
    await server.close()


async def test_a_collector_that_is_away_has_failed():
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/metrics"
        found = await collector_check(console(collector_url=url))
    assert (found.state, "can't be read" in found.message) == ("failed", True)


async def test_without_its_address_it_is_judged_by_what_it_kept(tmp_path):
    made = console()
    made.settings = made.settings.model_copy(update={"state_dir": tmp_path})
    found = await collector_check(made)
    assert (found.state, "COLLECTOR_URL" in found.message) == ("unknown", True)
    log = tmp_path / "history" / "events" / "_delta_log"
    log.mkdir(parents=True)
    (log / "0.json").write_text("{}")
    assert "it kept something" in (await collector_check(made)).message
