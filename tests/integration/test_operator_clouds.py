"""The running operator with Azure and Google Cloud: Secrets, tiers of a policy, a move between."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator_rig import Operator, World, manifest

from cloudflux_dev import parts
from cloudflux_dev.cloudservers import AzureServer, start_azurite
from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.gcsstub import GcsStub, start_gcs_stub
from cloudflux_dev.kubeapi import KubeApi

pytestmark = pytest.mark.cluster
CONTENT = {f"set/part-{number}": bytes([number]) * 1000 for number in range(12)}


@pytest.fixture
def azurite(tmp_path: Path) -> Iterator[AzureServer]:
    if parts.find("azurite-blob") is None:
        pytest.skip(parts.why_missing("azurite-blob"))
    with start_azurite(tmp_path / "azurite") as server:
        container = server.client().create_container("data")
        for name, data in CONTENT.items():
            container.upload_blob(name, data, length=len(data))
        yield server


@pytest.fixture
def google() -> Iterator[GcsStub]:
    with start_gcs_stub() as stub:
        stub.buckets["archive"] = {}
        yield stub


@pytest.fixture
def world(
    control_plane: ControlPlane,
    kube_api: KubeApi,
    namespace: str,
    tmp_path: Path,
    azurite: AzureServer,
    google: GcsStub,
) -> Iterator[World]:
    operator = Operator(
        control_plane.kubeconfig, namespace, tmp_path,
        allowed_endpoints=f'["{azurite.endpoint}", "{google.endpoint}"]',
    ).start()  # fmt: skip
    yield World(kube_api, namespace)
    operator.stop()


def secret(world: World, name: str, **values: str) -> None:
    labels = {"cloudflux.io/credentials": "true"}
    world.api.create_secret(world.namespace, name, values, labels)


def at_azure(server: AzureServer) -> dict[str, Any]:
    return {"uri": "az://data/set", "endpoint": server.endpoint,
            "credentialsSecretRef": {"name": "azure"}}  # fmt: skip


def test_a_data_set_of_azure_changes_its_tier_and_moves_to_google(
    world: World, azurite: AzureServer, google: GcsStub
) -> None:
    secret(world, "azure", connectionString=azurite.connection_string)
    world.data_set("telemetry", at_azure(azurite), writers="Quiesced")
    world.wait_ready("telemetry")
    assert world.status("datasets", "telemetry")["inventory"]["objects"] == len(CONTENT)

    tiers = [{"name": "Hot", "azureTier": "Hot"}, {"name": "Cold", "azureTier": "Cold"}]
    world.api.create(
        manifest("TieringPolicy", world.namespace, "tiers", {"tiers": tiers, "mode": "Observe"})
    )
    world.job("cool", "telemetry", {"tier": "Cold"}, policyRef={"name": "tiers"})
    status = world.wait_phase("cool", "Completed", "Failed")
    assert status["phase"] == "Completed", status
    blobs = azurite.client().get_container_client("data").list_blobs("set/part")
    assert {blob.blob_tier for blob in blobs} == {"Cold"}

    secret(world, "google", anonymous="true")
    target = {"uri": "gs://archive/kept", "endpoint": google.endpoint,
              "credentialsSecretRef": {"name": "google"}}  # fmt: skip
    world.job("away", "telemetry", {"location": target})
    status = world.wait_phase("away", "Completed", "Failed")
    assert status["phase"] == "Completed", status
    assert world.status("datasets", "telemetry")["location"]["uri"] == "gs://archive/kept"
    moved = {
        name.removeprefix("kept/"): one.data
        for name, one in google.objects("archive").items()
        if ".cloudflux/" not in name
    }
    assert moved == {name.removeprefix("set/"): data for name, data in CONTENT.items()}


def test_secrets_that_are_missing_or_for_another_account_are_said(
    world: World, azurite: AzureServer
) -> None:
    world.data_set("lost", {**at_azure(azurite), "credentialsSecretRef": {"name": "none"}})
    said = world.wait_condition("datasets", "lost", "Ready", "False")
    assert said["reason"] == "SecretNotFound"
    assert "--from-literal=accountName=" in said["message"]
    text = f"AccountName=other;AccountKey={azurite.account_key}"
    secret(world, "azure", connectionString=text)
    world.data_set("telemetry", at_azure(azurite))
    said = world.wait_condition("datasets", "telemetry", "Ready", "False")
    assert said["reason"] == "EndpointRefused"
    assert "https://other.blob.core.windows.net" in said["message"]
    assert azurite.account_key not in str(world.get("datasets", "telemetry"))
