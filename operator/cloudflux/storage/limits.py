"""How fast this process may go: token buckets that all jobs share, for bytes and for requests.

A bucket is booked, not polled: who takes from it is told how long to wait, and those who come
later wait longer, in order. A rate may be changed while they do; it counts from the next booking.
"""

import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

BURST_SECONDS = 0.1
"""What was not used for so long may be used at once; a longer pause is not saved up."""


class TokenBucket:
    """So many tokens a second, shared by threads; without a rate there is no limit."""

    def __init__(
        self, rate: float | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._clock = rate, clock
        self._free_at = clock() - BURST_SECONDS
        self._lock = threading.Lock()

    @property
    def rate(self) -> float | None:
        """Tokens a second; None: no limit."""
        return self._rate

    def set_rate(self, rate: float | None) -> None:
        """Change the rate; what is booked already stands."""
        with self._lock:
            self._rate = rate

    def book(self, tokens: float) -> float:
        """Take tokens, and return how many seconds to wait before using them.

        It is those who come after that wait for these.
        """
        with self._lock:
            if self._rate is None:
                return 0.0
            now = self._clock()
            start = max(self._free_at, now - BURST_SECONDS)
            self._free_at = start + tokens / self._rate
            return max(0.0, start - now)


class Limits:
    """The buckets of a process: one for all bytes, one for the requests to each endpoint."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.bytes = TokenBucket(clock=clock)
        self._rate: float | None = None
        self._requests: dict[str, TokenBucket] = {}
        self._lock = threading.Lock()

    def configure(
        self, *, bytes_per_second: float | None, requests_per_second: float | None
    ) -> None:
        """Set both rates, also for those who use them already."""
        self.bytes.set_rate(bytes_per_second)
        with self._lock:
            self._rate = requests_per_second
            for bucket in self._requests.values():
                bucket.set_rate(requests_per_second)

    def requests_to(self, endpoint: str) -> TokenBucket:
        """The bucket of an endpoint's host, whoever asks it and with which identity."""
        host = (urlsplit(endpoint).netloc or endpoint).lower()
        with self._lock:
            if host not in self._requests:
                self._requests[host] = TokenBucket(self._rate, clock=self._clock)
            return self._requests[host]


SHARED = Limits()
"""Of this process. The mover is one process, so that these are the limits of all its jobs."""
