"""`cloudflux collector`: count access events out of Kafka, and keep what operators tell."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from cloudflux.cli.operator import read_settings
from cloudflux.errors import CloudFluxError, ConfigurationError
from cloudflux.handlers.logs import set_up_logs
from cloudflux.settings import Settings


def collector(
    state_dir: Annotated[
        Path | None, typer.Option(help="Directory with the access store, shared by collectors.")
    ] = None,
    excluded_principals: Annotated[
        list[str] | None,
        typer.Option("--exclude-principal", help="Whose operations don't count; repeat."),
    ] = None,
    history: Annotated[
        bool, typer.Option(help="Keep the operators' events, for `cloudflux history` and metrics.")
    ] = True,
    metrics_port: Annotated[int, typer.Option(help="Port of /metrics; 0: off.")] = 0,
) -> None:
    """Count access events out of Kafka, and keep what operators tell.

    Brokers and topics: CLOUDFLUX_KAFKA__… variables.
    """
    set_up_logs(process="collector")
    settings = read_settings({"state_dir": state_dir} if state_dir else {})
    try:
        if not settings.kafka.enabled:
            raise ConfigurationError("set CLOUDFLUX_KAFKA__BROKERS to host:port of your brokers")
        asyncio.run(
            _collect(
                settings,
                (*settings.excluded_principals, *(excluded_principals or ())),
                metrics_port,
                history=history,
            )
        )
    except CloudFluxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


async def _collect(
    settings: Settings, excluded: tuple[str, ...], metrics_port: int, *, history: bool
) -> None:
    # imported here: the other commands start without Kafka and Delta Lake
    from prometheus_client import CollectorRegistry, start_http_server

    from cloudflux.collector.historian import Historian
    from cloudflux.collector.metrics import FleetCollector, TotalsCollector
    from cloudflux.collector.reader import Collector, look_for_garbage_rarely

    look_for_garbage_rarely()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    counting = Collector(
        settings.kafka,
        settings.state_dir,
        excluded_principals=excluded,
        excluded_user_agents=settings.excluded_user_agents,
    )
    historian = Historian(settings.kafka, settings.state_dir) if history else None
    if metrics_port:
        registry = CollectorRegistry()
        registry.register(TotalsCollector(counting.totals))
        if historian is not None:
            registry.register(
                FleetCollector(historian.totals, historian.fleet, settings.metrics_data_sets)
            )
        start_http_server(metrics_port, settings.probe_host, registry)
    followers = [counting] if historian is None else [counting, historian]
    await asyncio.gather(*(one.run(stop) for one in followers))
