"""The one layer that repeats a request: jittered, bounded, and patient where the server asks it.

Providers turn the retries of their SDKs off and send each HTTP request through a `Retrier`.
What still fails after it is raised to the caller, whose job has a backoff of its own.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from cloudflux.errors import StorageError, Throttled
from cloudflux.storage.limits import TokenBucket

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often and how long, in seconds."""

    attempts: int = 4
    initial_seconds: float = 0.2
    max_seconds: float = 10.0
    """A server that wants a longer pause is not waited for here: the job's backoff is longer."""

    def delay_seconds(self, failed: int, wished: float | None, chance: float) -> float | None:
        """The pause after so many failures; None when it is time to give up.

        `wished` is what the server asked for, `chance` from 0 to 1 spreads the callers: over the
        upper half of an exponential pause, or beyond the wish by up to a tenth.
        """
        if failed >= self.attempts or (wished is not None and wished > self.max_seconds):
            return None
        if wished is not None:
            return wished * (1 + chance / 10)
        whole = min(self.max_seconds, self.initial_seconds * 2.0 ** (failed - 1))
        return whole * (1 + chance) / 2


class Retrier:
    """Repeats requests to one endpoint; when it says "slow down", all its users wait."""

    def __init__(
        self,
        backoff: Backoff | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
        pace: TokenBucket | None = None,
    ) -> None:
        """`pace` is taken from by every request, those that are repeated too."""
        self._backoff = backoff or Backoff()
        self._clock, self._wait, self._chance = clock, wait, chance
        self._pace = pace
        self._lock = threading.Lock()
        self._open_at = clock()

    def run(self, request: Callable[[], T]) -> T:
        """Send a request, again after errors that are `retryable`; raises the last one."""
        failed = 0
        while True:
            self.hold()
            try:
                return request()
            except StorageError as error:
                failed += 1
                wished = error.retry_after_seconds
                delay = self._backoff.delay_seconds(failed, wished, self._chance())
                if not error.retryable or delay is None:
                    raise
                if isinstance(error, Throttled):
                    self._close_for(delay)
                else:
                    self._wait(delay)

    def hold(self) -> None:
        """Wait until a request may be sent: for the pace, and while the server wants a pause."""
        with self._lock:
            seconds = self._open_at - self._clock()
        if seconds > 0:
            self._wait(seconds)
        # booked only then: else all who wait for the pause to end would go at once after it
        if self._pace is not None and (seconds := self._pace.book(1)) > 0:
            self._wait(seconds)

    def _close_for(self, seconds: float) -> None:
        with self._lock:
            self._open_at = max(self._open_at, self._clock() + seconds)


def retry_after_seconds(value: str | None, now: float | None = None) -> float | None:
    """The header Retry-After: seconds or a date; None where it is absent or makes no sense."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - (now or time.time()))
    except ValueError:
        return None
