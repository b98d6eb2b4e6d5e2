"""The manifest: what was moved and how it was proven; a header, then one line an object."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from cloudflux.api.common import EncryptionType
from cloudflux.api.move_tasks import JobTask
from cloudflux.errors import IntegrityError
from cloudflux.migration.checkpoint import Moved, parse_moved
from cloudflux.migration.files import JSON, AtomicLines, file_digest, read_lines
from cloudflux.storage.encryption import key_bytes

FORMAT = "cloudflux-manifest/1"


def write_manifest(
    path: Path, request: JobTask, rows: Iterable[tuple[Moved, str]]
) -> tuple[str, dict[str, int]]:
    """Write (object, proof) rows, sorted by the caller; returns the sha256 and proofs counted."""
    counts: dict[str, int] = {}
    with AtomicLines(path) as lines:
        lines.write(_header(request))
        for moved, proof in rows:
            counts[proof] = counts.get(proof, 0) + 1
            lines.write({**moved.record(), "proof": proof})
        digest = lines.digest
    return digest, counts


def read_manifest(path: Path, digest: str) -> Iterator[Moved]:
    """Yield the manifest's objects. Raises IntegrityError unless it is the one with that digest."""
    try:
        found = file_digest(path)
    except FileNotFoundError:
        raise IntegrityError(f"{path}: the manifest is gone; nothing is deleted") from None
    if found != digest:
        raise IntegrityError(
            f"{path}: the manifest's sha256 is {found}, recorded is {digest}; nothing is deleted"
        )
    rows = read_lines(path)
    header = next(rows, {})
    if header.get("format") != FORMAT:
        raise IntegrityError(f"{path}: no manifest that this version knows; nothing is deleted")
    for row in rows:
        yield parse_moved(row)


def _header(request: JobTask) -> JSON:
    return {
        "format": FORMAT,
        "job": request.job_name,
        "job_uid": request.job_uid,
        "namespace": request.namespace,
        "data_set_uid": request.data_set_uid,
        "source": request.source.uri,
        "source_generation": request.source_generation,
        "target": request.target.uri,
        "target_class": request.target_class or request.target_root,
        **({"encryption": _key_of(request)} if request.target.encryption else {}),
    }


def _key_of(request: JobTask) -> JSON:
    """How the target is encrypted; of a key that we hold only its id."""
    asked = request.target.encryption
    if asked is None:
        return {}
    told: JSON = {"type": asked.type.value}
    if asked.key:
        told["key"] = asked.key
    if asked.type is EncryptionType.CLIENT and asked.secret is not None:
        from cloudflux.storage.sealing import key_id  # cryptography is loaded where it is used

        secret = key_bytes(asked.secret.get_secret_value(), request.target.uri)
        told |= {"algorithm": "AES-256-GCM STREAM 64 KiB", "key_id": key_id(secret)}
    return told
