"""The choice of colours: remembered, rendered without a script, and no way to another site."""

import pytest

from cloudflux.console.theme import COOKIE, place_of

HTML = {"Accept": "text/html"}


async def test_what_was_chosen_is_remembered_and_rendered(client):
    assert "data-theme" not in await (await client.get("/", headers=HTML)).text()
    for theme in ("dark", "light"):
        given = {"theme": theme, "back": "/live?type=policy"}
        answer = await client.post("/theme", data=given, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/live?type=policy")
        cookie = answer.headers["Set-Cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Max-Age"))
        page = await (await client.get("/datasets", headers=HTML)).text()
        assert f'<html lang="en" data-theme="{theme}">' in page
        assert f'value="{theme}" aria-pressed="true"' in page
    await client.post("/theme", data={"theme": "system"})
    assert "data-theme" not in await (await client.get("/", headers=HTML)).text()


async def test_what_is_no_theme_is_refused_and_a_strange_cookie_is_none(client):
    assert (await client.post("/theme", data={"theme": "x"})).status == 400
    assert (await client.post("/theme")).status == 400
    evil = {"theme": "dark"}
    assert (await client.post("/theme", data=evil, headers={"Origin": "https://x"})).status == 403
    page = await client.get("/", headers={**HTML, "Cookie": f'{COOKIE}="><script>'})
    assert "<script>" not in await page.text()


@pytest.mark.parametrize(
    ("back", "place"),
    [
        ("/live?q=a%20b", "/live?q=a%20b"),
        ("", "/"),
        ("live", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("/" + "a" * 3000, "/"),
    ],
)
def test_it_leads_back_to_a_page_of_ours_only(back, place):
    assert place_of(back) == place
