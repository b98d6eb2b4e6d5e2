"""`cloudflux worker`: one pod of a big move. Started by the operator's Job, not by people."""

import base64
import os
import signal
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from cloudflux.api.tasks import StoreRef, WorkerTask
from cloudflux.errors import CloudFluxError, ConfigurationError
from cloudflux.handlers.credentials import from_secret
from cloudflux.handlers.logs import set_up_logs
from cloudflux.handlers.resources import CREDENTIALS_LABEL


def worker(
    work: Annotated[
        str, typer.Option(envvar="CLOUDFLUX_WORK", help="The job, as the operator wrote it (JSON).")
    ],
    index: Annotated[
        int, typer.Option(envvar="JOB_COMPLETION_INDEX", min=0, help="Which of the workers.")
    ],
    source_credentials: Annotated[
        Path | None, typer.Option(help="Directory with the Secret for the source.")
    ] = None,
    target_credentials: Annotated[
        Path | None, typer.Option(help="Directory with the Secret for the target.")
    ] = None,
    state_dir: Annotated[Path, typer.Option(help="Directory for what need not survive.")] = Path(
        "/var/lib/cloudflux"
    ),
) -> None:
    """Copy one worker's part of a work list (started by the operator's Job)."""
    from cloudflux.migration.files import JobFiles
    from cloudflux.migration.session import Limiter, Session
    from cloudflux.storage.registry import open_store
    from cloudflux.workers.run import NEVER, WorkerContext, run_worker

    set_up_logs(process="worker")
    context = WorkerContext(state_dir)
    signal.signal(signal.SIGTERM, lambda *_: context.stopping.set())
    try:
        task = WorkerTask.model_validate_json(work)
        source = open_store(with_credentials(task.source, source_credentials))
        target = open_store(with_credentials(task.target, target_credentials))
    except (CloudFluxError, ValidationError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(NEVER) from error
    files = JobFiles(state_dir, task.job_uid)
    limiter = Limiter(task.bandwidth_bytes_per_second)
    try:
        code = run_worker(Session(context, source, target, files, limiter), task, index)
    finally:
        source.close()
        target.close()
    raise typer.Exit(code)


def with_credentials(ref: StoreRef, directory: Path | None) -> StoreRef:
    """The location with what a mounted Secret holds; without one, the pod's own identity.

    Raises CloudFluxError when the Secret does not hold what the location needs.
    """
    if directory is None:
        return ref.model_copy(update={"ambient": True})
    if not directory.is_dir():
        raise ConfigurationError(f"{directory} is no directory; is the Secret mounted there?")
    data = {
        path.name: base64.b64encode(path.read_bytes()).decode()
        for path in directory.iterdir()
        if path.is_file() and not path.name.startswith(".")
    }
    # that it is labelled, and for this endpoint, the operator saw before it made the pod
    meta = {"name": directory.name, "labels": {CREDENTIALS_LABEL: "true"}}
    meta["namespace"] = os.environ.get("CLOUDFLUX_NAMESPACE", "default")
    found = from_secret({"metadata": meta, "data": data}, ref.endpoint, ref.uri)
    return ref.model_copy(update={"credentials": found})
