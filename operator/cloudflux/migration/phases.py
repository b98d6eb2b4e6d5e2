"""The phases of a move from Copying to Completed, and how a job fails."""

import datetime as dt

from cloudflux.api.common import ConditionStatus
from cloudflux.api.dataset import ActiveLocation, HistoryEntry
from cloudflux.api.display import counted, display_bytes
from cloudflux.api.migrationjob import (
    JobPin,
    Phase,
    RetentionPolicy,
    VerificationStatus,
)
from cloudflux.api.move_tasks import CopyResult, PrepareSwitchResult, VerifyResult
from cloudflux.api.vocabulary import ConditionType
from cloudflux.migration import restore_phase
from cloudflux.migration.claiming import began, ensure_claim, fail, in_place
from cloudflux.migration.display import human_seconds
from cloudflux.migration.draft import Draft
from cloudflux.migration.facts import (
    COPY,
    SWITCH,
    VERIFY,
    ClaimDataSet,
    Done,
    Failed,
    SwitchDataSet,
    WriteConfigMap,
)
from cloudflux.migration.failures import failure_words, failures_of
from cloudflux.migration.restore_phase import (
    back_to_restoring,
    must_restore,
    start_restoring,
)
from cloudflux.migration.steps import end_progress, run_step, start_progress
from cloudflux.settings import Moves


def start_moving(draft: Draft) -> None:
    """Restore what is archived, or start copying."""
    if must_restore(draft):
        start_restoring(draft)
    else:
        start_copying(draft)


def restoring(draft: Draft) -> None:
    """Wait until everything can be read."""
    if not ensure_claim(draft):
        return
    end = restore_phase.restoring(draft)
    if end is not None:
        fail(draft, end.error.reason, end.error.message)


def start_copying(draft: Draft) -> None:
    """Claim the data set and start copying."""
    plan = draft.status.plan
    draft.before.append(ClaimDataSet())
    words = "Objects are moved."
    if plan is not None:
        words = f"Moves {counted(plan.objects, 'object')}, {display_bytes(plan.bytes)}."
        start_progress(draft, plan.objects, plan.bytes)
    if not began(draft):
        draft.event("Copying", words)
    draft.enter(Phase.COPYING, "Copying", words)
    draft.set(started_at=draft.status.started_at or draft.now, queue_position=None)
    draft.condition(ConditionType.SUCCEEDED, ConditionStatus.UNKNOWN, "Progressing", words)
    draft.condition(ConditionType.COPIED, ConditionStatus.UNKNOWN, "Copying", words)
    draft.begin_step(COPY)


def copying(draft: Draft) -> None:
    """Copy until the delta is empty, then verify."""
    if not ensure_claim(draft):
        return
    end = run_step(draft, COPY)
    if isinstance(end, Failed):
        draft.end_step(COPY, "Failed", end.error.message)
        draft.condition(
            ConditionType.COPIED, ConditionStatus.FALSE, end.error.reason, end.error.message
        )
        fail(draft, end.error.reason, end.error.message)
    elif isinstance(end, Done) and isinstance(end.result, CopyResult):
        _copied(draft, end.result)


def _copied(draft: Draft, result: CopyResult) -> None:
    start_progress(draft, result.objects_total, result.bytes_total)
    if back_to_restoring(draft, result):
        return
    if result.failures or result.objects_failed:
        words = failure_words("could not be moved", result.objects_failed, result.failures)
        reason = result.failures[0].reason if result.failures else "StorageError"
        draft.set(failures=failures_of(result.failures))
        draft.end_step(COPY, "Failed", words)
        draft.condition(ConditionType.COPIED, ConditionStatus.FALSE, reason, words)
        fail(draft, reason, words)
        return
    words = f"{counted(result.objects_done, 'object')}, {display_bytes(result.bytes_done)}."
    if result.objects_skipped:
        words += (
            f" {counted(result.objects_skipped, 'was', 'were')} not moved: gone or already there."
        )
    draft.end_step(COPY, "Done", words)
    draft.condition(ConditionType.COPIED, ConditionStatus.TRUE, "Copied", words)
    draft.enter(Phase.VERIFYING, "Verifying", "Copies are proven.")
    draft.condition(ConditionType.VERIFIED, ConditionStatus.UNKNOWN, "Verifying", "")
    draft.begin_step(VERIFY)


