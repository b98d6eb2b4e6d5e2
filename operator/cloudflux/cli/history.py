"""`cloudflux history`: what happened, what data cost and what was saved, of all clusters."""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudflux.api.display import display_bytes
from cloudflux.api.events import EventType
from cloudflux.cli.operator import read_settings
from cloudflux.errors import CloudFluxError, ConfigurationError

if TYPE_CHECKING:
    from cloudflux.access.history import History, Wanted

app = typer.Typer(
    help="Says what happened, what data cost and what was saved: what a collector kept.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

StateDir = Annotated[
    Path | None, typer.Option(help="The collector's state directory; absent: by the settings.")
]
Cluster = Annotated[str | None, typer.Option(help="One cluster; absent: all.")]
Namespaces = Annotated[list[str] | None, typer.Option("--namespace", help="Namespace; repeat.")]
DataSetName = Annotated[str | None, typer.Option("--dataset", help="One data set.")]
Days = Annotated[int, typer.Option(min=1, max=4000, help="So many days back from today.")]
ByDataSet = Annotated[bool, typer.Option(help="Each data set and class, instead of sums.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]


@app.command()
def events(
    state_dir: StateDir = None,
    cluster: Cluster = None,
    namespaces: Namespaces = None,
    dataset: DataSetName = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Type, such as migration.failed; repeat. Absent: all."),
    ] = None,
    progress: Annotated[bool, typer.Option(help="Also how jobs went on.")] = False,
    days: Days = 7,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show the newest events, newest first."""
    now = dt.datetime.now(dt.UTC)
    full = [_type(one) for one in types or ()]
    found = _open(state_dir).events(
        _wanted(cluster, namespaces, dataset),
        now - dt.timedelta(days),
        now + dt.timedelta(hours=1),
        types=full,
        progress=progress,
        limit=limit,
    )
    if as_json:
        _print([asdict(one) for one in found])
        return
    for one in found:
        word = one.type.removeprefix("io.cloudflux.").removesuffix(".v1")
        whose = f"{one.namespace}/{one.data_set or one.policy}"
        typer.echo(
            f"{one.at:%Y-%m-%d %H:%M:%S}  {one.cluster:<12} {word:<24} {whose:<32} {one.reason}"
        )


@app.command()
def costs(
    state_dir: StateDir = None,
    cluster: Cluster = None,
    namespaces: Namespaces = None,
    dataset: DataSetName = None,
    days: Days = 30,
    by_data_set: ByDataSet = False,
    as_json: AsJson = False,
) -> None:
    """Show what data cost a month, day by day; sums by tier, or each data set and class."""
    since, until = _window(days)
    found = _open(state_dir).costs(_wanted(cluster, namespaces, dataset), since, until)
    if by_data_set:
        rows = [asdict(one) for one in found]
    else:
        keys = ("day", "cluster", "tier", "currency")
        rows = _sums([asdict(one) for one in found], keys, ("objects", "bytes", "monthly_cost"))
    if as_json:
        _print(rows)
        return
    for row in rows:
        whose = f"{row['namespace']}/{row['data_set']}" if by_data_set else "all data sets"
        typer.echo(
            f"{row['day']}  {row['cluster']:<12} {whose:<32} {row['tier'] or '-':<5}"
            f" {row['monthly_cost']:>14.4f} {row['currency']}"
            f"  {row['objects']:>12,} objects {display_bytes(row['bytes']):>12}"
        )


@app.command()
def savings(
    state_dir: StateDir = None,
    cluster: Cluster = None,
    namespaces: Namespaces = None,
    dataset: DataSetName = None,
    days: Days = 30,
    by_data_set: ByDataSet = False,
    as_json: AsJson = False,
) -> None:
    """Show what could be saved a month, and what completed jobs save, day by day."""
    since, until = _window(days)
    found = _open(state_dir).savings(_wanted(cluster, namespaces, dataset), since, until)
    rows = [asdict(one) for one in found]
    if not by_data_set:
        rows = _sums(rows, ("day", "cluster", "currency"), ("possible", "realised"))
    if as_json:
        _print(rows)
        return
    for row in rows:
        whose = f"{row['namespace']}/{row['data_set']}" if by_data_set else "all data sets"
        typer.echo(
            f"{row['day']}  {row['cluster']:<12} {whose:<32} possible {row['possible']:>12.4f}"
            f"  realised {row['realised']:>12.4f} {row['currency']}"
        )


def _open(state_dir: Path | None) -> "History":
    # imported here: the other commands start without Delta Lake
    from cloudflux.access.history import open_history

    try:
        directory = state_dir or read_settings({}).state_dir
        history = open_history(directory)
        if not history.exists:
            raise ConfigurationError(
                f"there is no history at {directory}: start `cloudflux collector --state-dir "
                f"{directory}` with CLOUDFLUX_KAFKA__BROKERS, or name another directory"
            )
    except CloudFluxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    return history


def _wanted(cluster: str | None, namespaces: list[str] | None, dataset: str | None) -> "Wanted":
    from cloudflux.access.history import Wanted

    return Wanted(cluster, namespaces or None, dataset)


def _window(days: int) -> tuple[dt.date, dt.date]:
    today = dt.datetime.now(dt.UTC).date()
    return today - dt.timedelta(days - 1), today


def _type(word: str) -> str:
    full = word if word.startswith("io.") else f"io.cloudflux.{word}.v1"
    if full not in list(EventType):
        known = ", ".join(k.removeprefix("io.cloudflux.").removesuffix(".v1") for k in EventType)
        typer.echo(f"error: there is no type {word}; there are {known}", err=True)
        raise typer.Exit(2)
    return full


def _sums(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[str], amounts: Sequence[str]
) -> list[dict[str, Any]]:
    sums: defaultdict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
    for row in rows:
        found = sums[tuple(row[key] for key in keys)]
        for name in amounts:
            found[name] = found.get(name, 0) + row[name]
    return [dict(zip(keys, key, strict=True)) | sums[key] for key in sorted(sums)]


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    typer.echo(json.dumps(rows, default=_plain, indent=1))


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value.isoformat() if isinstance(value, dt.date) else str(value)
