"""`cloudflux explain`: why an object, or a whole data set, should be where."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cloudflux.errors import CloudFluxError, ConfigurationError


def explain(
    reads: Annotated[Path, typer.Option(help="Parquet: object_id, day, reads; sparse.")],
    objects: Annotated[Path, typer.Option(help="Parquet: object_id, size_bytes, first_day.")],
    day: Annotated[str, typer.Option(help="Decide at the end of this day, YYYY-MM-DD.")],
    object_id: Annotated[
        str | None, typer.Option("--object", help="One object; absent: all of them.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--class", help="Class that they are in; absent: the base class.")
    ] = None,
    held_days: Annotated[
        int, typer.Option(min=0, help="Days that they have been in that class.")
    ] = 0,
    train_from: Annotated[
        str | None, typer.Option(help="First day of history to learn from; absent: all.")
    ] = None,
    prices: Annotated[
        str, typer.Option(help="provider/region, or a JSON file with a price list.")
    ] = "aws/us-east-1",
    classes: Annotated[
        str, typer.Option(help="Storage classes that may be used, by commas.")
    ] = "STANDARD,INTELLIGENT_TIERING,STANDARD_IA,GLACIER_IR",
    model: Annotated[
        Path | None, typer.Option(help="Model of `cloudflux train`; absent: trains by itself.")
    ] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="JSON file to write everything to.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn at random.")] = 0,
) -> None:
    """Say what should be done with objects, why, what else it could be and when it pays back."""
    import numpy as np

    from cloudflux.brain.replay import explaining
    from cloudflux.brain.replay.model_file import load_forecaster
    from cloudflux.brain.replay.pricelist import table_for
    from cloudflux.cli.backtest_files import day_option, read_trace

    try:
        when = day_option(day, "--day")
        first = day_option(train_from, "--train-from") if train_from else None
        given = None if model is None else load_forecaster(model, decide_from=when)
        names = classes.split(",")
        table = table_for(prices, names)
        trace = read_trace(reads, objects, train_from=first, decide_from=when, until=when)
        rows = np.arange(len(trace))
        if object_id is not None:
            rows = np.flatnonzero(trace.ids == object_id)
        if not len(rows):
            raise ConfigurationError(
                f"{objects} has no {'objects' if object_id is None else repr(object_id)} "
                f"that were there on {when}"
            )
        found = explaining.explain(
            trace,
            table,
            names,
            source=source or table.base_class,
            held_days=held_days,
            rows=rows,
            seed=seed,
            model=given,
        )
        if as_json is not None:
            text = json.dumps([each.as_json() for each in found], indent=1)
            as_json.write_text(text + "\n", encoding="utf-8")
    except (CloudFluxError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(explaining.as_text(found))
