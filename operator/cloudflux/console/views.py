"""The three kinds as pages and the API show them: typed values made of what the watch holds."""

import datetime as dt
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import Field

from cloudflux.api.common import Condition, ConditionStatus, Model, Money, Name, Tier
from cloudflux.api.dataset import Temperature
from cloudflux.api.migrationjob import Phase, ProgressStatus
from cloudflux.api.tieringpolicy import PolicyMode
from cloudflux.api.vocabulary import ConditionType
from cloudflux.console.tidy import clean
from cloudflux.errors import ConfigurationError
from cloudflux.handlers.kube import Object
from cloudflux.handlers.resources import JOB, DataSet, Job, Policy, Resource, parse

ENDED = (Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED)
PROVIDER_WORDS = {"s3": "S3", "az": "Azure", "gs": "Google Cloud", "file": "File"}
_PARSED_MAX = 20_000


class Bare(Model):
    """Base of what the API answers with."""


class DataSetView(Bare):
    """A data set in a list."""

    namespace: Name = Field(description="Namespace.")
    name: Name = Field(description="Name.")
    uid: str = Field(description="UID.")
    uri: str = Field(description="Where the data is now.")
    provider: str = Field(description="s3, az, gs or file.")
    temperature: Temperature = Field(description="Hot, Warm, Cold or Unknown.")
    confidence_percent: int | None = Field(default=None, description="How sure that is.")
    objects: int | None = Field(default=None, description="Objects at the last listing.")
    bytes: int | None = Field(default=None, description="Bytes at the last listing.")
    currency: str | None = Field(default=None, description="Currency of the amounts.")
    monthly_cost: Money | None = Field(default=None, description="Cost a month at present.")
    savings_per_month: Money | None = Field(default=None, description="Savings possible a month.")
    recommendation: str = Field(default="", description="The best recommendation, or why none.")
    ready: bool | None = Field(default=None, description="Condition Ready; absent: not known yet.")
    reason: str = Field(default="", description="Reason of the condition Ready.")
    message: str = Field(default="", description="Its message.")
    active_migration: str | None = Field(default=None, description="Job that moves it now.")
    evaluated_at: dt.datetime | None = Field(default=None, description="When it was decided on.")


class MigrationView(Bare):
    """A job in a list."""

    namespace: Name = Field(description="Namespace.")
    name: Name = Field(description="Name.")
    uid: str = Field(description="UID.")
    data_set: Name = Field(description="Data set that it moves.")
    policy: str | None = Field(default=None, description="Policy that made it.")
    source: str = Field(default="", alias="from", description="Where from.")
    target: str = Field(default="", alias="to", description="Where to.")
    phase: Phase = Field(description="Where it is in its life.")
    reason: str = Field(default="", description="Why, in a word.")
    message: str = Field(default="", description="Why, in a sentence.")
    progress: ProgressStatus | None = Field(default=None, description="How far it is.")
    plan_hash: str | None = Field(default=None, description="What an approval names.")
    waits_for_approval: bool = Field(description="Whether a person has to approve it.")
    created_at: dt.datetime = Field(description="When it was made.")
    completed_at: dt.datetime | None = Field(default=None, description="When it ended.")
    savings_per_month: Money | None = Field(default=None, description="What it saves, by plan.")
    one_off_cost: Money | None = Field(default=None, description="What it costs, by plan.")
    currency: str | None = Field(default=None, description="Currency of the amounts.")


class PolicyView(Bare):
    """A policy in a list."""

    namespace: Name = Field(description="Namespace.")
    name: Name = Field(description="Name.")
    uid: str = Field(description="UID.")
    mode: PolicyMode = Field(description="How far it may go.")
    strategy: str = Field(description="How it chooses.")
    suspended: bool = Field(description="Whether it is suspended.")
    data_sets: int = Field(description="Data sets that it is for.")
    currency: str | None = Field(default=None, description="Currency of the amounts.")
    monthly_cost: Money | None = Field(default=None, description="What they cost a month.")
    projected_savings_per_month: Money | None = Field(default=None, description="Possible.")
    realised_savings_per_month: Money | None = Field(default=None, description="Achieved.")
    last_evaluation_time: dt.datetime | None = Field(default=None, description="Last time.")
    next_evaluation_time: dt.datetime | None = Field(default=None, description="Next time.")
    ready: bool | None = Field(default=None, description="Condition Ready.")
    reason: str = Field(default="", description="Its reason.")
    message: str = Field(default="", description="Its message.")


