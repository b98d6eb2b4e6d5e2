"""How long to wait before a step is tried again: exponential, bounded, spread, repeatable."""

import hashlib

from cloudflux.api.migrationjob import Retry


def backoff_seconds(retry: Retry, attempts: int, seed: str) -> float:
    """Seconds to wait after `attempts` failures (from 1).

    The spread (down to half) comes from a hash of `seed` and the attempt, not from chance:
    a decision repeated on the same facts is the same decision.
    """
    exponent = min(attempts - 1, 30)
    ceiling = min(retry.initial_backoff_seconds * 2.0**exponent, retry.max_backoff_seconds)
    digest = hashlib.sha256(f"{seed}:{attempts}".encode()).digest()
    spread = int.from_bytes(digest[:4], "big") / 2**32
    return ceiling * (0.5 + spread / 2)
