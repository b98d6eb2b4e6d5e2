"""Measures what an endpoint enforces; what a server documents and what it does differ."""

import io
import uuid
from contextlib import suppress
from typing import Protocol, runtime_checkable

from cloudflux.errors import CloudFluxError, NotSupported, PreconditionFailed
from cloudflux.storage.interface import CONTROL_PREFIX, Store

_OTHER_VERSION = "00000000000000000000000000000000"


@runtime_checkable
class CopyConditions(Protocol):
    """A store that changes classes by copying and can say whether conditions on it count."""

    def enforces_copy_conditions(self, key: str) -> tuple[bool, bool]:
        """Measure with a scratch object: (source, target)."""
        ...


@runtime_checkable
class WriteConditions(Protocol):
    """A store that looks itself where its server holds no conditions, and can say which it is."""

    def enforces_write_conditions(self) -> bool:
        """Measure with a scratch object."""
        ...


def protects_writes(store: Store) -> bool:
    """Whether a write that must create can't overwrite what somebody writes in that instant."""
    if isinstance(store, WriteConditions):
        return store.enforces_write_conditions()
    return store.capabilities.conditional_create


def probe_conditions(store: Store) -> tuple[bool | None, bool | None]:
    """Measure whether (conditional writes, conditional copies) are enforced.

    Writes one scratch object below `.cloudflux/` and removes it. None: the store has no
    such operation. A conditional copy counts only if both its source and its target are
    protected. Raises the storage error when the scratch object can't be written.
    """
    key = f"{CONTROL_PREFIX}probe-{uuid.uuid4()}"
    store.put(key, io.BytesIO(b"probe"), 5)
    try:
        writes = (
            protects_writes(store)
            and _refused(store, key, if_absent=True)
            and _refused(store, key, if_version=_OTHER_VERSION)
        )
        return writes, _copies(store, key)
    finally:
        with suppress(CloudFluxError):
            store.delete(key)


def protects_changes(store: Store) -> bool:
    """Whether a change of class in place can't overwrite what somebody writes meanwhile.

    What a store declares is measured where it can be: one scratch object below `.cloudflux/` is
    written and removed. Raises the storage error when it can't be written.
    """
    capabilities = store.capabilities
    declared = capabilities.conditional_copy_source and capabilities.conditional_copy_target
    if not declared or not isinstance(store, CopyConditions):
        return declared
    key = f"{CONTROL_PREFIX}probe-{uuid.uuid4()}"
    store.put(key, io.BytesIO(b"probe"), 5)
    try:
        return all(store.enforces_copy_conditions(key))
    finally:
        with suppress(CloudFluxError):
            store.delete(key)


def _refused(
    store: Store, key: str, *, if_absent: bool = False, if_version: str | None = None
) -> bool:
    with suppress(NotSupported):
        try:
            store.put(key, io.BytesIO(b"other"), 5, if_absent=if_absent, if_version=if_version)
        except PreconditionFailed:
            return True
    return False


def _copies(store: Store, key: str) -> bool | None:
    if isinstance(store, CopyConditions):
        return all(store.enforces_copy_conditions(key))
    capabilities = store.capabilities
    if capabilities.in_place_class_change or capabilities.tiers_by_link:
        return capabilities.conditional_copy_source and capabilities.conditional_copy_target
    return None
