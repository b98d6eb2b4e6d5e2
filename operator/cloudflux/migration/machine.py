"""The state machine of a MigrationJob: facts in, decision out; no I/O, no clock, no chance.

Level-based: every decision looks at spec, status and the world as they are, so that it may be
repeated after a crash at any instant. `phases` holds Copying to Completed, `finish` what follows.
"""

from cloudflux.api import conditions
from cloudflux.api.common import ConditionStatus
from cloudflux.api.migrationjob import Phase
from cloudflux.api.vocabulary import ConditionType
from cloudflux.migration import gates
from cloudflux.migration.claiming import fail
from cloudflux.migration.draft import Draft
from cloudflux.migration.facts import SWITCH, Decision, Failed, JobFacts, ReleaseClaim
from cloudflux.migration.finish import after_the_end, begin_cancelling, cancelling, refuse_cancel
from cloudflux.migration.phases import copying, restoring, switching, verifying
from cloudflux.settings import Moves

TERMINAL = (Phase.COMPLETED, Phase.CANCELLED, Phase.FAILED)
"""Phases that no job leaves."""

MOVING = (Phase.COPYING, Phase.VERIFYING, Phase.SWITCHING)
"""Phases that hold a slot and the data set's claim."""


def decide(facts: JobFacts) -> Decision:
    """Decide what to do next for one job."""
    draft = Draft(facts)
    if not draft.status.conditions:
        _first_visit(draft)
    if draft.status.phase in TERMINAL:
        after_the_end(draft)
    elif draft.status.phase is Phase.CANCELLING:
        cancelling(draft)
    elif facts.job.spec.cancel and draft.status.phase is not Phase.SWITCHING:
        begin_cancelling(draft)
    elif not _lost_data_set(draft):
        _live(draft)
    return draft.decision()


def _first_visit(draft: Draft) -> None:
    for type_ in conditions.FIRST_VISIT:
        draft.condition(type_, ConditionStatus.UNKNOWN, "Pending")
    if draft.facts.job.spec.require_approval:
        draft.condition(ConditionType.APPROVED, ConditionStatus.UNKNOWN, "Pending")
    draft.condition(ConditionType.STALLED, ConditionStatus.FALSE, "Progressing")
    draft.say("Pending", "Seen; nothing done yet.")


def _lost_data_set(draft: Draft) -> bool:
    """Fail a job whose data set was deleted or replaced after it was pinned."""
    pin, data_set = draft.status.pin, draft.facts.data_set
    if pin is None or (data_set is not None and data_set.uid == pin.data_set_uid):
        return False
    words = "The DataSet was deleted or replaced while the job ran; create a new job."
    # Markers may stand since the first Switch, also back in Copying: a re-created data set may
    # have adopted the target, so nothing is swept there.
    fail(draft, "DataSetNotFound", words, sweep=draft.step(SWITCH) is None)
    return True


def _live(draft: Draft) -> None:
    spec, phase = draft.facts.job.spec, draft.status.phase
    if phase is Phase.SWITCHING:
        if spec.cancel and draft.status.reason != "CancelRefused":
            refuse_cancel(draft)
        switching(draft)
        return
    if spec.suspend:
        _suspended(draft)
        return
    if phase is Phase.SUSPENDED:
        _resume(draft)
    if _too_late(draft):
        return
    if (
        draft.status.phase in (Phase.RESTORING, *MOVING)
        and draft.facts.gates.moves is not Moves.RUN
    ):
        _hold(draft)
    _by_phase(draft)


def _by_phase(draft: Draft) -> None:
    match draft.status.phase:
        case Phase.PENDING:
            gates.pending(draft)
        case Phase.RESTORING:
            restoring(draft)
        case Phase.COPYING if _drifted(draft):
            draft.after.append(ReleaseClaim())
            gates.replan(draft, "The data changed too much since it was planned; plans again.")
        case Phase.COPYING:
            copying(draft)
        case Phase.VERIFYING:
            verifying(draft)
        case _:
            gates.waiting(draft)


def _drifted(draft: Draft) -> bool:
    """Say whether the mover refused the plan because the data is no longer what it lists."""
    outcome = draft.facts.outcome
    return isinstance(outcome, Failed) and outcome.error.reason == "PlanChanged"


def _suspended(draft: Draft) -> None:
    draft.stop_task()
    if draft.status.phase is not Phase.SUSPENDED:
        draft.set(suspended_from=draft.status.phase, queue_position=None)
        words = "spec.suspend is true; set it to false to go on."
        draft.enter(Phase.SUSPENDED, "Suspended", words)
        draft.condition(ConditionType.SUCCEEDED, ConditionStatus.UNKNOWN, "Suspended", words)
        draft.condition(ConditionType.STALLED, ConditionStatus.FALSE, "Suspended")


def _resume(draft: Draft) -> None:
    """Go back; a job that was moving waits for a slot and finds its work by its checkpoint."""
    origin = draft.status.suspended_from or Phase.PENDING
    phase = Phase.QUEUED if origin in MOVING else origin
    draft.set(suspended_from=None, next_attempt_time=None, attempts=0)
    draft.enter(phase, "Progressing", "Resumed.")
    draft.condition(ConditionType.SUCCEEDED, ConditionStatus.UNKNOWN, "Progressing", "Resumed.")


def _hold(draft: Draft) -> None:
    draft.stop_task()
    draft.enter(Phase.QUEUED, "MovesStopped", "The operator's settings stop all moves.")


def _too_late(draft: Draft) -> bool:
    deadline_seconds = draft.facts.job.spec.active_deadline_seconds
    started = draft.status.started_at
    if deadline_seconds is None or started is None:
        return False
    left_seconds = deadline_seconds - (draft.now - started).total_seconds()
    if left_seconds > 0:
        draft.look_again(left_seconds)
        return False
    fail(draft, "DeadlineExceeded", "activeDeadlineSeconds is over before the switch.")
    return True
