"""`cloudflux explain`: why an object, or a whole data set, should be where."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudflux.errors import CloudFluxError, ConfigurationError


def explain(
    reads: Annotated[
        Path | None, typer.Option(help="Parquet: object_id, day, reads; sparse.")
    ] = None,
    objects: Annotated[
        Path | None, typer.Option(help="Parquet: object_id, size_bytes, first_day.")
    ] = None,
    day: Annotated[
        str | None, typer.Option(help="Decide at the end of this day, YYYY-MM-DD; with files.")
    ] = None,
    data_set: Annotated[
        str | None,
        typer.Option(help="UID of a DataSet: reads the access store instead of files."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="State directory of the operator; with --data-set.")
    ] = None,
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

    from cloudflux.api.tieringpolicy import Guardrails
    from cloudflux.brain.replay import explaining
    from cloudflux.brain.replay.model_file import load_forecaster
    from cloudflux.brain.replay.pricelist import table_for
    from cloudflux.cli import store_source
    from cloudflux.cli.backtest_files import day_option, read_trace

    try:
        names = classes.split(",")
        table = table_for(prices, names)
        if data_set is not None:
            trace, present = store_source.trace(state, data_set)
            where = f"data set {data_set}"
        elif reads is None or objects is None or day is None:
            raise ConfigurationError(
                "say what to explain: --data-set UID --state DIR, or --reads, --objects and --day"
            )
        else:
            when = day_option(day, "--day")
            first = day_option(train_from, "--train-from") if train_from else None
            trace = read_trace(reads, objects, train_from=first, decide_from=when, until=when)
            present, where = None, str(objects)
        known_until = store_source.date_of(trace.decide_from)
        given = None if model is None else load_forecaster(model, decide_from=known_until)
        rows = np.arange(len(trace))
        if object_id is not None:
            rows = np.flatnonzero(trace.ids == object_id[-store_source.ID_CHARACTERS :])
        if not len(rows):
            raise ConfigurationError(
                f"{where} has no {'objects' if object_id is None else repr(object_id)} "
                f"that were there on {known_until}"
            )
        found = []
        for name, alike in _by_class(source or table.base_class, present, source, rows):
            found += explaining.explain(
                trace, table, names, source=name, held_days=held_days, rows=alike, seed=seed,
                model=given,
            )  # fmt: skip
        if as_json is not None:
            rails = Guardrails()
            shown = [
                {
                    **each.as_json(),
                    "guardrails": [
                        {"name": one.name, "least": one.least, "found": round(one.found, 4),
                         "holds_back": one.holds_back}
                        for one in each.guardrails(rails, table.base_class)
                    ],
                }
                for each in found
            ]  # fmt: skip
            as_json.write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")
    except (CloudFluxError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(explaining.as_text(found, Guardrails(), table.base_class))


def _by_class(
    default: str, present: list[str] | None, asked: str | None, rows: Any
) -> list[tuple[str, Any]]:
    """Group objects by the class that they are in, or that they are asked to be taken as in."""
    import numpy as np

    if present is None or asked is not None:
        return [(default, rows)]
    there = np.array(present)[rows]
    return [(name, rows[there == name]) for name in sorted(set(there.tolist()))]
