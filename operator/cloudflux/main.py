"""The operator: start-up in order, kopf's registration, and a clean end."""

import asyncio
import contextlib
import datetime as dt
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import kopf
import structlog
from kubernetes.aio.client import Configuration

from cloudflux.api import crds
from cloudflux.api.common import GROUP, VERSION
from cloudflux.children.fence import read_fence, write_fence
from cloudflux.children.supervisor import ChildPool
from cloudflux.errors import ConfigurationError
from cloudflux.events.recorder import Recorder
from cloudflux.events.transitions import EventLog
from cloudflux.handlers import dispatch
from cloudflux.handlers.cache import Cache
from cloudflux.handlers.kube import CRDS, OURS, Kube, KubeError, NotFound, load_configuration
from cloudflux.handlers.lease import Lease
from cloudflux.handlers.probe import ProbeServer, Vitals
from cloudflux.handlers.queue import WorkQueue
from cloudflux.handlers.resources import KINDS
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tasks import Key, Tasks
from cloudflux.settings import Settings

WORKERS = 16
"""Keys worked on at a time: they wait for the API, not for the processor."""
CRD_POLL_SECONDS = 1.0
LOGIN_SECONDS = 600
MISSED_FIRST_SECONDS = 15.0


async def run_operator(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises ConfigurationError when it can't start."""
    log = structlog.get_logger("cloudflux.operator")
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    stop = asyncio.Event()
    _hear_signals(stop)
    kube = await Kube.connect(settings)
    try:
        log.info("starting", server=kube.host, state_dir=str(settings.state_dir))
        mismatches = await _unless(stop, _wait_for_crds(kube))
        if mismatches is None:
            return
        lease = Lease(
            kube,
            namespace=settings.lease_namespace,
            name=settings.lease_name,
            seconds=settings.lease_seconds,
            least_token=read_fence(settings.state_dir) + 1,
        )
        if await _unless(stop, lease.acquire()) is None:
            return
        try:
            await _lead(settings, kube, lease, mismatches, stop)
        finally:
            await lease.release()
    finally:
        await kube.close()
        log.info("ended")


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


async def _wait_for_crds(kube: Kube) -> list[tuple[dict[str, Any], str]]:
    """Wait until the three CRDs are served; return those of another version, with what to do."""
    log = structlog.get_logger("cloudflux.operator")
    said: set[str] = set()
    while True:
        found: list[dict[str, Any]] = []
        for resource in OURS.values():
            name = f"{resource.plural}.{GROUP}"
            try:
                found.append(await kube.get(CRDS, None, name))
            except NotFound:
                if name not in said:
                    said.add(name)
                    log.error(
                        "CRD missing; install it: kubectl apply --server-side -f crds/", crd=name
                    )
            except KubeError as error:
                if not error.retryable:
                    raise
                log.warning("the Kubernetes API does not answer", error=str(error))
        if len(found) == len(OURS):
            break
        await asyncio.sleep(CRD_POLL_SECONDS)
    problems = [(item, crds.mismatch(item)) for item in found]
    mismatches = [(item, problem) for item, problem in problems if problem]
    for item, problem in mismatches:
        log.error(problem, reason="CrdMismatch", crd=item["metadata"]["name"])
    return mismatches


async def _lead(
    settings: Settings,
    kube: Kube,
    lease: Lease,
    mismatches: list[tuple[dict[str, Any], str]],
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
    runtime = Runtime(
        settings=settings,
        kube=kube,
        cache=Cache(),
        queue=queue,
        recorder=recorder,
        event_log=EventLog(settings.state_dir),
        tasks=tasks,
        price_overlay=_overlay(settings),
    )
    kopf_ready = asyncio.Event()
    vitals = Vitals(
        kube,
        lease,
        queue,
        ready=lambda: kopf_ready.is_set() and not mismatches,
        children=pool,
    )
    async with _background(lease.hold(), recorder.run(), vitals.run()) as background:
        for item, problem in mismatches:
            recorder.event(item, "CrdMismatch", problem)
        async with _probe(vitals, settings):
            try:
                await _work(runtime, pool, background, kopf_ready, stop)
            finally:
                await recorder.drain()


def _overlay(settings: Settings) -> dict[str, object] | None:
    if settings.price_overlay is None:
        return None
    try:
        overlay = json.loads(settings.price_overlay.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{settings.price_overlay} can't be read: {error}") from error
    if not isinstance(overlay, dict):
        raise ConfigurationError(f"{settings.price_overlay} must hold one JSON object")
    return overlay


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
async def _probe(vitals: Vitals, settings: Settings) -> AsyncIterator[None]:
    if settings.probe_port == 0:
        yield
        return
    server = ProbeServer(vitals, host=settings.probe_host, port=settings.probe_port)
    await server.start()
    try:
        yield
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
    settings = runtime.settings
    await dispatch.list_all(runtime, settings.namespaces)

    async def reconcile(key: Key) -> float | None:
        return await dispatch.reconcile(runtime, key)

    kopf_stop = asyncio.Event()
    watching = asyncio.create_task(_watch(runtime, kopf_stop, kopf_ready))
    reconciling = [
        asyncio.create_task(runtime.queue.run(WORKERS, reconcile)),
        asyncio.create_task(_resync(runtime)),
        asyncio.create_task(_take_signals_back(stop, kopf_ready)),
    ]
    stopping = asyncio.create_task(stop.wait())
    parts = [watching, *reconciling[:2], *background]
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


async def _take_signals_back(stop: asyncio.Event, kopf_ready: asyncio.Event) -> None:
    """Hear SIGTERM ourselves: kopf takes it over at its start and would end first."""
    await kopf_ready.wait()
    _hear_signals(stop)


async def _resync(runtime: Runtime) -> None:
    """Look at everything again from time to time, and for what the watch has missed."""
    namespaces, seconds = runtime.settings.namespaces, runtime.settings.resync_seconds

    def keys() -> list[Key]:
        cache = runtime.cache
        return [dispatch.key_of(kind, raw) for kind in KINDS for raw in cache.list(kind)]

    async def compare() -> None:
        await asyncio.sleep(min(MISSED_FIRST_SECONDS, seconds))
        while True:
            try:
                await dispatch.find_missed(runtime, namespaces)
            except KubeError as error:
                structlog.get_logger("cloudflux").warning("listing failed", error=str(error))
            await asyncio.sleep(seconds)

    async with asyncio.TaskGroup() as group:
        group.create_task(runtime.queue.resync(keys, seconds))
        group.create_task(compare())


async def _watch(runtime: Runtime, stop: asyncio.Event, ready: asyncio.Event) -> None:
    """Run kopf: only watching, nothing written, no finalizer, no peering."""
    settings = runtime.settings
    await kopf.operator(
        registry=build_registry(runtime),
        settings=kopf_settings(),
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        stop_flag=stop,
        ready_flag=ready,
    )


def build_registry(runtime: Runtime) -> kopf.OperatorRegistry:
    """Return kopf's handlers: one for each kind, which only takes the event in."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return connection_info(await load_configuration(runtime.settings))

    for kind, resource in OURS.items():

        def hear(kind: str = kind) -> Callable[..., Any]:
            async def heard(type: str | None, body: kopf.Body, **_: Any) -> None:
                dispatch.hear(runtime, kind, type, dict(body))

            return heard

        kopf.on.event(GROUP, VERSION, resource.plural, registry=registry, id=f"hear-{kind}")(hear())
    return registry


def connection_info(configuration: Configuration) -> kopf.ConnectionInfo:
    """Return our own connection for kopf: it finds none by itself, and renews rotated tokens."""
    bearer = (configuration.api_key or {}).get("BearerToken") or ""
    scheme, _, token = bearer.rpartition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme=(scheme or "Bearer") if token else None,
        token=token or None,
        expiration=dt.datetime.now() + dt.timedelta(seconds=LOGIN_SECONDS),
    )


def kopf_settings() -> kopf.OperatorSettings:
    """Return kopf's settings: short idle workers, bounded watches, no events, our own names."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.inactivity_timeout = 90
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 500
    settings.queueing.worker_limit = 100
    settings.queueing.idle_timeout = 0.1
    settings.scanning.disabled = True
    settings.execution.max_workers = 2
    settings.process.ultimate_exiting_timeout = 20
    settings.persistence.finalizer = f"{GROUP}/unused"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP, v1=False)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP, v1=False)
    return settings
