"""Which transitions a job's status tells of, so that one that nobody was told of is told again.

The committed status is the outbox: what it says has happened, whoever was killed then.
"""

import datetime as dt
from dataclasses import dataclass

from cloudflux.api.common import ConditionStatus
from cloudflux.api.conditions import find
from cloudflux.api.display import counted, display_bytes
from cloudflux.api.migrationjob import MigrationJobStatus
from cloudflux.api.vocabulary import REASONS, ConditionType
from cloudflux.migration.facts import COPY, RESTORE


@dataclass(frozen=True, slots=True)
class Transition:
    """One thing that happened to a job, as its event tells it."""

    reason: str
    message: str
    at: dt.datetime


_TOLD_WHEN_TRUE = (
    (ConditionType.PLANNED, "Planned"),
    (ConditionType.VERIFIED, "Verified"),
    (ConditionType.SWITCHED, "Switched"),
    (ConditionType.SUCCEEDED, "Completed"),
)


def transitions(status: MigrationJobStatus) -> list[Transition]:
    """What happened to the job so far, in the order of time."""
    found = []
    for type_, reason in _TOLD_WHEN_TRUE:
        one = find(status.conditions, type_)
        if one is not None and one.status == ConditionStatus.TRUE:
            found.append(Transition(reason, one.message, one.last_transition_time))
    restore = next((step for step in status.steps if step.name == RESTORE), None)
    if restore is not None and restore.started_at is not None:
        found.append(Transition("Restoring", REASONS["Restoring"].meaning, restore.started_at))
    copy = next((step for step in status.steps if step.name == COPY), None)
    if copy is not None and copy.started_at is not None and status.plan is not None:
        words = (
            f"Moves {counted(status.plan.objects, 'object')}, {display_bytes(status.plan.bytes)}."
        )
        found.append(Transition("Copying", words, copy.started_at))
    end = find(status.conditions, ConditionType.SUCCEEDED)
    if end is not None and end.status == ConditionStatus.FALSE:
        found.append(Transition(end.reason, end.message, end.last_transition_time))
    return sorted(found, key=lambda one: one.at)
