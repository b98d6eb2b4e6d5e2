"""From Pending to the start of copying: the plan, its approval, and everything that can hold it."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

from cloudflux.api import conditions
from cloudflux.api.common import ConditionStatus
from cloudflux.api.display import counted, display_bytes
from cloudflux.api.migrationjob import JobPin, Phase, PlanStatus, RestorePlan
from cloudflux.api.move_tasks import PlanResult
from cloudflux.api.vocabulary import ConditionType
from cloudflux.migration.claiming import began, fail, in_place
from cloudflux.migration.display import (
    human_seconds,
    plan_money,
    source_display,
    target_display,
    wish_displays,
)
from cloudflux.migration.draft import Draft
from cloudflux.migration.facts import COPY, PLAN, RESTORE, Done, Failed, Problem
from cloudflux.migration.phases import start_moving
from cloudflux.migration.restore_phase import restoring_began
from cloudflux.migration.steps import run_step
from cloudflux.settings import Moves

LOOK_AGAIN_SECONDS = 60
"""A held job is looked at again after this even if nothing wakes it."""
SOON_SECONDS = 5
"""What no watch tells (a Secret, somebody's ConfigMap, a bucket) is looked at again after this
at first, and after a quarter of the time that the job waits already."""


def pending(draft: Draft) -> None:
    """Pin source and target, and make the plan."""
    problem = draft.facts.problem
    pin = draft.facts.resolved
    if problem is None and draft.facts.data_set is None:
        problem = Problem("DataSetNotFound", "spec.dataSetRef names no DataSet here; create it.")
    if problem is None and pin is None:
        problem = Problem("Pending", "Source and target are not resolved yet.")
    if problem is not None or pin is None:
        if problem is not None:
            _hold_planning(draft, problem)
        return
    if draft.step(PLAN) is None or not _same_place(draft.status.pin, pin):
        draft.set(pin=pin, source_display=source_display(pin), target_display=target_display(pin))
        draft.say("Pending", "The plan is being made.")
        draft.begin_step(PLAN)
        return
    end = run_step(draft, PLAN)
    if isinstance(end, Failed):
        reason, words = end.error.reason, end.error.message
        draft.end_step(PLAN, "Failed", words)
        draft.condition(ConditionType.PLANNED, ConditionStatus.FALSE, reason, words)
        fail(draft, reason, words)
    elif isinstance(end, Done) and isinstance(end.result, PlanResult):
        _planned(draft, end.result)


def waiting(draft: Draft) -> None:
    """Planned, AwaitingApproval, Queued: start copying as soon as nothing holds the job."""
    committed = began(draft) or restoring_began(draft)
    if not committed and _plan_is_stale(draft):
        replan(draft, "The plan expired, or source or target changed; a new one is made.")
        return
    problem = draft.facts.problem
    if problem is not None:
        _hold(draft, problem)
        return
    if not committed and not _approved(draft):
        return
    held = _held_by(draft)
    if held is not None:
        _queue(draft, *held)
        return
    start_moving(draft)


def replan(draft: Draft, message: str) -> None:
    """Throw the plan away and make a new one; an approval of the old one no longer counts."""
    draft.enter(Phase.PENDING, "PlanChanged", message)
    draft.condition(ConditionType.PLANNED, ConditionStatus.FALSE, "PlanChanged", message)
    if draft.facts.job.spec.require_approval:
        draft.condition(ConditionType.APPROVED, ConditionStatus.FALSE, "PlanChanged", message)
    draft.event("PlanChanged", message)
    steps = [one for one in draft.status.steps if one.name not in (PLAN, RESTORE, COPY)]
    draft.set(steps=steps, plan=None, restore=None, queue_position=None)
    draft.stop_task()
    pending(draft)


def _planned(draft: Draft, result: PlanResult) -> None:
    if result.problems:
        words = "No safe plan is possible: " + "; ".join(result.problems[:10])
        draft.end_step(PLAN, "Failed", words)
        draft.condition(ConditionType.PLANNED, ConditionStatus.FALSE, "PlanBlocked", words)
        fail(draft, "PlanBlocked", words)
        return
    plan = PlanStatus(
        hash=result.hash,
        objects=result.objects,
        bytes=result.size_bytes,
        one_off_cost=result.one_off_cost,
        savings_per_month=result.savings_per_month,
        currency=result.currency,
        price_date=result.price_date,
        duration_seconds=result.duration_seconds,
        payback_days=result.payback_days,
        expires_at=draft.now + dt.timedelta(seconds=draft.facts.plan_ttl_seconds),
        restore=_restore_plan(result),
        list_uri=Path(result.list_path).as_uri(),
        warnings=[one[:1024] for one in result.warnings[:10]],
    )
    words = (
        f"{counted(plan.objects, 'object')}, {display_bytes(plan.bytes)}: {plan_money(plan)}, "
        f"takes about {human_seconds(plan.duration_seconds)}."
    )
    draft.set(
        plan=plan,
        objects_display=f"0/{plan.objects}",
        bytes_display=f"0 B/{display_bytes(plan.bytes)}",
    )
    draft.end_step(PLAN, "Done", words)
    draft.condition(ConditionType.PLANNED, ConditionStatus.TRUE, "Planned", words)
    draft.enter(Phase.PLANNED, "Planned", words)
    draft.event("Planned", words)
    over = _over_budget(draft, plan)
    if over is not None:
        fail(draft, "BudgetExceeded", over)
        return
    waiting(draft)


def _restore_plan(result: PlanResult) -> RestorePlan | None:
    told = result.restore
    if told is None:
        return None
    return RestorePlan(
        objects=told.objects,
        bytes=told.size_bytes,
        tier=told.tier.value,
        hours=told.hours,
        days=told.days,
        cost=told.cost,
    )


def _over_budget(draft: Draft, plan: PlanStatus) -> str | None:
    budget = draft.facts.job.spec.budget
    if budget is None:
        return None
    if budget.max_cost is not None and Decimal(plan.one_off_cost) > Decimal(budget.max_cost):
        return (
            f"The plan costs {plan.one_off_cost} {plan.currency}; the budget is {budget.max_cost} "
            f"{plan.currency}."
        )
    if budget.max_bytes is not None and plan.bytes > budget.max_bytes:
        return (
            f"The plan moves {display_bytes(plan.bytes)}; the budget is "
            f"{display_bytes(budget.max_bytes)} ({plan.bytes} against {budget.max_bytes} bytes)."
        )
    return None


def _same_place(before: JobPin | None, after: JobPin) -> bool:
    return before is not None and before.model_copy(
        update={"written_generation": None}
    ) == after.model_copy(update={"written_generation": None})


def _plan_is_stale(draft: Draft) -> bool:
    plan, resolved = draft.status.plan, draft.facts.resolved
    if plan is None or (plan.expires_at is not None and plan.expires_at <= draft.now):
        return True
    return resolved is not None and not _same_place(draft.status.pin, resolved)


def _approved(draft: Draft) -> bool:
    spec, plan = draft.facts.job.spec, draft.status.plan
    if not spec.require_approval or plan is None:
        return True
    if spec.approval == plan.hash:
        draft.condition(ConditionType.APPROVED, ConditionStatus.TRUE, "Approved", plan.hash)
        return True
    if spec.approval is None:
        reason = "AwaitingApproval"
        words = f"Set spec.approval to {plan.hash} to go on."
        status = ConditionStatus.UNKNOWN
    else:
        reason, status = "PlanMismatch", ConditionStatus.FALSE
        words = f"spec.approval is not the hash of the present plan, {plan.hash}; approve that one."
        draft.warn_once(reason, words)
    old = draft.facts.job.status
    changed = any(
        one.type == ConditionType.APPROVED and one.reason == "PlanChanged"
        for one in (old.conditions if old else [])
    )
    if changed and reason == "AwaitingApproval":
        reason, status = "PlanChanged", ConditionStatus.FALSE
    draft.condition(ConditionType.APPROVED, status, reason, words)
    draft.enter(Phase.AWAITING_APPROVAL, reason, words)
    if plan.expires_at is not None:
        draft.look_again((plan.expires_at - draft.now).total_seconds())
    return False


def _held_by(draft: Draft) -> tuple[Phase, str, str] | None:
    """Name what keeps the job from starting: phase, reason and words; None: nothing."""
    gates, pin, data_set = draft.facts.gates, draft.status.pin, draft.facts.data_set
    if gates.moves is Moves.DRY_RUN:
        return Phase.PLANNED, "DryRun", "The operator's settings allow plans only."
    if gates.moves is Moves.STOP:
        return Phase.QUEUED, "MovesStopped", "The operator's settings stop all moves."
    if gates.overlap:
        return Phase.QUEUED, "LocationOverlap", gates.overlap
    if gates.config_map_conflict and pin is not None and not in_place(pin):
        return Phase.QUEUED, "ConfigMapConflict", gates.config_map_conflict
    claim = data_set.status.active_migration_ref if data_set else None
    ours = claim is None or claim.uid == draft.facts.job.uid
    if claim is not None and not ours and not (data_set and data_set.claim_stale):
        return Phase.QUEUED, "DataSetBusy", f"MigrationJob {claim.name} works on the data set."
    if not gates.slot_available:
        return Phase.QUEUED, "Queued", "Waits for its turn."
    return None


def _queue(draft: Draft, phase: Phase, reason: str, message: str) -> None:
    if reason in ("LocationOverlap", "ConfigMapConflict", "DataSetBusy"):
        draft.warn_once(reason, message)
    draft.stop_task()
    position = _shown_position(draft.status.queue_position, draft.facts.gates.queue_position)
    if reason == "Queued" and position is not None:
        message = f"Waits for its turn: at place {position} of the queue, or nearer."
    draft.enter(phase, reason, message)
    draft.set(queue_position=position if reason == "Queued" else None)
    draft.condition(ConditionType.SUCCEEDED, ConditionStatus.UNKNOWN, reason, message)
    unheard = reason == "ConfigMapConflict"
    draft.look_again(_patience_seconds(draft) if unheard else LOOK_AGAIN_SECONDS)


def _shown_position(shown: int | None, position: int | None) -> int | None:
    """Return the position to show: a long queue that moves must not cost a write a place."""
    if shown is None or position is None:
        return position
    if position > shown or position <= shown // 3:
        return position
    return shown


def _hold(draft: Draft, problem: Problem) -> None:
    if problem.fatal:
        fail(draft, problem.reason, problem.message)
        return
    if problem.reason != "Pending":  # that the data set was just created is no news
        draft.warn_once(problem.reason, problem.message)
    draft.say(problem.reason, problem.message)
    draft.condition(
        ConditionType.SUCCEEDED, ConditionStatus.UNKNOWN, problem.reason, problem.message
    )
    draft.look_again(_patience_seconds(draft))


def _patience_seconds(draft: Draft) -> float:
    """Look again soon while a person may be at it, and seldom at what stays as it is."""
    succeeded = conditions.find(draft.status.conditions, ConditionType.SUCCEEDED)
    since = succeeded.last_transition_time if succeeded else draft.now
    waited_seconds = (draft.now - since).total_seconds()
    return min(max(waited_seconds / 4, SOON_SECONDS), LOOK_AGAIN_SECONDS)


def _hold_planning(draft: Draft, problem: Problem) -> None:
    data_set = draft.facts.data_set
    where: str | None = None
    if data_set is not None:
        active = data_set.status.location
        where = active.uri if active else data_set.spec.location.uri
    draft.set(**wish_displays(draft.facts.job.spec, where))
    draft.condition(ConditionType.PLANNED, ConditionStatus.FALSE, problem.reason, problem.message)
    _hold(draft, problem)
