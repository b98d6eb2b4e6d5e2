"""The object stores that tests talk to: started once a session, by whoever asks first."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from cloudflux.api.task import AzureCredentials, Credentials, GcsCredentials, StoreRef
from cloudflux_dev import parts
from cloudflux_dev.cloudservers import (
    AzureServer,
    GcsServer,
    Toxiproxy,
    start_azurite,
    start_fakegcs,
    start_toxiproxy,
)
from cloudflux_dev.gcsstub import GcsStub, start_gcs_stub
from cloudflux_dev.s3servers import S3Server, start_minio, start_moto, start_versitygw


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    with start_moto() as server:
        yield server


@pytest.fixture(scope="session")
def versitygw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    needed("versitygw")
    with start_versitygw(tmp_path_factory.mktemp("versitygw")) as server:
        yield server


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    needed("minio")
    with start_minio(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    needed("azurite-blob")
    with start_azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="session")
def fakegcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    needed("fake-gcs-server")
    with start_fakegcs(tmp_path_factory.mktemp("fakegcs")) as server:
        yield server


@pytest.fixture(scope="session")
def gcs_stub() -> Iterator[GcsStub]:
    with start_gcs_stub() as stub:
        yield stub


@pytest.fixture(scope="session")
def toxiproxy() -> Iterator[Toxiproxy]:
    needed("toxiproxy-server")
    with start_toxiproxy() as server:
        yield server


def needed(name: str) -> None:
    """Skip the test where the program is not to be had."""
    if parts.find(name) is None:
        pytest.skip(parts.why_missing(name))


def s3_ref(server: S3Server, uri: str) -> StoreRef:
    return StoreRef(
        uri=uri,
        endpoint=server.endpoint,
        region=server.region,
        credentials=Credentials(
            access_key_id=server.access_key_id,
            secret_access_key=SecretStr(server.secret_access_key),
        ),
    )


def azure_ref(server: AzureServer, uri: str) -> StoreRef:
    return StoreRef(
        uri=uri,
        endpoint=server.endpoint,
        credentials=AzureCredentials(
            account=server.account, account_key=SecretStr(server.account_key)
        ),
    )


def gcs_ref(server: GcsServer, uri: str) -> StoreRef:
    return StoreRef(uri=uri, endpoint=server.endpoint, credentials=GcsCredentials())
