"""`cloudflux forecast`: the days ahead of a whole data set."""

import datetime as dt
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudflux.errors import CloudFluxError, ConfigurationError


def forecast(
    data_set: Annotated[str, typer.Option(help="UID of the DataSet.")],
    state: Annotated[Path, typer.Option(help="State directory of the operator.")],
    days: Annotated[int, typer.Option(min=7, max=90, help="So many days ahead.")] = 30,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="JSON file to write every day to.")
    ] = None,
) -> None:
    """Say how much of a data set will be read: each day, and in sum, with intervals of 80 %."""
    from cloudflux.brain.trend import ahead
    from cloudflux.brain.words import size_text
    from cloudflux.cli import store_source
    from cloudflux.work.history import totals_of

    try:
        store, objects, now = store_source.opened(state, data_set)
        totals = totals_of(store, data_set, now, objects)
        if totals is None:
            raise ConfigurationError(
                f"no day of reads of data set {data_set} is known completely yet"
            )
        reads = ahead(totals.reads, totals.known, days)
        size = ahead(totals.size_bytes, totals.known, days)
        table: list[dict[str, Any]] = [
            {
                "day": (totals.until + dt.timedelta(days=number + 1)).isoformat(),
                "reads": round(float(reads.by_day[number]), 2),
                "reads_low": round(float(reads.low[number]), 2),
                "reads_high": round(float(reads.high[number]), 2),
                "bytes": round(float(size.by_day[number])),
                "bytes_low": round(float(size.low[number])),
                "bytes_high": round(float(size.high[number])),
            }
            for number in range(days)
        ]
        if as_json is not None:
            as_json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    except (CloudFluxError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{'day':10} {'reads':>10} {'80 % between':>21} {'bytes':>12}")
    for row in table:
        between = f"{row['reads_low']:.4g} and {row['reads_high']:.4g}"
        typer.echo(
            f"{row['day']:10} {row['reads']:10.4g} {between:>21} {size_text(row['bytes']):>12}"
        )
    for one, other in zip(reads.sums, size.sums, strict=True):
        typer.echo(
            f"{one.days} days: {one.expected:.4g} reads ({one.low:.4g} to {one.high:.4g}), "
            f"{size_text(other.expected)} ({size_text(other.low)} to {size_text(other.high)})"
        )
    typer.echo(f"by {reads.method}, from {int(totals.known.sum())} days known completely")
