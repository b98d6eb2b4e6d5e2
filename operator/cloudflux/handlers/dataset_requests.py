"""Where a data set's data is, whose policy speaks for it, and what its children are asked."""

import datetime as dt

from cloudflux.api.brain_tasks import EvaluateRequest
from cloudflux.api.common import ConditionStatus, Location, SecretRef
from cloudflux.api.conditions import find as find_condition
from cloudflux.api.scan_tasks import OWN_USER_AGENT, AccessSourceRef, InventoryRef, ScanRequest
from cloudflux.api.vocabulary import ConditionType
from cloudflux.handlers.requests import tier_roots
from cloudflux.handlers.resources import POLICY, DataSet
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.selection import Assignment, assign


def active_location(data_set: DataSet) -> Location:
    """Where the data is now, as a location; the origin while that is not known."""
    active, origin = data_set.status.location, data_set.spec.location
    if active is None:
        return origin
    secret = active.credentials_secret_name
    return Location(
        uri=active.uri,
        endpoint=active.endpoint,
        region=active.region,
        credentials_secret_ref=SecretRef(name=secret) if secret else None,
        encryption=active.encryption,
        # how pods reach it is no part of where it is, and may be said later
        volume_claim=origin.volume_claim if active.uri == origin.uri else active.volume_claim,
    )


def assignment(runtime: Runtime, data_set: DataSet) -> Assignment:
    """The policy that speaks for the data set now."""
    return assign(runtime.all(POLICY, data_set.namespace), data_set)


def fingerprint(chosen: Assignment) -> tuple[str, int]:
    """What a decision stood on: the policy and its generation, or who disputes the data set."""
    if chosen.policy is None:
        return (" ".join(chosen.conflict), 0)
    return (chosen.policy.uid, chosen.policy.generation)


async def scan_request(runtime: Runtime, data_set: DataSet, now: dt.datetime) -> ScanRequest:
    """What to list and which signals to read. Raises CloudFluxError."""
    source = await runtime.store(active_location(data_set), data_set.namespace)
    sources = []
    for signal in data_set.spec.access.sources:
        logs = await runtime.store(signal.logs, data_set.namespace) if signal.logs else None
        sources.append(AccessSourceRef(type=signal.type, logs=logs))
    runtime.memory(data_set.uid).scanned_generation = data_set.generation
    return ScanRequest(
        data_set_uid=data_set.uid,
        source=source,
        sources=tuple(sources),
        inventory=await _reports(runtime, data_set),
        tier_roots=tier_roots(runtime, data_set.namespace, source.uri),
        retention_days=data_set.spec.retention.access_history_days,
        excluded_user_agents=(OWN_USER_AGENT, *runtime.settings.excluded_user_agents),
        excluded_principals=runtime.settings.excluded_principals,
        now=now,
    )


async def _reports(runtime: Runtime, data_set: DataSet) -> InventoryRef | None:
    """Where inventory reports of the data are; None where it has to be listed."""
    wanted, history = data_set.spec.inventory, data_set.status.history
    # reports tell of the bucket in which the data began
    if wanted.reports is None or active_location(data_set).uri != data_set.spec.location.uri:
        return None
    return InventoryRef(
        source=wanted.source,
        reports=await runtime.store(wanted.reports, data_set.namespace),
        since=history[0].completed_at if history else None,
    )


def evaluate_request(
    runtime: Runtime, data_set: DataSet, chosen: Assignment, now: dt.datetime
) -> EvaluateRequest:
    """What to decide on."""
    location = active_location(data_set)
    history = data_set.status.history
    fresh = find_condition(data_set.status.conditions, ConditionType.ACCESS_HISTORY_FRESH)
    return EvaluateRequest(
        data_set_uid=data_set.uid,
        uri=location.uri,
        endpoint=location.endpoint,
        region=location.region,
        fresh=fresh is not None and fresh.status == ConditionStatus.TRUE,
        fresh_message=fresh.message if fresh else "",
        policy=chosen.policy.spec if chosen.policy else None,
        last_move_at=history[0].completed_at if history else None,
        price_overlay=runtime.price_overlay,
        now=now,
    )
