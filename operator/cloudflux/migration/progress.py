"""Progress: what it is, and when it is worth a write."""

import datetime as dt

from cloudflux.api.migrationjob import ProgressStatus
from cloudflux.api.move_tasks import CopyProgress

SHORTEST_SECONDS = 10
"""Never written more often than this while a step goes on."""
LONGEST_SECONDS = 60
"""A change smaller than one percent is written after this."""


def progress_status(
    told: CopyProgress, bytes_per_second: int | None, now: dt.datetime
) -> ProgressStatus:
    """Turn what the mover told into the status field."""
    percent = None
    if told.bytes_total > 0:
        percent = min(100, told.bytes_done * 100 // told.bytes_total)
    elif told.objects_total > 0:
        percent = min(100, told.objects_done * 100 // told.objects_total)
    remaining = None
    if bytes_per_second:
        remaining = max(0, told.bytes_total - told.bytes_done) // bytes_per_second
    return ProgressStatus(
        percent=percent,
        objects_total=told.objects_total,
        objects_done=told.objects_done,
        objects_failed=told.objects_failed,
        objects_skipped=told.objects_skipped,
        bytes_total=told.bytes_total,
        bytes_done=told.bytes_done,
        bytes_per_second=bytes_per_second,
        estimated_remaining_seconds=remaining,
        last_updated_time=now,
    )


def changed(before: ProgressStatus | None, after: ProgressStatus) -> bool:
    """Say whether any work was done between the two."""
    return before is None or _counts(before) != _counts(after)


def worth_writing(before: ProgressStatus | None, after: ProgressStatus, now: dt.datetime) -> bool:
    """Apply the rule: at least 10 s apart, and one percent or 60 s."""
    if before is None or before.last_updated_time is None:
        return True
    if not changed(before, after):
        return False
    age_seconds = (now - before.last_updated_time).total_seconds()
    if age_seconds < SHORTEST_SECONDS:
        return False
    return before.percent != after.percent or age_seconds >= LONGEST_SECONDS


def _counts(progress: ProgressStatus) -> tuple[int, ...]:
    return (
        progress.objects_total,
        progress.objects_done,
        progress.objects_failed,
        progress.objects_skipped,
        progress.bytes_total,
        progress.bytes_done,
    )
