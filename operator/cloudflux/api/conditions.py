"""Conditions as values: a list-map keyed by type with correct transition times. Pure."""

import datetime as dt
from collections.abc import Iterable, Sequence

from cloudflux.api.common import Condition, ConditionStatus
from cloudflux.api.vocabulary import ConditionType

FIRST_VISIT = (
    ConditionType.SUCCEEDED,
    ConditionType.PLANNED,
    ConditionType.COPIED,
    ConditionType.VERIFIED,
    ConditionType.SWITCHED,
    ConditionType.SOURCE_RETIRED,
)
"""Of a job: set to Unknown when it is seen for the first time, so that waiting on them works."""

MESSAGE_LIMIT = 4096
"""Characters of a message; the schema allows no more."""


def find(conditions: Iterable[Condition], type_: ConditionType) -> Condition | None:
    """Return the condition of that type, or None."""
    return next((one for one in conditions if one.type == type_), None)


def is_true(conditions: Iterable[Condition], type_: ConditionType) -> bool:
    """Say whether the condition is there and True."""
    found = find(conditions, type_)
    return found is not None and found.status == ConditionStatus.TRUE


def set_condition(
    conditions: Sequence[Condition],
    type_: ConditionType,
    status: ConditionStatus,
    reason: str,
    message: str,
    *,
    generation: int,
    now: dt.datetime,
) -> list[Condition]:
    """Return the list with one condition set; its transition time moves only with its status."""
    before = find(conditions, type_)
    since = before.last_transition_time if before and before.status == status else now
    new = Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message[:MESSAGE_LIMIT],
        observed_generation=generation,
        # to the second, as Kubernetes writes times
        last_transition_time=since.replace(microsecond=0),
    )
    if before is None:
        return [*conditions, new]
    return [new if one.type == type_ else one for one in conditions]


def observed(conditions: Sequence[Condition], generation: int) -> list[Condition]:
    """Return the conditions as judged for `generation`."""
    return [one.model_copy(update={"observed_generation": generation}) for one in conditions]
