"""The support bundle of `kubectl cloudflux report`: what finds a fault, without secrets or data."""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

Run = Callable[..., str]
KINDS = ("datasets", "tieringpolicies", "migrationjobs")
LOG_LINES = "2000"
_DROPPED = ("managedFields", "kubectl.kubernetes.io/last-applied-configuration")
_URI = re.compile(r"\b(s3|az|gs|file|https?)://([^\s\"',;)]+)")
_SECRET_WORD = re.compile(r"(?i)(secret|token|password|signature|credential|accesskey)")
_KEEPS = ("credentialsSecretRef", "secretRef", "imagePullSecrets")


def redacted(value: Any, *, keep_names: bool = False) -> Any:
    """The value without fields that may hold a secret; locations become digests of themselves.

    Equal locations give equal digests, so that what is the same can still be seen.
    """
    if isinstance(value, dict):
        return {
            key: "(removed)"
            if _SECRET_WORD.search(key) and key not in _KEEPS and not isinstance(item, bool)
            else redacted(item, keep_names=keep_names)
            for key, item in value.items()
            if key not in _DROPPED
        }
    if isinstance(value, list):
        return [redacted(item, keep_names=keep_names) for item in value]
    if isinstance(value, str):
        return redacted_text(value, keep_names=keep_names)
    return value


def redacted_text(text: str, *, keep_names: bool = False) -> str:
    """A text with its locations replaced; user, password and query of a URL go in any case."""

    def digest(match: re.Match[str]) -> str:
        rest = match[2].partition("?")[0].rpartition("@")[2]
        if keep_names:
            return f"{match[1]}://{rest}"
        return f"{match[1]}://{hashlib.sha256(rest.encode()).hexdigest()[:12]}"

    return _URI.sub(digest, text)


def write(run: Run, file: Path, operator_namespace: str, *, keep_names: bool) -> list[str]:
    """Ask for everything and write the archive; what may not be read is said in its place."""
    parts: dict[str, str] = {}
    for kind in KINDS:
        found = _ask(run, "get", f"{kind}.cloudflux.io", "--all-namespaces", "-o", "json")
        parts[f"{kind}.json"] = _clean_json(found, keep_names=keep_names)
    where = ("--namespace", operator_namespace)
    label = "app.kubernetes.io/part-of=cloudflux"
    parts["deployment.json"] = _clean_json(
        _ask(run, "get", "deployments", *where, "-l", label, "-o", "json"), keep_names=keep_names
    )
    parts["version.txt"] = _ask(run, "version")
    name = "app.kubernetes.io/name=cloudflux"
    for log, options in (("operator.log", ()), ("operator-before.log", ("--previous",))):
        said = _ask(run, "logs", *where, "-l", name, "--tail", LOG_LINES, *options)
        parts[log] = redacted_text(said, keep_names=keep_names)
    events = _ask(run, "get", "events", "--all-namespaces", "-o", "wide")
    lines = [line for n, line in enumerate(events.splitlines()) if n == 0 or _ours(line)]
    parts["events.txt"] = redacted_text("\n".join(lines), keep_names=keep_names)
    with tarfile.open(file, "w:gz") as tar:
        for part, text in parts.items():
            entry = tarfile.TarInfo(f"cloudflux-report/{part}")
            data = text.encode()
            entry.size, entry.mode = len(data), 0o600
            tar.addfile(entry, io.BytesIO(data))
    file.chmod(0o600)
    return list(parts)


def _ours(line: str) -> bool:
    return any(kind in line for kind in ("dataset/", "tieringpolicy/", "migrationjob/"))


def _ask(run: Run, *arguments: str) -> str:
    try:
        return run(*arguments)
    except typer.Exit:
        return "not to be had with your rights\n"


def _clean_json(text: str, *, keep_names: bool) -> str:
    try:
        return json.dumps(redacted(json.loads(text), keep_names=keep_names), indent=1)
    except ValueError:
        return text
