"""Counting what was done, from several threads, and telling it."""

import threading
import time

from cloudflux.api.move_tasks import CopyProgress, CopyResult, ObjectFailure
from cloudflux.children.context import Context
from cloudflux.errors import CloudFluxError
from cloudflux.migration.planned import PlannedObject
from cloudflux.storage.keys import encode_key

NAMED_FAILURES = 10
"""So many failures are named, and so many stop a step."""
TOLD_SECONDS = 0.1
"""Progress is told no more often than this: making it up takes as long as a small request."""


class Tally:
    """Counts of one step."""

    def __init__(self, context: Context, objects_total: int = 0, bytes_total: int = 0) -> None:
        self._context, self._lock = context, threading.Lock()
        self.objects_total, self.bytes_total = objects_total, bytes_total
        self.objects_done = self.bytes_done = self.objects_skipped = self.objects_failed = 0
        self.failures: list[ObjectFailure] = []
        self.archived: list[PlannedObject] = []
        """Objects that must be restored before they can be moved."""
        self._told_at = 0.0

    def done(self, size_bytes: int) -> None:
        """Count an object as done."""
        with self._lock:
            self.objects_done += 1
            self.bytes_done += size_bytes
            now = time.monotonic()
            if now - self._told_at < TOLD_SECONDS:
                return
            self._told_at = now
        self._context.progress(self.value())

    def skip(self) -> None:
        """Count an object that is left, for a reason that is no failure."""
        with self._lock:
            self.objects_skipped += 1

    def fail(self, key: str, reason: str, message: str) -> None:
        """Count a failed object, and keep the first few."""
        with self._lock:
            self.objects_failed += 1
            if len(self.failures) < NAMED_FAILURES:
                failure = ObjectFailure(key=encode_key(key), reason=reason, message=message)
                self.failures.append(failure)

    def fail_with(self, key: str, error: CloudFluxError) -> None:
        """Count an object as failed with an error."""
        self.fail(key, error.reason, str(error))

    def fail_archived(self, planned: PlannedObject, error: CloudFluxError) -> None:
        """Count an object that must be restored first; however many, they stop nothing."""
        with self._lock:
            self.archived.append(planned)
        self.fail_with(planned.key, error)

    @property
    def hopeless(self) -> bool:
        """So many failed that going on is pointless."""
        return self.objects_failed - len(self.archived) >= NAMED_FAILURES

    def value(self) -> CopyProgress:
        """Return the counts as progress."""
        return CopyProgress(**self._counts())

    def result(self) -> CopyResult:
        """Return the counts as the end of copying."""
        return CopyResult(**self._counts(), failures=tuple(self.failures))

    def _counts(self) -> dict[str, int]:
        return {
            "objects_total": max(self.objects_total, self.objects_done + self.objects_failed),
            "objects_done": self.objects_done,
            "objects_failed": self.objects_failed,
            "objects_skipped": self.objects_skipped,
            "bytes_total": max(self.bytes_total, self.bytes_done),
            "bytes_done": self.bytes_done,
        }
