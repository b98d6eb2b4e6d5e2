"""`cloudflux verify MANIFEST`: prove again, later, what a manifest says of its target."""

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudflux.api.move_tasks import CopyProgress
from cloudflux.cli import common_options
from cloudflux.cli.encryption import ENCRYPTION_HELP, encrypted
from cloudflux.cli.moving import (
    DONE,
    FAILED,
    INCOMPLETE,
    TerminalContext,
    location,
    progress_on,
    say,
)
from cloudflux.errors import CloudFluxError, ConfigurationError

PARALLELISM = 16
NAMED = 20


def verify(
    manifest: Annotated[Path, typer.Argument(help="manifest.jsonl of a finished move.")],
    deep: Annotated[bool, typer.Option(help="Read every byte at the target.")] = False,
    endpoint: common_options.Endpoint = None,
    region: Annotated[str | None, typer.Option(help="Region, for signatures.")] = None,
    profile: common_options.Profile = None,
    encryption: Annotated[str | None, typer.Option(help=ENCRYPTION_HELP)] = None,
    parallelism: common_options.Parallelism = common_options.PARALLELISM,
    as_json: common_options.AsJson = False,
) -> None:
    """Compare the target with MANIFEST: size and the server's digests, with --deep every byte."""
    try:
        header, digest = _read_header(manifest)
        ref = location(header["target"], endpoint=endpoint, region=region, profile=profile)
        ref = encrypted(ref, encryption)
        found = run(manifest, digest, ref, deep=deep, parallelism=parallelism)
    except CloudFluxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for words in found["differences"]:
            say(words)
        typer.echo(
            f"{found['matched']:,} of {found['objects']:,} objects at {ref.uri} are as the "
            f"manifest says ({'every byte read' if deep else 'size and digests of the server'})"
        )
    raise typer.Exit(DONE if found["matched"] == found["objects"] else INCOMPLETE)


def run(manifest: Path, digest: str, ref: Any, *, deep: bool, parallelism: int) -> dict[str, Any]:
    """Check every row; returns the counts and the first differences in words."""
    import threading

    from cloudflux.migration.checkpoint import Moved
    from cloudflux.migration.manifest import read_manifest
    from cloudflux.migration.recheck import difference
    from cloudflux.migration.streams import run_parallel
    from cloudflux.storage.registry import open_store

    found: dict[str, Any] = {
        "manifest_sha256": digest, "objects": 0, "matched": 0, "bytes": 0, "differences": [],
    }  # fmt: skip
    lock = threading.Lock()
    with closing(open_store(ref)) as store, progress_on(sys.stderr) as shown:
        store.check()
        context = TerminalContext(Path(), shown)

        def check(moved: Moved) -> None:
            words = difference(store, moved, deep=deep)
            with lock:
                found["objects"] += 1
                found["bytes"] += moved.size_bytes
                if words is None:
                    found["matched"] += 1
                elif len(found["differences"]) < NAMED:
                    found["differences"].append(words)
                context.progress(_progress(found))

        run_parallel(read_manifest(manifest, digest), check, parallelism)
    return found


def _progress(found: dict[str, Any]) -> CopyProgress:
    return CopyProgress(
        objects_total=found["objects"],
        objects_done=found["matched"],
        objects_failed=found["objects"] - found["matched"],
        objects_skipped=0,
        bytes_total=found["bytes"],
        bytes_done=found["bytes"],
    )


def _read_header(path: Path) -> tuple[dict[str, Any], str]:
    """The first line, and the sha256 of the whole. Raises ConfigurationError."""
    from cloudflux.migration.files import file_digest, read_lines

    try:
        header = next(read_lines(path), {})
        if "target" not in header:
            raise ValueError("no header")
        return header, file_digest(path)
    except (OSError, ValueError):
        raise ConfigurationError(f"{path} is no manifest that can be read") from None
