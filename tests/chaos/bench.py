"""The servers that runs share, started at once."""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.chaos.places import make_bucket

from cloudflux_dev import parts
from cloudflux_dev.cloudservers import (
    GcsServer,
    Toxiproxy,
    start_azurite,
    start_fakegcs,
    start_toxiproxy,
)
from cloudflux_dev.gcsstub import start_gcs_stub
from cloudflux_dev.s3servers import start_minio, start_versitygw

PROGRAMS = {"minio": "minio", "versitygw": "versitygw", "azurite": "azurite-blob",
            "fakegcs": "fake-gcs-server"}  # fmt: skip
STARTERS: dict[str, Callable[[Path], Any]] = {
    "minio": start_minio, "versitygw": start_versitygw, "azurite": start_azurite,
    "fakegcs": start_fakegcs,
}  # fmt: skip


@contextlib.contextmanager
def servers(directory: Path) -> Iterator[dict[str, Any]]:
    """Every server that can be had, with its bucket; what is missing is left out."""
    with contextlib.ExitStack() as stack:
        found: dict[str, Any] = {}
        for kind, start in STARTERS.items():
            if parts.find(PROGRAMS[kind]) is not None:
                found[kind] = stack.enter_context(start(directory / kind))
        stub = stack.enter_context(start_gcs_stub())
        found["gcs-stub"] = GcsServer(stub.endpoint, os.getpid())
        with ThreadPoolExecutor(len(found)) as pool:
            list(pool.map(lambda kind: make_bucket(kind, found[kind]), found))
        yield found


@contextlib.contextmanager
def toxiproxy_if_any() -> Iterator[Toxiproxy | None]:
    """A toxiproxy; None where it can't be had: then nothing happens on the wire."""
    if parts.find("toxiproxy-server") is None:
        yield None
        return
    with start_toxiproxy() as server:
        yield server
