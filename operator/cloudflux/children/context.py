"""What an operation in a child process is given, and the shape of an operation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cloudflux.api.task import Task


class Context(Protocol):
    """Given to every operation of a child process."""

    state_dir: Path

    def progress(self, value: Task) -> None:
        """Tell the control process how far it is; cheap, rate-limited here, never raises."""
        ...

    def check(self) -> None:
        """Raise Cancelled when asked to stop, FencedOut when another leader took over.

        Call before every write to a store and at least once a second.
        """
        ...

    def stop_point(self, name: str) -> None:
        """A named step at which a test can stop the process; does nothing otherwise."""
        ...


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: the type of its request and the function that serves it."""

    request: type[Task]
    serve: Callable[..., Task]
    gives_way: bool = False
    """Served by threads of their own: a thousand of these must not hold up what is under way."""


Operations = Mapping[str, Operation]
"""By name, for example "mover.copy". Each of cloudflux.work.{mover,ingest,brain} has OPERATIONS."""
