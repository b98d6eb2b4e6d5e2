"""`cloudflux plan URI`: what tiering would save and why. Read-only, and no cluster is needed."""

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import ValidationError

from cloudflux.api.brain_tasks import EvaluateRequest, EvaluateResult
from cloudflux.api.common import Tier
from cloudflux.api.dataset import AccessSourceType
from cloudflux.api.display import display_bytes
from cloudflux.api.scan_tasks import AccessSourceRef, ScanRequest, ScanResult
from cloudflux.api.task import StoreRef
from cloudflux.api.tieringpolicy import TieringPolicySpec, TierTarget
from cloudflux.cli.local import LocalContext, store_ref
from cloudflux.cli.plan_archive import Archive, archived_in, as_rows, words_of
from cloudflux.errors import CloudFluxError, ConfigurationError

UID = "plan"


def plan(
    uri: Annotated[str, typer.Argument(help="s3://bucket/prefix, file:///directory or a path.")],
    logs: Annotated[
        str | None, typer.Option(help="Where S3 server access logs are: s3://bucket/prefix.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="URL of an S3-compatible endpoint; absent: Amazon's.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Region, for prices and signatures.")] = None,
    policy: Annotated[
        Path | None, typer.Option(help="YAML file with a TieringPolicy; absent: sound defaults.")
    ] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(help="warm=/mnt/slow: directory of a tier, for files. Repeatable."),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(help="JSON file with prices that override the table.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what tiering URI would save and why. Reads only; needs no cluster.

    Keys come from the usual AWS environment and profiles.
    """
    try:
        source = store_ref(uri, endpoint=endpoint, region=region)
        overlay = read_overlay(prices)
        log_ref = store_ref(logs, endpoint=endpoint, region=region) if logs else None
        found, decision = make_plan(
            source,
            logs=log_ref,
            policy=read_policy(policy, tier or []),
            overlay=overlay,
            now=dt.datetime.now(dt.UTC),
        )
        archived = archived_in(source, decision, overlay)
    except CloudFluxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(as_dict(source.uri, found, decision, archived), indent=2))
    else:
        typer.echo(as_text(source.uri, found, decision, archived))


def make_plan(
    source: StoreRef,
    *,
    logs: StoreRef | None,
    policy: TieringPolicySpec | None,
    overlay: dict[str, object] | None,
    now: dt.datetime,
) -> tuple[ScanResult, EvaluateResult]:
    """List the data, read its access signals and decide, in a state directory of its own.

    Raises StorageError when the data can't be listed, PriceUnknown when a price is missing.
    """
    # imported here: the rest of the command line must start fast
    from cloudflux.work import brain, ingest

    roots = tuple(t.file_root for t in policy.tiers if t.file_root) if policy else ()
    is_file = source.uri.startswith("file://")
    if is_file:
        allowed = tuple(root.removeprefix("file://") for root in roots)
        source = source.model_copy(update={"file_roots": (*source.file_roots, *allowed)})
    sources: list[AccessSourceRef] = []
    if logs is not None:
        sources.append(AccessSourceRef(type=AccessSourceType.S3_ACCESS_LOGS, logs=logs))
    if is_file:
        sources.append(AccessSourceRef(type=AccessSourceType.FILE_ATIME))
    with tempfile.TemporaryDirectory(prefix="cloudflux-plan-") as directory:
        context = LocalContext(Path(directory))
        found: ScanResult = ingest.scan(
            ScanRequest(
                data_set_uid=UID,
                source=source,
                sources=tuple(sources),
                tier_roots=roots if is_file else (),
                now=now,
            ),
            context,
        )
        decision: EvaluateResult = brain.evaluate(
            EvaluateRequest(
                data_set_uid=UID,
                uri=source.uri,
                endpoint=source.endpoint,
                region=source.region,
                fresh=found.fresh,
                fresh_message=found.fresh_message,
                policy=policy,
                price_overlay=overlay,
                now=now,
            ),
            context,
        )
    return found, decision


def read_policy(path: Path | None, tiers: list[str]) -> TieringPolicySpec | None:
    """Read a policy from a file or from tier=directory words. Raises ConfigurationError."""
    if path is not None and tiers:
        raise ConfigurationError("give --policy or --tier, not both")
    try:
        if path is not None:
            documents = [d for d in yaml.safe_load_all(path.read_text()) if d]
            found = [d for d in documents if d.get("kind") == "TieringPolicy"]
            if len(found) != 1:
                raise ConfigurationError(f"{path} must hold exactly one TieringPolicy")
            return TieringPolicySpec.model_validate(found[0]["spec"])
        if tiers:
            return TieringPolicySpec(tiers=[_tier(word) for word in tiers])
    except (OSError, yaml.YAMLError, ValidationError, AttributeError, KeyError) as error:
        raise ConfigurationError(f"the policy can't be read: {error}") from error
    return None


def read_overlay(path: Path | None) -> dict[str, object] | None:
    """Read a price overlay. Raises ConfigurationError."""
    if path is None:
        return None
    try:
        overlay = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is no JSON file with prices: {error}") from error
    if not isinstance(overlay, dict):
        raise ConfigurationError(f'{path} must hold an object: {{"s3": {{"us-east-1": …}}}}')
    return overlay


def _tier(word: str) -> TierTarget:
    name, separator, directory = word.partition("=")
    names = {tier.value.lower(): tier for tier in Tier}
    if not separator or name.lower() not in names:
        raise ConfigurationError(f"--tier {word}: write hot=, warm= or cold= and a directory")
    ref = store_ref(directory)
    if not ref.uri.startswith("file://"):
        raise ConfigurationError(f"--tier {word}: tiers of files are directories")
    return TierTarget(name=names[name.lower()], file_root=ref.uri)


def as_dict(
    uri: str, found: ScanResult, decision: EvaluateResult, archived: list[Archive]
) -> dict[str, Any]:
    """Return the plan as JSON; the lists of objects are gone with the temporary directory."""
    decided = decision.model_dump(mode="json")
    for each in decided["recommendations"]:
        del each["list_path"]
    return {
        "uri": uri,
        "observed": found.model_dump(mode="json"),
        "decision": decided,
        "archived": as_rows(archived),
    }


def as_text(uri: str, found: ScanResult, decision: EvaluateResult, archived: list[Archive]) -> str:
    """Return the plan in words."""
    currency = decision.currency
    lines = [
        f"{uri}: {found.objects} objects, {display_bytes(found.size_bytes)}",
        f"Reads: {found.fresh_message or 'not seen'}",
        f"Temperature: {decision.temperature}"
        + (f" ({decision.confidence_percent} %)" if decision.confidence_percent else ""),
        f"Cost now: {decision.monthly_cost} {currency} a month (prices of {decision.price_date})",
    ]
    lines += [
        f"  {use.storage_class}: {use.objects} objects, {display_bytes(use.size_bytes)}, "
        f"{use.monthly_cost} {currency} a month"
        for use in decision.tiers
    ]
    lines += words_of(archived, currency)
    if not decision.recommendations:
        lines.append(f"Nothing should move: {decision.why_not or 'it is cheapest where it is'}")
        return "\n".join(lines)
    lines.append(f"Would save {decision.savings_per_month} {currency} a month:")
    for each in decision.recommendations:
        payback = "" if each.payback_days is None else f", paid back after {each.payback_days} days"
        lines += [
            f"  {each.objects} objects, {display_bytes(each.size_bytes)}: "
            f"{each.source} → {each.target}",
            f"    saves {each.savings_per_month}, costs {each.one_off_cost} once{payback}, "
            f"confidence {each.confidence_percent} %",
            f"    {each.reason}",
        ]
    return "\n".join(lines)
