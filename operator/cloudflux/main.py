"""The operator: start-up in order, and a clean end."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import structlog
from prometheus_client import ProcessCollector

from cloudflux.children.fence import read_fence, write_fence
from cloudflux.children.supervisor import ChildPool
from cloudflux.events.metrics import OutboxCollector
from cloudflux.events.outbox import Outbox
from cloudflux.events.publisher import Publisher
from cloudflux.events.recorder import Recorder
from cloudflux.events.transitions import EventLog
from cloudflux.handlers import dispatch, outbox, startup
from cloudflux.handlers.cache import Cache
from cloudflux.handlers.event_feed import FeedServer
from cloudflux.handlers.kube import Kube, KubeError
from cloudflux.handlers.lease import Lease
from cloudflux.handlers.metrics import RuntimeCollector
from cloudflux.handlers.probe import ProbeServer, Vitals
from cloudflux.handlers.queue import WorkQueue
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tasks import Key, Tasks
from cloudflux.handlers.watch import watch
from cloudflux.settings import Settings

WORKERS = 16
"""Keys worked on at a time: they wait for the API, not for the processor."""
GARBAGE_THRESHOLDS = (10_000, 20, 20)
"""Python looks for cycles after 700 new objects, by default; one status is hundreds, no cycle
among them, and the cache is walked in vain: 8 % of the processor time of a thousand jobs."""
DRAIN_SECONDS = 2.0
"""At a clean end, the brokers get so long to take what is waiting; the rest stays on disk."""


async def run_operator(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises ConfigurationError when it can't start."""
    log = structlog.get_logger("cloudflux.operator")
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    stop = asyncio.Event()
    _hear_signals(stop)
    kube = await Kube.connect(settings)
    try:
        log.info("starting", server=kube.host, state_dir=str(settings.state_dir))
        async with _serving(settings) as probe:
            await _wait_and_lead(settings, kube, probe, stop)
    finally:
        await kube.close()
        log.info("ended")


async def _wait_and_lead(
    settings: Settings, kube: Kube, probe: ProbeServer, stop: asyncio.Event
) -> None:
    """Wait for the CRDs, then for the Lease, and lead until stopped."""
    probe.waiting_for = lambda: "the CRDs; install them: kubectl apply --server-side -f crds/"
    mismatches = await _unless(stop, startup.wait_for_crds(kube))
    if mismatches is None:
        return
    lease = Lease(
        kube,
        namespace=settings.lease_namespace,
        name=settings.lease_name,
        seconds=settings.lease_seconds,
        least_token=read_fence(settings.state_dir) + 1,
    )
    probe.waiting_for = lambda: f"leader {lease.holder}".rstrip()
    try:
        if await _unless(stop, lease.acquire()) is None:
            return
        await _lead(settings, kube, lease, mismatches, probe, stop)
    finally:
        await lease.release()


def _hear_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _unless(stop: asyncio.Event, work: Awaitable[Any]) -> Any:
    """Wait for the work, or for the stop: then None, and the work is cancelled."""
    task, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        return task.result()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return None


