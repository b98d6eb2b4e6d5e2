"""Proving later what a manifest says of an object at its target."""

from cloudflux.errors import ObjectArchived, ObjectNotFound, PreconditionFailed
from cloudflux.migration.checkpoint import Moved
from cloudflux.storage.digests import ALGORITHMS, CHUNK_BYTES, Digests
from cloudflux.storage.interface import Store
from cloudflux.storage.keys import printable


def difference(store: Store, moved: Moved, *, deep: bool) -> str | None:
    """How the object differs from what was moved, in words; None when it does not.

    Without `deep`, by size and the digests that the server tells, or by its version where the
    server tells none; with it, by every byte.
    """
    name = printable(moved.key)
    try:
        info = store.head(moved.key)
        if info.size_bytes != moved.size_bytes:
            return f"{name}: has {info.size_bytes} bytes, moved were {moved.size_bytes}"
        common = sorted(info.checksums.keys() & moved.digests.keys())
        for digest in common:
            if info.checksums[digest] != moved.digests[digest]:
                return f"{name}: {digest} is {info.checksums[digest]}, was {moved.digests[digest]}"
        known = [digest for digest in ALGORITHMS if digest in moved.digests]
        if deep and known:
            return _read(store, moved, info.version, known[0])
        if (deep or not common) and info.version != moved.target_version:
            return f"{name}: was written since it was moved; --deep tells whether it differs"
    except ObjectNotFound:
        return f"{name}: is gone"
    except PreconditionFailed:
        return f"{name}: was written while it was read"
    except ObjectArchived as error:
        return f"{name}: {error}"
    return None


def _read(store: Store, moved: Moved, version: str, name: str) -> str | None:
    digests = Digests({name})
    with store.open(moved.key, if_version=version) as stream:
        while data := stream.read(CHUNK_BYTES):
            digests.update(data)
    found = digests.hex()[name]
    if found == moved.digests[name]:
        return None
    return f"{printable(moved.key)}: its bytes have {name} {found}, moved was {moved.digests[name]}"
