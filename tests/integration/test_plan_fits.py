"""A plan says of metadata and tags that the target can't hold; nothing is dropped."""

import datetime as dt
import io
import itertools
from pathlib import Path

import pytest
from tests.integration.moving import Move, file_ref
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


def test_where_the_listing_tells_all_objects_are_looked_at_and_no_request_is_made(
    stub_to_s3: Move, gcs_stub: GcsStub
) -> None:
    store = open_store(stub_to_s3.source)
    for number in range(LOOKED_AT + 5):
        store.put(f"{number:03d}", io.BytesIO(b"x"), 1)
    store.put("999", io.BytesIO(b"x"), 1, info=info(metadata={"note": "x" * 3000}))
    gcs_stub.requests.clear()
    plan = stub_to_s3.plan()
    (problem,) = plan.problems
    assert problem.startswith("objects that the target can't hold whole: 999")
    assert not [one for one in gcs_stub.requests if one.startswith("GET") and "%2F" in one]
    assert not [words for words in plan.warnings if "looked at" in words]


def test_where_it_does_not_the_plan_says_so_and_the_copy_fails_by_name(
    moto: S3Server, azurite: AzureServer, tmp_path: Path
) -> None:
    name, client = f"fits-{next(_NUMBERS)}", moto.client()
    client.create_bucket(Bucket=name)
    azurite.client().create_container(name)
    for number in range(LOOKED_AT + 1):
        client.put_object(Bucket=name, Key=f"data/{number:03d}", Body=b"x")
    source = s3_ref(moto, f"s3://{name}/data")
    odd = info(metadata={f"a{'-' * 1800}": "Azure writes each of these as five characters"})
    open_store(source).put("999", io.BytesIO(b"x"), 1, info=odd)
    move = Move(tmp_path, source, azure_ref(azurite, f"az://{name}/to"))
    plan = move.plan()
    assert plan.problems == ()
    assert any(f"looked at for {LOOKED_AT} objects, not for 2 others" in w for w in plan.warnings)
    copied = move.copy()
    (failure,) = copied.failures
    assert (failure.key, failure.reason) == ("999", "NotSupported")
    assert "and Azure holds 8192" in failure.message
    assert copied.objects_done == LOOKED_AT + 1


@pytest.mark.parametrize("kind", ["azure", "gcs", "file"])
def test_a_whole_listing_tells_what_a_look_at_each_object_does(
    kind: str, azurite: AzureServer, gcs_stub: GcsStub, tmp_path: Path
) -> None:
    name = f"whole-{next(_NUMBERS)}"
    if kind == "azure":
        azurite.client().create_container(name)
        store = open_store(azure_ref(azurite, f"az://{name}/data"))
    elif kind == "gcs":
        GcsServer(gcs_stub.endpoint, 0).client().create_bucket(name)
        store = open_store(gcs_ref(GcsServer(gcs_stub.endpoint, 0), f"gs://{name}/data"))
    else:
        store = open_store(file_ref(tmp_path / name, tmp_path))
    carried = {"metadata": {"a-b": "c"}, "headers": {"content-type": "text/x", "expires": "0"}}
    tags = {} if kind == "azure" else {"t": "v"}
    store.put("k", io.BytesIO(b"x"), 1, info=info(**carried, tags=tags))
    (listed,) = store.list_whole()  # type: ignore[attr-defined]
    looked = store.head("k")
    assert listed.metadata == looked.metadata
    assert listed.headers == looked.headers
    assert listed.tags == looked.tags == tags
    assert listed.metadata["a-b"] == "c"


def test_azure_counts_tags_too(azurite: AzureServer) -> None:
    store = open_store(azure_ref(azurite, "az://fits/data"))
    with pytest.raises(NotSupported, match="11 tags, and Azure holds 10"):
        store.require_fits(info(tags={f"t{n}": "v" for n in range(11)}))  # type: ignore[attr-defined]
    store.require_fits(info(tags={"one": "tag"}))  # type: ignore[attr-defined]
