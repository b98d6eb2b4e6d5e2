"""Events and objects for the tests of events/."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudflux.api.event_data import MigrationProgress, MigrationStarted
from cloudflux.api.event_examples import EXAMPLES
from cloudflux.api.events import EventType
from cloudflux.events.envelope import Event, make_event
from cloudflux.events.outbox import SinkError

NOW = dt.datetime(2026, 3, 14, 10, 0, tzinfo=dt.UTC)


def event(n: int, *, key: str = "ds-1", droppable: bool = False) -> Event:
    kind = EventType.MIGRATION_PROGRESS if droppable else EventType.MIGRATION_STARTED
    model = MigrationProgress if droppable else MigrationStarted
    data = model.model_validate({**EXAMPLES[kind], "dataSetUid": key})
    return make_event(
        kind, data, uid=f"job-{n}", generation=1, transition="t", source="/clusters/c",
        subject="n/d", time=NOW + dt.timedelta(seconds=n),
    )  # fmt: skip


@dataclass
class MemorySink:
    """Takes events, as long as it is not broken."""

    taken: list[Event] = field(default_factory=list)
    broken: str = ""
    take_before_failing: int = 0
    closed: bool = False

    async def send(self, events: Sequence[Event]) -> None:
        if self.broken:
            self.taken += events[: self.take_before_failing]
            raise SinkError("broken", self.broken)
        self.taken += events

    async def close(self) -> None:
        self.closed = True

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.taken]


@dataclass
class Thing:
    """An object of the API as the publisher sees it."""

    kind: str
    spec: Any
    status: Any
    uid: str = "u-1"
    namespace: str = "team-a"
    name: str = "thing"
    visited: bool = True
