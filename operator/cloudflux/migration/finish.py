"""After the end: sweeping, retiring the source, and deleting old jobs. And cancelling."""

import datetime as dt

from cloudflux.api import conditions
from cloudflux.api.common import ConditionStatus
from cloudflux.api.display import counted
from cloudflux.api.migrationjob import Phase, RetentionPolicy
from cloudflux.api.move_tasks import RetireResult, SweepResult
from cloudflux.api.vocabulary import ConditionType
from cloudflux.migration.claiming import began, in_place
from cloudflux.migration.draft import Draft
from cloudflux.migration.facts import RETIRE, SWEEP, SWITCH, DeleteJob, Done, Failed, ReleaseClaim
from cloudflux.migration.restore_phase import spent_on_restores
from cloudflux.migration.steps import run_step
from cloudflux.settings import Moves

RETIRE_AGAIN_SECONDS = 3600
"""A retirement that failed for good reason (a right is missing) is tried again after this."""
GUARD_AGAIN_SECONDS = 300


def begin_cancelling(draft: Draft) -> None:
    """Stop the task and sweep; a job that never copied is cancelled at once."""
    draft.set(next_attempt_time=None, queue_position=None, suspended_from=None)
    draft.stop_task()
    if not began(draft):
        _cancelled(draft, "Nothing had been written." + spent_on_restores(draft))
        return
    words = "Stops and removes what it wrote at the target; the source is untouched."
    if draft.status.pin is not None and in_place(draft.status.pin):
        words = "Stops; objects that are changed already are left so."
    draft.enter(Phase.CANCELLING, "Cancelling", words)
    draft.condition(ConditionType.SUCCEEDED, ConditionStatus.UNKNOWN, "Cancelling", words)
    draft.begin_step(SWEEP)


def cancelling(draft: Draft) -> None:
    """Wait for the sweep; whatever it says, the job ends as Cancelled."""
    residue = _sweep(draft)
    if residue is not None:
        _cancelled(draft, residue + spent_on_restores(draft))


def _cancelled(draft: Draft, residue: str) -> None:
    draft.enter(Phase.CANCELLED, "Cancelled", f"Cancelled. {residue}")
    draft.condition(ConditionType.SUCCEEDED, ConditionStatus.FALSE, "Cancelled", residue)
    draft.set(residue=residue[:1024], completed_at=draft.now, eta_display=None)
    draft.event("Cancelled", residue)
    draft.after.append(ReleaseClaim())


def _sweep(draft: Draft) -> str | None:
    used = _target_used(draft)
    if used is not None:
        draft.stop_task()
        draft.end_step(SWEEP, "Failed", used)
        return used
    end = run_step(draft, SWEEP)
    if isinstance(end, Done) and isinstance(end.result, SweepResult):
        draft.end_step(SWEEP, "Done", end.result.residue)
        return end.result.residue
    if isinstance(end, Failed):
        words = f"What it left at the target could not be removed: {end.error.message}"
        draft.end_step(SWEEP, "Failed", words)
        return words
    return None


def _target_used(draft: Draft) -> str | None:
    """Say why copies and markers at the target must stay, or None."""
    pin, data_set = draft.status.pin, draft.facts.data_set
    if pin is None or in_place(pin):
        return None
    if draft.facts.target_in_use is not None:
        return draft.facts.target_in_use
    if data_set is None or draft.step(SWITCH) is None:
        return None
    if data_set.uid != pin.data_set_uid:
        return "Copies and markers were kept: the re-created DataSet may already use them."
    return None


def after_the_end(draft: Draft) -> None:
    """Do what is left to do for a job that is Completed, Failed or Cancelled."""
    if draft.status.phase is Phase.COMPLETED:
        if draft.facts.job.spec.cancel and draft.status.reason != "CancelRefused":
            refuse_cancel(draft)
        _completed(draft)
    else:
        _swept(draft)
    _expire(draft)


def refuse_cancel(draft: Draft) -> None:
    """Say once that it is too late."""
    words = "It is too late to cancel: the data set is switched. Go back with a new job."
    draft.warn_once("CancelRefused", words)
    draft.say("CancelRefused", words)


def _swept(draft: Draft) -> None:
    step = draft.step(SWEEP)
    if step is not None and step.state == "Running":
        residue = _sweep(draft)
        if residue is None:
            return
        draft.set(residue=residue[:1024])
        draft.after.append(ReleaseClaim())
        return
    draft.stop_task()
    _free_claim(draft)


def _free_claim(draft: Draft) -> None:
    data_set = draft.facts.data_set
    claim = data_set.status.active_migration_ref if data_set else None
    if claim is not None and claim.uid == draft.facts.job.uid:
        draft.after.append(ReleaseClaim())