async def _lead(
    settings: Settings,
    kube: Kube,
    lease: Lease,
    mismatches: list[tuple[dict[str, Any], str]],
    probe: ProbeServer,
    stop: asyncio.Event,
) -> None:
    """Lead: everything from the fence to the last released child."""
    write_fence(settings.state_dir, lease.token)
    queue: WorkQueue[Key] = WorkQueue()
    tasks = Tasks(queue)
    pool = ChildPool(
        state_dir=settings.state_dir,
        token=lease.token,
        stop_at=settings.test_stop_at,
        on_change=tasks.changed,
    )
    tasks.attach(pool)
    recorder = Recorder(kube)
    event_log = EventLog(settings.state_dir)
    if probe.events is not None:
        probe.events.feed = event_log.open_feed()
    publisher = Publisher(settings.state_dir, event_log, cluster=settings.cluster)
    outbox = _outbox(settings, publisher)
    runtime = Runtime(
        settings=settings,
        kube=kube,
        cache=Cache(),
        queue=queue,
        recorder=recorder,
        publisher=publisher,
        tasks=tasks,
        price_overlay=startup.price_overlay(settings),
        outbox=outbox,
    )
    kopf_ready = asyncio.Event()
    vitals = Vitals(
        kube,
        lease,
        queue,
        not_ready=lambda: [
            *([] if kopf_ready.is_set() else ["NotListed"]),
            *(["CrdMismatch"] if mismatches else []),
        ],
        children=pool,
    )
    probe.lead(vitals)
    probe.registry.register(RuntimeCollector(runtime))
    if outbox is not None:
        probe.registry.register(OutboxCollector(outbox))
    work = [lease.hold(), recorder.run(), vitals.run(), *([outbox.run()] if outbox else [])]
    async with _told(publisher, outbox), _background(*work) as background:
        for item, problem in mismatches:
            recorder.event(item, "CrdMismatch", problem)
        try:
            await _work(runtime, pool, background, kopf_ready, stop)
        finally:
            await recorder.drain()
            if outbox is not None:
                await outbox.drain(DRAIN_SECONDS)


def _outbox(settings: Settings, publisher: Publisher) -> Outbox | None:
    if not settings.kafka.enabled:
        return None
    # imported here: without Kafka its client costs no memory
    from cloudflux.events.kafka import KafkaSink

    outbox = Outbox(
        settings.state_dir / "events" / "outbox",
        KafkaSink(settings.kafka),
        max_bytes=settings.kafka.outbox_max_bytes,
        source=f"/clusters/{settings.cluster}",
        namespace=settings.lease_namespace,
        on_durable=publisher.durable,
    )
    publisher.attach(outbox)
    return outbox


@contextlib.asynccontextmanager
async def _told(publisher: Publisher, outbox: Outbox | None) -> AsyncIterator[None]:
    try:
        yield
    finally:
        if outbox is not None:
            await outbox.close()
        publisher.close()


@contextlib.asynccontextmanager
async def _background(*work: Any) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(item) for item in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[ProbeServer]:
    """Answer probes from the first moment, also while waiting; not at all for port 0."""
    events = FeedServer(settings.events_token_file) if settings.events_token_file else None
    server = ProbeServer(host=settings.probe_host, port=settings.probe_port, events=events)
    ProcessCollector(registry=server.registry)
    if settings.probe_port:
        await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def _work(
    runtime: Runtime,
    pool: ChildPool,
    background: list[asyncio.Task[None]],
    kopf_ready: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    """List, then watch and reconcile, until stopped or until a part of it ends."""
    if await _unless(stop, _list(runtime)) is None:
        return

    async def reconcile(key: Key) -> float | None:
        return await dispatch.reconcile(runtime, key)

    kopf_stop = asyncio.Event()
    watching = asyncio.create_task(
        watch(runtime, kopf_stop, kopf_ready, lambda: _hear_signals(stop))
    )
    reconciling = [
        asyncio.create_task(runtime.queue.run(WORKERS, reconcile)),
        asyncio.create_task(dispatch.resync(runtime)),
        asyncio.create_task(runtime.standing.keep_fresh()),
    ]
    stopping = asyncio.create_task(stop.wait())
    parts = [watching, *reconciling, *background]
    await asyncio.wait({stopping, *parts}, return_when=asyncio.FIRST_COMPLETED)
    failed = [part for part in parts if part.done() and part.exception() is not None]
    stopping.cancel()
    for task in reconciling:
        task.cancel()
    await asyncio.gather(*reconciling, return_exceptions=True)
    # before kopf: at its end it cancels every task of the loop that is younger than itself
    await pool.stop()
    kopf_stop.set()
    await asyncio.gather(watching, return_exceptions=True)
    for part in failed:
        part.result()


async def _list(runtime: Runtime) -> bool:
    """Know everything that there is, and tell again what a kill kept."""
    namespaces = runtime.settings.namespaces
    await dispatch.list_all(runtime, namespaces)
    with contextlib.suppress(KubeError):  # no reason not to work
        await outbox.tell_again(runtime, namespaces)
    return True
