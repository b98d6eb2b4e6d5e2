"""The operator as a process on a real control plane, with directories as data."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator_rig import Operator, World, fill, read_all, wait_for

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import KubeApi

pytestmark = pytest.mark.cluster
Start = Callable[..., Operator]


@pytest.fixture
def start(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Start]:
    started: list[Operator] = []

    def make(**settings: Any) -> Operator:
        operator = Operator(
            control_plane.kubeconfig, namespace, tmp_path, name=f"operator-{len(started)}",
            **settings,
        )  # fmt: skip
        started.append(operator)
        return operator.start()

    yield make
    for operator in started:
        operator.stop()


@pytest.fixture
def world(kube_api: KubeApi, namespace: str) -> World:
    return World(kube_api, namespace)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "data" / "source"
    directory.mkdir(parents=True)
    return directory


def test_a_move_is_encrypted_with_the_key_of_a_secret(
    start: Start, world: World, source: Path, tmp_path: Path
) -> None:
    content = fill(source, 3)
    target, back = tmp_path / "data" / "vault", tmp_path / "data" / "back"
    target.mkdir()
    back.mkdir()
    key = {"encryptionKey": base64.b64encode(bytes(range(32))).decode()}
    labels = {"cloudflux.io/credentials": "true"}
    world.api.create_secret(world.namespace, "vault-key", key, labels)
    start()
    world.data_set("books", source.as_uri(), writers="Quiesced")
    world.wait_ready("books")
    encryption = {"type": "Client", "keySecretRef": {"name": "vault-key"}}
    place = {"uri": target.as_uri(), "encryption": encryption}
    world.job("seal", "books", {"location": place})
    world.wait_condition("migrationjobs", "seal", "Succeeded", "True")
    assert all(one.startswith(b"CFXSEAL1") for one in read_all(target).values())
    assert world.status("datasets", "books")["location"]["encryption"] == encryption
    world.job("open", "books", {"location": {"uri": back.as_uri()}})
    world.wait_condition("migrationjobs", "open", "Succeeded", "True")
    assert read_all(back) == content


def test_the_bandwidth_of_a_running_job_can_be_changed(
    start: Start, world: World, source: Path, tmp_path: Path
) -> None:
    (source / "large").write_bytes(bytes(1 << 20))
    target = tmp_path / "data" / "target"
    target.mkdir()
    start()
    world.data_set("books", source.as_uri(), writers="Quiesced")
    world.wait_ready("books")
    slow = {"bandwidthBytesPerSecond": 1000}  # a quarter of an hour
    world.job("move", "books", {"location": {"uri": target.as_uri()}}, execution=slow)
    world.wait_phase("move", "Copying")
    faster = {"spec": {"execution": {"bandwidthBytesPerSecond": 100_000_000}}}
    world.api.patch("cloudflux.io/v1alpha1", "migrationjobs", "move", faster, world.namespace)
    world.wait_condition("migrationjobs", "move", "Succeeded", "True")
    assert (target / "large").read_bytes() == bytes(1 << 20)


def test_a_data_set_gets_ready_and_moves_to_another_directory(
    start: Start, world: World, source: Path, tmp_path: Path
) -> None:
    content = fill(source, 40)
    target = tmp_path / "data" / "target"
    target.mkdir()
    start()
    world.data_set("books", source.as_uri(), writers="Quiesced")
    world.wait_ready("books")
    assert world.status("datasets", "books")["inventory"]["objects"] == 40
    world.job("move", "books", {"location": {"uri": target.as_uri()}})
    world.wait_condition("migrationjobs", "move", "Succeeded", "True")
    assert read_all(target) == content
    assert read_all(source) == content, "the source is kept: retention is Retain"
    location = world.status("datasets", "books")["location"]
    assert location["uri"] == target.as_uri()
    assert location["generation"] == 1
    assert "activeMigrationRef" not in world.status("datasets", "books")
    config_map = world.api.get("v1", "configmaps", "books-location", world.namespace)
    assert config_map["data"]["uri"] == target.as_uri()
    status = world.status("migrationjobs", "move")
    assert status["verification"]["matched"] == 40
    for kind, name in (("datasets", "books"), ("migrationjobs", "move")):
        assert "finalizers" not in world.get(kind, name)["metadata"]
        assert not world.get(kind, name)["metadata"].get("annotations")
    assert wait_for("events", lambda: "Completed" in world.event_reasons("move"))


@pytest.mark.parametrize(
    ("uri", "reason", "words"),
    [
        ("file:///etc", "LocationRefused", "CLOUDFLUX_FILE_ROOTS"),
        ("file://{root}/data/out", "LocationRefused", "outside"),
        ("file://{root}/data/absent", "LocationNotFound", "absent"),
    ],
)
def test_a_location_that_can_not_be_used_is_said(
    start: Start, world: World, source: Path, tmp_path: Path, uri: str, reason: str, words: str
) -> None:
    (tmp_path / "data" / "out").symlink_to("/etc")
    start()
    world.data_set("bad", uri.format(root=tmp_path))
    found = world.wait_condition("datasets", "bad", "Ready", "False")
    assert found["reason"] == reason
    assert words in found["message"]
    assert wait_for("the event", lambda: reason in world.event_reasons("bad"))


def test_an_endpoint_in_the_cluster_is_refused(start: Start, world: World) -> None:
    start()
    world.data_set("bad", {"uri": "s3://bucket/x", "endpoint": "http://169.254.169.254"})
    found = world.wait_condition("datasets", "bad", "Ready", "False")
    assert found["reason"] == "EndpointRefused"


def test_a_target_inside_the_source_fails_the_job(start: Start, world: World, source: Path) -> None:
    content = fill(source, 3)
    start()
    world.data_set("books", source.as_uri(), writers="Quiesced")
    world.wait_ready("books")
    world.job("inside", "books", {"location": {"uri": (source / "deeper").as_uri()}})
    found = world.wait_condition("migrationjobs", "inside", "Succeeded", "False")
    assert found["reason"] == "LocationOverlap"
    assert read_all(source) == content


def test_a_foreign_config_map_is_left_alone_and_said(
    start: Start, world: World, source: Path, tmp_path: Path
) -> None:
    fill(source, 3)
    (tmp_path / "data" / "target").mkdir()
    metadata = {"name": "books-location", "namespace": world.namespace}
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}
    world.api.create(foreign)
    start()
    world.data_set("books", source.as_uri(), writers="Quiesced")
    world.job("move", "books", {"location": {"uri": (tmp_path / "data" / "target").as_uri()}})
    status = world.wait_phase("move", "Queued")
    assert status["reason"] == "ConfigMapConflict"
    world.api.delete("v1", "configmaps", "books-location", world.namespace)
    world.wait_condition("migrationjobs", "move", "Succeeded", "True", 90)


def test_deleting_is_immediate_and_what_a_running_job_left_is_swept(
    start: Start, world: World, source: Path, tmp_path: Path
) -> None:
    content = fill(source, 400)
    target = tmp_path / "data" / "target"
    target.mkdir()
    operator = start()
    world.data_set("books", source.as_uri(), writers="Quiesced")
    world.wait_ready("books")
    execution = {"parallelism": 1, "bandwidthBytesPerSecond": 4096}
    world.job("move", "books", {"location": {"uri": target.as_uri()}}, execution=execution)
    wait_for("some copies", lambda: len(read_all(target)) > 2)
    world.api.delete("cloudflux.io/v1alpha1", "migrationjobs", "move", world.namespace)
    assert world.gone("migrationjobs", "move")
    wait_for("the sweep", lambda: "ResidueSwept" in world.event_reasons("move"))
    assert read_all(target) == {}
    assert read_all(source) == content
    wait_for("the claim", lambda: "activeMigrationRef" not in world.status("datasets", "books"))

    world.job("again", "books", {"location": {"uri": target.as_uri()}}, execution=execution)
    wait_for("some copies", lambda: len(read_all(target)) > 2)
    operator.stop()
    world.api.delete("cloudflux.io/v1alpha1", "migrationjobs", "again", world.namespace)
    assert world.gone("migrationjobs", "again")
    start()
    wait_for("the sweep", lambda: "ResidueSwept" in world.event_reasons("again"))
    assert read_all(target) == {}
    assert read_all(source) == content


def test_a_data_set_that_is_created_again_finds_its_data(
    start: Start, world: World, source: Path, tmp_path: Path
) -> None:
    fill(source, 5)
    target = tmp_path / "data" / "target"
    target.mkdir()
    start()
    world.data_set("books", source.as_uri(), writers="Quiesced")
    world.job("move", "books", {"location": {"uri": target.as_uri()}})
    world.wait_condition("migrationjobs", "move", "Succeeded", "True")
    world.api.delete("cloudflux.io/v1alpha1", "datasets", "books", world.namespace)
    assert world.gone("datasets", "books")
    world.data_set("books", source.as_uri(), writers="Quiesced")
    world.wait_ready("books")
    assert world.status("datasets", "books")["location"]["uri"] == target.as_uri()
    assert "LocationAdopted" in wait_for("events", lambda: world.event_reasons("books"))


def test_data_that_outgrew_its_approved_plan_is_planned_and_approved_anew(
    start: Start, world: World, source: Path, tmp_path: Path
) -> None:
    fill(source, 20)
    target = tmp_path / "data" / "target"
    target.mkdir()
    start(plan_tolerance_percent=10)
    world.data_set("books", source.as_uri(), writers="Quiesced")
    world.wait_ready("books")
    world.job("move", "books", {"location": {"uri": target.as_uri()}}, requireApproval=True)
    first = world.wait_phase("move", "AwaitingApproval")["plan"]["hash"]
    content = fill(source, 23)
    approve(world, "move", first)

    def planned_anew() -> Any:
        status = world.status("migrationjobs", "move")
        waits = status.get("phase") == "AwaitingApproval"
        return status if waits and status["plan"]["hash"] != first else None

    status = wait_for("a new plan", planned_anew)
    assert status["plan"]["objects"] == 23
    assert world.condition("migrationjobs", "move", "Approved")["status"] == "False"
    assert "PlanChanged" in wait_for("events", lambda: world.event_reasons("move"))
    assert read_all(target) == {}, "nothing moves under the old approval"
    approve(world, "move", status["plan"]["hash"])
    world.wait_condition("migrationjobs", "move", "Succeeded", "True")
    assert read_all(target) == content


def approve(world: World, job: str, plan_hash: str) -> None:
    body = {"spec": {"approval": plan_hash}}
    world.api.patch("cloudflux.io/v1alpha1", "migrationjobs", job, body, world.namespace)
