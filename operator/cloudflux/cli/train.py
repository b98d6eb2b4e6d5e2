"""`cloudflux train`: learn the forecast of the next 60 days from recorded reads."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from cloudflux.errors import CloudFluxError, ModelError


def train(
    reads: Annotated[Path, typer.Option(help="Parquet: object_id, day, reads; sparse.")],
    objects: Annotated[Path, typer.Option(help="Parquet: object_id, size_bytes, first_day.")],
    until: Annotated[str, typer.Option(help="Last day to learn from, YYYY-MM-DD.")],
    model: Annotated[Path, typer.Option(help="File to write the model to.")],
    train_from: Annotated[
        str | None, typer.Option(help="First day to learn from; absent: the first read.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same input and seed give the same model.")] = 0,
) -> None:
    """Learn to forecast reads, for `cloudflux backtest --model`."""
    from cloudflux.brain.replay import learning
    from cloudflux.brain.replay.model_file import save_forecaster
    from cloudflux.cli.backtest_files import day_option, read_trace

    try:
        last = day_option(until, "--until")
        first = day_option(train_from, "--train-from") if train_from else None
        trace = read_trace(reads, objects, train_from=first, decide_from=last, until=last)
        found = learning.train(trace, trace.until, seed=seed)
        if found is None:
            raise ModelError(
                f"too little to learn from: {learning.MIN_ROWS} rows, {learning.MIN_READ_ROWS} of "
                f"them with a read in the {learning.HORIZON_DAYS} days that follow, are needed"
            )
        save_forecaster(model, found, seed)
    except (CloudFluxError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    learnt = dt.date(1970, 1, 1) + dt.timedelta(days=found.trained_until)
    typer.echo(f"{model}: learnt from {found.rows} rows of {len(trace)} objects until {learnt}")
