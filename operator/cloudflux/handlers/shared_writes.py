"""Which status of a job may wait a moment, to share a write with the one that follows. Pure."""

from cloudflux.api.migrationjob import Phase
from cloudflux.migration import facts as machine

PLANNING_SECONDS = 5.0
"""A plan takes a moment, unless many jobs come at once: then so long goes by unsaid."""
VERIFYING_SECONDS = 0.2
"""Proofs of a few small objects are found in less."""


def may_wait_seconds(decision: machine.Decision) -> float:
    """For how long the status may stay unwritten; 0 if something stands on it.

    Nothing stands on a plan that is being made, nor on a proof that is being found: neither
    writes to a store. A kill finds the status before, and has the plan made, or the copies
    looked at, once more. What is written first: the start of copying, of which a sweep must
    know, and the start of the switch, after which a data set may follow a marker to the target.
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
    if here == (Phase.VERIFYING, "Verifying") and starts == [machine.VERIFY]:
        return VERIFYING_SECONDS
    return 0.0
