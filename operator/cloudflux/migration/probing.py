"""Probing a location: whether it is there, is readable, and keeps to conditions."""

from itertools import islice

from cloudflux.api.task import ProbeRequest, ProbeResult
from cloudflux.errors import StorageError
from cloudflux.storage.interface import Store
from cloudflux.storage.probe import probe_conditions


def probe(store: Store, request: ProbeRequest) -> ProbeResult:
    """Look, and with `write` also write and remove a scratch object of our own."""
    try:
        store.check()
        for _ in islice(store.list(), 1):
            pass
        if not request.write:
            return ProbeResult(reachable=True)
        writes, copies = probe_conditions(store)
    except StorageError as error:
        return ProbeResult(reachable=False, message=f"{error.reason}: {error}")
    return ProbeResult(reachable=True, conditional_writes=writes, conditional_copies=copies)
