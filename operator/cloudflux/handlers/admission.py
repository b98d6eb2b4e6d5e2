"""Which job may move now: slots, order and overlap, over all namespaces. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloudflux.api.migrationjob import JobPin, Phase
from cloudflux.handlers.overlap import Place, touches
from cloudflux.handlers.resources import Job

MOVING = (Phase.COPYING, Phase.VERIFYING, Phase.SWITCHING)
HOLDING = (*MOVING, Phase.CANCELLING)
"""Phases whose job may still write to its target."""
FINISHED = (Phase.COMPLETED, Phase.CANCELLED, Phase.FAILED)
BEFORE_MOVING = (Phase.PENDING, Phase.PLANNED, Phase.AWAITING_APPROVAL, Phase.QUEUED)


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether a slot is free for a job, and else its place in the queue."""

    slot_available: bool
    queue_position: int | None = None


def order(job: Job) -> tuple[int, str, str, str]:
    """The order of the queue: priority, then age, then name."""
    return (-job.spec.priority, job.created.isoformat(), job.namespace, job.name)


def turn(job: Job, jobs: Iterable[Job], admitted: Mapping[str, JobPin], limit: int) -> Turn:
    """The job's turn. Only jobs that wait for nothing but a slot are ahead of it."""
    moving, ahead, mine = set(admitted), 0, order(job)
    for other in jobs:
        if other.status.phase in MOVING:
            moving.add(other.uid)
        elif (
            other.uid != job.uid
            and other.status.phase == Phase.QUEUED
            and other.status.reason == "Queued"
            and not other.spec.suspend
            and not other.spec.cancel
            and other.uid not in admitted
            and order(other) < mine
        ):
            ahead += 1
    if job.uid in moving:
        return Turn(True)
    free = limit - len(moving)
    if ahead < free:
        return Turn(True)
    return Turn(False, ahead + 1)


@dataclass(frozen=True, slots=True)
class Reserved:
    """A place that another job reads, writes or keeps, and whether it may be read beside us."""

    place: Place
    owner: str
    """UID of the data set it is for."""


def overlaps(mine: Iterable[Place], owner: str, reserved: Iterable[Reserved]) -> bool:
    """Whether any place of ours touches one that is reserved for another data set."""
    ours = list(mine)
    return any(
        item.owner != owner and any(touches(one, item.place) for one in ours) for item in reserved
    )
