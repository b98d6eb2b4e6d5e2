"""CloudEvents 1.0: built, written as headers and value of a Kafka message, and read back."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from cloudflux.api.event_data import EventData
from cloudflux.api.events import EVENTS, EventType, schema_uri

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
Headers = Sequence[tuple[str, bytes | None]]


class NoCloudEvent(ValueError):
    """A message whose headers are not those of a CloudEvent in the binary mode."""


class Event(NamedTuple):
    """One event, with its data as the JSON bytes that are sent."""

    type: str
    id: str
    source: str
    subject: str
    time: str
    key: str
    """UID of the data set: what keeps its events in order."""
    traceparent: str
    at_ms: int
    """The time again, in milliseconds since 1970."""
    data: bytes

    @property
    def droppable(self) -> bool:
        """Whether it may be dropped when the local log is full."""
        return self.type in _DROPPABLE


_DROPPABLE = frozenset(kind.value for kind, info in EVENTS.items() if info.droppable)
_FIXED: dict[str, list[tuple[str, bytes]]] = {
    kind.value: [
        ("ce_specversion", SPEC_VERSION.encode()),
        ("ce_type", kind.value.encode()),
        ("ce_dataschema", schema_uri(kind).encode()),
        ("ce_severity", info.severity.encode()),
        ("content-type", CONTENT_TYPE.encode()),
    ]
    for kind, info in EVENTS.items()
}


def event_id(uid: str, generation: int, transition: str) -> str:
    """Return the id of a transition: the same for the same one, however often it is told."""
    return f"{uid}:{generation}:{transition}"


def make_event(
    event_type: EventType,
    data: EventData,
    *,
    uid: str,
    generation: int,
    transition: str,
    source: str,
    subject: str,
    time: dt.datetime,
) -> Event:
    """Build an event about the object `uid`; its key is the data set's UID where it has one."""
    text = data.model_dump_json(by_alias=True, exclude_none=True)
    identity = event_id(uid, generation, transition)
    at = time.astimezone(dt.UTC)
    return Event(
        type=event_type.value,
        id=identity,
        source=source,
        subject=subject,
        time=at.isoformat().replace("+00:00", "Z"),
        key=data.data_set_uid or uid,
        traceparent=traceparent(uid, identity),
        at_ms=int(at.timestamp() * 1000),
        data=text.encode(),
    )


def traceparent(uid: str, identity: str) -> str:
    """Return a W3C trace context: one trace for an object, one span for an event of it."""
    return f"00-{_digest(uid, 16)}-{blake2b(identity.encode(), digest_size=8).hexdigest()}-01"


@lru_cache(maxsize=4096)
def _digest(text: str, size_bytes: int) -> str:
    return blake2b(text.encode(), digest_size=size_bytes).hexdigest()


def headers(event: Event) -> list[tuple[str, bytes]]:
    """Return the headers of the binary content mode."""
    return [
        *_FIXED[event.type],
        ("ce_id", event.id.encode()),
        ("ce_time", event.time.encode()),
        ("ce_traceparent", event.traceparent.encode()),
        *_of_object(event.source, event.subject, event.key),
    ]


@lru_cache(maxsize=4096)
def _of_object(source: str, subject: str, key: str) -> list[tuple[str, bytes]]:
    """Headers that all events of an object have in common."""
    return [
        ("ce_source", source.encode()),
        ("ce_subject", subject.encode()),
        ("ce_partitionkey", key.encode()),
    ]


def to_json(event: Event) -> dict[str, Any]:
    """Return the event in the JSON format (structured mode), as the local log holds it."""
    found: dict[str, Any] = {
        "specversion": SPEC_VERSION,
        "id": event.id,
        "type": event.type,
        "source": event.source,
        "subject": event.subject,
        "time": event.time,
        "datacontenttype": CONTENT_TYPE,
        "dataschema": schema_uri(EventType(event.type)),
        "partitionkey": event.key,
        "traceparent": event.traceparent,
        "severity": EVENTS[EventType(event.type)].severity,
        "data": json.loads(event.data),
    }
    return found


def from_message(key: bytes | None, value: bytes | None, given: Headers) -> dict[str, Any]:
    """Read a message of the binary mode into the JSON format.

    Raises NoCloudEvent, and another ValueError when its value is no JSON.
    """
    try:
        known: Mapping[str, str] = {name.lower(): (text or b"").decode() for name, text in given}
        partition_key = (key or b"").decode()
    except UnicodeDecodeError as error:
        raise NoCloudEvent("no CloudEvent: a header or the key is not UTF-8") from error
    missing = {"ce_id", "ce_type", "ce_source", "ce_specversion"} - known.keys()
    if missing:
        raise NoCloudEvent(f"no CloudEvent: the headers {', '.join(sorted(missing))} are missing")
    event: dict[str, Any] = {
        name.removeprefix("ce_"): text for name, text in known.items() if name.startswith("ce_")
    }
    event["datacontenttype"] = known.get("content-type", CONTENT_TYPE)
    event.setdefault("partitionkey", partition_key)
    event["data"] = json.loads(value) if value else None
    return event
