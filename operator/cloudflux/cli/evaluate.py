"""`cloudflux evaluate`: how good the forecasts are on recorded reads."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cloudflux.errors import CloudFluxError


def evaluate(
    reads: Annotated[Path, typer.Option(help="Parquet: object_id, day, reads; sparse.")],
    objects: Annotated[Path, typer.Option(help="Parquet: object_id, size_bytes, first_day.")],
    until: Annotated[str, typer.Option(help="Last day to look at, YYYY-MM-DD.")],
    train_from: Annotated[
        str | None, typer.Option(help="First day to look at; absent: the first read.")
    ] = None,
    origins: Annotated[int, typer.Option(min=1, help="Weeks to forecast and check.")] = 4,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="JSON file to write everything to.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn at random.")] = 0,
) -> None:
    """Measure the forecasts on rolling origins, beside answers that need no model."""
    from cloudflux.brain.replay import evaluation
    from cloudflux.cli.backtest_files import day_option, read_trace

    try:
        last = day_option(until, "--until")
        first = day_option(train_from, "--train-from") if train_from else None
        trace = read_trace(reads, objects, train_from=first, decide_from=last, until=last)
        found = evaluation.evaluate(trace, origins=origins, seed=seed)
        if as_json is not None:
            as_json.write_text(json.dumps(found.as_json(), indent=1) + "\n", encoding="utf-8")
    except (CloudFluxError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(evaluation.as_text(found))
