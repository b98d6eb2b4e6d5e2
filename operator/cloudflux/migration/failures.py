"""Failed objects as the status and its messages show them."""

from cloudflux.api.display import counted
from cloudflux.api.migrationjob import Failure
from cloudflux.api.move_tasks import ObjectFailure


def failures_of(failures: tuple[ObjectFailure, ...]) -> list[Failure]:
    """Turn the named failures of a task into those of a status."""
    return [
        Failure(key=one.key[:3072], reason=one.reason[:64], message=one.message[:1024])
        for one in failures[:10]
    ]


def failure_words(what: str, count: int, failures: tuple[ObjectFailure, ...]) -> str:
    """Say how many objects failed, and name the first."""
    count = max(count, len(failures))
    words = f"{counted(count, 'object')} {what}."
    if failures:
        words += f" The first, {failures[0].key}: {failures[0].message}"
    return words
