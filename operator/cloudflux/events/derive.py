"""Which transitions a committed status tells of. Pure, and the same however often it is asked.

The status is the outbox: what is derived from it and was not told yet is told; after a kill
the next leader derives the same events, with the same ids, from the same status.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

from cloudflux.api import event_data as told
from cloudflux.api.common import Condition, ConditionStatus, Tier
from cloudflux.api.event_data import EventData
from cloudflux.api.events import EventType
from cloudflux.api.migrationjob import MigrationJobStatus, Phase
from cloudflux.api.vocabulary import ConditionType
from cloudflux.migration.facts import RESTORE

PLURALS = {
    "DataSet": "datasets",
    "TieringPolicy": "tieringpolicies",
    "MigrationJob": "migrationjobs",
}


class Seen(Protocol):
    """An object of the API as it was last read or written."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def namespace(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def uid(self) -> str: ...  # noqa: D102
    @property
    def spec(self) -> Any: ...  # noqa: D102
    @property
    def status(self) -> Any: ...  # noqa: D102
    @property
    def visited(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Transition:
    """One thing that a status says has happened.

    `slot` and `mark` say which: a slot that holds the same mark was told already. `transition`
    is the last part of the event's id.
    """

    type: EventType
    slot: str
    mark: str
    transition: str
    generation: int
    time: dt.datetime
    subject: str
    data: EventData


def transitions(seen: Seen, now: dt.datetime, data_set: Seen | None = None) -> Iterator[Transition]:
    """Yield what the object's status tells, oldest first. `data_set`: that of a MigrationJob."""
    if not seen.visited:
        return
    if seen.kind == "MigrationJob":
        yield from _Job(seen, now, data_set).transitions()
    elif seen.kind == "DataSet":
        yield from _data_set(seen)
    elif seen.kind == "TieringPolicy":
        yield from _policy(seen)


def source_of(seen: Seen, cluster: str) -> str:
    """Return the `source` attribute of events about an object."""
    return f"/clusters/{cluster}/namespaces/{seen.namespace}/{PLURALS[seen.kind]}/{seen.name}"


def provider_of(uri: str) -> str:
    """Return the kind of storage that a URI names: s3, az, gs or file."""
    return uri.partition("://")[0]


def condition(conditions: list[Condition], kind: ConditionType) -> Condition | None:
    """Return the condition of a type, if it stands and is True."""
    for one in conditions:
        if one.type == kind and one.status is ConditionStatus.TRUE:
            return one
    return None


class _Job:
    """The transitions of one MigrationJob."""

    def __init__(self, seen: Seen, now: dt.datetime, data_set: Seen | None) -> None:
        self.seen, self.now, self.data_set = seen, now, data_set
        self.status: MigrationJobStatus = seen.status
        self.generation = self.status.pin.source_generation if self.status.pin else 0
        self.fields = self._fields()

    def transitions(self) -> Iterator[Transition]:
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
        yield self._of(EventType.MIGRATION_RESTORING, data, at, mark=_stamp(at))

    def _progress(self) -> Iterator[Transition]:
        progress = self.status.progress
        if self.status.phase is not Phase.COPYING or progress is None:
            return
        at = progress.last_updated_time or self.now
        known = set(told.MigrationProgress.model_fields)
        counts = {k: v for k, v in progress.model_dump().items() if k in known}
        data = told.MigrationProgress(**self.fields, **counts)
        yield self._of(EventType.MIGRATION_PROGRESS, data, at, mark=_stamp(at))

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
        slot = _word(kind)
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


def _data_set(seen: Seen) -> Iterator[Transition]:
    status, subject = seen.status, f"{seen.namespace}/{seen.name}"
    owner = {"namespace": seen.namespace, "data_set": seen.name, "data_set_uid": seen.uid}
    place = status.location
    generation = place.generation if place else 0
    if place is not None and place.generation > 0:
        moved = told.DataSetSwitched(
            **owner,
            uri=place.uri,
            endpoint=place.endpoint,
            region=place.region,
            provider=provider_of(place.uri),
            previous=place.previous,
            location_generation=place.generation,
            since=place.since,
        )
        yield Transition(
            EventType.DATASET_SWITCHED, "dataset.switched", str(generation), "dataset.switched",
            generation, place.since, subject, moved,
        )  # fmt: skip
    if status.evaluated_at is None:
        return
    at = status.evaluated_at
    for kind, data, essence in _decided(seen, owner):
        yield Transition(
            kind, _word(kind), _hash(essence), f"{_word(kind)}@{_stamp(at)}",
            generation, at, subject, data,
        )  # fmt: skip


def _decided(seen: Seen, owner: Mapping[str, Any]) -> Iterator[tuple[EventType, EventData, object]]:
    """What the last evaluation found, each with what makes it another than the one before."""
    status = seen.status
    if status.temperature is not None:
        access = status.access.model_dump() if status.access else {}
        yield (
            EventType.PATTERN_DETECTED,
            told.PatternDetected(
                **owner,
                temperature=status.temperature,
                confidence_percent=status.confidence_percent,
                **access,
            ),
            status.temperature,
        )
    if status.forecast is not None:
        forecast = status.forecast.model_dump()
        confidence = status.confidence_percent
        prediction = told.Prediction(**owner, **forecast, confidence_percent=confidence)
        yield EventType.PREDICTION, prediction, sorted(forecast.items())
    if status.monthly_cost is not None:
        classes = [told.MeasuredClass(**one.model_dump()) for one in status.tiers]
        cost = told.CostMeasured(
            **owner,
            provider=provider_of(status.location.uri) if status.location else None,
            currency=status.currency,
            monthly_cost=status.monthly_cost,
            savings_per_month=status.savings_per_month,
            tiers=classes,
        )
        # once a day also without a change: who listens can tell a data set that is gone
        yield EventType.COST_MEASURED, cost, (status.evaluated_at.date(), cost.model_dump_json())
    if status.recommendations:
        found = [
            told.FoundSaving(**item.model_dump(exclude={"tier"}), tier=Tier(item.tier))
            for item in status.recommendations
        ]
        data = told.SavingsFound(
            **owner,
            provider=provider_of(status.location.uri) if status.location else None,
            monthly_cost=status.monthly_cost,
            savings_per_month=status.savings_per_month or "0",
            currency=status.currency,
            recommendations=found,
        )
        yield EventType.SAVINGS_FOUND, data, [item.id for item in found]


def _policy(seen: Seen) -> Iterator[Transition]:
    status, subject = seen.status, f"{seen.namespace}/{seen.name}"
    limit = seen.spec.alerts.monthly_cost_above
    for one in status.conditions:
        if one.type == ConditionType.COST_WITHIN_LIMIT and one.status is ConditionStatus.FALSE:
            since, slot = one.last_transition_time, _word(EventType.COST_ALERT)
            alert = told.CostAlert(
                namespace=seen.namespace,
                policy=seen.name,
                monthly_cost=status.monthly_cost or "0",
                limit=limit or "0",
                currency=status.currency,
                data_sets=status.data_sets_matched,
                savings_per_month=status.projected_savings_per_month,
            )
            yield Transition(
                EventType.COST_ALERT, slot, _stamp(since), f"{slot}@{_stamp(since)}",
                status.observed_generation, since, subject, alert,
            )  # fmt: skip
        if one.reason == "FirstByteLatencyBreach":
            since, slot = one.last_transition_time, _word(EventType.LATENCY_BREACHED)
            breach = told.LatencyBreached(
                namespace=seen.namespace,
                policy=seen.name,
                first_byte_millis=status.first_byte_millis or 0,
                limit_millis=seen.spec.alerts.first_byte_millis_above or 0,
                message=one.message,
            )
            yield Transition(
                EventType.LATENCY_BREACHED, slot, _stamp(since), f"{slot}@{_stamp(since)}",
                status.observed_generation, since, subject, breach,
            )  # fmt: skip
    if status.last_evaluation_time is None:
        return
    at = status.last_evaluation_time
    data = told.PolicyEvaluated(
        namespace=seen.namespace,
        policy=seen.name,
        mode=seen.spec.mode,
        data_sets_matched=status.data_sets_matched,
        projected_savings_per_month=status.projected_savings_per_month,
        realised_savings_per_month=status.realised_savings_per_month,
        currency=status.currency,
        next_evaluation_time=status.next_evaluation_time,
    )
    word = _word(EventType.POLICY_EVALUATED)
    yield Transition(
        EventType.POLICY_EVALUATED, word, _stamp(at), f"{word}@{_stamp(at)}",
        status.observed_generation, at, subject, data,
    )  # fmt: skip


def _word(kind: EventType) -> str:
    return kind.value.removeprefix("io.cloudflux.").removesuffix(".v1")


def _stamp(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def _hash(essence: object) -> str:
    return blake2b(repr(essence).encode(), digest_size=8).hexdigest()
