"""`cloudflux settier LOCATION CLASS`: change storage classes in place, with proof."""

import datetime as dt
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudflux.api.dataset import Writers
from cloudflux.api.display import display_bytes
from cloudflux.api.migrationjob import RestoreTier
from cloudflux.api.move_tasks import CopyRequest, PlanRequest, PlanResult, VerifyRequest
from cloudflux.cli import common_options
from cloudflux.cli.encryption import ENCRYPTION_HELP, encrypted
from cloudflux.cli.moving import (
    DONE,
    FAILED,
    INCOMPLETE,
    Progress,
    TerminalContext,
    alone,
    job_uid,
    location,
    progress_on,
    say,
    state_directory,
)
from cloudflux.cli.restoring import UNDER_WAY, await_restore, only_archived, options
from cloudflux.errors import CloudFluxError, PlanError


def settier(
    uri: Annotated[str, typer.Argument(help="s3://bucket/prefix, file:///directory or a path.")],
    tier: Annotated[str, typer.Argument(help="Storage class, or for files a tier's directory.")],
    endpoint: common_options.Endpoint = None,
    region: Annotated[str | None, typer.Option(help="Region, for prices and signatures.")] = None,
    profile: common_options.Profile = None,
    prefix: Annotated[str | None, typer.Option(help="Only keys that begin so.")] = None,
    min_size: Annotated[
        int | None, typer.Option(min=0, help="Only objects of so many bytes or more.")
    ] = None,
    quiesced: Annotated[
        bool, typer.Option(help="Nothing writes there meanwhile: no warning for weak servers.")
    ] = False,
    parallelism: common_options.Parallelism = common_options.PARALLELISM,
    requests_per_second: common_options.RequestsPerSecond = None,
    encryption: Annotated[str | None, typer.Option(help=ENCRYPTION_HELP)] = None,
    restore: common_options.Restore = RestoreTier.NEVER,
    restore_days: common_options.RestoreDays = None,
    wait: common_options.Wait = True,
    dry_run: Annotated[bool, typer.Option(help="Say what would change and what it costs.")] = False,
    state_dir: common_options.StateDir = None,
    as_json: common_options.AsJson = False,
) -> None:
    """Change the class of every object below LOCATION, server-side, and read it back.

    Running it again goes on where it was; objects of that class already are left alone.
    """
    try:
        ref = location(uri, endpoint=endpoint, region=region, profile=profile)
        ref = encrypted(ref, encryption)
        uid = job_uid("settier", ref.uri, ref.endpoint, tier, prefix, str(min_size))
        job: dict[str, Any] = {
            "job_uid": uid,
            "job_name": "settier",
            "namespace": "",
            "data_set_uid": uid,
            "source_generation": 0,
            "source": ref,
            "target": ref,
            "parallelism": parallelism,
            "requests_per_second": requests_per_second,
            "writers": Writers.QUIESCED if quiesced else Writers.ACTIVE,
            **options(restore, restore_days),
            **_tier_fields(ref, tier),
        }
        home = state_directory(state_dir)
        with alone(home / "jobs" / uid), progress_on(sys.stderr) as shown:
            found = run(
                job, home, shown, dry_run=dry_run, prefix=prefix, min_size_bytes=min_size, wait=wait
            )
    except CloudFluxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
    _print(found, as_json=as_json)
    if found["restoring"] and not dry_run:
        raise typer.Exit(UNDER_WAY)
    raise typer.Exit(INCOMPLETE if found["failed"] else DONE)


def run(
    job: dict[str, Any],
    home: Path,
    shown: Progress | None,
    *,
    dry_run: bool,
    prefix: str | None,
    min_size_bytes: int | None,
    wait: bool = True,
) -> dict[str, Any]:
    """Plan, change and prove; the plan names only what is not of the class yet."""
    from cloudflux.work.mover import serve_copy, serve_plan, serve_verify

    began = time.monotonic()
    context = TerminalContext(home, shown)
    if shown:
        shown.phase("listing")
    request = PlanRequest(
        **job, prefix=prefix, min_size_bytes=min_size_bytes, now=dt.datetime.now(dt.UTC)
    )
    if not dry_run:
        _forget_finished(home, job["job_uid"])
    plan = serve_plan(request, context)
    found = _said(plan)
    if plan.problems:
        raise PlanError("; ".join(plan.problems))
    if dry_run or plan.objects == 0:
        return found
    request_of_copy = CopyRequest(**job, quiet_seconds=0)
    while True:
        if plan.restore is not None and not await_restore(request_of_copy, context, wait=wait):
            return found
        found["restoring"] = 0
        if shown:
            shown.phase("changing")
        copied = serve_copy(request_of_copy, context)
        if plan.restore is None or not only_archived(copied):
            break  # else restored copies expired: asked for again
    found["failed"], found["skipped"] = copied.objects_failed, copied.objects_skipped
    found["failures"] = [one.model_dump() for one in copied.failures]
    if not copied.objects_failed:
        if shown:
            shown.phase("proving")
        proven = serve_verify(VerifyRequest(**job), context)
        found["changed"], found["failed"] = proven.matched, proven.mismatched
        found["method"], found["manifest"] = proven.method, proven.manifest_uri
        found["manifest_sha256"] = proven.digest
        found["failures"] += [one.model_dump() for one in proven.failures]
    found["seconds"] = round(time.monotonic() - began, 3)
    return found


def _forget_finished(home: Path, uid: str) -> None:
    """Begin anew after a finished run: its checkpoint would hide objects written since."""
    from cloudflux.migration.files import JobFiles

    files = JobFiles(home, uid)
    if files.manifest.exists():
        files.manifest.replace(files.manifest.with_name(f"manifest-{time.time_ns()}.jsonl"))
        files.checkpoint.unlink(missing_ok=True)
        files.restores.unlink(missing_ok=True)


def _tier_fields(ref: Any, tier: str) -> dict[str, Any]:
    if not ref.uri.startswith("file://"):
        return {"target_class": tier}
    root = location(tier)
    roots = (*ref.file_roots, *root.file_roots)
    widened = ref.model_copy(update={"file_roots": roots})
    return {
        "source": widened,
        "target": widened,
        "target_root": root.uri,
        "tier_roots": (root.uri,),
    }


def _said(plan: PlanResult) -> dict[str, Any]:
    return {
        "objects": plan.objects,
        "size_bytes": plan.size_bytes,
        "one_off_cost": plan.one_off_cost,
        "savings_per_month": plan.savings_per_month,
        "currency": plan.currency,
        "price_date": plan.price_date,
        "warnings": list(plan.warnings),
        "restore": plan.restore.model_dump(mode="json") if plan.restore else None,
        "restoring": plan.restore.objects if plan.restore else 0,
        "changed": 0,
        "skipped": 0,
        "failed": 0,
        "failures": [],
    }


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found))
        return
    for one in found["failures"]:
        say(f"{one['key']}: {one['reason']}: {one['message']}")
    for words in found["warnings"]:
        say(f"note: {words}")
    typer.echo(
        f"{found['objects']:,} objects, {display_bytes(found['size_bytes'])} to change: costs "
        f"{found['one_off_cost']} {found['currency']} once, saves {found['savings_per_month']} "
        f"a month (prices of {found['price_date']})"
    )
    if "seconds" in found:
        typer.echo(
            f"{found['changed']:,} changed and proven in {found['seconds']:.1f} s, "
            f"{found['skipped']} left as they changed meanwhile, {found['failed']} failed; "
            f"manifest {found.get('manifest', 'none')}"
        )