def verifying(draft: Draft) -> None:
    """Prove every object, then switch."""
    if not ensure_claim(draft):
        return
    end = run_step(draft, VERIFY)
    if isinstance(end, Failed):
        draft.end_step(VERIFY, "Failed", end.error.message)
        draft.condition(
            ConditionType.VERIFIED, ConditionStatus.FALSE, end.error.reason, end.error.message
        )
        fail(draft, end.error.reason, end.error.message)
    elif isinstance(end, Done) and isinstance(end.result, VerifyResult):
        _verified(draft, end.result)


def _verified(draft: Draft, result: VerifyResult) -> None:
    draft.set(
        verification=VerificationStatus(
            method=result.method,
            matched=result.matched,
            mismatched=result.mismatched,
            manifest_uri=result.manifest_uri,
            digest=result.digest,
        )
    )
    if result.mismatched or result.failures:
        words = failure_words("found to differ from the source", result.mismatched, result.failures)
        draft.set(failures=failures_of(result.failures))
        draft.end_step(VERIFY, "Failed", words)
        draft.condition(ConditionType.VERIFIED, ConditionStatus.FALSE, "VerificationFailed", words)
        fail(draft, "VerificationFailed", words)
        return
    words = f"{counted(result.matched, 'object')} proven by {result.method}."
    draft.end_step(VERIFY, "Done", words)
    draft.condition(ConditionType.VERIFIED, ConditionStatus.TRUE, "Verified", words)
    draft.event("Verified", words)
    end_progress(draft)
    pin = draft.status.pin
    if pin is not None:
        generation = pin.source_generation + (0 if in_place(pin) else 1)
        draft.set(pin=pin.model_copy(update={"written_generation": generation}))
    draft.enter(Phase.SWITCHING, "Switching", "Consumers are pointed to the new location.")
    draft.begin_step(SWITCH)


def switching(draft: Draft) -> None:
    """Write the markers, then switch the data set; a late delta goes back to Copying."""
    pin, gates = draft.status.pin, draft.facts.gates
    if pin is None:
        fail(draft, "InternalError", "The job's status lost its pin; start a new job.", sweep=False)
        return
    if already_switched(draft):
        _complete(draft, pin)
        return
    if not ensure_claim(draft):
        return
    if _generation(draft) != pin.source_generation:
        words = "The data set's location changed meanwhile; start a new job."
        fail(draft, "PlanChanged", words, sweep=False)
        return
    if gates.moves is not Moves.RUN:
        draft.stop_task()
        draft.say("MovesStopped", "The operator's settings stop all moves; the switch waits.")
        draft.look_again(60)
        return
    if gates.config_map_conflict and not in_place(pin):
        draft.warn_once("ConfigMapConflict", gates.config_map_conflict)
        draft.say("ConfigMapConflict", gates.config_map_conflict)
        draft.condition(
            ConditionType.SWITCHED,
            ConditionStatus.FALSE,
            "ConfigMapConflict",
            gates.config_map_conflict,
        )
        draft.look_again(30)
        return
    end = run_step(draft, SWITCH)
    if isinstance(end, Failed):
        draft.end_step(SWITCH, "Failed", end.error.message)
        fail(draft, end.error.reason, end.error.message)
    elif isinstance(end, Done) and isinstance(end.result, PrepareSwitchResult):
        if end.result.delta_objects:
            _back_to_copying(draft, end.result.delta_objects)
        else:
            _complete(draft, pin)


