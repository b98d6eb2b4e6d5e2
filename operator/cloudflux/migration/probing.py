"""Probing a location: whether it is there, is readable, and keeps to conditions."""

import io
import uuid
from itertools import islice

from cloudflux.api.tasks import ProbeRequest, ProbeResult
from cloudflux.errors import PreconditionFailed, StorageError
from cloudflux.storage.interface import CONTROL_PREFIX, Store


def probe(store: Store, request: ProbeRequest) -> ProbeResult:
    """Look, and with `write` also write and remove a scratch object of our own."""
    try:
        store.check()
        for _ in islice(store.list(), 1):
            pass
        if not request.write:
            return ProbeResult(reachable=True)
        return _probe_conditions(store)
    except StorageError as error:
        return ProbeResult(reachable=False, message=f"{error.reason}: {error}")


def _probe_conditions(store: Store) -> ProbeResult:
    key = f"{CONTROL_PREFIX}probe-{uuid.uuid4()}"
    try:
        store.put(key, io.BytesIO(b"1"), 1, if_absent=True)
        enforced = False
        try:
            store.put(key, io.BytesIO(b"2"), 1, if_absent=True)
        except PreconditionFailed:
            enforced = True
        measure = getattr(store, "enforces_copy_conditions", None)
        copies = None if measure is None else all(measure(key))
    finally:
        store.delete(key)
    return ProbeResult(reachable=True, conditional_writes=enforced, conditional_copies=copies)
