"""What a TieringPolicy says beside Ready: are events delivered, are cost and latency in bounds."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from cloudflux.api.common import ConditionStatus
from cloudflux.api.conditions import find, set_condition
from cloudflux.api.tieringpolicy import TieringPolicyStatus
from cloudflux.api.vocabulary import REASONS, ConditionType
from cloudflux.handlers.resources import DataSet, Policy
from cloudflux.handlers.runtime import Runtime

MAX_NAMED = 5
"""So many data sets are named in a message."""


def delivery(
    runtime: Runtime, policy: Policy, status: TieringPolicyStatus, now: dt.datetime
) -> TieringPolicyStatus:
    """Say whether Kafka takes our events, where there is one."""
    if runtime.outbox is None:
        return status
    trouble = runtime.outbox.trouble()
    reason, message = trouble or ("EventsDelivered", REASONS["EventsDelivered"].meaning)
    kind = ConditionType.EVENTS_DELIVERED
    before = find(status.conditions, kind)
    if before is not None and before.reason == reason:
        return status  # how much waits changes all the time and is a metric
    if trouble is not None:
        runtime.event(policy, reason, message)
    return _with(policy, status, kind, trouble is None, reason, message, now)


def cost(
    runtime: Runtime, policy: Policy, status: TieringPolicyStatus, now: dt.datetime
) -> TieringPolicyStatus:
    """Say whether the data sets cost more a month than spec.alerts allows, if it does."""
    limit, kind = policy.spec.alerts.monthly_cost_above, ConditionType.COST_WITHIN_LIMIT
    before = find(status.conditions, kind)
    if limit is None:
        others = [one for one in status.conditions if one.type != kind]
        return status.model_copy(update={"conditions": others})
    above = Decimal(status.monthly_cost or "0") > Decimal(limit)
    reason = "CostAboveLimit" if above else "CostWithinLimit"
    same = before is not None and before.reason == reason
    if same and before is not None and before.observed_generation == policy.generation:
        return status  # the amount itself is in status.monthlyCost
    message = (
        f"{status.monthly_cost} {status.currency or ''} a month, the limit is {limit}".strip()
        if above
        else f"at most {limit} {status.currency or ''} a month".strip()
    )
    if above and not same:
        runtime.event(policy, reason, message)
    return _with(policy, status, kind, not above, reason, message, now)


def latency(
    runtime: Runtime,
    policy: Policy,
    status: TieringPolicyStatus,
    matched: Sequence[DataSet],
    now: dt.datetime,
) -> TieringPolicyStatus:
    """Say whether reads wait longer for their first byte than spec.alerts allows, if it does."""
    waited = {
        one.name: one.status.access.first_byte_millis
        for one in matched
        if one.status.access is not None and one.status.access.first_byte_millis is not None
    }
    status = status.model_copy(update={"first_byte_millis": max(waited.values(), default=None)})
    limit, kind = policy.spec.alerts.first_byte_millis_above, ConditionType.FIRST_BYTE_WITHIN_LIMIT
    before = find(status.conditions, kind)
    if limit is None:
        others = [one for one in status.conditions if one.type != kind]
        return status.model_copy(update={"conditions": others})
    slow = sorted(name for name, millis in waited.items() if millis > limit)
    reason, message = "FirstByteWithinLimit", f"19 of 20 reads wait at most {limit} ms"
    if slow:
        more = f" and {len(slow) - MAX_NAMED} more" if len(slow) > MAX_NAMED else ""
        names = ", ".join(slow[:MAX_NAMED]) + more
        reason = "FirstByteLatencyBreach"
        message = f"{names}: one read in twenty waits longer than {limit} ms for its first byte"
    elif not waited:
        reason, message = "FirstByteUnknown", REASONS["FirstByteUnknown"].meaning
    if (
        before is not None
        and (before.reason, before.message) == (reason, message)
        and before.observed_generation == policy.generation
    ):
        return status
    if slow and (before is None or before.reason != reason):
        runtime.event(policy, reason, message)
    value = ConditionStatus.TRUE if waited else ConditionStatus.UNKNOWN
    conditions = set_condition(
        status.conditions, kind, ConditionStatus.FALSE if slow else value, reason, message,
        generation=policy.generation, now=now,
    )  # fmt: skip
    return status.model_copy(update={"conditions": conditions})


def _with(
    policy: Policy,
    status: TieringPolicyStatus,
    kind: ConditionType,
    holds: bool,
    reason: str,
    message: str,
    now: dt.datetime,
) -> TieringPolicyStatus:
    value = ConditionStatus.TRUE if holds else ConditionStatus.FALSE
    conditions = set_condition(
        status.conditions, kind, value, reason, message, generation=policy.generation, now=now
    )
    return status.model_copy(update={"conditions": conditions})
