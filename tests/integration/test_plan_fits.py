"""A plan says of metadata and tags that the target can't hold; nothing is dropped."""

import datetime as dt
import io
import itertools
from pathlib import Path

import pytest
from tests.integration.moving import Move
from tests.servers import azure_ref, gcs_ref, s3_ref

from cloudflux.errors import NotSupported
from cloudflux.migration.plan_fits import LOOKED_AT
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.registry import open_store
from cloudflux_dev.cloudservers import AzureServer, GcsServer
from cloudflux_dev.gcsstub import GcsStub
from cloudflux_dev.s3servers import S3Server

_NUMBERS = itertools.count()


def info(**fields: object) -> ObjectInfo:
    known = {"key": "a", "size_bytes": 1, "version": "", "storage_class": "",
             "last_modified": dt.datetime.now(dt.UTC)}  # fmt: skip
    return ObjectInfo(**{**known, **fields})  # type: ignore[arg-type]


@pytest.fixture
def stub_to_s3(gcs_stub: GcsStub, moto: S3Server, tmp_path: Path) -> Move:
    name = f"fits-{next(_NUMBERS)}"
    GcsServer(gcs_stub.endpoint, 0).client().create_bucket(name)
    moto.client().create_bucket(Bucket=name)
    source = gcs_ref(GcsServer(gcs_stub.endpoint, 0), f"gs://{name}/data")
    return Move(tmp_path, source, s3_ref(moto, f"s3://{name}/data"))


def test_what_the_target_can_not_hold_blocks_the_plan_and_is_named(stub_to_s3: Move) -> None:
    store = open_store(stub_to_s3.source)
    for key, metadata, tags in (
        ("fits", {"a": "b"}, {}),
        ("long", {"note": "x" * 3000}, {}),
        ("many", {}, {f"t{n}": "v" for n in range(11)}),
        ("script", {"name": "naïve ☃"}, {}),
    ):
        store.put(key, io.BytesIO(b"x"), 1, info=info(metadata=metadata, tags=tags))
    (problem,) = stub_to_s3.plan().problems
    assert "S3 holds 2048 bytes and 10 tags" in problem
    for key in ("long", "many", "name"):
        assert key in problem
    assert "fits:" not in problem


def test_only_the_first_objects_cost_a_look(stub_to_s3: Move, gcs_stub: GcsStub) -> None:
    store = open_store(stub_to_s3.source)
    for number in range(LOOKED_AT + 5):
        store.put(f"{number:03d}", io.BytesIO(b"x"), 1)
    gcs_stub.requests.clear()
    assert stub_to_s3.plan().problems == ()
    looks = [one for one in gcs_stub.requests if one.startswith("GET") and "%2F" in one]
    assert len(looks) == LOOKED_AT


def test_azure_counts_tags_too(azurite: AzureServer) -> None:
    store = open_store(azure_ref(azurite, "az://fits/data"))
    with pytest.raises(NotSupported, match="11 tags, and Azure holds 10"):
        store.require_fits(info(tags={f"t{n}": "v" for n in range(11)}))  # type: ignore[attr-defined]
    store.require_fits(info(tags={"one": "tag"}))  # type: ignore[attr-defined]
