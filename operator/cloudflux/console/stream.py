"""The live stream: Server-Sent Events, resumed where a client was, bounded for each client.

A client that reads too slowly is told (a `gap` of the reason Slow) and dropped; it connects
again by itself and goes on from the ring. The others never wait for it.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiohttp import web

from cloudflux.console.context import Console, console_of, scope_of, viewer_of
from cloudflux.console.filters import FIELDS, EventFilter, parse_filter
from cloudflux.console.hub import Entry, Gap, frame_of
from cloudflux.console.problems import Problem, bad_request, unavailable
from cloudflux.console.who import Scope, Viewer
from cloudflux.handlers.kube import KubeError

MAX_CLIENTS = 50
RETRY_MILLIS = 3000
STATS_SECONDS = 5.0
PING_SECONDS = 15.0
STALLED_SECONDS = 20.0
"""A client that takes nothing for so long is cut off."""
UNBLOCKED_BYTES = 60 * 1024
"""An empty connection takes less than so many bytes without a wait: asyncio's begins at 64 KiB."""
SCOPE_SECONDS = 20.0
"""So often it is asked again whether the client may see what it sees."""
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class Refused(Exception):
    """The viewer may no longer see anything: the stream ends."""


@dataclass(slots=True)
class Reader:
    """One client's place in the hub, and what of it it is given."""

    console: Console
    viewer: Viewer
    scope: Scope
    wanted: EventFilter
    position: int = 0
    scoped_at: float = 0.0

    def too_slow(self) -> Gap | None:
        """Whether what comes next is no longer held: what to tell before it is dropped."""
        missed = self.console.hub.oldest - 1 - self.position
        if missed <= 0:
            return None
        return Gap(
            "Slow",
            f"{missed} events came faster than they were read; connect again to go on from the "
            "newest that are kept",
            missed,
        )

    def take(self, write: Callable[[Entry], bytes] = frame_of) -> bytes:
        """Return what came since and is wanted, and stand after it."""
        hub = self.console.hub
        if self.scope.sees_all and not self.wanted:
            found = hub.joined(self.position, write)
        else:
            who = (self.scope, self.wanted)
            found = hub.joined(self.position, write, gives=self.gives, who=who)
        self.position = hub.last
        return found

    def gives(self, entry: Entry) -> bool:
        """Whether this client gets an entry."""
        if entry.shown is None:
            return True
        return self.scope.sees_event(entry.shown) and self.wanted.matches(entry.shown)

    async def look_again(self) -> None:
        """Ask again what may be seen, now and then. Raises Refused."""
        if time.monotonic() - self.scoped_at < SCOPE_SECONDS:
            return
        self.scoped_at = time.monotonic()
        try:
            viewer = await self.console.gate.identify(self.viewer.token)
            if viewer is None:
                raise Refused("the token is no longer valid: sign in again")
            self.scope = await self.console.scope_of(viewer)
        except KubeError as error:
            raise Refused(f"the API server does not say what you may see: {error}") from error


@contextlib.contextmanager
def admitted(console: Console) -> Iterator[None]:
    """Count a client in and out. Raises Problem when there are enough."""
    if console.clients >= MAX_CLIENTS:
        raise unavailable(
            f"{MAX_CLIENTS} streams are open, which is the most: close one, or ask again",
            retry_after_seconds=10,
        )
    console.clients += 1
    try:
        yield
    finally:
        console.clients -= 1


def wanted_of(request: web.Request) -> EventFilter:
    """Return the filter in the query. Raises Problem."""
    try:
        return parse_filter({name: request.query.getall(name, []) for name in FIELDS})
    except ValueError as error:
        raise bad_request(str(error)) from error


async def events_stream(request: web.Request) -> web.StreamResponse:
    """Serve GET /events/stream. `after` and `seen` stand for the header where none can be set."""
    console = console_of(request)
    reader = Reader(console, viewer_of(request), scope_of(request), wanted_of(request))
    reader.scoped_at = time.monotonic()
    last_id = request.headers.get("Last-Event-ID") or request.query.get("after", "")
    if len(last_id) > 64 or len(request.query.get("seen", "")) > 512:
        raise bad_request("the id to resume from is too long")
    with admitted(console):
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        reader.position, gap = console.hub.resume(last_id, request.query.get("seen", ""))
        hello = {
            "epoch": console.hub.epoch,
            "position": console.hub.identity(reader.position),
            "resumed": bool(last_id) and gap is None,
        }
        head = f"retry: {RETRY_MILLIS}\nevent: hello\ndata: {json.dumps(hello)}\n\n".encode()
        await response.write(head + (gap.frame() if gap else b""))
        try:
            await _serve(reader, request, response)
        except Refused as refused:
            closing = json.dumps({"reason": "Refused", "message": str(refused)})
            with contextlib.suppress(ConnectionError, TimeoutError):
                await _write(request, response, f"event: bye\ndata: {closing}\n\n".encode())
        except ConnectionError:
            pass  # it went away; nobody is there to be told
        return response


async def _serve(reader: Reader, request: web.Request, response: web.StreamResponse) -> None:
    console, hub = reader.console, reader.console.hub
    stats_at = time.monotonic()
    pinged_at = stats_at
    await _write(request, response, _stats(console, reader.scope))
    while True:
        slow = reader.too_slow()
        if slow is not None:
            console.dropped_clients += 1
            await _write(request, response, slow.frame())
            return
        content = reader.take()
        now = time.monotonic()
        if now - stats_at >= STATS_SECONDS:
            stats_at = now
            content += _stats(console, reader.scope)
        if now - pinged_at >= PING_SECONDS:
            pinged_at = now
            content += b": ping\n\n"
        if content:
            await _write(request, response, content)
        await reader.look_again()
        await hub.wait(reader.position)


def _stats(console: Console, scope: Scope) -> bytes:
    return f"event: stats\ndata: {json.dumps(console.stats(scope))}\n\n".encode()


async def _write(request: web.Request, response: web.StreamResponse, content: bytes) -> None:
    """Write; a client that takes nothing is cut off. Raises ConnectionError."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client went away")
    if transport.get_write_buffer_size() == 0 and len(content) < UNBLOCKED_BYTES:
        # no timer where nothing can be waited for: 50 clients write 2,500 times a second.
        # Not empty may be paused still: what was over the limit is waited for until a quarter of it
        await response.write(content)
        return
    try:
        async with asyncio.timeout(STALLED_SECONDS):
            await response.write(content)
    except TimeoutError as error:
        cut_off(console_of(request), transport)
        raise ConnectionResetError("the client took nothing for too long") from error


def cut_off(console: Console, transport: asyncio.BaseTransport) -> None:
    """End the connection of a client that takes nothing."""
    console.dropped_clients += 1
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


def refuse_foreign_origin(request: web.Request) -> None:
    """Refuse what another site's page sent. Raises Problem.

    Browsers say where a request comes from, and a page can't change it: a request that another
    origin made, with the cookie or on the loopback address, is not its user's.
    """
    site = request.headers.get("Sec-Fetch-Site", "")
    origin = request.headers.get("Origin", "")
    host = origin.partition("://")[2]
    if (site and site not in ("same-origin", "none")) or (origin and host != request.host):
        raise Problem(403, "foreign-origin", "the request comes from another site's page")
