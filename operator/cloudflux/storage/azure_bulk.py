"""Changing the tiers of many blobs: 256 in a request, their properties by listing them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from azure.storage.blob import ContainerClient, StandardBlobTier

from cloudflux.errors import ObjectNotFound, PreconditionFailed, StorageError
from cloudflux.storage import azure_attributes as attributes
from cloudflux.storage import azure_tiers
from cloudflux.storage.azure_errors import Requests, error_of
from cloudflux.storage.interface import Brief, ObjectInfo
from cloudflux.storage.keys import printable

BATCH = 256
"""The most that a Blob Batch takes:
https://learn.microsoft.com/en-us/rest/api/storageservices/blob-batch"""

Listed = Mapping[str, ObjectInfo]


class Batches:
    """Changes of tiers in one container."""

    def __init__(self, requests: Requests, container: ContainerClient, prefix: str) -> None:
        self._requests, self._container, self._prefix = requests, container, prefix

    def change(
        self,
        objects: Sequence[Brief],
        target: str,
        look: Callable[[], Listed],
        alone: Callable[[str, int, str, str], ObjectInfo | StorageError],
    ) -> Mapping[str, ObjectInfo | StorageError]:
        """Change those that are as they were planned; what each is then, or what is wrong.

        `look` lists them. Into Archive, which needs a lease of each blob, and out of it, which
        takes hours, they go one by one, with `alone`.
        """
        before = look()
        slow = {key for key, info in before.items() if info.archived}
        if target == attributes.ARCHIVE:
            slow = set(before)
        found = {
            key: alone(key, size_bytes, version, target)
            for key, size_bytes, version in objects
            if key in slow
        }
        rest = [brief for brief in objects if brief[0] not in found]
        problems = self._set(before, rest, target)
        quick = {key: info for key, info in before.items() if key not in found}
        return {**_outcomes(quick, look() if rest else {}, problems, target), **found}

    def _set(
        self, before: Listed, objects: Sequence[Brief], target: str
    ) -> dict[str, StorageError | None]:
        """What is wrong with each."""
        found: dict[str, StorageError | None] = {}
        wanted = []
        for key, size_bytes, version in objects:
            info = before.get(key)
            if info is None:
                found[key] = ObjectNotFound(f"{printable(key)} is gone", backend="azure", key=key)
            elif (info.size_bytes, info.version) != (size_bytes, version):
                found[key] = _changed(key)
            elif info.storage_class != target:
                wanted.append(key)
        for start in range(0, len(wanted), BATCH):
            for key, status, code in self._send(wanted[start : start + BATCH], target):
                where = f"{self._requests.uri}/{printable(key)}"
                refused = error_of(code, status, "Set Blob Tier", key, where)
                found[key] = refused if status >= 300 else None
        return found

    def _send(self, keys: Sequence[str], target: str) -> list[tuple[str, int, str]]:
        """(key, status, error code) of each."""

        def request() -> list[tuple[str, int, str]]:
            answers = self._container.set_standard_blob_tier_blobs(
                StandardBlobTier(target),
                *(self._prefix + key for key in keys),
                raise_on_any_failure=False,
            )
            return [
                (key, answer.status_code, answer.headers.get("x-ms-error-code", ""))
                for key, answer in zip(keys, answers, strict=True)
            ]

        found: list[tuple[str, int, str]] = self._requests.send("Blob Batch", "", request)
        return found


def _outcomes(
    before: Listed, after: Listed, problems: Mapping[str, StorageError | None], target: str
) -> dict[str, ObjectInfo | StorageError]:
    """What each blob is now, or what is wrong; one that changed meanwhile is said."""
    found: dict[str, ObjectInfo | StorageError] = {}
    for key in before.keys() | problems.keys():
        problem = problems.get(key)
        if problem is not None:
            found[key] = problem
        elif key not in after:
            found[key] = ObjectNotFound(f"{printable(key)} is gone", backend="azure", key=key)
        else:
            try:
                found[key] = azure_tiers.require_changed(before[key], after[key], target)
            except StorageError as error:
                found[key] = error
    return found


def listed(pages: Iterator[Any], prefix: str, keys: set[str]) -> Listed:
    """These blobs as a listing that begins at the first of them shows them."""
    found: dict[str, ObjectInfo] = {}
    for page in pages:
        for blob in page:
            key = blob.name[len(prefix) :]
            if key in keys:
                found[key] = attributes.from_properties(key, blob, listed=True)
        if len(found) == len(keys):
            break
    return found


def _changed(key: str) -> PreconditionFailed:
    return PreconditionFailed(
        f"{printable(key)} changed since it was listed; it is left as it is",
        backend="azure",
        operation="change_class",
        key=key,
    )
