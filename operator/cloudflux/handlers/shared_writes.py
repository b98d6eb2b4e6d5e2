"""Which status of a job may wait a moment, to share a write with the one that follows. Pure."""

from cloudflux.api.migrationjob import Phase
from cloudflux.migration import facts as machine

PLANNING_SECONDS = 2.0
"""A plan takes a moment, unless many jobs come at once: then so long goes by unsaid."""


def may_wait_seconds(decision: machine.Decision) -> float:
    """For how long the status may stay unwritten; 0 if something stands on it, or watches it.

    Nothing stands on a plan that is being made: a kill costs no more than making it again. What
    is written first: the start of copying, of which a sweep must know, the start of the switch,
    after which a data set may follow a marker to the target, and between them the proof, for
    people to see.
    """
    status = decision.status
    if status is None or decision.before:
        return 0.0
    starts = [one.step for one in decision.after if isinstance(one, machine.StartTask)]
    if len(starts) < len(decision.after):
        return 0.0  # what an event tells of is written first
    here = (status.phase, status.reason)
    if here == (Phase.PENDING, "Pending") and starts in ([], [machine.PLAN]):
        return PLANNING_SECONDS
    return 0.0
