"""Events that are older than the newest 1,000: out of the history that a collector keeps."""

import asyncio
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from cloudflux.api.events import EventType
from cloudflux.console import ages, answers
from cloudflux.console.context import console_of, scope_of
from cloudflux.console.kit import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    NAMESPACE,
    PAGED,
    Endpoint,
    Page,
    Parameter,
    give,
    number,
    read_cursor,
    word,
    write_cursor,
)
from cloudflux.console.past import DIRECTORY, MAX_DAYS
from cloudflux.console.problems import bad_request, unavailable
from cloudflux.console.shield import one_value
from cloudflux.console.shown import TYPES, short_type
from cloudflux.console.who import PLURALS, Scope

if TYPE_CHECKING:
    from cloudflux.access.history import PastEvent, Wanted

SAME_MOMENT_EVENTS = 2000
"""So many may bear one time, and a part still goes on where the one before ended."""


async def past_events(request: web.Request) -> web.Response:
    """List what a collector kept, the newest first."""
    from cloudflux.access.history import Wanted

    console = console_of(request)
    directory = console.settings.state_dir
    if not (directory / DIRECTORY).is_dir():
        raise unavailable(
            "older events are in the history that a collector keeps, which is not at hand: start "
            "the console with --state-dir on it",
            retry_after_seconds=None,
        )
    limit = number(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    days = number(request, "days", 7, 1, MAX_DAYS)
    kind, progress = word(request, "type", TYPES), word(request, "progress", ("true", "false"))
    now = dt.datetime.now(dt.UTC)
    last = _read(one_value(request, "cursor"))
    until = now + dt.timedelta(hours=1) if last is None else last[0] + dt.timedelta(microseconds=1)
    seen = _namespaces(scope_of(request), one_value(request, "namespace"))
    if seen == ():
        return give(request, Page[answers.PastEventAnswer](items=[]))
    wanted = Wanted(console.settings.cluster, seen, one_value(request, "dataset") or None)
    since = now - dt.timedelta(days)
    try:
        found = await asyncio.to_thread(
            _find, directory, wanted, since, until, kind, progress == "true", limit
        )
    except OSError as error:
        raise unavailable(f"the collector's history can't be read: {error}") from error
    rest = [one for one in found if last is None or _key(one) > _key_of(*last)]
    part = rest[:limit]
    following = None
    if len(rest) > limit:
        following = write_cursor(f"{part[-1].at.isoformat()}|{part[-1].id}")
    items = [_answer(one) for one in part]
    return give(request, Page[answers.PastEventAnswer](items=items, next_cursor=following))


def _find(
    directory: Path, wanted: "Wanted", since: dt.datetime, until: dt.datetime, kind: str,
    progress: bool, limit: int,
) -> "list[PastEvent]":  # fmt: skip
    from cloudflux.access.history import open_history

    types = [one.value for one in EventType if short_type(one.value) == kind]
    found = open_history(directory).events(
        wanted, since, until, types=types, progress=progress, limit=limit + SAME_MOMENT_EVENTS
    )
    return sorted(found, key=_key)


def _key(one: "PastEvent") -> tuple[float, str]:
    return _key_of(one.at, one.id)


def _key_of(at: dt.datetime, event_id: str) -> tuple[float, str]:
    """The newest first; of one moment by id, so that a part goes on where the other ended."""
    return -at.timestamp(), event_id


def _read(cursor: str) -> tuple[dt.datetime, str] | None:
    if not cursor:
        return None
    moment, _, event_id = read_cursor(cursor).partition("|")
    at = ages.parse(moment)
    if at is None:
        raise bad_request("cursor is none that was given: leave it out to begin anew")
    return at, event_id


def _namespaces(scope: Scope, namespace: str) -> tuple[str, ...] | None:
    """Namespaces of which all kinds may be seen: an event kept names no kind. None: all."""
    if scope.sees_all:
        return (namespace,) if namespace else None
    known = {name for name, _ in scope.within}
    seen = {name for name in known if all(scope.sees(name, plural) for plural in PLURALS)}
    return tuple(sorted(seen & {namespace} if namespace else seen))


def _answer(one: "PastEvent") -> answers.PastEventAnswer:
    return answers.PastEventAnswer(
        id=one.id, time=one.at, type=short_type(one.type), severity=one.severity,
        namespace=one.namespace, data_set=one.data_set or None, policy=one.policy or None,
        job=one.job or None, reason=one.reason or None, data=dict(one.data),
    )  # fmt: skip


_FLAG = {"type": "string", "enum": ["true", "false"]}
ENDPOINTS = (
    Endpoint(
        "GET", "/events/history", "Events that a collector kept, the newest first.",
        Page[answers.PastEventAnswer], past_events,
        (
            NAMESPACE,
            Parameter("dataset", "Only of this data set."),
            Parameter("type", "Only of this type.", {"type": "string", "enum": list(TYPES)}),
            Parameter("progress", "true: also how jobs went on.", _FLAG),
            Parameter("days", "So many days back; 7 without it.",
                      {"type": "integer", "minimum": 1, "maximum": MAX_DAYS}),
            *PAGED,
        ),
    ),
)  # fmt: skip
