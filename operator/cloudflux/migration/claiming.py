"""What the phases share: the claim of the data set, and how a job fails."""

from cloudflux.api.common import ConditionStatus
from cloudflux.api.migrationjob import JobPin, Phase
from cloudflux.api.vocabulary import ConditionType
from cloudflux.migration.draft import Draft
from cloudflux.migration.facts import COPY, SWEEP, ClaimDataSet, ReleaseClaim
from cloudflux.migration.restore_phase import spent_on_restores


def in_place(pin: JobPin) -> bool:
    """Say whether the data keeps its location and changes its class or tier only."""
    return pin.target_class is not None or pin.target_root is not None


def began(draft: Draft) -> bool:
    """Say whether copying ever began, so that something may be left at the target."""
    return draft.step(COPY) is not None


def fail(draft: Draft, reason: str, message: str, *, sweep: bool = True) -> None:
    """End the job as failed; what it wrote is swept afterwards, the source is untouched."""
    message += spent_on_restores(draft)
    draft.enter(Phase.FAILED, reason, message)
    draft.condition(ConditionType.SUCCEEDED, ConditionStatus.FALSE, reason, message)
    draft.set(completed_at=draft.now, next_attempt_time=None, queue_position=None, eta_display=None)
    draft.event(reason, message)
    draft.stop_task()
    if sweep and began(draft):
        draft.begin_step(SWEEP)
        return
    if began(draft):
        draft.set(residue="Copies and markers were kept: the data set may already use them.")
    draft.after.append(ReleaseClaim())


def ensure_claim(draft: Draft) -> bool:
    """Make sure that the data set is ours; fail the job when another one holds it."""
    data_set = draft.facts.data_set
    claim = data_set.status.active_migration_ref if data_set else None
    if claim is not None and claim.uid == draft.facts.job.uid:
        return True
    if claim is None or (data_set and data_set.claim_stale):
        draft.before.append(ClaimDataSet())
        return True
    fail(draft, "DataSetBusy", f"MigrationJob {claim.name} took the data set over.")
    return False
