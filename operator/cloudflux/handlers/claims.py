"""What a job writes to its data set, by compare-and-swap: the claim, the switch, the release."""

from cloudflux.api.dataset import ActiveMigrationRef, DataSetStatus
from cloudflux.handlers.hearing import refresh
from cloudflux.handlers.kube import MIGRATION_JOBS, Conflict, NotFound
from cloudflux.handlers.locationmap import ConfigMapConflict, write_location_map
from cloudflux.handlers.resources import DATA_SET, DataSet, Job
from cloudflux.handlers.runtime import Runtime
from cloudflux.migration import facts as machine

CLAIM_TRIES = 5
HISTORY_ENTRIES = 10


def data_set_of(runtime: Runtime, job: Job) -> DataSet | None:
    """The data set that the job names, as last seen."""
    found: DataSet | None = runtime.find((DATA_SET, job.namespace, job.spec.data_set_ref.name))
    return found


async def claim(runtime: Runtime, job: Job, seen: ActiveMigrationRef | None) -> None:
    """Claim the data set by compare-and-swap, from nobody or from the stale claim `seen`.

    Raises Conflict when it changed since the decision: another job may have claimed it while
    this one waited for something.
    """
    data_set = data_set_of(runtime, job)
    if data_set is None:
        raise Conflict(f"DataSet {job.spec.data_set_ref.name} is gone")
    claim = data_set.status.active_migration_ref
    if claim is not None and claim.uid == job.uid:
        return
    if claim is not None and (seen is None or claim.uid != seen.uid):
        raise Conflict(f"DataSet {data_set.name} was claimed by MigrationJob {claim.name}")
    ours = ActiveMigrationRef(name=job.name, uid=job.uid)
    status = data_set.status.model_copy(update={"active_migration_ref": ours})
    await runtime.write_status(data_set, status)


async def release_claim(runtime: Runtime, namespace: str, data_set_name: str, uid: str) -> None:
    """Free the data set if it is claimed by this job."""
    for _ in range(CLAIM_TRIES):
        data_set: DataSet | None = runtime.find((DATA_SET, namespace, data_set_name))
        claim = data_set.status.active_migration_ref if data_set else None
        if data_set is None or claim is None or claim.uid != uid:
            return
        freed = data_set.status.model_copy(update={"active_migration_ref": None})
        try:
            await runtime.write_status(data_set, freed)
            runtime.queue.add(data_set.key)
            return
        except NotFound:
            return
        except Conflict:
            await refresh(runtime, (DATA_SET, namespace, data_set_name))
    raise Conflict(f"DataSet {data_set_name} changes too fast to be freed")


async def claim_is_gone(runtime: Runtime, namespace: str, claim: ActiveMigrationRef) -> bool:
    """Whether the job of a claim no longer exists; asked of the API before it is believed."""
    if runtime.standing.knows(claim.uid):
        return False
    try:
        present = await runtime.kube.get(MIGRATION_JOBS, namespace, claim.name)
    except NotFound:
        return True
    return bool(present["metadata"]["uid"] != claim.uid)


async def free_stale_claim(runtime: Runtime, data_set: DataSet) -> None:
    """Free a data set whose job was deleted before it left anything that would be swept.

    Else it would say for ever that it is being moved, and would not be scanned.
    """
    claim = data_set.status.active_migration_ref
    if claim is None or runtime.tasks.get(claim.uid) is not None:
        return
    if await claim_is_gone(runtime, data_set.namespace, claim):
        await release_claim(runtime, data_set.namespace, data_set.name, claim.uid)


async def switch(runtime: Runtime, job: Job, action: machine.SwitchDataSet) -> None:
    """Point the data set to its new location, by compare-and-swap. Raises Conflict."""
    data_set = data_set_of(runtime, job)
    if data_set is None:
        raise Conflict(f"DataSet {job.spec.data_set_ref.name} is gone")
    present = data_set.status.location.generation if data_set.status.location else 0
    claim = data_set.status.active_migration_ref
    if present != action.from_generation or claim is None or claim.uid != job.uid:
        raise Conflict(f"DataSet {data_set.name} was switched or claimed by someone else")
    await runtime.write_status(data_set, switched(data_set.status, action))


def switched(status: DataSetStatus, action: machine.SwitchDataSet) -> DataSetStatus:
    """The data set's status after the switch: location, history, and the claim freed."""
    manifest = action.history.manifest_uri
    older = [entry for entry in status.history if entry.manifest_uri != manifest]
    return status.model_copy(
        update={
            "location": action.location or status.location,
            "history": [action.history, *older][:HISTORY_ENTRIES],
            "active_migration_ref": None,
        }
    )


async def write_map(runtime: Runtime, job: Job) -> None:
    """Have the location ConfigMap say what the data set says."""
    data_set = data_set_of(runtime, job)
    if data_set is None:
        return
    try:
        location = data_set.status.location
        first = location is not None and location.generation == 1
        await write_location_map(runtime, data_set, first_move=first)
    except ConfigMapConflict as error:
        # the data set is switched already; its own visits say so again until it is mended
        runtime.event(job, error.reason, str(error))
