"""Which transitions a committed status tells of. Pure, and the same however often it is asked.

The status is the outbox: what is derived from it and was not told yet is told; after a kill
the next leader derives the same events, with the same ids, from the same status.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from cloudflux.api import event_data as told
from cloudflux.api.common import ConditionStatus, Tier
from cloudflux.api.event_data import EventData
from cloudflux.api.events import EventType
from cloudflux.api.vocabulary import ConditionType
from cloudflux.events.derive_job import JobTransitions
from cloudflux.events.seen import (
    Seen,
    Transition,
    hash_of,
    provider_of,
    stamp_of,
    word_of,
)


def transitions(seen: Seen, now: dt.datetime, data_set: Seen | None = None) -> Iterator[Transition]:
    """Yield what the object's status tells, oldest first. `data_set`: that of a MigrationJob."""
    if not seen.visited:
        return
    if seen.kind == "MigrationJob":
        yield from JobTransitions(seen, now, data_set).transitions()
    elif seen.kind == "DataSet":
        yield from _data_set(seen)
    elif seen.kind == "TieringPolicy":
        yield from _policy(seen)


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
            kind, word_of(kind), hash_of(essence), f"{word_of(kind)}@{stamp_of(at)}",
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
            since, slot = one.last_transition_time, word_of(EventType.COST_ALERT)
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
                EventType.COST_ALERT, slot, stamp_of(since), f"{slot}@{stamp_of(since)}",
                status.observed_generation, since, subject, alert,
            )  # fmt: skip
        if one.reason == "FirstByteLatencyBreach":
            since, slot = one.last_transition_time, word_of(EventType.LATENCY_BREACHED)
            breach = told.LatencyBreached(
                namespace=seen.namespace,
                policy=seen.name,
                first_byte_millis=status.first_byte_millis or 0,
                limit_millis=seen.spec.alerts.first_byte_millis_above or 0,
                message=one.message,
            )
            yield Transition(
                EventType.LATENCY_BREACHED, slot, stamp_of(since), f"{slot}@{stamp_of(since)}",
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
    word = word_of(EventType.POLICY_EVALUATED)
    yield Transition(
        EventType.POLICY_EVALUATED, word, stamp_of(at), f"{word}@{stamp_of(at)}",
        status.observed_generation, at, subject, data,
    )  # fmt: skip
