"""Health, readiness and metrics over HTTP. Healthy: it hears and works, not only runs."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from cloudflux.children.sent import RESULTS, Sent
from cloudflux.children.supervisor import ChildPool
from cloudflux.events.families import family
from cloudflux.handlers.event_feed import FeedServer
from cloudflux.handlers.kube import LEASES, Kube, KubeError
from cloudflux.handlers.lease import Lease
from cloudflux.handlers.queue import WorkQueue

LAG_PERIOD_SECONDS = 0.5
EXECUTOR_PERIOD_SECONDS = 1.0
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Above these the process counts as sick. In seconds."""

    watch_echo: float = 30.0
    queue_oldest: float = 120.0
    longest_run: float = 120.0
    loop_lag: float = 5.0
    executor_wait: float = 30.0


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its value now, its limit, and whether it holds."""

    name: str
    value: float
    limit: float

    @property
    def ok(self) -> bool:
        """Whether the value is within the limit."""
        return self.value <= self.limit


class Vitals:
    """What the probe knows: it watches our own Lease, so that a deaf watch is noticed."""

    def __init__(
        self,
        kube: Kube,
        lease: Lease,
        queue: WorkQueue[Any] | None = None,
        *,
        not_ready: Callable[[], Sequence[str]] = tuple,
        limits: Limits | None = None,
        children: ChildPool | None = None,
    ) -> None:
        self.kube, self.lease, self.queue, self.children = kube, lease, queue, children
        self._not_ready, self._limits = not_ready, limits or Limits()
        self._echo_at = time.monotonic()
        self._beat_at = time.monotonic()
        self._worst_lag = 0.0
        self._asked_at: float | None = None
        self._executor_wait = 0.0
        self._log = structlog.get_logger("cloudflux.probe")

    async def run(self) -> None:
        """Follow the Lease's echo, the loop's lag and the executor's wait, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_echo())
            group.create_task(self._measure_lag())
            group.create_task(self._ask_executor())

    def checks(self) -> list[Check]:
        """Return every check of health, evaluated now."""
        now, limits = time.monotonic(), self._limits
        lag = max(self._worst_lag, now - self._beat_at - LAG_PERIOD_SECONDS)
        checks = [
            Check("watch_echo_age_seconds", now - self._echo_at, limits.watch_echo),
            Check("lease_age_seconds", self.lease.age_seconds, float(self.lease.seconds)),
            Check("lease_lost", 0.0 if self.lease.held else 1.0, 0.0),
            Check("event_loop_lag_seconds", max(0.0, lag), limits.loop_lag),
            Check("executor_wait_seconds", self._waited(now), limits.executor_wait),
        ]
        if self.queue is not None:
            checks += [
                Check("queue_oldest_seconds", self.queue.oldest_age, limits.queue_oldest),
                Check("longest_reconcile_seconds", self.queue.longest_run, limits.longest_run),
            ]
        return checks

    def not_ready(self) -> list[str]:
        """What keeps it from being ready, by name; nothing when it is."""
        return [*self._not_ready(), *(check.name for check in self.checks() if not check.ok)]

    def _waited(self, now: float) -> float:
        """How long a trifle waits for a free thread: the last one, or the one that waits now."""
        return max(self._executor_wait, 0.0 if self._asked_at is None else now - self._asked_at)

    async def _ask_executor(self) -> None:
        """Time how long a free thread takes: when all hang in a dead disk, nothing is written."""
        while True:
            self._asked_at = time.monotonic()
            self._executor_wait = await asyncio.to_thread(time.monotonic) - self._asked_at
            self._asked_at = None
            await asyncio.sleep(EXECUTOR_PERIOD_SECONDS)

    async def _follow_echo(self) -> None:
        while True:
            try:
                async for event in self.kube.watch(
                    LEASES,
                    self.lease.namespace,
                    self.lease.name,
                    idle_seconds=self._limits.watch_echo / 2,
                ):
                    spec = event["object"].get("spec", {})
                    if spec.get("holderIdentity") == str(self.lease.identity):
                        self._echo_at = time.monotonic()
            except KubeError as error:  # the echo's age tells of it if it lasts
                self._log.info("the watch of the lease is opened again", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _measure_lag(self) -> None:
        while True:
            self._beat_at = time.monotonic()
            await asyncio.sleep(LAG_PERIOD_SECONDS)
            lag = time.monotonic() - self._beat_at - LAG_PERIOD_SECONDS
            self._worst_lag = max(lag, self._worst_lag * 0.9)  # a hiccup is forgotten in seconds


class VitalsCollector(Collector):
    """The vitals as metrics, read when Prometheus asks."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def collect(self) -> Iterable[Metric]:
        """Return the present values."""
        vitals = self._vitals
        for check in vitals.checks():
            yield family(check.name, check.value)
        yield family("api_writes_total", vitals.kube.writes)
        yield family("api_requests_total", vitals.kube.statuses)
        yield family("api_reads_total", {(kind,): n for kind, n in vitals.kube.reads.items()})
        if vitals.queue is not None:
            yield family("queue_depth", vitals.queue.depth)
            yield family("queue_in_hand", vitals.queue.in_hand)
        if vitals.children is not None:
            children = vitals.children.children
            yield family("child_tasks", {(one.name,): one.outstanding for one in children})
            yield family("child_deaths_total", {(one.name,): one.restarts for one in children})
            yield family("backend_requests_total", _sent(child.sent for child in children))


def _sent(counts: Iterable[Counter[Sent]]) -> Mapping[Sent, int]:
    """Requests of all children; of an operation that was seen every result, from 0."""
    found: Counter[Sent] = Counter()
    for one in list(counts):
        found.update(one)
    seen = {(backend, operation) for backend, operation, _ in found}
    return {(*kind, result): found[*kind, result] for kind in seen for result in RESULTS}


class ProbeServer:
    """Serves /healthz, /readyz and /metrics from the first moment; `registry` takes metrics.

    With `events`, /events too.

    Until `lead`, the process waits: it is healthy, but not ready, and `waiting_for` says why.
    """

    def __init__(self, *, host: str, port: int, events: FeedServer | None = None) -> None:
        self.registry = CollectorRegistry()
        self.events = events
        self.waiting_for: Callable[[], str] = lambda: "the Kubernetes API"
        self._host, self._port = host, port
        self._vitals: Vitals | None = None
        self._runner: web.AppRunner | None = None

    def lead(self, vitals: Vitals) -> None:
        """From now on tell of the work."""
        self._vitals = vitals
        self.registry.register(VitalsCollector(vitals))

    async def start(self) -> int:
        """Listen; returns the port (a free one is chosen for 0)."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._health),
                web.get("/readyz", self._readiness),
                web.get("/metrics", self._metrics),
            ]
        )
        if self.events is not None:
            app.router.add_get("/events", self.events.events)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, _request: web.Request) -> web.Response:
        if self._vitals is None:
            return self._answer([], [])
        checks = self._vitals.checks()
        return self._answer([check.name for check in checks if not check.ok], checks)

    async def _readiness(self, _request: web.Request) -> web.Response:
        if self._vitals is None:
            return self._answer(["Waiting"], [])
        return self._answer(self._vitals.not_ready(), self._vitals.checks())

    def _answer(self, failed: list[str], checks: list[Check]) -> web.Response:
        body = {
            "ok": not failed,
            "failed": failed,
            "checks": {c.name: {"value": round(c.value, 3), "limit": c.limit} for c in checks},
        }
        if self._vitals is None:
            body["message"] = f"waiting for {self.waiting_for()}"
        return web.json_response(body, status=503 if failed else 200)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )
