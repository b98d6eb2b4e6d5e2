"""An event as the console shows it: the CloudEvent, and what it is found and judged by."""

import json
from typing import Any, NamedTuple

from cloudflux.api.events import EVENTS, EventType
from cloudflux.console.tidy import clean

PREFIX = "io.cloudflux."
MAX_EVENT_BYTES = 256 * 1024
"""A larger event is refused: one message must not fill a client's queue."""


class Shown(NamedTuple):
    """One event with what filters and rights look at."""

    id: str
    type: str
    """Without the prefix and the version: migration.started."""
    severity: str
    time: str
    namespace: str
    data_set: str
    plural: str
    """The kind of object that it is about, as the API addresses it."""
    provider: str
    text: str
    """What a search looks at, in small letters."""
    event: dict[str, Any]
    body: bytes
    """The event as JSON."""


def show(event: dict[str, Any]) -> Shown:
    """Read a CloudEvent in its JSON form. Raises ValueError when it is none, or too large."""
    for name in ("id", "type", "source"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise ValueError(f"no CloudEvent: {name} is missing")
    # a line separator of Unicode would be harmless in JSON, but not to every reader of lines
    text = json.dumps(event, separators=(",", ":"))
    cleaned = clean(text)
    if cleaned != text:
        event = json.loads(cleaned)
    body = cleaned.encode()
    if len(body) > MAX_EVENT_BYTES:
        raise ValueError(f"the event has {len(body)} bytes; at most {MAX_EVENT_BYTES} are shown")
    data = event.get("data") if isinstance(event.get("data"), dict) else {}
    assert isinstance(data, dict)  # noqa: S101 - for the type checker; the line above made it so
    namespace, plural = _place(event["source"])
    return Shown(
        id=event["id"],
        type=short_type(event["type"]),
        severity=_severity(event),
        time=_word(event.get("time")),
        namespace=namespace or _word(data.get("namespace")),
        data_set=_word(data.get("dataSet")),
        plural=plural,
        provider=_word(data.get("provider")),
        text=body.decode().lower(),
        event=event,
        body=body,
    )


def short_type(full: str) -> str:
    """Return a type without what all of ours share."""
    if not full.startswith(PREFIX):
        return full
    return full.removeprefix(PREFIX).removesuffix(".v1")


TYPES = tuple(short_type(one.value) for one in EventType)
"""The types that a filter offers."""


def _place(source: str) -> tuple[str, str]:
    """Namespace and plural of `/clusters/c/namespaces/n/plural/name`; empty where it differs."""
    parts = source.split("/")
    if len(parts) >= 7 and parts[3] == "namespaces":
        return parts[4], parts[5]
    return "", ""


def _severity(event: dict[str, Any]) -> str:
    given = event.get("severity")
    if given in ("info", "warning", "error"):
        return str(given)
    try:
        return EVENTS[EventType(event["type"])].severity
    except ValueError:
        return "info"


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
