"""`cloudflux move SOURCE TARGET`: copy with proof, without a cluster; run again to go on."""

import datetime as dt
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudflux.api.dataset import Writers
from cloudflux.api.migrationjob import RestoreTier, VerifyMethod
from cloudflux.api.move_tasks import (
    CopyRequest,
    CopyResult,
    JobTask,
    PlanRequest,
    PlanResult,
    VerifyRequest,
    VerifyResult,
)
from cloudflux.cli import common_options
from cloudflux.cli.encryption import ENCRYPTION_HELP, encrypted
from cloudflux.cli.move_output import Outcome, print_outcome, print_plan
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
    state_directory,
)
from cloudflux.cli.restoring import UNDER_WAY, await_restore, freeze_quote, only_archived, options
from cloudflux.errors import CloudFluxError, ConfigurationError

_NOTHING_GOES_ON_SECONDS = 0


def move(
    source: Annotated[str, typer.Argument(help="s3://bucket/prefix, file:///directory or a path.")],
    target: Annotated[str, typer.Argument(help="The same; where the objects go.")],
    endpoint: Annotated[str | None, typer.Option(help="S3-compatible server of both.")] = None,
    source_endpoint: Annotated[str | None, typer.Option(help="Server of the source.")] = None,
    target_endpoint: Annotated[str | None, typer.Option(help="Server of the target.")] = None,
    region: Annotated[str | None, typer.Option(help="Region of both.")] = None,
    source_profile: Annotated[str | None, typer.Option(help="AWS profile of the source.")] = None,
    target_profile: Annotated[str | None, typer.Option(help="AWS profile of the target.")] = None,
    source_encryption: Annotated[str | None, typer.Option(help=ENCRYPTION_HELP)] = None,
    target_encryption: Annotated[str | None, typer.Option(help=ENCRYPTION_HELP)] = None,
    parallelism: common_options.Parallelism = common_options.PARALLELISM,
    bandwidth: Annotated[
        int | None, typer.Option("--bandwidth", "--bwlimit", min=1, help="Bytes a second at most.")
    ] = None,
    requests_per_second: common_options.RequestsPerSecond = None,
    proof: Annotated[
        VerifyMethod, typer.Option(help="Checksum: the server's own; Bytes: read back; Size.")
    ] = VerifyMethod.CHECKSUM,
    durable: Annotated[
        bool, typer.Option(help="Wait until a target that is a disk has it all; deleting does.")
    ] = False,
    delete_source: Annotated[
        bool, typer.Option(help="Delete each proven object at the source, by its version.")
    ] = False,
    restore: common_options.Restore = RestoreTier.NEVER,
    restore_days: common_options.RestoreDays = None,
    wait: common_options.Wait = True,
    dry_run: Annotated[bool, typer.Option(help="Say what would move and what it costs.")] = False,
    state_dir: common_options.StateDir = None,
    as_json: common_options.AsJson = False,
) -> None:
    """Copy SOURCE to TARGET and prove every object. Running it again goes on where it was.

    Objects that others wrote at the target are never overwritten.
    """
    try:
        task = {
            "source": encrypted(
                location(
                    source,
                    endpoint=source_endpoint or endpoint,
                    region=region,
                    profile=source_profile,
                ),
                source_encryption,
            ),
            "target": encrypted(
                location(
                    target,
                    endpoint=target_endpoint or endpoint,
                    region=region,
                    profile=target_profile,
                ),
                target_encryption,
            ),
            "parallelism": parallelism,
            "bandwidth_bytes_per_second": bandwidth,
            "requests_per_second": requests_per_second,
            "verify": proof,
            **options(restore, restore_days),
        }
        uid = job_uid(
            task["source"].uri,
            task["source"].endpoint,
            task["target"].uri,
            task["target"].endpoint,
        )
        job = _task(uid, task)
        home = state_directory(state_dir)
        if dry_run:
            print_plan(plan_of(job, home), as_json=as_json)
            return
        with alone(home / "jobs" / uid), progress_on(sys.stderr) as shown:
            outcome = run(job, home, shown, delete_source=delete_source, wait=wait, durable=durable)
    except CloudFluxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
    print_outcome(job, outcome, as_json=as_json)
    if outcome.restoring:
        raise typer.Exit(UNDER_WAY)
    raise typer.Exit(INCOMPLETE if outcome.failed or outcome.kept else DONE)


