"""What deleted jobs left: found by its pin, swept or said; also after the next start."""

import asyncio

from cloudflux.api.move_tasks import SweepRequest, SweepResult
from cloudflux.errors import CloudFluxError
from cloudflux.handlers import pins
from cloudflux.handlers.claims import release_claim
from cloudflux.handlers.job_facts import target_used
from cloudflux.handlers.resolve import in_place
from cloudflux.handlers.resources import JOB, Raw
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tasks import Key
from cloudflux.migration.facts import SWEEP

STOPPING_SECONDS = 0.5
RETRY_SECONDS = 300.0


def orphans(runtime: Runtime) -> list[str]:
    """UIDs of jobs that left a pin and no longer exist. Call once everything is listed."""
    present = {raw["metadata"]["uid"] for raw in runtime.cache.list(JOB)}
    return [uid for uid in pins.pinned_jobs(runtime.settings.state_dir) if uid not in present]


async def reconcile(runtime: Runtime, key: Key) -> float | None:
    """Stop the deleted job's task, free its data set, remove what it left at the target."""
    uid = key[2]
    runtime.admitted.pop(uid, None)
    entry = runtime.tasks.get(uid)
    if entry is not None and not entry.ended:
        if entry.step != SWEEP:
            runtime.tasks.cancel(uid)
        return STOPPING_SECONDS
    left = await asyncio.to_thread(pins.read_pin, runtime.settings.state_dir, uid)
    if left is None:
        _end(runtime, uid)
        return None
    if entry is None or entry.step != SWEEP:
        if not in_place(left.pin):
            runtime.sweeps[uid] = left.pin  # before the task is forgotten: one of them is seen
        runtime.tasks.forget(uid)
        await release_claim(runtime, left.namespace, left.data_set, uid)
        return await _start(runtime, left, key)
    failure = entry.error()
    _end(runtime, uid)
    if failure is not None:
        _say(runtime, left, "ResidueLeft", f"what the deleted job left is there: {failure.message}")
        return RETRY_SECONDS
    result = entry.result(SweepResult)
    _say(runtime, left, "ResidueSwept", result.residue)
    await asyncio.to_thread(pins.remove_pin, runtime.settings.state_dir, uid)
    return None


def _end(runtime: Runtime, uid: str) -> None:
    """Forget the deleted job, and wake the moves that waited for its places."""
    runtime.tasks.forget(uid)
    runtime.sweeps.pop(uid, None)
    for waiting in runtime.standing.waiting:
        runtime.queue.add(waiting)


async def _start(runtime: Runtime, left: pins.Pin, key: Key) -> float | None:
    try:
        source = await runtime.store(left.pin.source, left.namespace)
        target = source
        if left.pin.target != left.pin.source:
            target = await runtime.store(left.pin.target, left.namespace)
    except CloudFluxError as error:
        _end(runtime, left.uid)
        _say(runtime, left, "ResidueLeft", f"what the deleted job left can't be reached: {error}")
        return RETRY_SECONDS
    request = SweepRequest(
        job_uid=left.uid,
        job_name=left.name,
        namespace=left.namespace,
        data_set_uid=left.pin.data_set_uid,
        data_set_name=left.data_set,
        source_generation=left.pin.source_generation,
        source=source,
        target=target,
        target_class=left.pin.target_class,
        target_root=left.pin.target_root,
        writers=left.writers,
        verify=left.verify,
        parallelism=left.parallelism,
    )
    if _may_be_data(runtime, left):
        await _keep(runtime, left)
        return None
    # nothing waited since: a move to the target was seen, or sees this
    runtime.tasks.start(left.uid, SWEEP, "mover.sweep", request, key)
    return None


def _may_be_data(runtime: Runtime, left: pins.Pin) -> bool:
    """Whether a data set points to the target, or may: then copies and markers are data."""
    if in_place(left.pin):
        return False
    if left.stage is pins.Stage.SWITCHING:
        return True
    return target_used(runtime, left.pin, left.uid, left.namespace) is not None


async def _keep(runtime: Runtime, left: pins.Pin) -> None:
    """Leave everything: the job was deleted when the data set may have been switched already."""
    _end(runtime, left.uid)
    words = (
        f"nothing at {left.pin.target.uri} was removed: a data set or a move uses, or may use, it"
    )
    _say(runtime, left, "ResidueLeft", words)
    await asyncio.to_thread(pins.remove_pin, runtime.settings.state_dir, left.uid)


def _say(runtime: Runtime, left: pins.Pin, reason: str, message: str) -> None:
    """An event about the job that is gone: it is found by its name."""
    job: Raw = {
        "apiVersion": "cloudflux.io/v1alpha1",
        "kind": JOB,
        "metadata": {"name": left.name, "namespace": left.namespace, "uid": left.uid},
    }
    runtime.recorder.event(job, reason, message)
