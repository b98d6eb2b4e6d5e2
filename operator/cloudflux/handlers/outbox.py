"""After a start: tell of transitions that were written, but of which a kill kept the event."""

import datetime as dt

from cloudflux.api.vocabulary import REASONS
from cloudflux.events.recorder import CONTROLLER
from cloudflux.handlers.kube import EVENTS
from cloudflux.handlers.resources import JOB
from cloudflux.handlers.runtime import Runtime
from cloudflux.migration.transitions import transitions

TELLABLE = dt.timedelta(minutes=45)
"""The API server forgets events after an hour: of older transitions it can't be said whether
they were told."""


async def tell_again(runtime: Runtime, namespaces: tuple[str, ...]) -> int:
    """Emit the events that are missing; returns how many. Call once everything is listed."""
    oldest = runtime.clock() - TELLABLE
    wanted = [
        (job, one)
        for job in runtime.all(JOB)
        for one in transitions(job.status)
        if one.at >= oldest and one.reason in REASONS
    ]
    if not wanted:
        return 0
    told: set[tuple[str, str]] = set()
    for namespace in namespaces or (None,):
        ours = f"reportingController={CONTROLLER}"
        async for event in runtime.kube.pages(EVENTS, namespace, field_selector=ours):
            told.add((event.get("regarding", {}).get("uid", ""), event.get("reason", "")))
    missing = [(job, one) for job, one in wanted if (job.uid, one.reason) not in told]
    for job, one in missing:
        runtime.event(job, one.reason, one.message)
    return len(missing)
