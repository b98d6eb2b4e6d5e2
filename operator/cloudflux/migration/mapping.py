"""What one store's objects become at another: keys, storage classes, provenance."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from cloudflux.api.common import PROVIDER_OF_SCHEME
from cloudflux.errors import PlanError
from cloudflux.storage.interface import Capabilities, ObjectInfo, Store

JOB_KEY = "cloudflux-job"
VERSION_KEY = "cloudflux-source-version"
"""Metadata of every object that a job writes: by which job, and from which version."""

_PROVIDER_OF_SCHEME = {**PROVIDER_OF_SCHEME, "memory": "s3"}


def provenance(job_uid: str, version: str) -> Mapping[str, str]:
    """Metadata that says who wrote an object and from what."""
    return {JOB_KEY: job_uid, VERSION_KEY: version}


def written_by(info: ObjectInfo, job_uid: str) -> bool:
    """Say whether the job wrote this object."""
    return info.metadata.get(JOB_KEY) == job_uid


def key_prefix(store: Store) -> str:
    """Return what the store puts before each key, as far as it counts for the length of keys."""
    if store.capabilities.hierarchical:
        return ""
    path = urlsplit(store.uri).path.strip("/")
    return f"{path}/" if path else ""


def class_at_target(info: ObjectInfo, source: Capabilities, target: Capabilities) -> str:
    """Return the class that an object gets: its own where the target has it too, else the first."""
    if source.scheme == target.scheme and source.scheme != "file":
        classes = target.storage_classes
        # What comes out of an archive could not be read back, to be proven, from another one.
        if info.storage_class in classes and info.storage_class not in source.archive_classes:
            return info.storage_class
    if not target.storage_classes:
        raise PlanError(f"{target.scheme}: the target knows no storage class")
    return target.storage_classes[0]


def class_to_write(name: str, target: Capabilities) -> str | None:
    """Return the class as `put` takes it; files are written at home."""
    return None if target.scheme == "file" else name


def provider_of(store: Store) -> str:
    """Return the name of the store's provider in the price tables. Raises PlanError."""
    found = _PROVIDER_OF_SCHEME.get(store.capabilities.scheme)
    if found is None:
        raise PlanError(f"{store.uri}: no provider is known for {store.capabilities.scheme}://")
    return found
