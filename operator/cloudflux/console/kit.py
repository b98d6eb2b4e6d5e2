"""What the endpoints of the HTTP API share: how they are declared, paged, tagged and read."""

import base64
import binascii
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from cloudflux.console.problems import Problem, bad_request
from cloudflux.console.shield import one_value
from cloudflux.console.tidy import clean
from cloudflux.console.views import Bare

PREFIX = "/api/v1"
DEFAULT_LIMIT = 100
MAX_LIMIT = 500

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page(Bare, Generic[T]):
    """A part of a list."""

    items: list[T] = Field(description="The part.")
    next_cursor: str | None = Field(
        default=None, description="Give it as `cursor` for what follows; absent: this is the end."
    )


TEXT = {"type": "string", "maxLength": 1024, "pattern": r"^[^\u0000-\u001f]*$"}
"""Any text without control characters."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value of the query."""

    name: str
    description: str
    schema: dict[str, Any] = field(default_factory=lambda: dict(TEXT))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation: routed, and written into the OpenAPI document, from this one place."""

    method: str
    path: str
    """Below /api/v1."""
    summary: str
    answer: Any
    """Model of a success, or None."""
    handler: Handler
    parameters: tuple[Parameter, ...] = ()
    body: type[BaseModel] | None = None
    status: int = 200


LIMIT = Parameter(
    "limit",
    "How many at most.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
)
CURSOR = Parameter("cursor", "nextCursor of the part before.")
PAGED = (LIMIT, CURSOR)
NAMESPACE = Parameter("namespace", "Only of this namespace.")


def number(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    """Return a number of the query. Raises Problem."""
    text = one_value(request, name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise bad_request(f"{name} is a whole number")
    found = int(text)
    if not least <= found <= most:
        raise bad_request(f"{name} is from {least} to {most}")
    return found


def word(request: web.Request, name: str, allowed: Sequence[str]) -> str:
    """Return a value that is one of some, or nothing. Raises Problem."""
    found = one_value(request, name)
    if found and found not in allowed:
        raise bad_request(f"{name} is one of {', '.join(allowed)}")
    return found


def paged(request: web.Request, items: Sequence[T], key: Callable[[T], str]) -> Page[T]:
    """Return the part that is asked for of a list sorted by its key, which is never repeated.

    The cursor names the last key, so that what comes and goes meanwhile moves nothing.
    """
    limit = number(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    cursor = one_value(request, "cursor")
    start = 0
    if cursor:
        last = read_cursor(cursor)
        start = next((n for n, item in enumerate(items) if key(item) > last), len(items))
    part = list(items[start : start + limit])
    more = start + limit < len(items)
    return Page(items=part, next_cursor=write_cursor(key(part[-1])) if more and part else None)


def write_cursor(text: str) -> str:
    """Return a key as a cursor."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str) -> str:
    """Return the key of a cursor. Raises Problem."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise bad_request("cursor is none that was given: leave it out to begin anew") from error


def give(
    request: web.Request, value: BaseModel | dict[str, Any], status: int = 200
) -> web.Response:
    """Return a value as JSON with an ETag; nothing but the tag if the client has it."""
    if isinstance(value, BaseModel):
        text = value.model_dump_json(by_alias=True, exclude_none=True)
    else:
        text = json.dumps(value, separators=(",", ":"))
    body = clean(text).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    known = [one.strip() for one in request.headers.get("If-None-Match", "").split(",")]
    if status == 200 and (tag in known or "*" in known):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


async def read_body(request: web.Request, model: type[Any]) -> Any:
    """Read the body as a model. Raises Problem."""
    if request.content_type != "application/json":
        raise Problem(415, "not-json", "send the body as application/json")
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise Problem(422, "invalid-body", f"{place}: {first['msg']}") from error
