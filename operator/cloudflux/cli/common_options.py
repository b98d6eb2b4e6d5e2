"""The options that `move`, `settier` and `verify` share, each in one place."""

from pathlib import Path
from typing import Annotated

import typer

from cloudflux.api.migrationjob import RestoreTier
from cloudflux.cli.restoring import HELP as RESTORE_HELP

PARALLELISM = 32

Parallelism = Annotated[int, typer.Option(min=1, max=256, help="Objects at a time.")]
RequestsPerSecond = Annotated[
    float | None, typer.Option(min=0.1, help="Requests a second at most, to each endpoint.")
]
Restore = Annotated[RestoreTier, typer.Option(help=RESTORE_HELP)]
RestoreDays = Annotated[
    int | None, typer.Option(min=1, max=365, help="How long restored copies live.")
]
Wait = Annotated[bool, typer.Option(help="Wait for restores; else exit with 4.")]
StateDir = Annotated[Path | None, typer.Option(help="Checkpoints and manifests.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Endpoint = Annotated[str | None, typer.Option(help="S3-compatible server.")]
Profile = Annotated[str | None, typer.Option(help="AWS profile with the keys.")]
