"""Connections that break, over real servers: what comes is an error that says so, never half."""

import io
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.servers import azure_ref, gcs_ref, s3_ref

from cloudflux.api.task import StoreRef
from cloudflux.errors import Unavailable
from cloudflux.storage.interface import Store
from cloudflux.storage.registry import open_store
from cloudflux_dev.cloudservers import AzureServer, GcsServer, Toxiproxy
from cloudflux_dev.s3servers import S3Server

SIZE = 6 << 20
DATA = os.urandom(SIZE)
_NUMBERS = itertools.count()


@pytest.fixture(params=["minio", "azurite", "fakegcs"])
def wire(request: pytest.FixtureRequest, toxiproxy: Toxiproxy) -> Iterator[tuple[str, Store]]:
    """The name of a proxy, and a store that speaks through it."""
    name = f"{request.param}-wire-{next(_NUMBERS)}"
    server = request.getfixturevalue(request.param)
    proxied = replace(server, endpoint=toxiproxy.proxy(name, server.endpoint))
    ref: StoreRef
    if isinstance(server, S3Server):
        server.client().create_bucket(Bucket=name)
        ref = s3_ref(proxied, f"s3://{name}")
    elif isinstance(server, AzureServer):
        server.client().create_container(name)
        ref = azure_ref(proxied, f"az://{name}")
    else:
        assert isinstance(server, GcsServer)
        server.client().create_bucket(name)
        ref = gcs_ref(proxied, f"gs://{name}")
    yield name, open_store(ref)
    toxiproxy.heal()


def read(store: Store) -> bytes:
    with store.open("k") as stream:
        return b"".join(iter(lambda: stream.read(1 << 20), b""))


def test_a_read_that_breaks_off_is_an_error_and_not_a_short_object(
    wire: tuple[str, Store], toxiproxy: Toxiproxy
) -> None:
    name, store = wire
    store.put("k", io.BytesIO(DATA), SIZE)
    toxiproxy.add(name, "limit_data", bytes=SIZE // 2)
    with pytest.raises(Unavailable):
        read(store)
    toxiproxy.heal()
    assert read(store) == DATA


def test_a_write_that_breaks_off_leaves_nothing(
    wire: tuple[str, Store], toxiproxy: Toxiproxy
) -> None:
    name, store = wire
    toxiproxy.add(name, "limit_data", stream="upstream", bytes=SIZE // 2)
    with pytest.raises(Unavailable):
        store.put("k", io.BytesIO(DATA), SIZE, if_absent=True)
    toxiproxy.heal()
    assert list(store.list()) == []
    store.put("k", io.BytesIO(DATA), SIZE, if_absent=True)
    assert store.head("k").size_bytes == SIZE


def test_an_answer_that_is_reset_may_be_asked_for_again(
    wire: tuple[str, Store], toxiproxy: Toxiproxy
) -> None:
    name, store = wire
    store.put("k", io.BytesIO(b"x"), 1)
    toxiproxy.add(name, "reset_peer", timeout=0)
    with pytest.raises(Unavailable) as raised:
        store.head("k")
    assert raised.value.retryable
    toxiproxy.heal()
    assert store.head("k").size_bytes == 1