def _completed(draft: Draft) -> None:
    _free_claim(draft)
    pin, spec = draft.status.pin, draft.facts.job.spec
    step = draft.step(RETIRE)
    if (
        pin is None
        or in_place(pin)
        or spec.source_retention.policy is not RetentionPolicy.DELETE
        or (step is not None and step.state == "Done")
    ):
        draft.stop_task()
        return
    over = _superseded(draft)
    if over is not None:
        # also within the grace: what will never be deleted holds no place that others wait for
        _keep(draft, over, again=False)
        draft.end_step(RETIRE, "Done", over)
        return
    retire_after = draft.status.retire_after
    if retire_after is not None and draft.now < retire_after:
        draft.look_again((retire_after - draft.now).total_seconds())
        return
    if spec.suspend or draft.facts.gates.moves is not Moves.RUN:
        draft.stop_task()
        why = "Suspended" if spec.suspend else "MovesStopped"
        words = "The source is kept while the job is suspended or moves are stopped."
        draft.condition(ConditionType.SOURCE_RETIRED, ConditionStatus.FALSE, why, words)
        draft.look_again(GUARD_AGAIN_SECONDS)
        return
    if draft.facts.source_in_use:
        _keep(draft, draft.facts.source_in_use)
    else:
        _retire(draft)


def _superseded(draft: Draft) -> str | None:
    """Say why nothing at the source will ever be deleted by this job, or None."""
    data_set, pin = draft.facts.data_set, draft.status.pin
    if data_set is None or pin is None or data_set.uid != pin.data_set_uid:
        return "The data set was deleted or replaced; the source is kept. Delete it by hand."
    location = data_set.status.location
    generation = location.generation if location else 0
    if generation != pin.written_generation:
        return "A later move superseded this one; the source is kept. Delete it by hand if unused."
    return None


def _keep(draft: Draft, words: str, *, again: bool = True) -> None:
    draft.stop_task()
    old = conditions.find(draft.status.conditions, ConditionType.SOURCE_RETIRED)
    if old is None or old.reason != "SourceInUse":
        draft.event("SourceInUse", words)
    draft.condition(ConditionType.SOURCE_RETIRED, ConditionStatus.FALSE, "SourceInUse", words)
    if again:
        draft.look_again(GUARD_AGAIN_SECONDS)


def _retire(draft: Draft) -> None:
    if draft.step(RETIRE) is None:
        draft.begin_step(RETIRE)
        return
    end = run_step(draft, RETIRE)
    if isinstance(end, Failed):
        draft.condition(
            ConditionType.SOURCE_RETIRED,
            ConditionStatus.FALSE,
            end.error.reason,
            end.error.message,
        )
        again = dt.timedelta(seconds=RETIRE_AGAIN_SECONDS)
        draft.set(attempts=0, next_attempt_time=draft.now + again)
        draft.look_again(RETIRE_AGAIN_SECONDS)
    elif isinstance(end, Done) and isinstance(end.result, RetireResult):
        if end.result.remaining:
            draft.start(RETIRE)
        else:
            _retired(draft, end.result)


def _retired(draft: Draft, result: RetireResult) -> None:
    if result.kept_objects:
        named = ", ".join(result.kept)
        reason = "NewObjectsAtSource"
        words = (
            f"{counted(result.kept_objects, 'object')} new or changed at the source, kept there: "
            f"{named}. Move or delete by hand."
        )
        status = ConditionStatus.FALSE
        draft.event(reason, words)
    else:
        reason, words = "SourceRetired", "Every object of the manifest was deleted at the source."
        status = ConditionStatus.TRUE
    draft.end_step(RETIRE, "Done", words)
    draft.condition(ConditionType.SOURCE_RETIRED, status, reason, words)


def _expire(draft: Draft) -> None:
    ttl_seconds = draft.facts.job.spec.ttl_seconds_after_finished
    end = _finished_at(draft)
    if ttl_seconds is None or end is None:
        return
    left_seconds = ttl_seconds - (draft.now - end).total_seconds()
    if left_seconds <= 0:
        draft.after.append(DeleteJob())
    else:
        draft.look_again(left_seconds)


def _finished_at(draft: Draft) -> dt.datetime | None:
    """When nothing was left to do, or None while something is."""
    sweep = draft.step(SWEEP)
    if sweep is not None and sweep.state == "Running":
        return None
    pin, spec = draft.status.pin, draft.facts.job.spec
    deletes = (
        draft.status.phase is Phase.COMPLETED
        and pin is not None
        and not in_place(pin)
        and spec.source_retention.policy is RetentionPolicy.DELETE
    )
    if not deletes:
        return draft.status.completed_at
    retire = draft.step(RETIRE)
    return retire.finished_at if retire is not None and retire.state == "Done" else None
