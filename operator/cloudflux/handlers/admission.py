"""What a job's status says of its turn and of what it still has to do. Pure."""

from dataclasses import dataclass

from cloudflux.api.conditions import is_true
from cloudflux.api.migrationjob import MigrationJobStatus, Phase, RetentionPolicy
from cloudflux.api.vocabulary import ConditionType
from cloudflux.handlers.resolve import in_place
from cloudflux.handlers.resources import Job
from cloudflux.migration.facts import RETIRE, SWEEP

MOVING = (Phase.COPYING, Phase.VERIFYING, Phase.SWITCHING)
HOLDING = (Phase.RESTORING, *MOVING, Phase.CANCELLING)
"""Phases whose job may still write to its target."""
FINISHED = (Phase.COMPLETED, Phase.CANCELLED, Phase.FAILED)
BEFORE_MOVING = (Phase.PENDING, Phase.PLANNED, Phase.AWAITING_APPROVAL, Phase.QUEUED)


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether a slot is free for a job, and else its place in the queue."""

    slot_available: bool
    queue_position: int | None = None


def in_line(status: MigrationJobStatus) -> bool:
    """Whether a job waits for nothing but a slot."""
    return status.phase == Phase.QUEUED and status.reason == "Queued"


def order(job: Job) -> tuple[int, str, str, str]:
    """The order of the queue: priority, then age, then name."""
    return (-job.spec.priority, job.created.isoformat(), job.namespace, job.name)


def sweeping(job: Job) -> bool:
    """Whether the job ended and still sweeps what it left."""
    steps = job.status.steps
    return any(step.name == SWEEP and step.state == "Running" for step in steps)


def awaits_retirement(job: Job) -> bool:
    """Whether the job completed and its source is to be deleted."""
    status = job.status
    if status.phase != Phase.COMPLETED or status.pin is None or in_place(status.pin):
        return False
    done = any(step.name == RETIRE and step.state == "Done" for step in status.steps)
    wanted = job.spec.source_retention.policy is RetentionPolicy.DELETE
    return wanted and not done and not is_true(status.conditions, ConditionType.SOURCE_RETIRED)
