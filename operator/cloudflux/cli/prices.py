"""`cloudflux prices`: show and check the prices that decisions use, and read the vendors' lists."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudflux.brain.price_table import STEP, UNVERIFIED, Figure, PriceTable
from cloudflux.brain.prices import PROVIDERS, load_table, regions, table_name
from cloudflux.cli.plan import read_overlay
from cloudflux.cli.price_feeds import read_feed
from cloudflux.errors import CloudFluxError, ConfigurationError, PriceUnknown

app = typer.Typer(help="The prices that decisions use.", no_args_is_help=True)

MONTHS_OLD = 18
_NAME = "Provider and region: aws/us-east-1, azure/eastus2, gcs, r2, file; absent: all in short."
_PRICES = "JSON file with prices that override the book."


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help=_NAME)] = None,
    prices: Annotated[Path | None, typer.Option(help=_PRICES)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show every figure with its source and date; without a name, which lists there are."""
    with _said_plainly():
        overlay = read_overlay(prices)
        if name is None:
            listed = [load_table(*one, overlay) for one in _all(overlay)]
            typer.echo(
                json.dumps([_summary(table) for table in listed], indent=2)
                if as_json
                else "\n".join(_line(_summary(table)) for table in listed)
            )
            return
        table = load_table(*table_name(name), overlay)
        if as_json:
            typer.echo(json.dumps(_as_dict(table), indent=2))
            return
        typer.echo(f"{_line(_summary(table))}\n")
        for where, what, figure in figures(table):
            typer.echo(f"  {where:20} {what:34} {_text(figure):>12}  {_origin(figure)}")
        for warning in table.warnings:
            typer.echo(f"note: {warning}")


@app.command()
def check(
    prices: Annotated[Path | None, typer.Option(help=_PRICES)] = None,
    months: Annotated[
        int, typer.Option(help="Name figures that are older than so many months.")
    ] = MONTHS_OLD,
) -> None:
    """Check the book and an overlay: unknown, unverified and old figures. Exit 1 on errors."""
    with _said_plainly():
        overlay = read_overlay(prices)
        for strange in sorted(set(overlay or {}) - set(PROVIDERS)):
            raise ConfigurationError(
                f"the overlay prices {strange!r}; known: {', '.join(PROVIDERS)}"
            )
        today = dt.datetime.now(dt.UTC).date()
        for one in _all(overlay):
            table = load_table(*one, overlay)
            typer.echo(_line(_summary(table)))
            for label, found in _doubts(table, today, months).items():
                if found:
                    more = f" and {len(found) - 6} more" if len(found) > 6 else ""
                    typer.echo(f"  {label}: {', '.join(found[:6])}{more}")


@app.command()
def refresh(
    name: Annotated[str, typer.Argument(help="Provider and region: aws/eu-west-1, azure/eastus2.")],
    output: Annotated[Path, typer.Option(help="Overlay to write; what else it holds stays.")],
    feed: Annotated[
        list[Path] | None,
        typer.Option(help="List fetched before; AWS: AmazonS3, then AWSDataTransfer. Repeatable."),
    ] = None,
) -> None:
    """Read a provider's public price list and write its figures into a price overlay."""
    with _said_plainly():
        provider, region = table_name(name)
        if region is None:
            raise ConfigurationError(f"name a region too: {name}/…")
        found = read_feed(provider, region, feed or ())
        overlay: dict[str, Any] = dict(read_overlay(output) or {}) if output.exists() else {}
        overlay[provider] = {**overlay.get(provider, {}), region: found.section()}
        before = _known(provider, region)
        table = load_table(provider, region, overlay)
        output.write_text(json.dumps(overlay, indent=1) + "\n", encoding="utf-8")
        number = sum(map(len, found.classes.values())) + len(found.network)
        typer.echo(f"{number} figures of {provider} in {region}, as of {found.as_of}, to {output}")
        for where, what, figure in figures(table):
            old = before.get((where, what))
            if figure.value is not None and old is not None and old != figure.value:
                typer.echo(f"  changed: {what} of {where}: {old:g} → {figure.value:g}")
        for missing in found.missing:
            typer.echo(f"  not in the list: {missing}")


def figures(table: PriceTable) -> Iterator[tuple[str, str, Figure]]:
    """Yield class or "network", name of the figure, and figure."""
    for name, prices in table.classes.items():
        for key, figure in prices.figures.items():
            yield name, key, figure
        for step in prices.automatic_steps:
            yield name, STEP.format(step.after_idle_days), step.storage_per_gb_month
    for key, figure in table.network.items():
        yield "network", key, figure


def _all(overlay: dict[str, object] | None) -> Iterator[tuple[str, str]]:
    for provider in PROVIDERS:
        more = (overlay or {}).get(provider, {})
        own = list(more) if isinstance(more, dict) else []
        for region in dict.fromkeys((*regions(provider), *own)):
            yield provider, region


def _known(provider: str, region: str) -> dict[tuple[str, str], float]:
    try:
        table = load_table(provider, region)
    except PriceUnknown:
        return {}
    return {(a, b): f.value for a, b, f in figures(table) if f.value is not None}


def _summary(table: PriceTable) -> dict[str, Any]:
    every = [figure for _, _, figure in figures(table)]
    return {
        "provider": table.provider,
        "region": table.region,
        "currency": table.currency,
        "date": table.date,
        "classes": list(table.classes),
        "figures": len(every),
        "unknown": sum(figure.value is None for figure in every),
        "unverified": sum(_unverified(figure) for figure in every),
    }


def _line(summary: dict[str, Any]) -> str:
    return (
        f"{summary['provider']}/{summary['region']}: {summary['figures']} figures in "
        f"{summary['currency']}, {summary['unknown']} unknown, "
        f"{summary['unverified']} unverified; {', '.join(summary['classes'])}"
    )


def _as_dict(table: PriceTable) -> dict[str, Any]:
    listed: dict[str, dict[str, Any]] = {}
    for where, what, figure in figures(table):
        listed.setdefault(where, {})[what] = {
            "value": figure.value,
            "source": figure.source,
            "asOf": figure.as_of,
        }
    return {**_summary(table), "prices": listed, "warnings": list(table.warnings)}


def _doubts(table: PriceTable, today: dt.date, months: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"unknown": [], "unverified": [], f"over {months} months old": []}
    for where, what, figure in figures(table):
        text = f"{what} of {where}"
        if figure.value is None:
            found["unknown"].append(text)
        elif _unverified(figure):
            found["unverified"].append(text)
        elif months_old(figure.as_of, today) > months:
            found[f"over {months} months old"].append(f"{text} ({figure.as_of})")
    return found


def months_old(as_of: str | None, today: dt.date) -> int:
    """Return the age of "2026-08-01", "2026-08/09", "2025-2026" or "2022"; unknown is 0."""
    years = re.findall(r"20\d\d", as_of or "")
    if not years:
        return 0
    month = re.match(r"20\d\d-(\d\d)(?!\d)", as_of or "")
    return (today.year - int(years[-1])) * 12 + today.month - int(month[1] if month else 12)


def _unverified(figure: Figure) -> bool:
    return figure.value is not None and figure.source == UNVERIFIED


def _text(figure: Figure) -> str:
    return "unknown" if figure.value is None else f"{figure.value:g}"


def _origin(figure: Figure) -> str:
    return f"{figure.source}, {figure.as_of}" if figure.as_of else figure.source


@contextmanager
def _said_plainly() -> Iterator[None]:
    """Turn errors that the user can mend into one line and exit status 1."""
    try:
        yield
    except CloudFluxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
