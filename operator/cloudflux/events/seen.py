"""What events are derived from and what they become: objects with a status, and transitions."""

import datetime as dt
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

from cloudflux.api.common import Condition, ConditionStatus
from cloudflux.api.event_data import EventData
from cloudflux.api.events import EventType
from cloudflux.api.vocabulary import ConditionType

PLURALS = {
    "DataSet": "datasets",
    "TieringPolicy": "tieringpolicies",
    "MigrationJob": "migrationjobs",
}


class Seen(Protocol):
    """An object of the API as it was last read or written."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def namespace(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def uid(self) -> str: ...  # noqa: D102
    @property
    def spec(self) -> Any: ...  # noqa: D102
    @property
    def status(self) -> Any: ...  # noqa: D102
    @property
    def visited(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Transition:
    """One thing that a status says has happened.

    `slot` and `mark` say which: a slot that holds the same mark was told already. `transition`
    is the last part of the event's id.
    """

    type: EventType
    slot: str
    mark: str
    transition: str
    generation: int
    time: dt.datetime
    subject: str
    data: EventData


def source_of(seen: Seen, cluster: str) -> str:
    """Return the `source` attribute of events about an object."""
    return f"/clusters/{cluster}/namespaces/{seen.namespace}/{PLURALS[seen.kind]}/{seen.name}"


def provider_of(uri: str) -> str:
    """Return the kind of storage that a URI names: s3, az, gs or file."""
    return uri.partition("://")[0]


def condition(conditions: list[Condition], kind: ConditionType) -> Condition | None:
    """Return the condition of a type, if it stands and is True."""
    for one in conditions:
        if one.type == kind and one.status is ConditionStatus.TRUE:
            return one
    return None


def word_of(kind: EventType) -> str:
    """Return the short name of a type: `migration.started`."""
    return kind.value.removeprefix("io.cloudflux.").removesuffix(".v1")


def stamp_of(at: dt.datetime) -> str:
    """Return a time as part of an id."""
    return at.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def hash_of(essence: object) -> str:
    """Return what tells one finding from another."""
    return blake2b(repr(essence).encode(), digest_size=8).hexdigest()
