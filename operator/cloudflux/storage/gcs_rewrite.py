"""Changing an object's class: a rewrite onto itself, on condition of its generation."""

from contextlib import suppress
from typing import Any

from cloudflux.errors import NotSupported, PreconditionFailed
from cloudflux.storage import gcs_attributes as attributes
from cloudflux.storage.digests import compare
from cloudflux.storage.gcs_client import TIMEOUTS_SECONDS, Connection
from cloudflux.storage.gcs_errors import Requests
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import printable


def rewrite(
    requests: Requests, connection: Connection, found: Any, before: ObjectInfo, target: str
) -> None:
    """Rewrite in as many requests as the server wants; source and target must be `before`.

    `found` is the SDK's object as it was just loaded.
    """
    generation = attributes.generation(before.version)
    source = found.bucket.blob(found.name, generation=generation)
    changed = found.bucket.blob(found.name, kms_key_name=_key_without_version(found.kms_key_name))
    attributes.keep(found, changed)
    changed.storage_class = target
    token: str | None = None

    def request() -> str | None:
        next_token: str | None = changed.rewrite(
            source,
            token=token,
            if_generation_match=generation,
            if_source_generation_match=generation,
            timeout=TIMEOUTS_SECONDS,
            retry=None,
        )[0]
        return next_token

    while True:
        token = requests.send(connection.retrier, "objects.rewrite", before.key, request)
        if token is None:
            return


def require_changed(before: ObjectInfo, after: ObjectInfo, target: str) -> None:
    """Raise NotSupported if the class is not `target`, IntegrityError if the content differs."""
    name = printable(after.key)
    if after.storage_class != target:
        raise NotSupported(
            f"the server answered with success but left {name} in {after.storage_class}; "
            f"it can't change the class to {target}",
            backend="gcs",
            operation="change_class",
            key=after.key,
        )
    compare({"size": str(before.size_bytes)}, {"size": str(after.size_bytes)}, name)
    compare(before.checksums, after.checksums, name)


def measure_conditions(
    requests: Requests, connection: Connection, found: Any, key: str
) -> tuple[bool, bool]:
    """Whether rewrites of a scratch object onto itself on wrong (source, target) are refused."""

    def refused(**wrong: int) -> bool:
        blob = found.bucket.blob(found.name)

        def request() -> None:
            blob.rewrite(blob, timeout=TIMEOUTS_SECONDS, retry=None, **wrong)

        with suppress(PreconditionFailed):
            requests.send(connection.retrier, "objects.rewrite", key, request)
            return False
        return True

    return (
        refused(if_source_generation_match=attributes.NEVER),
        refused(if_generation_match=attributes.NEVER),
    )


def _key_without_version(name: str | None) -> str | None:
    """The KMS key to write with; objects tell of it with the version that wrote them."""
    return name.partition("/cryptoKeyVersions/")[0] if name else None
