"""The operator as a process on a real control plane, with directories as data."""

import os
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
