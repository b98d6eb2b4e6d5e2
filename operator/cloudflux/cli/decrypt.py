"""`cloudflux decrypt`: the content of objects that were encrypted before they were stored."""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from cloudflux.cli.encryption import read_key
from cloudflux.cli.moving import FAILED, say
from cloudflux.errors import CloudFluxError, ConfigurationError

CHUNK_BYTES = 1 << 20


def decrypt(
    source: Annotated[Path, typer.Argument(help="An encrypted file, or a directory of them.")],
    target: Annotated[
        Path | None, typer.Argument(help="File or directory to write; absent: standard output.")
    ] = None,
    key_file: Annotated[Path, typer.Option(help="File with the key: 32 bytes in base64.")] = Path(
        "key"
    ),
) -> None:
    """Decrypt what `encryption: Client` wrote, without a store and without a cluster.

    What was altered, cut off or encrypted with another key is refused, and leaves no file.
    """
    try:
        from cloudflux.storage.encryption import key_bytes

        key = key_bytes(read_key(key_file).get_secret_value(), str(key_file))
        if source.is_dir():
            count = _directory(source, target, key)
            say(f"{count} decrypted")
        else:
            _file(source, target, key)
    except CloudFluxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except OSError as error:
        typer.echo(f"error: {error.filename}: {error.strerror}", err=True)
        raise typer.Exit(FAILED) from error


def _directory(source: Path, target: Path | None, key: bytes) -> int:
    if target is None:
        raise ConfigurationError(f"{source} is a directory; name a directory to write to")
    count = 0
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        if not path.is_file() or inside.parts[0] == ".cloudflux":
            continue
        wanted = target / inside
        wanted.parent.mkdir(parents=True, exist_ok=True)
        _file(path, wanted, key)
        count += 1
    return count


def _file(source: Path, target: Path | None, key: bytes) -> None:
    from cloudflux.storage.sealing import Opening

    with source.open("rb") as sealed, Opening(sealed, key, str(source)) as content:
        if target is None:
            shutil.copyfileobj(content, sys.stdout.buffer, CHUNK_BYTES)
            return
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("xb") as stream:
                shutil.copyfileobj(content, stream, CHUNK_BYTES)
            temporary.replace(target)  # only what is whole and proven gets its name
        finally:
            temporary.unlink(missing_ok=True)
