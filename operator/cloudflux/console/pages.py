"""The pages: rendered here, complete without scripts."""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

import cloudflux
from cloudflux.api.display import display_bytes
from cloudflux.console import ages, rows
from cloudflux.console.context import SCOPE, VIEWER, console_of, scope_of
from cloudflux.console.filters import EventFilter
from cloudflux.console.hub import RING_EVENTS
from cloudflux.console.problems import Problem, not_found
from cloudflux.console.shield import csrf_token, one_value
from cloudflux.console.shown import TYPES
from cloudflux.console.stream import wanted_of
from cloudflux.console.theme import THEMES, theme_of
from cloudflux.console.tidy import clean

HERE = Path(__file__).parent
FIRST_ROWS = 100
NAV: tuple[tuple[str, str], ...] = (
    ("/", "Overview"),
    ("/live", "Live"),
    ("/datasets", "Data sets"),
    ("/policies", "Policies"),
    ("/migrations", "Migrations"),
)


@cache
def templates() -> jinja2.Environment:
    """Return the templates: what is put in is escaped, and a missing name is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        ago=lambda text: ages.ago(text, dt.datetime.now(dt.UTC)),
        first_of=lambda values: min(values, default=""),
        size=lambda value: "" if value is None else display_bytes(int(value)),
        amount=lambda value, currency=None: _amount(value, currency),
        count=lambda value: "—" if value is None else f"{int(value):,}",
        spaced=lambda text: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(text)),
        iso=lambda value: "" if value is None else value.isoformat(),
        seconds=lambda value: ages.duration(value),
    )
    return environment


def _amount(value: object, currency: str | None) -> str:
    written = "" if value is None else rows.amount(value)
    return f"{written} {currency or ''}".strip() if written else "—"


def page(
    request: web.Request, name: str, *, http_status: int = 200, current: str = "", **values: Any
) -> web.Response:
    """Return a page."""
    console = console_of(request)
    viewer = request.get(VIEWER)
    scope = request.get(SCOPE)
    shows_source = viewer is not None and scope is not None and scope.sees_all
    text = (
        templates()
        .get_template(name)
        .render(
            nav=NAV,
            current=current,
            viewer=viewer,
            signed=console.gate.asks_for_token,
            csrf=csrf_token(request) if viewer is not None else "",
            source=console.source.state if shows_source else None,
            version=cloudflux.__version__,
            notes=_notes(request),
            writes=console.settings.console.writes,
            theme=theme_of(request),
            themes=THEMES,
            back=request.path_qs if request.method == "GET" else "/",
            **values,
        )
    )
    return web.Response(
        text=clean(text),
        status=http_status,
        content_type="text/html",
        headers={"Cache-Control": "no-store"},
    )


def _notes(request: web.Request) -> list[dict[str, str]]:
    """What a person should know before believing the page."""
    console = console_of(request)
    scope = request.get(SCOPE)
    if scope is None:
        return []
    found = []
    if console.world is None:
        text = "Only events are shown: start the console with --kubeconfig FILE to see data sets."
        found.append({"level": "warning", "title": "No cluster is named.", "text": text})
    elif console.world.problems and scope.sees_all:
        text = sorted(set(console.world.problems.values()))[0]
        title = "What you see may be old: the Kubernetes API is away."
        found.append({"level": "warning", "title": title, "text": text})
    if scope.sees_nothing:
        text = (
            "Ask for the right to list datasets, tieringpolicies or migrationjobs in a namespace."
        )
        found.append({"level": "warning", "title": "You may see no namespace.", "text": text})
    return found


def error_page(request: web.Request, problem: Problem) -> web.Response:
    """Return a problem as a page."""
    body = problem.as_json(request.path)
    answer = page(request, "error.html", http_status=problem.status, problem=body)
    answer.headers.update(problem.headers)
    return answer


async def live(request: web.Request) -> web.Response:
    """Serve /live: the newest events as a table, which the script goes on with."""
    console, scope, chosen = console_of(request), scope_of(request), wanted_of(request)
    found = [
        entry
        for entry in console.hub.recent(RING_EVENTS)
        if entry.shown is None or (scope.sees_event(entry.shown) and chosen.matches(entry.shown))
    ]
    newest = found[-1].shown if found and found[-1].shown else None
    return page(
        request, "live.html", current="/live",
        rows=[rows.row_of(entry) for entry in reversed(found[-FIRST_ROWS:])],
        chosen=chosen,
        families=_families(),
        providers=rows.PROVIDERS,
        namespaces=_known(found, "namespace", chosen),
        data_sets=_known(found, "data_set", chosen),
        position=console.hub.identity(console.hub.last),
        seen=newest.id if newest else "",
        held=console.hub.last - console.hub.oldest + 1,
        ring=RING_EVENTS,
        simulator=console.settings.console.simulator,
    )  # fmt: skip


def _families() -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for one in TYPES:
        found.setdefault(one.partition(".")[0], []).append(one)
    return list(found.items())


def _known(entries: Iterable[Any], name: str, chosen: EventFilter) -> list[str]:
    found = {getattr(entry.shown, name) for entry in entries if entry.shown}
    chosen_ones = chosen.namespaces if name == "namespace" else chosen.data_sets
    return sorted((found | chosen_ones) - {""})[:200]


async def event(request: web.Request) -> web.Response:
    """Serve /events?id=…: one event, whole."""
    wanted = one_value(request, "id")
    shown = console_of(request).hub.find(wanted)
    if shown is None or not scope_of(request).sees_event(shown):
        raise not_found("the event (the newest 1,000 are kept)")
    return page(
        request, "event.html", current="/live", row=rows.event_row(shown),
        whole=json.dumps(shown.event, indent=2, ensure_ascii=False),
        command=rows.command_for(shown),
    )  # fmt: skip


async def login(request: web.Request) -> web.Response:
    """Serve /login."""
    if not console_of(request).gate.asks_for_token:
        raise web.HTTPSeeOther("/")
    return page(request, "login.html", problem="")


async def static(request: web.Request) -> web.StreamResponse:
    """Serve a file of the page: those that are there by name, and no path."""
    name = request.match_info["name"]
    known = files()
    if name not in known:
        raise not_found(f"/static/{name}")
    body, kind, tag = known[name]
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    return web.Response(
        body=body,
        headers={"Content-Type": kind, "ETag": tag, "Cache-Control": "no-cache"},
    )


_KINDS = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def files() -> dict[str, tuple[bytes, str, str]]:
    """Content, type and tag of each file of the page, by name."""
    found = {}
    for path in sorted((HERE / "static").iterdir()):
        body = path.read_bytes()
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        found[path.name] = (body, _KINDS[path.suffix], tag)
    return found
