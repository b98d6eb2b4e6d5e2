"""`cloudflux worker`: one pod of a big move. Started by the operator's Job, not by people."""

import base64
import os
import signal
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from cloudflux.api.move_tasks import WorkerTask
from cloudflux.api.task import StoreRef
from cloudflux.errors import CloudFluxError, ConfigurationError
from cloudflux.handlers.credentials import from_secret
from cloudflux.handlers.logs import set_up_logs
from cloudflux.handlers.resources import CREDENTIALS_LABEL
from cloudflux.handlers.worker_pods import KEYED


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
    from cloudflux.migration.session import open_session
    from cloudflux.storage.registry import open_store
    from cloudflux.workers.run import NEVER, WorkerContext, run_worker

    set_up_logs(process="worker")
    context = WorkerContext(state_dir)
    signal.signal(signal.SIGTERM, lambda *_: context.stopping.set())
    try:
        task = WorkerTask.model_validate_json(work)
        source = with_credentials(task.source, source_credentials)
        target = with_credentials(task.target, target_credentials)
        task = task.model_copy(update={"source": source, "target": target})
        with open_session(task, context, open_store) as session:
            code = run_worker(session, task, index)
    except (CloudFluxError, ValidationError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(NEVER) from error
    raise typer.Exit(code)


def with_credentials(ref: StoreRef, directory: Path | None) -> StoreRef:
    """The location with what a mounted Secret holds; without one, the pod's own identity.

    Raises CloudFluxError when the Secret does not hold what the location needs, and where a key
    is needed to encrypt: none comes here, and nothing may be written plain instead.
    """
    if ref.encryption is not None and ref.encryption.type in KEYED:
        raise ConfigurationError(f"{ref.uri}: worker pods are given no encryption key")
    if directory is None:
        return ref.model_copy(update={"ambient": True})
    keys = from_secret(_secret(directory), ref.endpoint, ref.uri)
    return ref.model_copy(update={"credentials": keys})


def _secret(directory: Path) -> dict[str, Any]:
    """A mounted Secret as the API would give it."""
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
    return {"metadata": meta, "data": data}
