"""`cloudflux generate`: synthetic histories of named behaviours, from a seed."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from cloudflux.errors import CloudFluxError


def generate(
    behaviour: Annotated[
        str,
        typer.Argument(
            help="hot, steady, decaying, dead, surprise, superseded, long-tail, bursts, campaigns, "
            "weekly, monthly, yearly or mass-scan."
        ),
    ],
    reads: Annotated[Path, typer.Option(help="Parquet file to write the reads to.")],
    objects: Annotated[Path, typer.Option(help="Parquet file to write the objects to.")],
    count: Annotated[int, typer.Option(help="Number of objects.")] = 1000,
    days: Annotated[int, typer.Option(help="Days of history.")] = 900,
    first_day: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")] = "2024-01-01",
    seed: Annotated[int, typer.Option(help="The same seed gives the same history.")] = 0,
) -> None:
    """Write a synthetic history, in the files that `cloudflux backtest` reads."""
    from cloudflux.brain.replay import behaviours
    from cloudflux.cli.backtest_files import write_history

    try:
        start = dt.date.fromisoformat(first_day)
        history = behaviours.generate(behaviour, objects=count, days=days, seed=seed)
        write_history(reads, objects, history, start)
    except (CloudFluxError, OSError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    last = start + dt.timedelta(days=days - 1)
    typer.echo(f"{count} objects, {len(history.row)} rows of reads, {start} to {last}")
