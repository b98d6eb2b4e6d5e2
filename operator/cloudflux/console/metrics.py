"""The console's own figures, as Prometheus reads them; they name nobody."""

from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from cloudflux.console.context import Console, console_of
from cloudflux.events.families import family


class ConsoleCollector(Collector):
    """Clients, events and the source."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def collect(self) -> Iterable[Metric]:
        """Return the present values."""
        console = self._console
        yield family("console_clients", console.clients)
        yield family("console_clients_dropped_total", console.dropped_clients)
        yield family("console_events_total", console.hub.published.total())
        yield family("console_source_connected", float(console.source.state.connected))


async def metrics(request: web.Request) -> web.Response:
    """Serve /metrics."""
    registry = CollectorRegistry()
    registry.register(ConsoleCollector(console_of(request)))
    return web.Response(
        body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )
