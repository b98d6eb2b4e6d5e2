"""Tokens by client credentials: kept while they live, refused where they would leak."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cloudflux.errors import ConfigurationError
from cloudflux.events.outbox import SinkError
from cloudflux.events.tokens import EndpointToken
from cloudflux.settings import KafkaSettings


@asynccontextmanager
async def endpoint(give: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """Serve a token endpoint."""
    app = web.Application()
    app.router.add_post("/token", give)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    finally:
        await runner.cleanup()


def settings(path: Path, url: str) -> KafkaSettings:
    (path / "secret").write_text("s3cret")
    return KafkaSettings(
        brokers="b:1", token_url=url, client_id="me", client_secret_file=path / "secret",
        token_scope="kafka",
    )  # fmt: skip


async def test_a_token_is_used_for_four_fifths_of_its_life(tmp_path: Path) -> None:
    now, given = [100.0], []

    async def give(request: web.Request) -> web.Response:
        given.append((await request.post())["scope"])
        return web.json_response({"access_token": f"t{len(given)}", "expires_in": 100})

    async with endpoint(give) as url:
        provider = EndpointToken(settings(tmp_path, url), clock=lambda: now[0])
        seen = []
        for at in (100, 179, 181, 260, 262):
            now[0] = at
            seen.append(await provider.token())
    assert seen == ["t1", "t1", "t2", "t2", "t3"]
    assert given == ["kafka"] * 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 401, "text": "no: s3cret"}, "status 401; check the client id"),
        ({"status": 302, "headers": {"Location": "http://elsewhere/"}}, "status 302"),
        ({"text": "<html>"}, "no JSON"),
        ({"text": "[]"}, "without an access_token"),
        ({"text": '{"access_token": 7}'}, "without an access_token"),
    ],
)
async def test_an_endpoint_that_gives_none_is_named_without_its_answer(
    tmp_path: Path, answer: dict[str, Any], words: str
) -> None:
    async def give(request: web.Request) -> web.Response:
        return web.Response(**answer)

    async with endpoint(give) as url:
        with pytest.raises(SinkError, match=words) as failed:
            await EndpointToken(settings(tmp_path, url)).token()
    assert failed.value.reason == "CredentialsInvalid"
    assert url in str(failed.value)
    assert "s3cret" not in str(failed.value)


async def test_an_endpoint_that_is_away_is_said(tmp_path: Path) -> None:
    async def give(request: web.Request) -> web.Response:
        return web.Response()

    async with endpoint(give) as url:
        pass  # and now it is gone
    with pytest.raises(SinkError, match="does not answer") as failed:
        await EndpointToken(settings(tmp_path, url)).token()
    assert failed.value.reason == "EndpointUnreachable"


@pytest.mark.parametrize(
    "url", ["http://idp.example/token", "ftp://127.0.0.1/x", "https://", "https://a:b@idp/token"]
)
def test_a_secret_is_never_sent_in_the_clear(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="TOKEN_URL"):
        EndpointToken(settings(tmp_path, url))
