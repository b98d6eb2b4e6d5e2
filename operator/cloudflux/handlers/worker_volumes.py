"""The claims by which worker pods reach directories: what is mounted where. Pure."""

from typing import Any
from urllib.parse import unquote

from cloudflux.api.common import Location, VolumeClaim
from cloudflux.api.migrationjob import JobPin
from cloudflux.errors import LocationRefused
from cloudflux.handlers.locations import check_file

_OF_THE_IMAGE = (
    "/bin", "/boot", "/credentials", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/opt",
    "/proc", "/root", "/run", "/sbin", "/sys", "/usr", "/var/lib/cloudflux", "/var/run",
    "/tmp",  # noqa: S108 - a volume of the pod's own
)  # fmt: skip
"""What would run in place of the worker, or read what is mounted for it, if it lay over these."""


def refusal(pin: JobPin, roots: tuple[str, ...]) -> str | None:
    """Why a claim can't be mounted as it is asked; None when all can."""
    seen: dict[str, str] = {}
    for location in (pin.source, pin.target):
        claim = location.volume_claim
        if claim is None:
            continue
        path = claim.mount_path.rstrip("/") or "/"
        if not _is_within(_directory(location), path):
            return (
                f"{location.uri} is not below {path}, where its volumeClaim is said to be; "
                "mountPath is the location's own directory or one above it"
            )
        if path == "/" or any(
            _is_within(path, one) or _is_within(one, path) for one in _OF_THE_IMAGE
        ):
            return (
                f"a claim can't be mounted at {path} of a worker pod, which needs what is there; "
                "keep the data below another directory, such as /data"
            )
        try:
            check_file(f"file://{path}", roots, "of the job")
        except LocationRefused as error:
            return str(error)
        if seen.setdefault(path, claim.name) != claim.name:
            return f"two claims, {seen[path]} and {claim.name}, can't both be at {path}"
    return None


def claims(pin: JobPin) -> list[VolumeClaim]:
    """The claims that a move needs, each once."""
    found = [one.volume_claim for one in (pin.source, pin.target) if one.volume_claim is not None]
    return list({(claim.name, claim.mount_path): claim for claim in found}.values())


def mounted(pin: JobPin) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """A volume and its mount for each claim; only what is written to can be written to."""
    written = pin.target.volume_claim
    made = []
    for number, claim in enumerate(claims(pin)):
        name = f"data-{number}"
        read_only = written is None or claim.name != written.name
        volume = {
            "name": name,
            "persistentVolumeClaim": {"claimName": claim.name, "readOnly": read_only},
        }
        made.append((
            volume, {"name": name, "mountPath": claim.mount_path, "readOnly": read_only},
        ))  # fmt: skip
    return made


def _directory(location: Location) -> str:
    return unquote("/" + location.uri.removeprefix("file://").strip("/"))


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
