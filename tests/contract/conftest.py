import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.servers import azure_ref, gcs_ref, s3_ref

from cloudflux.api.task import StoreRef
from cloudflux.cli.local import store_ref
from cloudflux.storage.azure import AzureStore
from cloudflux.storage.gcs import GcsStore
from cloudflux.storage.interface import Store
from cloudflux.storage.memory import MemoryStore
from cloudflux.storage.registry import open_store
from cloudflux.storage.s3 import S3Store
from cloudflux_dev.cloudservers import AzureServer, GcsServer
from cloudflux_dev.gcsstub import GcsStub
from cloudflux_dev.s3servers import S3Server

from .expected import EXPECTED_FAILURES
from .rigs import Rig

_NUMBERS = itertools.count()


def _s3_rig(server: S3Server, name: str, **declared: object) -> Rig:
    bucket = f"{name}-{next(_NUMBERS)}"
    server.client().create_bucket(Bucket=bucket)
    ref = s3_ref(server, f"s3://{bucket}/data")
    store = open_store(ref)
    assert isinstance(store, S3Store)
    store.page_keys = 10  # so that a listing of some keys goes over many pages
    return Rig(
        name=name,
        store=store,
        reopen=lambda: open_store(ref),
        home_class="STANDARD",
        large_bytes=(16 << 20) + 1,
        missing=lambda: open_store(s3_ref(server, "s3://no-such-bucket-here/data")),
        **declared,  # type: ignore[arg-type]
    )


@pytest.fixture
def rig_memory() -> Rig:
    store = MemoryStore()
    return Rig("memory", store, lambda: store, other_class="GLACIER_IR", home_class="STANDARD")


@pytest.fixture
def rig_file(tmp_path: Path) -> Rig:
    for name in ("data", "cold"):
        (tmp_path / name).mkdir()
    cold = f"file://{tmp_path}/cold"

    def open_at(name: str) -> Store:
        ref = StoreRef(uri=f"file://{tmp_path}/{name}", file_roots=(str(tmp_path),))
        return open_store(ref, tier_roots=[cold])

    return Rig(
        name="file",
        store=open_at("data"),
        reopen=lambda: open_at("data"),
        other_class=cold,
        home_class=f"file://{tmp_path}/data",
        missing=lambda: open_at("missing"),
    )


@pytest.fixture
def rig_s3_moto(moto: S3Server) -> Rig:
    # moto knows every storage class, and looks at no condition of a copy.
    return _s3_rig(
        moto,
        "moto",
        other_class="STANDARD_IA",
        enforces_copy_source=False,
        enforces_copy_target=False,
    )


@pytest.fixture
def rig_s3_versitygw(versitygw: S3Server) -> Rig:
    # versitygw holds conditions, but for the target of a copy, and has no storage classes.
    return _s3_rig(versitygw, "versitygw", other_class=None, enforces_copy_target=False)


@pytest.fixture
def rig_s3_minio(minio: S3Server) -> Rig:
    # MinIO's second class is none of S3's present ones, and it looks at no target of a copy.
    return _s3_rig(minio, "minio", other_class=None, enforces_copy_target=False)


@pytest.fixture
def rig_fakegcs(fakegcs: GcsServer) -> Rig:
    # fake-gcs-server looks at no condition of a rewrite.
    return _gcs_rig(fakegcs, "fakegcs", enforces_copy_source=False, enforces_copy_target=False)


@pytest.fixture
def rig_gcs_stub(gcs_stub: GcsStub) -> Rig:
    return _gcs_rig(GcsServer(gcs_stub.endpoint, 0), "gcs-stub")


