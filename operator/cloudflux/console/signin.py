"""Signing in and out: a token for a cookie that scripts can't read and other sites can't send."""

from aiohttp import web

from cloudflux.console.context import console_of
from cloudflux.console.pages import page
from cloudflux.console.shield import COOKIE, check_csrf
from cloudflux.console.who import SESSION_SECONDS


async def sign_in(request: web.Request) -> web.StreamResponse:
    """Serve POST /login: a session for a token that the API server knows."""
    console = console_of(request)
    if not console.gate.asks_for_token:
        raise web.HTTPSeeOther("/")
    given = (await request.post()).get("token", "")
    token = given.strip() if isinstance(given, str) else ""
    if await console.gate.identify(token) is None:
        problem = "The cluster does not know this token; it may have expired."
        return page(request, "login.html", http_status=401, problem=problem)
    answer = web.HTTPSeeOther("/")
    answer.set_cookie(
        COOKIE,
        console.sessions.open(token),
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="Strict",
        secure=request.headers.get("X-Forwarded-Proto", request.scheme) == "https",
        path="/",
    )
    raise answer


async def sign_out(request: web.Request) -> web.StreamResponse:
    """Serve POST /logout."""
    check_csrf(request, (await request.post()).get("csrf"))
    console_of(request).sessions.close(request.cookies.get(COOKIE, ""))
    answer = web.HTTPSeeOther("/login")
    answer.del_cookie(COOKIE, path="/")
    raise answer
