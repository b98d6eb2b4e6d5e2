"""Putting a console together from the settings, and its beginning and end."""

import asyncio
import contextlib
import ipaddress
import os
import secrets
from collections.abc import AsyncIterator

from aiohttp import web

from cloudflux.console.cluster import Cluster
from cloudflux.console.context import Console
from cloudflux.console.hub import Hub
from cloudflux.console.operator_log import OperatorEvents
from cloudflux.console.server import application
from cloudflux.console.sources import EventSource
from cloudflux.console.trend import Trend
from cloudflux.console.who import Gate, KubernetesGate, OpenGate
from cloudflux.console.world import KubernetesEvents, World
from cloudflux.errors import ConfigurationError
from cloudflux.settings import ConsoleAuth, Settings

FIRST_LISTING_SECONDS = 10.0
CLOSING_SECONDS = 2.0


def check(settings: Settings) -> None:
    """Refuse what can't be meant, and what would show a cluster to a whole network.

    Raises ConfigurationError.
    """
    own = settings.console
    if own.auth is ConsoleAuth.NONE and not is_loopback(own.host):
        raise ConfigurationError(
            f"listening on {own.host} without asking who comes would show this cluster to "
            "everybody who reaches it: use --auth Token, or listen on 127.0.0.1"
        )
    if own.events_url and not own.events_url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"CLOUDFLUX_CONSOLE__EVENTS_URL is {own.events_url}: give it as http://HOST:PORT/events"
        )
    if own.events_url and settings.events_token_file is None:
        raise ConfigurationError(
            "the operator's event log is read with a token: set CLOUDFLUX_EVENTS_TOKEN_FILE to the "
            "same file for both"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """Serve until the context ends; yields the URL. Raises ConfigurationError."""
    check(settings)
    cluster = await _cluster(settings)
    console = _console(settings, cluster)
    tasks = [asyncio.create_task(console.source.run())]
    if console.world is not None:
        tasks.append(asyncio.create_task(console.world.run()))
    if console.trend is not None:
        tasks.append(asyncio.create_task(console.trend.run()))
    runner = web.AppRunner(application(console), access_log=None, shutdown_timeout=CLOSING_SECONDS)
    try:
        if console.world is not None:
            with contextlib.suppress(TimeoutError):  # a page says what is not there yet
                async with asyncio.timeout(FIRST_LISTING_SECONDS):
                    await console.world.synced.wait()
        await runner.setup()
        site = web.TCPSite(runner, settings.console.host, settings.console.port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError(
                f"can't listen on {settings.console.host}:{settings.console.port}: {error}; "
                "choose another with --port"
            ) from error
        host = settings.console.host
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{runner.addresses[0][1]}"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runner.cleanup()
        if cluster is not None:
            await cluster.close()


async def _cluster(settings: Settings) -> Cluster | None:
    """Connect to the cluster that is named; None where none is needed and none is named."""
    named = settings.kubeconfig is not None or os.environ.get("KUBERNETES_SERVICE_HOST")
    has_events = settings.kafka.enabled or settings.console.events_url
    only_events = has_events and settings.console.auth is ConsoleAuth.NONE
    if not named and only_events:
        return None
    return await Cluster.connect(settings)


def _console(settings: Settings, cluster: Cluster | None) -> Console:
    hub = Hub()
    world = None if cluster is None else World(cluster, settings.namespaces)
    source: EventSource
    own = settings.console
    if own.events_url:
        assert settings.events_token_file is not None  # noqa: S101 - checked at the start
        source = OperatorEvents(own.events_url, settings.events_token_file, hub)
    elif settings.kafka.enabled:
        # imported here: a console without Kafka starts without its client
        from cloudflux.console.kafka import KafkaEvents

        source = KafkaEvents(settings.kafka, hub)
    else:
        assert world is not None  # noqa: S101 - without Kafka a cluster was named
        source = KubernetesEvents(world, hub, cluster=settings.cluster)
    gate: Gate = OpenGate()
    if settings.console.auth is ConsoleAuth.TOKEN:
        assert cluster is not None  # noqa: S101 - tokens need a cluster, which was named
        gate = KubernetesGate(cluster)
    return Console(
        settings=settings, hub=hub, source=source, gate=gate, world=world, cluster=cluster,
        trend=None if world is None else Trend(world),
        csrf_key=secrets.token_bytes(32),
    )  # fmt: skip
