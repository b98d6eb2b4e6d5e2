"""From the queue to the reconciler of each kind, and what is listed to fill it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from cloudflux.errors import ConfigurationError
from cloudflux.handlers import dataset, job, policy, sweeper
from cloudflux.handlers.hearing import hear, key_of, refresh, sweep_key
from cloudflux.handlers.kube import OURS, Conflict, KubeError, NotFound
from cloudflux.handlers.resources import DATA_SET, JOB, KINDS, POLICY, SWEEP_KIND, Raw
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tasks import Key

CONFLICT_SECONDS = 0.2
MISSED_FIRST_SECONDS = 15.0
TOLD_AT_A_TIME = 50

Reconciler = Callable[[Runtime, Key], Awaitable[float | None]]
_RECONCILERS: dict[str, Reconciler] = {
    DATA_SET: dataset.reconcile,
    POLICY: policy.reconcile,
    JOB: job.reconcile,
    SWEEP_KIND: sweeper.reconcile,
}


async def reconcile(runtime: Runtime, key: Key) -> float | None:
    """Reconcile one key; what the API says of stale objects only means: look again."""
    began, outcome = time.monotonic(), "error"
    try:
        again_seconds, outcome = await _visit(runtime, key)
        return again_seconds
    finally:
        runtime.tally.visited(key[0], outcome, time.monotonic() - began)


async def _visit(runtime: Runtime, key: Key) -> tuple[float | None, str]:
    """Return seconds until the key wants to be seen again, and how the visit ended."""
    try:
        return await _RECONCILERS[key[0]](runtime, key), "success"
    except Conflict:
        await refresh(runtime, key)
        return CONFLICT_SECONDS, "conflict"
    except NotFound:
        await refresh(runtime, key)
        return None, "gone"
    except ConfigurationError as error:
        raw = runtime.cache.get(*key)
        if raw is not None:
            runtime.recorder.event(raw, error.reason, str(error))
        return float(runtime.settings.resync_seconds), "refused"


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
        for number, raw in enumerate(list(runtime.cache.list(kind))):
            runtime.tell(key_of(kind, raw))
            if number % TOLD_AT_A_TIME == 0:
                await asyncio.sleep(0)  # the lease must be renewed meanwhile
    for uid in sweeper.orphans(runtime):
        runtime.queue.add(sweep_key(uid))


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
