"""What is said about a data set beside its status."""

import datetime as dt
from collections.abc import Sequence

from cloudflux.api.common import ConditionStatus
from cloudflux.api.conditions import find as find_condition
from cloudflux.api.dataset import DataSetStatus
from cloudflux.api.vocabulary import REASONS, ConditionType
from cloudflux.handlers import dataset_status as compute
from cloudflux.handlers.dataset_requests import assignment
from cloudflux.handlers.resources import DataSet
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.selection import conflict_message


def with_conflict(
    runtime: Runtime, data_set: DataSet, status: DataSetStatus, now: dt.datetime
) -> DataSetStatus:
    """Two policies that select the data set are said on it, too."""
    conflict = assignment(runtime, data_set).conflict
    if not conflict:
        return status
    message = conflict_message(data_set.name, conflict)
    return compute.with_condition(
        status, data_set, ConditionType.READY, ConditionStatus.FALSE, "PolicyConflict",
        message, now,
    )  # fmt: skip


def warn_of_conflict(runtime: Runtime, before: DataSet, status: DataSetStatus) -> None:
    """Tell of two policies by event, too."""
    ready = find_condition(status.conditions, ConditionType.READY)
    if ready is not None and ready.reason == "PolicyConflict":
        runtime.event(before, ready.reason, ready.message)


def warn_of_access(runtime: Runtime, data_set: DataSet, status: DataSetStatus) -> None:
    """Say once that reads are not seen, and why; the condition goes on saying it."""
    warn_of_conflict(runtime, data_set, status)
    kind = ConditionType.ACCESS_HISTORY_FRESH
    before, after = (
        find_condition(data_set.status.conditions, kind),
        find_condition(status.conditions, kind),
    )
    if after is None or (before is not None and before.reason == after.reason):
        return
    if REASONS[after.reason].warning:
        runtime.event(data_set, after.reason, after.message)


def tell_of_decision(
    runtime: Runtime, data_set: DataSet, status: DataSetStatus, warnings: Sequence[str]
) -> None:
    """Tell of savings that are new and of warnings, and wake the policy that acts on them."""
    warn_of_conflict(runtime, data_set, status)
    before = {item.id for item in data_set.status.recommendations}
    if any(item.id not in before for item in status.recommendations):
        saved = f"{status.savings_per_month} {status.currency or ''}".strip()
        first = status.recommendations[0].reason
        runtime.event(data_set, "SavingsFound", f"{saved} a month can be saved: {first}")
    chosen = assignment(runtime, data_set).policy
    if warnings:
        message = f"data set {data_set.name}: {'; '.join(warnings)}"
        runtime.event(data_set if chosen is None else chosen, "DecisionWarning", message)
    if chosen is not None:
        runtime.queue.add(chosen.key)
