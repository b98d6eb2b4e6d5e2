"""Light, dark or as the system is: kept in a cookie and rendered here, without a script."""

from aiohttp import web

from cloudflux.console.problems import bad_request

COOKIE = "cloudflux-theme"
THEMES = ("system", "light", "dark")
YEAR_SECONDS = 365 * 86_400
MAX_PLACE = 2048


def theme_of(request: web.Request) -> str:
    """Return what was chosen."""
    found = request.cookies.get(COOKIE, "")
    return found if found in THEMES else THEMES[0]


async def choose(request: web.Request) -> web.StreamResponse:
    """Serve POST /theme: remember the choice, and go back to the page."""
    given = await request.post()
    theme = given.get("theme")
    if theme not in THEMES:
        raise bad_request(f"theme is one of {', '.join(THEMES)}")
    answer = web.HTTPSeeOther(place_of(str(given.get("back", ""))))
    answer.set_cookie(
        COOKIE, str(theme), max_age=YEAR_SECONDS, httponly=True, samesite="Strict",
        secure=request.headers.get("X-Forwarded-Proto", request.scheme) == "https",
    )  # fmt: skip
    raise answer


def place_of(back: str) -> str:
    """Return a place of ours; what leads elsewhere becomes the overview."""
    usable = len(back) <= MAX_PLACE and back.isprintable() and "\\" not in back
    return back if usable and back.startswith("/") and not back.startswith("//") else "/"
