"""`cloudflux console`: look at what happens, what happened and what it costs, in a browser."""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from cloudflux.cli.operator import read_settings
from cloudflux.errors import CloudFluxError
from cloudflux.handlers.logs import set_up_logs
from cloudflux.settings import ConsoleAuth, Settings


def console(
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig; absent: in-cluster.")] = None,
    kube_context: Annotated[str | None, typer.Option(help="Context in it.")] = None,
    namespaces: Annotated[
        list[str] | None, typer.Option("--namespace", help="Namespace shown; repeat; absent: all.")
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="The operator's state directory, for the list of objects.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0: a free one.")] = None,
    auth: Annotated[ConsoleAuth | None, typer.Option(help="None (local) or Token.")] = None,
    writes: Annotated[
        bool | None, typer.Option("--allow-writes", help="Offer to approve, suspend and cancel.")
    ] = None,
    simulator: Annotated[
        bool | None, typer.Option("--simulator", help="Offer to simulate activity.")
    ] = None,
) -> None:
    """Serve the console on the loopback address. Each option can be set as CLOUDFLUX_… too.

    Events come from Kafka where CLOUDFLUX_KAFKA__BROKERS is set, else from watching the cluster.
    """
    set_up_logs(process="console")
    given: dict[str, Any] = {
        "kubeconfig": kubeconfig,
        "kube_context": kube_context,
        "namespaces": namespaces,
        "state_dir": state_dir,
    }
    settings = read_settings({name: value for name, value in given.items() if value is not None})
    own = {"host": host, "port": port, "auth": auth, "writes": writes, "simulator": simulator}
    try:
        asyncio.run(_serve(_with(settings, own)))
    except CloudFluxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


def _with(settings: Settings, own: dict[str, Any]) -> Settings:
    """Return the settings with the console's options in them."""
    given = {name: value for name, value in own.items() if value is not None}
    try:
        changed = type(settings.console).model_validate({**settings.console.model_dump(), **given})
    except ValidationError as error:
        typer.echo(f"error: the settings can't work: {error}", err=True)
        raise typer.Exit(2) from error
    return settings.model_copy(update={"console": changed})


async def _serve(settings: Settings) -> None:
    # imported here: the other commands start without the web server
    from cloudflux.console.start import running

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(running(settings))
        typer.echo(f"The console is at {url} (Ctrl-C ends it)")
        await stop.wait()
