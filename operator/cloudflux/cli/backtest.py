"""`cloudflux backtest`: replay a policy over recorded reads, beside baselines and the optimum."""

import datetime as dt
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudflux.errors import CloudFluxError


class StrategyName(StrEnum):
    """How objects are placed."""

    RULES = "rules"
    AUTOMATIC = "automatic"
    PREDICTIVE = "predictive"
    COST_OPTIMAL = "cost-optimal"


def backtest(
    reads: Annotated[Path, typer.Option(help="Parquet: object_id, day, reads; sparse.")],
    objects: Annotated[Path, typer.Option(help="Parquet: object_id, size_bytes, first_day.")],
    decide_from: Annotated[str, typer.Option(help="First day that is billed, YYYY-MM-DD.")],
    until: Annotated[str, typer.Option(help="Last day that is billed.")],
    train_from: Annotated[
        str | None, typer.Option(help="First day of history to learn from; absent: all.")
    ] = None,
    prices: Annotated[
        str, typer.Option(help="provider/region, or a JSON file with a price list.")
    ] = "aws/us-east-1",
    classes: Annotated[
        str, typer.Option(help="Storage classes that may be used, by commas.")
    ] = "STANDARD,INTELLIGENT_TIERING,STANDARD_IA,GLACIER_IR",
    strategy: Annotated[StrategyName, typer.Option(help="Policy.")] = StrategyName.PREDICTIVE,
    model: Annotated[
        Path | None, typer.Option(help="Model of `cloudflux train`; absent: trains by itself.")
    ] = None,
    chart: Annotated[Path | None, typer.Option(help="Chart to write: a .png or .svg file.")] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="Parquet file to write every move to.")
    ] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="JSON file to write the result to.")
    ] = None,
    optimum: Annotated[
        bool, typer.Option(help="Hold everything against the offline optimum.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn at random.")] = 0,
) -> None:
    """Replay a policy over recorded reads, beside baselines and the exact offline optimum."""
    from cloudflux.cli.backtest_files import day_option

    try:
        result = run_backtest(
            reads=reads,
            objects=objects,
            train_from=day_option(train_from, "--train-from") if train_from else None,
            decide_from=day_option(decide_from, "--decide-from"),
            until=day_option(until, "--until"),
            prices=prices,
            classes=classes.split(","),
            strategy=strategy,
            model=model,
            chart=chart,
            decisions=decisions,
            optimum=optimum,
            seed=seed,
        )
        if as_json is not None:
            as_json.write_text(json.dumps(result["json"], indent=1) + "\n", encoding="utf-8")
    except (CloudFluxError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(result["text"])


def run_backtest(
    *,
    reads: Path,
    objects: Path,
    train_from: dt.date | None,
    decide_from: dt.date,
    until: dt.date,
    prices: str,
    classes: list[str],
    strategy: StrategyName,
    model: Path | None = None,
    chart: Path | None = None,
    decisions: Path | None = None,
    optimum: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """Replay and write what was asked for. Raises CloudFluxError."""
    from cloudflux.brain.replay.backtest import replay_all
    from cloudflux.brain.replay.chart import write_chart
    from cloudflux.brain.replay.model_file import load_forecaster
    from cloudflux.brain.replay.pricelist import table_for
    from cloudflux.cli.backtest_files import read_trace, write_decisions

    given = None if model is None else load_forecaster(model, decide_from=decide_from)
    table = table_for(prices, classes)
    trace = read_trace(reads, objects, train_from=train_from, decide_from=decide_from, until=until)
    result = replay_all(
        trace, table, classes, strategy.value, optimum=optimum, seed=seed, model=given
    )
    if chart is not None:
        write_chart(chart, result)
    if decisions is not None:
        write_decisions(decisions, trace, result.fees, result.chosen.moves)
    return {"json": result.as_json(), "text": result.as_text()}
