"""`cloudflux operator`: run the operator against the cluster that is named."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from cloudflux.errors import CloudFluxError
from cloudflux.handlers.logs import set_up_logs
from cloudflux.settings import Moves, Settings

_JSON_FLAGS = ("file_roots",)


def operator(
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig; absent: in-cluster.")] = None,
    kube_context: Annotated[str | None, typer.Option(help="Context in it.")] = None,
    namespaces: Annotated[
        list[str] | None, typer.Option("--namespace", help="Namespace served; repeat; absent: all.")
    ] = None,
    state_dir: Annotated[Path | None, typer.Option(help="State directory.")] = None,
    lease_namespace: Annotated[str | None, typer.Option(help="Namespace of the Lease.")] = None,
    lease_name: Annotated[str | None, typer.Option(help="Name of the Lease.")] = None,
    moves: Annotated[Moves | None, typer.Option(help="Run, DryRun (plan only) or Stop.")] = None,
    max_running_jobs: Annotated[int | None, typer.Option(help="Jobs moving at a time.")] = None,
    scan_interval_seconds: Annotated[int | None, typer.Option(help="Between two scans.")] = None,
    file_roots: Annotated[
        str | None, typer.Option(help='Directories by namespace, JSON: {"*": ["/data"]}.')
    ] = None,
    allowed_endpoints: Annotated[
        list[str] | None, typer.Option("--allowed-endpoint", help="Local endpoint URL; repeat.")
    ] = None,
    probe_host: Annotated[str | None, typer.Option(help="Address of health and metrics.")] = None,
    probe_port: Annotated[int | None, typer.Option(help="Port of it; 0: off.")] = None,
    price_overlay: Annotated[Path | None, typer.Option(help="JSON file with own prices.")] = None,
) -> None:
    """Run the operator. Each option can be set as CLOUDFLUX_… too; the option wins."""
    given = {name: value for name, value in locals().items() if value is not None}
    set_up_logs()
    try:
        settings = read_settings(given)
        # imported here: the other commands start without kopf
        from cloudflux.main import run_operator

        asyncio.run(run_operator(settings))
    except CloudFluxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


def read_settings(given: dict[str, Any]) -> Settings:
    """Build the settings from the variables and what was given as options."""
    values = dict(given)
    try:
        for name in _JSON_FLAGS:
            if isinstance(values.get(name), str):
                values[name] = json.loads(values[name])
        return Settings(**values)
    except (ValueError, ValidationError) as error:
        typer.echo(f"error: the settings can't work: {error}", err=True)
        raise typer.Exit(2) from error
