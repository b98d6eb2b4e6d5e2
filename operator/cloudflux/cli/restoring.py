"""Waiting for the archive on the command line: ask, look, and tell how far it is."""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

from cloudflux.api.migrationjob import RestoreTier
from cloudflux.api.move_tasks import CopyResult, JobTask, RestoreRequest, RestoreResult
from cloudflux.children.context import Context
from cloudflux.cli.moving import say

UNDER_WAY = 4
"""Exit code: restores are under way; run the command again later."""
HELP = "How archived objects are restored first: Bulk, Standard, Expedited, or not at all (Never)."


def await_restore(
    task: JobTask,
    context: Context,
    *,
    wait: bool,
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Ask for what the plan found archived, and wait until it can be read; False: not yet.

    It may be stopped at any time; the command goes on where it was when it is run again.
    """
    from cloudflux.migration.restore_phase import look_after_seconds
    from cloudflux.work.mover import serve_restore

    fields = {name: getattr(task, name) for name in JobTask.model_fields}
    began = clock()
    told: RestoreResult | None = None
    while True:
        found: RestoreResult = serve_restore(RestoreRequest(**fields, now=clock()), context)
        if not found.waiting:
            return True
        if told is None or found.ready != told.ready:
            say(
                f"{found.ready} of {found.objects} restored; up to {found.hours} h from when they "
                f"were asked for, {found.cost} spent"
            )
            told = found
        if not wait:
            say("run the command again to go on")
            return False
        elapsed = (clock() - began).total_seconds()
        sleep(look_after_seconds(task.restore_tier.value, elapsed))


def freeze_quote(session: Any, task: JobTask) -> None:
    """Price what a copy found to be archived, for a move that was never planned; says the price.

    Raises NotSupported where it can't be restored so.
    """
    from cloudflux.brain.restore import refused
    from cloudflux.errors import NotSupported
    from cloudflux.migration.files import read_json, write_json
    from cloudflux.migration.plan_restore import quote_of
    from cloudflux.migration.restore_ledger import RestoreLedger

    with RestoreLedger(session.files.restores) as ledger:
        entries = list(ledger.entries.values())
    classes = [one.storage_class for one in entries]
    sizes = [one.size_bytes for one in entries]
    if stuck := refused(classes, task.restore_tier):
        raise NotSupported("; ".join(stuck))
    found, _ = quote_of(session, task, classes, sizes, overlay=None, move_seconds=3600)
    plan = read_json(session.files.plan) or {}
    write_json(session.files.plan, {**plan, "restore": found.model_dump(mode="json")})
    say(
        f"restores {found.objects} archived objects by {found.tier.value}: up to {found.hours} h, "
        f"{found.cost} (prices of the table), which is spent even if you stop"
    )


def only_archived(copied: CopyResult) -> bool:
    """Whether a copy failed for nothing but objects that are archived, or are so again."""
    return bool(copied.failures) and all(one.reason == "ObjectArchived" for one in copied.failures)


def options(restore: RestoreTier, days: int | None) -> dict[str, Any]:
    """The fields of a task that say how the archive is dealt with."""
    return {"restore_tier": restore, "restore_days": days}