class Alert(Bare):
    """Something that somebody should look at."""

    severity: str = Field(description="warning or error.")
    kind: str = Field(description="DataSet, TieringPolicy or MigrationJob.")
    namespace: Name = Field(description="Namespace.")
    name: Name = Field(description="Name.")
    reason: str = Field(description="Why, in a word.")
    message: str = Field(description="Why, and what to do.")
    since: dt.datetime | None = Field(default=None, description="Since when.")


_viewed: OrderedDict[str, tuple[DataSet, DataSetView]] = OrderedDict()
_parsed: OrderedDict[str, tuple[str, Resource[Any, Any] | None]] = OrderedDict()


def typed(kind: str, raw: Object) -> Resource[Any, Any] | None:
    """Return an object as a typed value, parsed once for each version; None: can't be read."""
    metadata = raw["metadata"]
    uid, version = str(metadata.get("uid", "")), str(metadata.get("resourceVersion", ""))
    known = _parsed.get(uid)
    if known is not None and known[0] == version:
        return known[1]
    try:
        found: Resource[Any, Any] | None = parse(kind, raw)
    except ConfigurationError:
        found = None
    _parsed[uid] = (version, found)
    if len(_parsed) > _PARSED_MAX:
        _parsed.popitem(last=False)
    return found


def all_typed(kind: str, raws: Iterable[Object]) -> Iterator[Any]:
    """Yield those that can be read."""
    return (found for raw in raws if (found := typed(kind, raw)) is not None)