def already_switched(draft: Draft) -> bool:
    """Say whether the data set's history holds this job's manifest: the switch was written."""
    data_set, verification = draft.facts.data_set, draft.status.verification
    if data_set is None or verification is None:
        return False
    return any(one.manifest_uri == verification.manifest_uri for one in data_set.status.history)


def _back_to_copying(draft: Draft, delta_objects: int) -> None:
    words = f"{counted(delta_objects, 'object')} changed since verification; moved first."
    draft.end_step(SWITCH, "Done", words)
    draft.enter(Phase.COPYING, "Copying", words)
    draft.condition(ConditionType.COPIED, ConditionStatus.FALSE, "Copying", words)
    draft.condition(ConditionType.VERIFIED, ConditionStatus.FALSE, "Copying", words)
    draft.begin_step(COPY)


def _complete(draft: Draft, pin: JobPin) -> None:
    if not already_switched(draft):
        draft.before.append(_switch(draft, pin))
    if not in_place(pin):
        draft.before.append(WriteConfigMap())
    where = pin.target_class or pin.target_root or pin.target.uri
    words = f"The data set's objects are at {where}."
    draft.end_step(SWITCH, "Done", words)
    end_progress(draft)
    draft.condition(ConditionType.SWITCHED, ConditionStatus.TRUE, "Switched", words)
    draft.condition(ConditionType.SUCCEEDED, ConditionStatus.TRUE, "Completed", words)
    refused = draft.facts.job.spec.cancel
    draft.enter(
        Phase.COMPLETED,
        "CancelRefused" if refused else "Completed",
        f"{words} It was too late to cancel; go back with a new job." if refused else words,
    )
    draft.set(completed_at=draft.now, next_attempt_time=None, attempts=0)
    draft.event("Switched", words)
    draft.event("Completed", words)
    _say_what_happens_to_the_source(draft, pin)


def _say_what_happens_to_the_source(draft: Draft, pin: JobPin) -> None:
    retention = draft.facts.job.spec.source_retention
    if in_place(pin):
        reason, words = "NotApplicable", "The change was made in place."
    elif retention.policy is RetentionPolicy.RETAIN:
        reason, words = "SourceRetained", "The source is kept, as the job asks."
    else:
        draft.set(retire_after=draft.now + dt.timedelta(seconds=retention.grace_seconds))
        reason = "SourceKept"
        words = f"The source is deleted after {human_seconds(retention.grace_seconds)}."
        draft.look_again(retention.grace_seconds)
    draft.condition(ConditionType.SOURCE_RETIRED, ConditionStatus.FALSE, reason, words)


def _switch(draft: Draft, pin: JobPin) -> SwitchDataSet:
    plan, verification = draft.status.plan, draft.status.verification
    progress = draft.status.progress
    history = HistoryEntry(
        job=draft.facts.job.name,
        completed_at=draft.now,
        source=pin.source.uri,
        target=pin.target_class or pin.target_root or pin.target.uri,
        objects=verification.matched if verification else 0,
        bytes=progress.bytes_total if progress else plan.bytes if plan else 0,
        manifest_uri=verification.manifest_uri if verification else "",
    )
    location = None
    if not in_place(pin):
        secret = pin.target.credentials_secret_ref
        location = ActiveLocation(
            uri=pin.target.uri,
            endpoint=pin.target.endpoint,
            region=pin.target.region,
            credentials_secret_name=secret.name if secret else None,
            encryption=pin.target.encryption,
            volume_claim=pin.target.volume_claim,
            generation=pin.source_generation + 1,
            since=draft.now,
            previous=pin.source.uri,
        )
    return SwitchDataSet(location=location, history=history, from_generation=pin.source_generation)


def _generation(draft: Draft) -> int:
    data_set = draft.facts.data_set
    location = data_set.status.location if data_set else None
    return location.generation if location else 0