def run(
    job: dict[str, Any],
    home: Path,
    shown: Progress | None,
    *,
    delete_source: bool,
    wait: bool = True,
    durable: bool = False,
) -> Outcome:
    """Copy, prove and, when asked to, delete; a finished move is told by two listings."""
    from cloudflux.migration.session import open_session
    from cloudflux.migration.settled import unchanged
    from cloudflux.storage.registry import open_store

    began = time.monotonic()
    context = TerminalContext(home, shown)
    request = CopyRequest(**job, quiet_seconds=_NOTHING_GOES_ON_SECONDS)
    if request.source.uri == request.target.uri and (
        request.source.endpoint == request.target.endpoint
    ):
        raise ConfigurationError("source and target are the same; use `cloudflux settier`")
    with open_session(request, context, open_store) as session:
        same = None if delete_source else unchanged(session, session.files.settled)
        if same is not None:
            outcome = Outcome(
                same.objects, same.size_bytes, already_there=True, method="listed on both sides",
                manifest=session.files.manifest.as_uri(),
            )  # fmt: skip
        else:
            outcome = _copy_and_prove(
                session, request, shown, delete_source=delete_source, wait=wait, durable=durable
            )
    outcome.seconds = time.monotonic() - began
    return outcome


def _copy_and_prove(
    session: Any,
    request: CopyRequest,
    shown: Progress | None,
    *,
    delete_source: bool,
    wait: bool,
    durable: bool,
) -> Outcome:
    from cloudflux.migration.copy import copy_objects, forget_missing
    from cloudflux.migration.settled import write_settled
    from cloudflux.migration.verify import verify

    if shown:
        shown.phase("copying")
    forget_missing(session)
    durably = durable or delete_source
    copied: CopyResult = copy_objects(session, request, follow_removals=False, durably=durably)
    while request.restore_tier is not RestoreTier.NEVER and only_archived(copied):
        freeze_quote(session, request)
        if not await_restore(request, session.context, wait=wait):
            return Outcome(copied.objects_done, copied.bytes_done, restoring=copied.objects_failed)
        copied = copy_objects(session, request, follow_removals=False, durably=durably)
    if copied.objects_failed:
        return Outcome(
            copied.objects_done, copied.bytes_done, copied.objects_failed,
            failures=[one.model_dump() for one in copied.failures],
        )  # fmt: skip
    if shown:
        shown.phase("proving")
    fields = {name: getattr(request, name) for name in JobTask.model_fields}
    proven: VerifyResult = verify(session, VerifyRequest(**fields))
    outcome = Outcome(
        proven.matched, copied.bytes_done, proven.mismatched, method=proven.method,
        manifest=proven.manifest_uri, manifest_sha256=proven.digest,
        failures=[one.model_dump() for one in proven.failures],
    )  # fmt: skip
    if proven.mismatched:
        return outcome
    if delete_source:
        _delete(session, fields, proven.digest, outcome)
        return outcome
    with session.checkpoint() as checkpoint:
        boot = "" if durably else checkpoint.boot
        write_settled(session.files.settled, checkpoint.moved.sorted_values(), boot)
    return outcome


def _delete(session: Any, fields: dict[str, Any], digest: str, outcome: Outcome) -> None:
    """Delete the source's objects from the manifest, each on condition of its version."""
    from cloudflux.api.move_tasks import RetireRequest
    from cloudflux.migration.retire import retire

    request = RetireRequest(**fields, manifest_digest=digest)
    while True:
        result = retire(session, request)
        outcome.deleted += result.deleted
        outcome.kept = result.kept_objects
        if not result.remaining:
            return


def plan_of(job: dict[str, Any], home: Path) -> PlanResult:
    """What would move, what it costs, and what is in its way."""
    from cloudflux.work.mover import serve_plan

    request = PlanRequest(
        **{**job, "job_uid": f"{job['job_uid']}-plan"}, now=dt.datetime.now(dt.UTC)
    )
    return serve_plan(request, TerminalContext(home))


def _task(uid: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "job_uid": uid,
        "job_name": "move",
        "namespace": "",
        "data_set_uid": uid,
        "source_generation": 0,
        "writers": Writers.QUIESCED,
        **fields,
    }
