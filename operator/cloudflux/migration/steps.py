"""Running a step: start, progress, failure with back-off. And the named stop points for tests."""

import datetime as dt

from cloudflux.api import conditions
from cloudflux.api.common import ConditionStatus
from cloudflux.api.migrationjob import ProgressStatus
from cloudflux.api.task import TaskError
from cloudflux.api.vocabulary import ConditionType
from cloudflux.migration import progress
from cloudflux.migration.backoff import backoff_seconds
from cloudflux.migration.display import human_seconds, progress_displays
from cloudflux.migration.draft import Draft
from cloudflux.migration.facts import PLAN, Done, Failed, Running

STOP_POINTS = (
    "plan.listed",
    "plan.written",
    "copy.listed",
    "copy.object.before",
    "copy.object.after",
    "copy.checkpointed",
    "copy.quiet",
    "verify.object",
    "verify.manifest",
    "switch.listed",
    "switch.marker",
    "retire.listed",
    "retire.object",
    "sweep.object",
)
"""Points at which a test can stop the mover (Context.stop_point), in the order of a job."""

INTERRUPTED_KINDS = ("Cancelled", "FencedOut")
"""Errors that say nothing about the step: it was stopped, and starts again when it may."""


def run_step(draft: Draft, name: str) -> Done | Failed | None:
    """Drive one step: its result, its final failure, or None while it goes on.

    A retryable failure is counted, written and tried again later; it is final after
    spec.retry.maxAttempts. Fatal ones are final at once.
    """
    outcome = draft.facts.outcome
    if isinstance(outcome, Running):
        if outcome.step != name:
            draft.stop_task()
        else:
            _note_progress(draft, outcome)
        return None
    if isinstance(outcome, Done) and outcome.step == name:
        return outcome
    if isinstance(outcome, Failed) and outcome.step == name:
        if outcome.error.kind not in INTERRUPTED_KINDS:
            return _failed(draft, outcome)
        draft.look_again(1)
        return None
    wait_until = draft.status.next_attempt_time
    if wait_until is not None and wait_until > draft.now:
        draft.look_again((wait_until - draft.now).total_seconds())
    else:
        draft.start(name)
    return None


def start_progress(draft: Draft, objects_total: int, bytes_total: int) -> None:
    """Show a step's work ahead; later writes follow the rule of `progress`."""
    _show(
        draft,
        ProgressStatus(
            percent=0,
            objects_total=objects_total,
            bytes_total=bytes_total,
            last_updated_time=draft.now,
        ),
    )


def end_progress(draft: Draft) -> None:
    """Show a step's work as done."""
    old = draft.status.progress or ProgressStatus()
    done = old.model_copy(
        update={
            "percent": 100,
            "objects_done": max(0, old.objects_total - old.objects_failed - old.objects_skipped),
            "bytes_done": old.bytes_total,
            "estimated_remaining_seconds": None,
            "last_updated_time": draft.now,
        }
    )
    _show(draft, done)


def _show(draft: Draft, value: ProgressStatus) -> None:
    draft.set(progress=value, **progress_displays(value))


def _failed(draft: Draft, outcome: Failed) -> Failed | None:
    error, retry = outcome.error, draft.facts.job.spec.retry
    # Keys may have been rotated while the step ran: the next attempt reads the Secret again. A
    # plan is made with the keys of just now.
    rotated = error.kind == "CredentialsInvalid" and outcome.step != PLAN
    if not error.retryable and not rotated:
        return outcome
    attempts = draft.status.attempts + 1
    draft.set(attempts=attempts)
    if attempts >= retry.max_attempts:
        message = f"{outcome.step} failed {attempts} times; the last time: {error.message}"
        return Failed(
            outcome.step,
            TaskError(kind=error.kind, message=message, retryable=False, reason="RetriesExhausted"),
        )
    wait_seconds = backoff_seconds(retry, attempts, f"{draft.facts.job.uid}:{outcome.step}")
    draft.set(next_attempt_time=draft.now + dt.timedelta(seconds=wait_seconds))
    words = (
        f"{error.reason}: {error.message} Attempt {attempts} of {retry.max_attempts}; "
        f"the next is in {human_seconds(round(wait_seconds))}."
    )
    _tell(draft, "Retrying", words, first=attempts == 1)
    draft.look_again(wait_seconds)
    return None


def _note_progress(draft: Draft, running: Running) -> None:
    draft.look_again(progress.SHORTEST_SECONDS)
    old = draft.status.progress
    if running.progress is not None:
        new = progress.progress_status(running.progress, running.bytes_per_second, draft.now)
        if progress.worth_writing(old, new, draft.now):
            _show(draft, new)
            _back_to_normal(draft)
            return
        if progress.changed(old, new):
            return
    _stalled_if_late(draft, running.step)


def _back_to_normal(draft: Draft) -> None:
    if conditions.is_true(draft.status.conditions, ConditionType.STALLED):
        draft.condition(ConditionType.STALLED, ConditionStatus.FALSE, "Progressing", "It goes on.")
    if draft.status.reason in ("Retrying", "Stalled"):  # never in a job that ended
        draft.set(next_attempt_time=None)
        draft.say("Progressing", "Work goes on.")


def _stalled_if_late(draft: Draft, step_name: str) -> None:
    old, step = draft.status.progress, draft.step(step_name)
    times = [one for one in (old.last_updated_time if old else None,) if one is not None]
    if step is not None and step.started_at is not None:
        times.append(step.started_at)
    deadline_seconds = draft.facts.job.spec.progress_deadline_seconds
    if not times or (draft.now - max(times)).total_seconds() < deadline_seconds:
        return
    if conditions.is_true(draft.status.conditions, ConditionType.STALLED):
        return
    words = (
        f"{step_name} made no progress for {human_seconds(deadline_seconds)}; "
        "look at the store's health and at the mover's log."
    )
    _tell(draft, "Stalled", words, first=True)
    draft.condition(ConditionType.STALLED, ConditionStatus.TRUE, "Stalled", words)


def _tell(draft: Draft, reason: str, words: str, *, first: bool) -> None:
    """Warn once and say it; the row of a job that ended goes on saying how."""
    if draft.status.completed_at is None:
        draft.warn_once(reason, words)
        draft.say(reason, words)
    elif first:
        draft.event(reason, words)
