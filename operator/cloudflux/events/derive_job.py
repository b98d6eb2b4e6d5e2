"""Which transitions the committed status of a MigrationJob tells of."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from cloudflux.api import event_data as told
from cloudflux.api.event_data import EventData
from cloudflux.api.events import EventType
from cloudflux.api.migrationjob import MigrationJobStatus, Phase
from cloudflux.api.vocabulary import ConditionType
from cloudflux.events.seen import (
    Seen,
    Transition,
    condition,
    provider_of,
    stamp_of,
    word_of,
)
from cloudflux.migration.facts import RESTORE


class JobTransitions:
    """The transitions of one MigrationJob."""

    def __init__(self, seen: Seen, now: dt.datetime, data_set: Seen | None) -> None:
        self.seen, self.now, self.data_set = seen, now, data_set
        self.status: MigrationJobStatus = seen.status
        self.generation = self.status.pin.source_generation if self.status.pin else 0
        self.fields = self._fields()

    def transitions(self) -> Iterator[Transition]:
        """Yield them, oldest first."""
        status, kind = self.status, EventType
        planned = condition(status.conditions, ConditionType.PLANNED)
        if planned is not None and status.plan is not None:
            data = told.MigrationPlanned(
                **self.fields,
                plan_hash=status.plan.hash,
                duration_seconds=status.plan.duration_seconds,
                expires_at=status.plan.expires_at,
                warnings=status.plan.warnings,
            )
            at = planned.last_transition_time
            yield self._of(kind.MIGRATION_PLANNED, data, at, mark=status.plan.hash[:16])
        if status.phase is Phase.QUEUED:
            queued = told.MigrationQueued(**self.fields, queue_position=status.queue_position)
            yield self._of(kind.MIGRATION_QUEUED, queued, self.now)
        yield from self._restoring()
        if status.started_at is not None:
            started = told.MigrationStarted(**self.fields, started_at=status.started_at)
            yield self._of(kind.MIGRATION_STARTED, started, status.started_at)
        yield from self._progress()
        yield from self._proven()
        yield from self._ended()

    def _restoring(self) -> Iterator[Transition]:
        """Of the step, not of the phase: what some servers restore at once passes it unseen."""
        plan = self.status.plan
        asked = next((one for one in self.status.steps if one.name == RESTORE), None)
        if plan is None or plan.restore is None or asked is None or asked.started_at is None:
            return
        at = asked.started_at
        data = told.MigrationRestoring(
            **self.fields,
            restore_tier=plan.restore.tier,
            archived_objects=plan.restore.objects,
            archived_bytes=plan.restore.bytes,
            restore_hours=plan.restore.hours,
            restore_cost=plan.restore.cost,
            restoring_since=at,
        )
        yield self._of(EventType.MIGRATION_RESTORING, data, at, mark=stamp_of(at))

    def _progress(self) -> Iterator[Transition]:
        progress = self.status.progress
        if self.status.phase is not Phase.COPYING or progress is None:
            return
        at = progress.last_updated_time or self.now
        known = set(told.MigrationProgress.model_fields)
        counts = {k: v for k, v in progress.model_dump().items() if k in known}
        data = told.MigrationProgress(**self.fields, **counts)
        yield self._of(EventType.MIGRATION_PROGRESS, data, at, mark=stamp_of(at))

    def _proven(self) -> Iterator[Transition]:
        status, proof, pin = self.status, self.status.verification, self.status.pin
        verified = condition(status.conditions, ConditionType.VERIFIED)
        if verified is not None and proof is not None:
            at = verified.last_transition_time
            if pin is not None and pin.source.uri != pin.target.uri:
                yield self._transfer(EventType.CLOUD_DOWNLOAD, pin.source.uri, None, at)
                target_class = pin.target_class
                yield self._transfer(EventType.CLOUD_UPLOAD, pin.target.uri, target_class, at)
            data = told.MigrationVerified(
                **self.fields,
                method=proof.method,
                matched=proof.matched,
                mismatched=proof.mismatched,
                manifest_uri=proof.manifest_uri,
                manifest_digest=proof.digest,
            )
            yield self._of(EventType.MIGRATION_VERIFIED, data, at)
        switched = condition(status.conditions, ConditionType.SWITCHED)
        if switched is not None:
            at = switched.last_transition_time
            written = pin.written_generation if pin else None
            moved = told.MigrationSwitched(
                **self.fields, switched_at=at, location_generation=written
            )
            yield self._of(EventType.MIGRATION_SWITCHED, moved, at)

    def _ended(self) -> Iterator[Transition]:
        status, progress = self.status, self.status.progress
        at = status.completed_at or self.now
        done = progress.objects_done if progress else 0
        failed = progress.objects_failed if progress else 0
        if status.phase is Phase.COMPLETED:
            proof = status.verification
            data: EventData = told.MigrationCompleted(
                **self.fields,
                started_at=status.started_at,
                completed_at=status.completed_at,
                objects_done=done,
                objects_failed=failed,
                objects_skipped=progress.objects_skipped if progress else 0,
                bytes_done=progress.bytes_done if progress else 0,
                manifest_uri=proof.manifest_uri if proof else None,
            )
            yield self._of(EventType.MIGRATION_COMPLETED, data, at)
        elif status.phase is Phase.FAILED:
            data = told.MigrationFailed(
                **self.fields,
                objects_done=done,
                objects_failed=failed,
                failures=[
                    told.FailedObject(key=one.key, reason=one.reason) for one in status.failures
                ],
                residue=status.residue,
            )
            yield self._of(EventType.MIGRATION_FAILED, data, at)
        elif status.phase is Phase.CANCELLED:
            data = told.MigrationCancelled(**self.fields, objects_done=done, residue=status.residue)
            yield self._of(EventType.MIGRATION_CANCELLED, data, at)
        retired = condition(status.conditions, ConditionType.SOURCE_RETIRED)
        if retired is not None and retired.reason == "SourceRetired" and status.pin is not None:
            uri = status.pin.source.uri
            yield self._transfer(EventType.CLOUD_DELETE, uri, None, retired.last_transition_time)

    def _of(
        self, kind: EventType, data: EventData, at: dt.datetime, *, mark: str = ""
    ) -> Transition:
        slot = word_of(kind)
        return Transition(
            type=kind,
            slot=slot,
            mark=mark,
            transition=f"{slot}@{mark}" if mark else slot,
            generation=self.generation,
            time=at,
            subject=f"{self.seen.namespace}/{self.fields['data_set']}",
            data=data,
        )

    def _transfer(
        self, kind: EventType, uri: str, storage_class: str | None, at: dt.datetime
    ) -> Transition:
        proof, progress = self.status.verification, self.status.progress
        data = told.CloudTransfer(
            namespace=self.seen.namespace,
            data_set=self.fields["data_set"],
            data_set_uid=self.fields["data_set_uid"],
            job=self.seen.name,
            job_uid=self.seen.uid,
            provider=provider_of(uri),
            uri=uri,
            storage_class=storage_class,
            objects=proof.matched if proof else 0,
            bytes=progress.bytes_done if progress else 0,
        )
        return self._of(kind, data, at)

    def _fields(self) -> dict[str, Any]:
        seen, status, spec = self.seen, self.status, self.seen.spec
        plan, pin = status.plan, status.pin
        uid = pin.data_set_uid if pin else self.data_set.uid if self.data_set else None
        return {
            "namespace": seen.namespace,
            "data_set": spec.data_set_ref.name,
            "data_set_uid": uid,
            "job": seen.name,
            "job_uid": seen.uid,
            "policy": spec.policy_ref.name if spec.policy_ref else None,
            "provider": provider_of(pin.source.uri) if pin else None,
            "source": status.source_display,
            "target": status.target_display,
            "tier": spec.target.tier,
            "objects": plan.objects if plan else None,
            "bytes": plan.bytes if plan else None,
            "one_off_cost": plan.one_off_cost if plan else None,
            "savings_per_month": plan.savings_per_month if plan else None,
            "currency": plan.currency if plan else None,
            "payback_days": plan.payback_days if plan else None,
            "confidence_percent": self._confidence(),
            "reason": status.reason,
            "message": status.message,
        }

    def _confidence(self) -> int | None:
        wanted = self.seen.spec.selection.recommendation if self.seen.spec.selection else None
        if wanted is None or self.data_set is None:
            return None
        for item in self.data_set.status.recommendations:
            if item.id == wanted:
                return int(item.confidence_percent)
        return None