def _gcs_rig(server: GcsServer, name: str, **declared: object) -> Rig:
    bucket = f"{name}-{next(_NUMBERS)}"
    server.client().create_bucket(bucket)
    ref = gcs_ref(server, f"gs://{bucket}/data")
    store = open_store(ref)
    assert isinstance(store, GcsStore)
    store.page_keys = 10
    return Rig(
        name=name,
        store=store,
        reopen=lambda: open_store(ref),
        home_class="STANDARD",
        other_class="NEARLINE",
        large_bytes=(16 << 20) + 1,
        missing=lambda: open_store(gcs_ref(server, "gs://no-such-bucket/data")),
        **declared,  # type: ignore[arg-type]
    )


@pytest.fixture
def rig_azurite(azurite: AzureServer) -> Rig:
    container = f"azurite-{next(_NUMBERS)}"
    azurite.client().create_container(container)
    ref = azure_ref(azurite, f"az://{container}/data")
    store = open_store(ref)
    assert isinstance(store, AzureStore)
    store.page_keys = 10
    return Rig(
        name="azurite",
        store=store,
        reopen=lambda: open_store(ref),
        home_class="Hot",
        other_class="Cool",
        # Set Blob Tier has no condition, here and at Azure.
        enforces_copy_source=False,
        enforces_copy_target=False,
        large_bytes=(16 << 20) + 1,
        missing=lambda: open_store(azure_ref(azurite, "az://no-such-container/data")),
        impossible_keys=("tab\there",),
    )


def _real_rig(
    variable: str, home_class: str, other_class: str, **declared: object
) -> Iterator[Rig]:
    """A location of a real cloud, below the one that the environment names; emptied at the end.

    Credentials are those that `cloudflux doctor` would find in the environment.
    """
    uri = f"{os.environ[variable].rstrip('/')}/contract-{uuid.uuid4()}"
    ref = store_ref(uri)
    nowhere = f"{uri.partition('://')[0]}://no-such-bucket-{uuid.uuid4().hex[:12]}/data"
    store = open_store(ref)
    yield Rig(
        name=variable,
        store=store,
        reopen=lambda: open_store(ref),
        home_class=home_class,
        other_class=other_class,
        large_bytes=(16 << 20) + 1,
        missing=lambda: open_store(ref.model_copy(update={"uri": nowhere})),
        **declared,  # type: ignore[arg-type]
    )
    for entry in list(store.list()):
        store.delete(entry.key)


@pytest.fixture
def rig_aws() -> Iterator[Rig]:
    yield from _real_rig("CLOUDFLUX_TEST_S3_URI", "STANDARD", "STANDARD_IA")


@pytest.fixture
def rig_azure() -> Iterator[Rig]:
    yield from _real_rig(
        "CLOUDFLUX_TEST_AZURE_URI",
        "Hot",
        "Cool",
        enforces_copy_source=False,
        enforces_copy_target=False,
        impossible_keys=("tab\there",),
    )


@pytest.fixture
def rig_google() -> Iterator[Rig]:
    yield from _real_rig("CLOUDFLUX_TEST_GCS_URI", "STANDARD", "NEARLINE")


REAL = {
    "CLOUDFLUX_TEST_S3_URI": "aws",
    "CLOUDFLUX_TEST_AZURE_URI": "azure",
    "CLOUDFLUX_TEST_GCS_URI": "google",
}
RIGS = (
    *(name for variable, name in REAL.items() if os.environ.get(variable)),
    "memory", "file", "s3_moto", "s3_versitygw", "s3_minio", "azurite", "fakegcs", "gcs_stub",
)  # fmt: skip


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Rig:
    found: Rig = request.getfixturevalue(f"rig_{request.param}")
    why = EXPECTED_FAILURES.get(found.name, {}).get(request.node.originalname)
    if why is not None:
        request.applymarker(pytest.mark.xfail(reason=why, strict=True))
    return found


@pytest.fixture
def store(rig: Rig) -> Store:
    return rig.store


@pytest.fixture
def s3_server_ref(moto: S3Server) -> Callable[[str], StoreRef]:
    return lambda uri: s3_ref(moto, uri)