def find(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """Return the condition of a type."""
    return next((one for one in conditions if one.type == kind), None)


def truth(condition: Condition | None) -> bool | None:
    """Whether a condition holds; None while that is not known."""
    if condition is None or condition.status is ConditionStatus.UNKNOWN:
        return None
    return condition.status is ConditionStatus.TRUE


def place_of(data_set: DataSet) -> str:
    """Return where the data is now."""
    location = data_set.status.location
    return clean(location.uri if location else data_set.spec.location.uri)


def data_set_view(one: DataSet) -> DataSetView:
    """Return a data set as a list shows it, made once for each version."""
    known = _viewed.get(one.uid)
    if known is None or known[0] is not one:
        known = _viewed[one.uid] = (one, _data_set_view(one))
        if len(_viewed) > _PARSED_MAX:
            _viewed.popitem(last=False)
    return known[1]


def _data_set_view(one: DataSet) -> DataSetView:
    status, ready = one.status, find(one.status.conditions, ConditionType.READY)
    best = status.recommendations[0] if status.recommendations else None
    uri = place_of(one)
    return DataSetView(
        namespace=one.namespace,
        name=one.name,
        uid=one.uid,
        uri=uri,
        provider=uri.partition("://")[0],
        temperature=status.temperature,
        confidence_percent=status.confidence_percent,
        objects=status.inventory.objects if status.inventory else None,
        bytes=status.inventory.bytes if status.inventory else None,
        currency=status.currency,
        monthly_cost=status.monthly_cost,
        savings_per_month=status.savings_per_month,
        recommendation=f"{best.source} → {best.target}: {best.reason}"
        if best
        else status.why_not or "",
        ready=truth(ready),
        reason=ready.reason if ready else "",
        message=clean(ready.message) if ready else "",
        active_migration=status.active_migration_ref.name if status.active_migration_ref else None,
        evaluated_at=status.evaluated_at,
    )


def migration_view(one: Job) -> MigrationView:
    """Return a job as a list shows it."""
    status, plan = one.status, one.status.plan
    return MigrationView(
        namespace=one.namespace,
        name=one.name,
        uid=one.uid,
        data_set=one.spec.data_set_ref.name,
        policy=one.labels.get("cloudflux.io/policy"),
        source=clean(status.source_display or ""),
        target=clean(status.target_display or _target_of(one)),
        phase=status.phase,
        reason=status.reason or "",
        message=clean(status.message or ""),
        progress=status.progress,
        plan_hash=plan.hash if plan else None,
        waits_for_approval=status.phase is Phase.AWAITING_APPROVAL,
        created_at=one.created,
        completed_at=status.completed_at,
        savings_per_month=plan.savings_per_month if plan else None,
        one_off_cost=plan.one_off_cost if plan else None,
        currency=plan.currency if plan else None,
    )


def _target_of(job: Job) -> str:
    target = job.spec.target
    if target.location is not None:
        return str(target.location.uri)
    return str(target.storage_class or (target.tier.value if target.tier else ""))


def policy_view(one: Policy) -> PolicyView:
    """Return a policy as a list shows it."""
    status, ready = one.status, find(one.status.conditions, ConditionType.READY)
    return PolicyView(
        namespace=one.namespace,
        name=one.name,
        uid=one.uid,
        mode=one.spec.mode,
        strategy=one.spec.strategy,
        suspended=one.spec.suspend,
        data_sets=status.data_sets_matched,
        currency=status.currency,
        monthly_cost=status.monthly_cost,
        projected_savings_per_month=status.projected_savings_per_month,
        realised_savings_per_month=status.realised_savings_per_month,
        last_evaluation_time=status.last_evaluation_time,
        next_evaluation_time=status.next_evaluation_time,
        ready=truth(ready),
        reason=ready.reason if ready else "",
        message=clean(ready.message) if ready else "",
    )


_WATCHED = {
    ConditionType.READY: "warning",
    ConditionType.ACCESS_HISTORY_FRESH: "warning",
    ConditionType.COST_WITHIN_LIMIT: "warning",
}


def alerts_of(one: Resource[Any, Any]) -> Iterator[Alert]:
    """Yield what somebody should look at."""
    if one.kind == JOB:
        phase = one.status.phase
        stalled = find(one.status.conditions, ConditionType.STALLED)
        if phase is Phase.FAILED:
            yield _alert(one, "error", one.status.reason or "Failed", one.status.message or "",
                         one.status.completed_at)  # fmt: skip
        elif phase is Phase.AWAITING_APPROVAL:
            yield _alert(one, "info", "AwaitingApproval", one.status.message or "", one.created)
        elif truth(stalled) and stalled is not None:
            since = stalled.last_transition_time
            yield _alert(one, "warning", stalled.reason, stalled.message, since)
        return
    for kind, severity in _WATCHED.items():
        found = find(one.status.conditions, kind)
        if found is not None and truth(found) is False:
            yield _alert(one, severity, found.reason, found.message, found.last_transition_time)


def _alert(
    one: Resource[Any, Any], severity: str, reason: str, message: str, since: dt.datetime | None
) -> Alert:
    return Alert(
        severity=severity, kind=one.kind, namespace=one.namespace, name=one.name,
        reason=reason, message=clean(message), since=since,
    )  # fmt: skip


def money(value: str | None) -> Decimal:
    """Return an amount as a number; nothing known is nothing."""
    try:
        return Decimal(value) if value else Decimal(0)
    except InvalidOperation:
        return Decimal(0)


def sums(pairs: Iterable[tuple[str | None, str | None]]) -> dict[str, Decimal]:
    """Add amounts up by currency, given as (amount, currency)."""
    found: dict[str, Decimal] = {}
    for value, currency in pairs:
        if value is not None:
            found[currency or ""] = found.get(currency or "", Decimal(0)) + money(value)
    return found


def bytes_by_tier(data_sets: Iterable[DataSet]) -> dict[str, dict[str, int]]:
    """Return bytes by provider and tier; a class without a tier is called Other."""
    found: dict[str, dict[str, int]] = {}
    for one in data_sets:
        provider = PROVIDER_WORDS.get(place_of(one).partition("://")[0], "Other")
        tiers = found.setdefault(provider, {})
        for usage in one.status.tiers:
            name = usage.tier.value if usage.tier else "Other"
            tiers[name] = tiers.get(name, 0) + usage.bytes
    return {provider: tiers for provider, tiers in found.items() if any(tiers.values())}


TIERS = (*(tier.value for tier in Tier), "Other")
