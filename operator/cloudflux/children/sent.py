"""Requests to storage servers, counted where they are sent and told to the control process.

Each answer and each word of progress of a child carries what was counted since the last one.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cloudflux.errors import (
    ContainerNotFound,
    ObjectNotFound,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Throttled,
    Unavailable,
)

Sent = tuple[str, str, str]
"""Backend, the provider's name of the operation, and how it ended."""
RESULTS = (
    "ok",
    "not_found",
    "precondition",
    "denied",
    "throttled",
    "quota",
    "unavailable",
    "error",
)
_BY_ERROR: Sequence[tuple[type[StorageError], str]] = (
    (ObjectNotFound, "not_found"),
    (ContainerNotFound, "not_found"),
    (PreconditionFailed, "precondition"),
    (PermissionDenied, "denied"),
    (Throttled, "throttled"),
    (QuotaExceeded, "quota"),
    (Unavailable, "unavailable"),
)
MAX_KINDS = 500
"""More than all providers' operations together: a bound against a mistake."""


class SentRequests:
    """Counts of one process; safe to use from its threads."""

    def __init__(self) -> None:
        self._counts: Counter[Sent] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def counted(self, backend: str, operation: str) -> Iterator[None]:
        """Count one request, by how it ends; every attempt of a repeated one counts."""
        result = "error"
        try:
            yield
            result = "ok"
        except StorageError as error:
            result = next((word for kind, word in _BY_ERROR if isinstance(error, kind)), "error")
            raise
        finally:
            with self._lock:
                self._counts[backend, operation, result] += 1

    def take(self) -> list[list[Any]]:
        """Return what was counted since the last time, as it crosses the pipe."""
        with self._lock:
            found, self._counts = self._counts, Counter()
        return [[*kind, count] for kind, count in found.items()]


def add_sent(counts: Counter[Sent], told: Sequence[Sequence[Any]]) -> None:
    """Add what a child told. Raises ValueError when it is not understood."""
    for backend, operation, result, count in told:
        if result not in RESULTS:
            raise ValueError(f"{result} is no result of a request")
        kind = (str(backend), str(operation), str(result))
        if kind in counts or len(counts) < MAX_KINDS:
            counts[kind] += int(count)


SENT = SentRequests()
"""Those of this process."""
