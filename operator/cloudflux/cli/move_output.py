"""What `cloudflux move` prints."""

import json
from dataclasses import dataclass, field
from typing import Any

import typer

from cloudflux.api.display import display_bytes
from cloudflux.api.move_tasks import PlanResult
from cloudflux.cli.moving import FAILED, say


@dataclass(slots=True)
class Outcome:
    """What a run did."""

    objects: int = 0
    size_bytes: int = 0
    failed: int = 0
    restoring: int = 0
    already_there: bool = False
    deleted: int = 0
    kept: int = 0
    method: str = ""
    manifest: str = ""
    manifest_sha256: str = ""
    failures: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0


def print_plan(plan: PlanResult, *, as_json: bool) -> None:
    """Print a plan; exits with 1 where something is in its way."""
    if as_json:
        typer.echo(plan.model_dump_json(indent=2, exclude={"list_path"}))
    else:
        typer.echo(
            f"{plan.objects:,} objects, {display_bytes(plan.size_bytes)}; costs "
            f"{plan.one_off_cost} {plan.currency} once (prices of {plan.price_date}), "
            f"saves {plan.savings_per_month} a month; about {plan.duration_seconds} s"
        )
        for words in plan.warnings:
            typer.echo(f"note: {words}")
        for words in plan.problems:
            typer.echo(f"in the way: {words}")
    if plan.problems:
        raise typer.Exit(FAILED)


def print_outcome(job: dict[str, Any], outcome: Outcome, *, as_json: bool) -> None:
    """Print what a run did."""
    rate = outcome.objects / outcome.seconds if outcome.seconds else 0.0
    if as_json:
        found = {name: getattr(outcome, name) for name in Outcome.__slots__}
        typer.echo(json.dumps({"source": job["source"].uri, "target": job["target"].uri, **found}))
        return
    for one in outcome.failures:
        say(f"{one['key']}: {one['reason']}: {one['message']}")
    if any(one["reason"] == "ObjectArchived" for one in outcome.failures):
        say("archived objects are moved with --restore; --dry-run says hours and price")
    if outcome.already_there:
        typer.echo(f"Nothing to do: {outcome.objects:,} objects are there ({outcome.method}).")
        return
    words = "proven" if outcome.method else "copied"
    typer.echo(
        f"{outcome.objects:,} objects, {display_bytes(outcome.size_bytes)} {words} in "
        f"{outcome.seconds:.1f} s ({rate:,.0f} objects/s)"
        + (f"; {outcome.failed} failed" if outcome.failed else "")
        + (f"; {outcome.deleted:,} deleted at the source" if outcome.deleted else "")
        + (f"; {outcome.kept:,} changed there and are kept" if outcome.kept else "")
    )
    if outcome.manifest:
        typer.echo(f"proof: {outcome.method}; manifest {outcome.manifest}")
