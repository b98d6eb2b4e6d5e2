"""One call of a mover operation: the request, the context, the opened stores and the files."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from cloudflux.api.tasks import JobTask, StoreRef
from cloudflux.children.context import Context
from cloudflux.migration.files import JobFiles
from cloudflux.migration.memory import Memory
from cloudflux.migration.proof import Origin
from cloudflux.storage.interface import Store

WAIT_SLICE_SECONDS = 0.2


class Opener(Protocol):
    """Opens the store of a location; storage.registry.open_store is one."""

    def __call__(self, ref: StoreRef, *, tier_roots: tuple[str, ...] = ()) -> Store:
        """Open it without a request."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """Given to every part of the mover."""

    context: Context
    source: Store
    target: Store
    """The same object as `source` for changes in place."""
    files: JobFiles
    limiter: "Limiter"
    monotonic: Callable[[], float] = time.monotonic
    memory: Memory = field(default_factory=Memory)
    origin: Origin = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", Origin(self.source.capabilities))

    def wait(self, seconds: float) -> None:
        """Wait, and stop waiting when asked to."""
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:
            self.context.check()
            time.sleep(min(left, WAIT_SLICE_SECONDS))
        self.context.check()


def in_place(request: JobTask) -> bool:
    """Say whether the objects change their class and keep their location."""
    return request.target_class is not None or request.target_root is not None


@contextmanager
def open_session(request: JobTask, context: Context, opener: Opener) -> Iterator[Session]:
    """Open what a request needs, and close it at the end."""
    roots = request.tier_roots
    if request.target_root is not None and request.target_root not in roots:
        roots = (*roots, request.target_root)
    source = opener(request.source, tier_roots=roots)
    target = source if in_place(request) else opener(request.target)
    files = JobFiles(context.state_dir, request.job_uid)
    try:
        yield Session(context, source, target, files, Limiter(request.bandwidth_bytes_per_second))
    finally:
        source.close()
        if target is not source:
            target.close()


class Limiter:
    """Shares a bandwidth between threads; None means no limit."""

    def __init__(self, bytes_per_second: int | None) -> None:
        self._rate = bytes_per_second
        self._free_at = time.monotonic()
        self._lock = threading.Lock()

    def delay_seconds(self, size_bytes: int) -> float:
        """Book so many bytes, and say how long to wait for them."""
        if self._rate is None:
            return 0.0
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size_bytes / self._rate
            return self._free_at - now
