"""The phase Restoring: archived objects are asked for and awaited, before anything is moved."""

import datetime as dt

from cloudflux.api.common import ConditionStatus
from cloudflux.api.display import counted
from cloudflux.api.migrationjob import Phase, RestoreStatus
from cloudflux.api.move_tasks import CopyResult, RestoreResult
from cloudflux.api.vocabulary import ConditionType
from cloudflux.migration.draft import Draft
from cloudflux.migration.facts import COPY, RESTORE, ClaimDataSet, Done, Failed
from cloudflux.migration.steps import run_step

LOOK_SECONDS = {"Expedited": 60, "Standard": 900, "Bulk": 1800}
"""Between two looks at what is being restored, at most, by tier."""
SOONEST_SECONDS = 5.0


def look_after_seconds(tier: str, elapsed_seconds: float) -> float:
    """When to look again: a quarter of the time so far, for some servers restore at once."""
    return min(LOOK_SECONDS[tier], max(SOONEST_SECONDS, elapsed_seconds / 4))


def must_restore(draft: Draft) -> bool:
    """Say whether objects must be restored before copying starts, or goes on."""
    plan, step = draft.status.plan, draft.step(RESTORE)
    if plan is None or plan.restore is None:
        return False
    return step is None or step.state != "Done"


def restoring_began(draft: Draft) -> bool:
    """Say whether a restore may have been paid for: the plan it stands on is kept then."""
    return draft.step(RESTORE) is not None


def start_restoring(draft: Draft, why: str = "") -> None:
    """Claim the data set and ask for what is archived."""
    plan = draft.status.plan
    draft.before.append(ClaimDataSet())
    words = why
    if not words and plan is not None and plan.restore is not None:
        words = (
            f"Restores {counted(plan.restore.objects, 'object')} by {plan.restore.tier}: up to "
            f"{plan.restore.hours} h, {plan.restore.cost} {plan.currency}."
        )
    if not restoring_began(draft) or why:
        draft.event("Restoring", words)
    draft.enter(Phase.RESTORING, "Restoring", words)
    draft.set(queue_position=None)
    draft.condition(ConditionType.SUCCEEDED, ConditionStatus.UNKNOWN, "Restoring", words)
    draft.begin_step(RESTORE)


def restoring(draft: Draft) -> Failed | None:
    """Ask and look until all can be read, then wait for a slot; returns what ends the job."""
    end = run_step(draft, RESTORE)
    if isinstance(end, Failed):
        draft.end_step(RESTORE, "Failed", end.error.message)
        return end
    if isinstance(end, Done) and isinstance(end.result, RestoreResult):
        _looked(draft, end.result)
    return None


def back_to_restoring(draft: Draft, result: CopyResult) -> bool:
    """Ask again for what expired while it waited or was copied; False: that was not it."""
    plan = draft.status.plan
    expired = [one.reason == "ObjectArchived" for one in result.failures]
    if plan is None or plan.restore is None or not expired or not all(expired):
        return False
    words = f"{counted(result.objects_failed, 'restored copy', 'restored copies')} expired"
    draft.end_step(COPY, "Failed", f"{words}; asked for again.")
    start_restoring(draft, f"{words} before they were moved; they are asked for again.")
    return True


def spent_on_restores(draft: Draft) -> str:
    """Say what was paid for restores, for a job that ends without the move; "" for nothing."""
    told, plan = draft.status.restore, draft.status.plan
    if told is None or not told.requested:
        if draft.step(RESTORE) is None:
            return ""
        return " Restores may have been requested; their fee is spent."
    currency = plan.currency if plan else ""
    return (
        f" {counted(told.requested, 'restore was', 'restores were')} requested for {told.cost} "
        f"{currency}; that fee is spent, and restored copies expire by themselves."
    )


def _looked(draft: Draft, result: RestoreResult) -> None:
    old, step, plan = draft.status.restore, draft.step(RESTORE), draft.status.plan
    expected = None
    if result.waiting:
        since = step.started_at if step and step.started_at else draft.now
        asked_now = old is None or result.requested > old.requested
        known = None if old is None or asked_now else old.expected_at
        expected = known or max(since, draft.now) + dt.timedelta(hours=result.hours)
    told = RestoreStatus(
        objects=result.objects,
        ready=result.ready,
        requested=result.requested,
        cost=result.cost,
        expected_at=expected,
    )
    draft.set(restore=told, attempts=0)
    if not result.waiting:
        words = f"{counted(result.ready, 'object')} restored."
        draft.end_step(RESTORE, "Done", words)
        draft.set(next_attempt_time=None)
        draft.enter(Phase.QUEUED, "Queued", f"{words} Waits for its turn.")
        return
    tier = plan.restore.tier if plan and plan.restore else "Standard"
    since = step.started_at if step and step.started_at else draft.now
    wait_seconds = look_after_seconds(tier, (draft.now - since).total_seconds())
    draft.set(next_attempt_time=draft.now + dt.timedelta(seconds=wait_seconds))
    draft.look_again(wait_seconds)
    by = f"{expected:%Y-%m-%d %H:%M} UTC" if expected else "then"
    draft.say("Restoring", f"{result.ready} of {result.objects} restored; all by {by}, at latest.")
