"""Where events come from: one interface, and the state that a source is in."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class SourceState:
    """What a source says of itself, in words."""

    kind: str
    """Kafka, Operator or Kubernetes."""
    connected: bool = False
    message: str = "connecting"


class EventSource(Protocol):
    """Puts events into the hub until it is cancelled; connects again by itself, without end."""

    @property
    def state(self) -> SourceState:
        """How it is."""
        ...

    async def run(self) -> None:
        """Follow the source. Never raises for what the other side does."""
        ...
