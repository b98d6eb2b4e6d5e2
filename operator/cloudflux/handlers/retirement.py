"""The guard of a source that is to be deleted: in use again, it stays."""

import datetime as dt
from collections.abc import Iterator

from cloudflux.api.dataset import DataSetSpec
from cloudflux.api.migrationjob import JobPin, MigrationJobSpec
from cloudflux.api.move_tasks import JobTask
from cloudflux.errors import ConfigurationError
from cloudflux.handlers.admission import FINISHED, HOLDING, awaits_retirement
from cloudflux.handlers.dataset_requests import active_location
from cloudflux.handlers.overlap import Place, touches
from cloudflux.handlers.resolve import in_place
from cloudflux.handlers.resources import DATA_SET, DataSet, Job, Raw
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tasks import Key
from cloudflux.migration import facts as machine

UNREACHED_HOLD = dt.timedelta(hours=24)
"""So long after its grace a source stays for what another namespace only claims to have there:
long enough for an owner to mend a Secret, and no way to make somebody pay for ever."""


def pin_places(runtime: Runtime, pin: JobPin) -> Iterator[Place]:
    """The places that a job works on."""
    yield runtime.place(pin.source.uri, pin.source.endpoint)
    if not in_place(pin):
        yield runtime.place(pin.target.uri, pin.target.endpoint)


def source_in_use(runtime: Runtime, job: Job) -> str | None:
    """Why the source of a completed move must stay: someone reads or will read it."""
    pin = job.status.pin
    if pin is None or not awaits_retirement(job):
        return None
    source = runtime.place(pin.source.uri, pin.source.endpoint)
    if runtime.standing.data_sets_touching(source, job.namespace):
        return "The source is, or overlaps, the location of a data set; it is kept."
    until = (job.status.retire_after or job.created) + UNREACHED_HOLD
    if runtime.standing.claimed_unreached(source, job.namespace) and runtime.clock() < until:
        return (
            "A data set that could not be reached so far names the source, or a place that "
            f"overlaps it; it is kept until {until:%Y-%m-%dT%H:%M:%SZ}."
        )
    for other in runtime.standing.jobs_touching([source]):
        held, phase = other.status.pin, other.status.phase
        if other.uid == job.uid or held is None or phase in FINISHED:
            continue
        if other.namespace != job.namespace and phase not in HOLDING:
            continue  # nothing of it is there yet, and it waits for this retirement
        if any(touches(source, place) for place in pin_places(runtime, held)):
            return "The source is, or overlaps, a location of a pending move; it is kept."
    return None


def held_back(runtime: Runtime, gone: Raw) -> list[Key]:
    """Jobs that may have kept their source for a data set that is gone now."""
    location = (gone.get("status") or {}).get("location") or gone["spec"]["location"]
    place = runtime.place(location["uri"], location.get("endpoint"))
    return [job.key for job in runtime.standing.jobs_touching([place]) if awaits_retirement(job)]


def revoke(runtime: Runtime, key: Key) -> None:
    """Stop each retirement that the object, of which something was just heard, forbids.

    The mover asks immediately before each deletion whether it was stopped: after the hearing
    no deletion begins. Objects that have nothing to do with a retirement's source cost nothing.
    """
    tasks = [
        (uid, entry, request)
        for uid, entry in runtime.tasks.items()
        if entry.step == machine.RETIRE
        and not entry.ended
        and isinstance(request := entry.handle.request, JobTask)
    ]
    if not tasks:
        return
    places = list(_places_of(runtime, key))
    for uid, entry, request in tasks:
        source = runtime.place(request.source.uri, request.source.endpoint)
        own = key in (entry.key, (DATA_SET, request.namespace, request.data_set_name))
        if not own and not any(touches(source, place) for place in places):
            continue
        job: Job | None = runtime.find(entry.key)
        if job is None or job.uid != uid or _forbidden(runtime, job):
            runtime.tasks.cancel(uid)
            runtime.queue.add(entry.key)


def _places_of(runtime: Runtime, key: Key) -> Iterator[Place]:
    """Where the data of a data set is, or what a job works on; nothing for any other object."""
    try:
        heard = runtime.find(key)
    except ConfigurationError:
        return
    if heard is None:
        return
    if isinstance(heard.spec, DataSetSpec):
        location = active_location(heard)
        yield runtime.place(location.uri, location.endpoint)
    elif isinstance(heard.spec, MigrationJobSpec) and heard.status.pin is not None:
        yield from pin_places(runtime, heard.status.pin)


def _forbidden(runtime: Runtime, job: Job) -> bool:
    """Whether the source must not be deleted now, whatever was decided before."""
    data_set: DataSet | None = runtime.find((DATA_SET, job.namespace, job.spec.data_set_ref.name))
    pin = job.status.pin
    if data_set is None or pin is None or data_set.uid != pin.data_set_uid or job.spec.suspend:
        return True
    location = data_set.status.location
    generation = location.generation if location else 0
    return generation != pin.written_generation or source_in_use(runtime, job) is not None
