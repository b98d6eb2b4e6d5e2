"""What stands before every handler: limits, who asks, headers, and errors as answers."""

import hashlib
import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from cloudflux.console.context import CONSOLE, SCOPE, VIEWER, Console, console_of, viewer_of
from cloudflux.console.problems import Problem, answer, bad_request, unavailable
from cloudflux.console.stream import refuse_foreign_origin
from cloudflux.errors import CloudFluxError
from cloudflux.handlers.kube import KubeError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

COOKIE = "cloudflux-session"
MAX_BODY_BYTES = 64 * 1024
PROBED_PATHS = frozenset({"/healthz", "/metrics"})
"""Asked by the pod's address, by nobody in particular; they tell numbers only."""
OPEN_PATHS = frozenset({*PROBED_PATHS, "/login", "/theme", "/api/v1/openapi.json"})
REQUESTS_PER_SECOND = 50.0
BURST_REQUESTS = 200.0
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # without any referrer a browser calls the origin of our own forms `null`
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    "Server": "cloudflux",
}


class Buckets:
    """So many requests a second for each who asks; unused ones are saved up to a burst."""

    def __init__(
        self, rate: float = REQUESTS_PER_SECOND, burst: float = BURST_REQUESTS, limit: int = 4096
    ) -> None:
        self._rate, self._burst, self._limit = rate, burst, limit
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, who: str, now: float) -> float:
        """Take one; returns 0, or how long to wait for the next."""
        left, at = self._left.pop(who, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._left[who] = (left if wait else left - 1, now)
        if len(self._left) > self._limit:
            self._left.popitem(last=False)
        return wait


BUCKETS = web.AppKey("buckets", Buckets)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised into an answer that says what to do; nothing of ours leaks."""
    try:
        return await handler(request)
    except Problem as problem:
        return _tell(request, problem)
    except web.HTTPException as raised:
        if raised.status < 400:
            raise
        detail = {
            404: f"there is no page {request.path}",
            405: f"{request.method} is not possible here",
            413: f"a body has {MAX_BODY_BYTES} bytes at most",
        }.get(raised.status, raised.reason)
        told = _tell(request, Problem(raised.status, "http", detail))
        if "Allow" in raised.headers:
            told.headers["Allow"] = raised.headers["Allow"]
        return told
    except KubeError as error:
        return _tell(request, unavailable(f"the Kubernetes API does not answer: {error}"))
    except CloudFluxError as error:
        return _tell(request, unavailable(str(error)))
    except (ConnectionError, TimeoutError):
        raise
    except Exception:  # noqa: BLE001 - logged; the client learns nothing of our insides
        structlog.get_logger("cloudflux.console").exception(
            "a request failed", operation=f"{request.method} {request.path[:256]}"
        )
        return _tell(request, Problem(500, "failed", "this is our fault; the console's log has it"))


def _tell(request: web.Request, problem: Problem) -> web.Response:
    if wants_page(request):
        # imported here: the pages import this module for what they check
        from cloudflux.console.pages import error_page

        return error_page(request, problem)
    return answer(problem, request.path)


def wants_page(request: web.Request) -> bool:
    """Whether a person with a browser asks, to whom a page is shown."""
    return not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", "")


@web.middleware
async def limits(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse foreign names, other sites' pages, and too many requests."""
    console = console_of(request)
    if request.path not in PROBED_PATHS and not _named_rightly(console, request):
        raise Problem(
            421,
            "foreign-host",
            "this name is not one of the console's: set CLOUDFLUX_CONSOLE__ALLOWED_HOSTS to the "
            "names that browsers use",
        )
    if request.method not in _SAFE:
        refuse_foreign_origin(request)
    if not request.path.startswith("/static/"):
        wait = request.app[BUCKETS].wait_seconds(request.remote or "", time.monotonic())
        if wait:
            raise Problem(
                429, "too-many-requests",
                f"at most {REQUESTS_PER_SECOND:.0f} requests a second are served to one client",
                retry_after_seconds=max(1, round(wait)),
            )  # fmt: skip
    return await handler(request)


def _named_rightly(console: Console, request: web.Request) -> bool:
    """Whether the request names us by a name of ours: a rebound name is another site's page."""
    own = console.settings.console
    if console.gate.asks_for_token and not own.allowed_hosts:
        return True  # who comes needs a token, which a rebound page does not have
    name = request.host.rpartition(":")[0] if _has_port(request.host) else request.host
    name = name.strip("[]").lower()
    if name in ("localhost", *(host.lower() for host in own.allowed_hosts)):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _has_port(host: str) -> bool:
    return ":" in host and not host.endswith("]") and (host.count(":") == 1 or "]" in host)


@web.middleware
async def identity(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who asks and what they may see."""
    console = console_of(request)
    if request.path in OPEN_PATHS or request.path.startswith("/static/"):
        return await handler(request)
    viewer = await console.gate.identify(token_of(request))
    if viewer is None:
        if wants_page(request):
            raise web.HTTPSeeOther("/login")
        raise Problem(
            401, "who-are-you",
            "send a token of the cluster as `Authorization: Bearer …`, as in "
            "`kubectl create token NAME`; browsers sign in at /login",
        )  # fmt: skip
    request[VIEWER] = viewer
    request[SCOPE] = await console.scope_of(viewer)
    return await handler(request)


def token_of(request: web.Request) -> str | None:
    """Return the token of a request: from its header, else of the session in its cookie."""
    console = console_of(request)
    name = console.settings.console.token_header
    given = request.headers.get(name, "")
    if name.lower() == "authorization":
        scheme, _, token = given.partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else ""
    if given:
        return given
    session = request.cookies.get(COOKIE, "")
    return console.sessions.token(session) if session else None


def csrf_token(request: web.Request) -> str:
    """Return what a form of this user's pages must send back."""
    console = console_of(request)
    bound = request.cookies.get(COOKIE, "") + "\0" + viewer_of(request).name
    return hmac.new(console.csrf_key, bound.encode(), hashlib.sha256).hexdigest()


def check_csrf(request: web.Request, given: object) -> None:
    """Refuse a form that is not ours. Raises Problem."""
    if not isinstance(given, str) or not hmac.compare_digest(
        given.encode(), csrf_token(request).encode()
    ):
        raise Problem(403, "stale-form", "the form is too old: load the page again")


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on every answer."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = HEADERS["Server"]
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"


def one_value(request: web.Request, name: str, default: str = "") -> str:
    """Return a query value that may be given once, without control characters."""
    found = request.query.getall(name, [default])
    if len(found) > 1:
        raise bad_request(f"{name} may be given once")
    if len(found[0]) > 1024 or any(ord(c) < 32 for c in found[0]):
        raise bad_request(f"{name} is too long or holds control characters")
    return found[0]


def armed(app: web.Application, console: Console) -> web.Application:
    """Give the application its console and its limits."""
    app[CONSOLE] = console
    app[BUCKETS] = Buckets()
    app.on_response_prepare.append(add_headers)
    return app
