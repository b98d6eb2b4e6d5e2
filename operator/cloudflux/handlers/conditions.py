"""Conditions of resources: set one without losing when it last changed. Pure."""

import datetime as dt
from collections.abc import Sequence

from cloudflux.api.common import Condition, ConditionStatus
from cloudflux.api.vocabulary import ConditionType


def set_condition(
    conditions: Sequence[Condition],
    kind: ConditionType,
    status: ConditionStatus,
    reason: str,
    message: str,
    *,
    generation: int,
    now: dt.datetime,
) -> list[Condition]:
    """Return a list in which `kind` has this status; the time moves only when the status does."""
    previous = find(conditions, kind)
    since = previous.last_transition_time if previous and previous.status == status else now
    fresh = Condition(
        type=kind.value,
        status=status,
        reason=reason,
        message=message[:4096],
        observed_generation=generation,
        last_transition_time=since.replace(microsecond=0),
    )
    if previous is None:
        return [*conditions, fresh]
    return [fresh if item.type == kind else item for item in conditions]


def find(conditions: Sequence[Condition], kind: ConditionType) -> Condition | None:
    """The condition of this type, if it is set."""
    return next((item for item in conditions if item.type == kind), None)


def is_true(conditions: Sequence[Condition], kind: ConditionType) -> bool:
    """Whether the condition is set and True."""
    found = find(conditions, kind)
    return found is not None and found.status == ConditionStatus.TRUE
