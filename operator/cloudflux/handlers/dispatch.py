"""From the watch to the queue, and from the queue to the reconciler of each kind."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from cloudflux.errors import ConfigurationError
from cloudflux.handlers import dataset, job, policy, retirement, sweeper
from cloudflux.handlers.kube import OURS, Conflict, KubeError, NotFound
from cloudflux.handlers.resources import DATA_SET, JOB, KINDS, POLICY, Raw
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tasks import Key

CONFLICT_SECONDS = 0.2
MISSED_FIRST_SECONDS = 15.0

Reconciler = Callable[[Runtime, Key], Awaitable[float | None]]
_RECONCILERS: dict[str, Reconciler] = {
    DATA_SET: dataset.reconcile,
    POLICY: policy.reconcile,
    JOB: job.reconcile,
    sweeper.SWEEP_KIND: sweeper.reconcile,
}


def key_of(kind: str, raw: Raw) -> Key:
    """Return the queue's key of an object."""
    return (kind, raw["metadata"].get("namespace", ""), raw["metadata"]["name"])


def hear(runtime: Runtime, kind: str, event_type: str | None, raw: Raw) -> None:
    """Take a watch event in: remember the object, and queue it and who depends on it.

    The echo of our own write is known already: who wrote looks again by itself.
    """
    metadata = raw["metadata"]
    key = key_of(kind, raw)
    before = runtime.cache.get(kind, key[1], key[2])
    deleted = event_type == "DELETED"
    if not deleted and before is not None and _same_version(before, raw):
        retirement.revoke(runtime, key)
        return
    runtime.cache.apply(kind, event_type, raw)
    if deleted:
        _forget(runtime, kind, raw)
    else:
        runtime.queue.add(key)
    retirement.revoke(runtime, key)
    spec_changed = deleted or (
        before is None or before["metadata"].get("generation") != metadata.get("generation")
        or before["metadata"].get("labels") != metadata.get("labels")
    )  # fmt: skip
    if spec_changed:
        _wake_dependants(runtime, kind, key)


def _same_version(one: Raw, other: Raw) -> bool:
    return bool(
        one["metadata"].get("resourceVersion") == other["metadata"].get("resourceVersion")
        and one["metadata"].get("uid") == other["metadata"].get("uid")
    )


def _forget(runtime: Runtime, kind: str, raw: Raw) -> None:
    uid = raw["metadata"].get("uid", "")
    runtime.publisher.forget(uid)
    if kind == JOB:
        runtime.held.pop(uid, None)
        runtime.queue.add(sweeper.sweep_key(uid))
    elif kind == DATA_SET:
        runtime.tasks.cancel(uid)
        runtime.tasks.forget(uid)
        runtime.observed.pop(uid, None)
        for key in retirement.held_back(runtime, raw):
            runtime.queue.add(key)
    else:
        runtime.due_rounds.pop(uid, None)


def _wake_dependants(runtime: Runtime, kind: str, key: Key) -> None:
    """A policy speaks for data sets; a data set wakes its policies and its jobs."""
    namespace = key[1]
    if kind == JOB:
        return
    for other in (DATA_SET, POLICY):
        if other == DATA_SET and kind == DATA_SET:
            continue
        for raw in runtime.cache.list(other, namespace):
            runtime.queue.add(key_of(other, raw))
    if kind == DATA_SET:
        for job_key in runtime.standing.jobs_of(namespace, key[2]):
            runtime.queue.add(job_key)


async def reconcile(runtime: Runtime, key: Key) -> float | None:
    """Reconcile one key; what the API says of stale objects only means: look again."""
    try:
        return await _RECONCILERS[key[0]](runtime, key)
    except Conflict:
        await refresh(runtime, key)
        return CONFLICT_SECONDS
    except NotFound:
        await refresh(runtime, key)
        return None
    except ConfigurationError as error:
        raw = runtime.cache.get(*key)
        if raw is not None:
            runtime.recorder.event(raw, error.reason, str(error))
        return float(runtime.settings.resync_seconds)


async def refresh(runtime: Runtime, key: Key) -> None:
    """Read an object again that changed or went without our having heard of it."""
    kind, namespace, name = key
    if kind not in OURS:
        return
    known = runtime.cache.get(kind, namespace, name)
    try:
        hear(runtime, kind, "MODIFIED", await runtime.kube.get(OURS[kind], namespace, name))
    except NotFound:
        if known is not None:
            hear(runtime, kind, "DELETED", known)


async def list_all(runtime: Runtime, namespaces: tuple[str, ...]) -> None:
    """List everything once, before anything is decided on what is not there."""
    for kind in KINDS:
        found: list[Raw] = []
        for namespace in namespaces or (None,):
            found += await runtime.kube.list(OURS[kind], namespace)
        runtime.cache.replace_all(kind, found)
        for raw in found:
            runtime.queue.add(key_of(kind, raw))
    runtime.publisher.retain(
        {raw["metadata"].get("uid", "") for kind in KINDS for raw in runtime.cache.list(kind)}
    )
    for kind in KINDS:  # what an earlier leader wrote and did not live to tell
        for raw in runtime.cache.list(kind):
            runtime.tell(key_of(kind, raw))
    for uid in sweeper.orphans(runtime):
        runtime.queue.add(sweeper.sweep_key(uid))


async def find_missed(runtime: Runtime, namespaces: tuple[str, ...]) -> None:
    """Compare with a fresh listing: a change whose watch event was lost is heard now."""
    for kind in KINDS:
        known = {key_of(kind, raw) for raw in runtime.cache.list(kind)}
        for namespace in namespaces or (None,):
            async for raw in runtime.kube.pages(OURS[kind], namespace):
                key = key_of(kind, raw)
                known.discard(key)
                hear(runtime, kind, "MODIFIED", raw)
        for key in known:
            await refresh(runtime, key)


async def resync(runtime: Runtime) -> None:
    """Look at everything again from time to time, and for what the watch has missed."""
    namespaces, seconds = runtime.settings.namespaces, runtime.settings.resync_seconds

    def keys() -> list[Key]:
        cache = runtime.cache
        return [key_of(kind, raw) for kind in KINDS for raw in cache.list(kind)]

    async def compare() -> None:
        await asyncio.sleep(min(MISSED_FIRST_SECONDS, seconds))
        while True:
            try:
                await find_missed(runtime, namespaces)
            except KubeError as error:
                structlog.get_logger("cloudflux").warning("listing failed", error=str(error))
            await asyncio.sleep(seconds)

    async with asyncio.TaskGroup() as group:
        group.create_task(runtime.queue.resync(keys, seconds))
        group.create_task(compare())
