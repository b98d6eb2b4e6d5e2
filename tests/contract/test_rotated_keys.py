"""Rotated keys count from the next time that a location is opened: nothing is restarted."""

from typing import Any

import pytest
from pydantic import SecretStr
from tests.servers import azure_ref, s3_ref

from cloudflux.api.task import GcsCredentials, StoreRef
from cloudflux.errors import PermissionDenied
from cloudflux.storage.gcs_client import Connector, _connection
from cloudflux.storage.registry import open_store
from cloudflux_dev.cloudservers import AzureServer
from cloudflux_dev.s3servers import S3Server

OTHER = "b3RoZXIga2V5IG9mIHRoZSBzYW1lIGFjY291bnQsIGxvbmcgZW5vdWdo"


def with_key(ref: StoreRef, **fields: Any) -> StoreRef:
    assert ref.credentials is not None
    return ref.model_copy(update={"credentials": ref.credentials.model_copy(update=fields)})


@pytest.mark.parametrize("kind", ["s3", "azure"])
def test_the_present_key_is_used_and_the_former_one_is_not(
    kind: str, minio: S3Server, azurite: AzureServer
) -> None:
    if kind == "s3":
        minio.client().create_bucket(Bucket="rotated")
        ref = s3_ref(minio, "s3://rotated/data")
        former = with_key(ref, secret_access_key=SecretStr(OTHER))
    else:
        azurite.client().create_container("rotated")
        ref = azure_ref(azurite, "az://rotated/data")
        former = with_key(ref, account_key=SecretStr(OTHER))
    for _ in range(2):  # a client of either that is kept must not stand in for the other's
        with pytest.raises(PermissionDenied, match="key"):
            open_store(former).check()
        open_store(ref).check()


def test_google_connects_anew_for_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.credentials import AnonymousCredentials

    from cloudflux.storage import gcs_client

    asked: list[str] = []

    def from_key(key: str) -> Any:
        asked.append(key)
        return AnonymousCredentials()

    monkeypatch.setattr(gcs_client, "_from_key_file", from_key)
    _connection.cache_clear()
    found = [
        Connector(
            StoreRef(
                uri="gs://bucket/data",
                endpoint="http://127.0.0.1:1",
                credentials=GcsCredentials(service_account=SecretStr(key)),
            )
        ).connect()
        for key in ("former", "present", "former")
    ]
    _connection.cache_clear()
    assert asked == ["former", "present"]
    assert found[0] is found[2] is not found[1]
