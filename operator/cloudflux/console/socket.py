"""The same stream over a WebSocket: JSON messages, a subscription that can be changed, resume.

A client sends `{"subscribe": {"type": […], "namespace": […], …}, "after": "epoch-number"}`, both
optional, at any time, and `{"ping": …}`, answered with `{"pong": …}`.
"""

import asyncio
import contextlib
import json
import struct
import time
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from cloudflux.console.context import console_of, scope_of, viewer_of
from cloudflux.console.filters import FIELDS, parse_filter
from cloudflux.console.hub import Entry, Hub
from cloudflux.console.stream import (
    STALLED_SECONDS,
    STATS_SECONDS,
    UNBLOCKED_BYTES,
    Reader,
    Refused,
    admitted,
    cut_off,
    refuse_foreign_origin,
    wanted_of,
)

MAX_MESSAGE_BYTES = 16 * 1024
HEARTBEAT_SECONDS = 15.0


async def websocket(request: web.Request) -> web.StreamResponse:
    """Serve /ws/stream."""
    refuse_foreign_origin(request)  # browsers open sockets to any site, with its cookies
    console = console_of(request)
    reader = Reader(console, viewer_of(request), scope_of(request), wanted_of(request))
    reader.scoped_at = time.monotonic()
    with admitted(console):
        # no compression: it would cost 50 clients as many compressors
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_SECONDS, max_msg_size=MAX_MESSAGE_BYTES, compress=False
        )
        await socket.prepare(request)
        reader.position, gap = console.hub.resume(
            request.query.get("after", "")[:64], request.query.get("seen", "")[:512]
        )
        await socket.send_json({"type": "hello", "epoch": console.hub.epoch})
        if gap is not None:
            await socket.send_json({"type": "gap", **gap.as_json()})
        sending = asyncio.create_task(_send(request, reader, socket))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await _hear(reader, socket, message.data)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        return socket


async def _hear(reader: Reader, socket: web.WebSocketResponse, text: str) -> None:
    try:
        asked = json.loads(text)
        if not isinstance(asked, dict):
            raise ValueError("a message is a JSON object")
        if "ping" in asked:
            await socket.send_json({"type": "pong", "pong": asked["ping"]})
        if "subscribe" in asked:
            reader.wanted = parse_filter(_values(asked["subscribe"]))
            await socket.send_json({"type": "subscribed", "filter": reader.wanted.query()})
        if "after" in asked:
            reader.position, gap = reader.console.hub.resume(str(asked["after"])[:64])
            if gap is not None:
                await socket.send_json({"type": "gap", **gap.as_json()})
    except (ValueError, RecursionError) as error:
        await socket.send_json({"type": "error", "message": str(error)[:512]})


def _values(given: Any) -> dict[str, list[str]]:
    if not isinstance(given, dict) or not set(given) <= set(FIELDS):
        raise ValueError(f"subscribe takes {', '.join(FIELDS)}")
    return {
        name: [str(one) for one in (value if isinstance(value, list) else [value])]
        for name, value in given.items()
    }


async def _send(request: web.Request, reader: Reader, socket: web.WebSocketResponse) -> None:
    console, hub = reader.console, reader.console.hub
    stats_at = 0.0
    with contextlib.suppress(ConnectionError):
        while not socket.closed:
            slow = reader.too_slow()
            if slow is not None:
                console.dropped_clients += 1
                await _put(request, hub, text_frame({"type": "gap", **slow.as_json()}))
                await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too slow")
                return
            content = reader.take(_frame)
            if time.monotonic() - stats_at >= STATS_SECONDS:
                stats_at = time.monotonic()
                content += text_frame({"type": "stats", **console.stats(reader.scope)})
            if content:
                await _put(request, hub, content)
            try:
                await reader.look_again()
            except Refused as refused:
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=str(refused).encode())
                return
            await hub.wait(reader.position)


def text_frame(message: dict[str, Any] | bytes) -> bytes:
    """Return a message as a frame of a server (RFC 6455, section 5.2: final, text, no mask)."""
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


def _frame(entry: Entry) -> bytes:
    """Return an entry as a frame."""
    if entry.shown is None:
        assert entry.gap is not None  # noqa: S101 - one of the two is there
        return text_frame({"type": "gap", **entry.gap.as_json()})
    head = b'{"type":"event","id":"%s","event":' % entry.identity.encode()
    return text_frame(head + entry.shown.body + b"}")


async def _put(request: web.Request, hub: Hub, content: bytes) -> None:
    """Write whole frames, made once for all; a client that takes nothing is cut off.

    Raises ConnectionError.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client went away")
    transport.write(content)
    deadline = time.monotonic() + STALLED_SECONDS
    while transport.get_write_buffer_size() > UNBLOCKED_BYTES:
        if time.monotonic() > deadline:
            cut_off(console_of(request), transport)
            raise ConnectionResetError("the client took nothing for too long")
        await hub.turn()
