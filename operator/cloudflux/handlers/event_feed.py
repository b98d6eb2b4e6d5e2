"""The operator's events over HTTP, for a console without Kafka: asked for, and waited for.

`GET /events?after=POSITION&seen=ID&wait=SECONDS` answers with what came after a position; with
nothing to give it waits. The token of a file opens it, so that only who was given that file reads
what happens in all namespaces.
"""

import asyncio
import hmac
from pathlib import Path

from aiohttp import web

from cloudflux.events.feed import EventFeed

MAX_WAIT_SECONDS = 30.0
MAX_EVENTS = 500
MIN_TOKEN_CHARACTERS = 16


class FeedServer:
    """Serves the feed of the operator that leads."""

    def __init__(self, token_file: Path) -> None:
        self.feed: EventFeed | None = None
        """None while this process waits to lead."""
        self._token_file = token_file

    async def events(self, request: web.Request) -> web.Response:
        """Serve GET /events."""
        if not await self._knows(request.headers.get("Authorization", "")):
            return _problem(401, "send the token of CLOUDFLUX_EVENTS_TOKEN_FILE as Bearer")
        if self.feed is None:
            return _problem(503, "this operator waits; the one that leads tells events")
        position, seen = request.query.get("after", "")[:64], request.query.get("seen", "")[:512]
        try:
            seconds = min(float(request.query.get("wait", "0")), MAX_WAIT_SECONDS)
        except ValueError:
            return _problem(400, "wait is a number of seconds")
        await self.feed.wait(position, seconds)
        part = self.feed.after(position, seen, limit=MAX_EVENTS)
        missed = b"true" if part.missed else b"false"
        body = b'{"position":"%s","missed":%s,"events":[%s]}' % (
            part.position.encode(), missed, b",".join(part.lines)
        )  # fmt: skip
        return web.Response(
            body=body, content_type="application/json", headers={"Cache-Control": "no-store"}
        )

    async def _knows(self, header: str) -> bool:
        """Whether the header holds the token; the file is read anew, so that it can be changed."""
        try:
            token = (await asyncio.to_thread(self._token_file.read_text)).strip()
        except (OSError, UnicodeDecodeError):
            return False
        given = header.removeprefix("Bearer ").strip()
        if len(token) < MIN_TOKEN_CHARACTERS or not header.startswith("Bearer "):
            return False
        return hmac.compare_digest(given.encode(), token.encode())


def _problem(status: int, detail: str) -> web.Response:
    headers = {"WWW-Authenticate": 'Bearer realm="cloudflux"'} if status == 401 else None
    return web.json_response(
        {"status": status, "detail": detail}, status=status, headers=headers,
        content_type="application/problem+json",
    )  # fmt: skip
