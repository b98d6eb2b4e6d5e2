"""Whole data sets between stores, and children killed while the operator lives."""

import contextlib
import os
import signal
from pathlib import Path

import pytest
from tests.integration.operator_rig import alive, fill, manifest, read_all, wait_for
from tests.integration.scene import DELETE_AT_ONCE, OBJECTS, Scene, standing_in

from cloudflux_dev.kubeapi import CLOUDFLUX

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("operator-life")]


# --- whole data sets between stores


def test_a_data_set_moves_from_s3_to_a_directory_and_back(scene: Scene) -> None:
    content = scene.data_set("travels")
    odd = {"ünï/cødé 漢字 🎈": b"odd", "with space/and+plus&more=?": b"signs", "empty": b""}
    for key, body in odd.items():
        scene.put("travels", key, body)
    target = scene.directory / "travels"
    target.mkdir()
    scene.world.job(
        "to-files", "travels", {"location": {"uri": target.as_uri()}},
        sourceRetention=DELETE_AT_ONCE,
    )  # fmt: skip
    scene.world.wait_condition("migrationjobs", "to-files", "SourceRetired", "True")
    assert read_all(target) == {**content, **odd}
    assert scene.contents("travels") == {}
    location = scene.world.status("datasets", "travels")["location"]
    assert location["uri"] == target.as_uri()
    assert "credentialsSecretName" not in location
    scene.world.job(
        "to-bucket", "travels", {"location": scene.at("travels-home")},
        sourceRetention=DELETE_AT_ONCE,
    )  # fmt: skip
    scene.world.wait_condition("migrationjobs", "to-bucket", "SourceRetired", "True")
    assert scene.contents("travels-home") == {**content, **odd}
    assert read_all(target) == {}
    scene.world.delete("datasets", "travels")
    scene.world.data_set("travels", scene.at("travels"))
    scene.world.wait_ready("travels")
    location = scene.world.status("datasets", "travels")["location"]
    assert location["uri"] == scene.at("travels-home")["uri"]
    assert location["credentialsSecretName"] == "keys"


def test_a_directory_moves_to_a_bucket(scene: Scene) -> None:
    source = scene.directory / "shelf"
    content = fill(source, 12)
    scene.world.data_set("shelf", source.as_uri(), writers="Quiesced")
    scene.world.job(
        "shelf-job", "shelf", {"location": scene.at("shelf")}, sourceRetention=DELETE_AT_ONCE
    )
    scene.world.wait_condition("migrationjobs", "shelf-job", "SourceRetired", "True")
    assert scene.contents("shelf") == content
    assert read_all(source) == {}
    assert scene.world.status("migrationjobs", "shelf-job")["verification"]["matched"] == 12


# --- a child is killed while the operator lives


def child_named(scene: Scene, name: str) -> int | None:
    """Process id of the operator's mover, ingest or brain."""
    for pid in scene.world.operator.children():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if name.encode() in words:
                return pid
    return None


def kill_child(scene: Scene, name: str) -> int:
    pid = wait_for(f"child {name}", lambda: child_named(scene, name))
    os.kill(pid, signal.SIGKILL)
    wait_for("its end", lambda: not alive(pid))
    return pid


def test_a_mover_killed_while_copying_is_replaced_and_copies_nothing_twice(scene: Scene) -> None:
    content = scene.data_set("mover-dies")
    retry = {"initialBackoffSeconds": 1, "maxBackoffSeconds": 1}
    with standing_in(scene, "Copying", "mover-dies", retry=retry) as job:
        pid = kill_child(scene, "mover")
        assert "ChildDied" in scene.world.wait_event(job, "Retrying")
    scene.world.wait_condition("migrationjobs", job, "Succeeded", "True")
    assert child_named(scene, "mover") not in (None, pid)
    assert scene.contents("mover-dies-target") == content
    for number in range(3):
        copied = scene.gate.count("PUT", "/mover-dies-target/", f"object-{number}")
        assert copied == 1, "what was copied before the kill is not copied again"


def test_an_ingest_killed_while_listing_is_replaced(scene: Scene) -> None:
    scene.data_set("ingest-dies")
    scene.put("ingest-dies", "one more", b"1")
    with scene.gate.rule("GET", "prefix=ingest-dies/") as rule:
        wish = {"metadata": {"annotations": {"cloudflux.io/scan-now": "please"}}}
        scene.world.api.patch(CLOUDFLUX, "datasets", "ingest-dies", wish, scene.world.namespace)
        wait_for("a held listing", lambda: rule.caught)
        pid = kill_child(scene, "ingest")
        said = scene.world.wait_condition("datasets", "ingest-dies", "Ready", "False")
        assert said["reason"] == "ChildDied"
    scene.world.wait_ready("ingest-dies")
    inventory = scene.world.status("datasets", "ingest-dies")["inventory"]
    assert inventory["objects"] == OBJECTS + 1
    assert child_named(scene, "ingest") not in (None, pid)


def test_a_brain_killed_while_it_decides_is_replaced(scene: Scene) -> None:
    scene.data_set("brain-dies")
    evaluated = wait_for(
        "a first decision", lambda: scene.world.status("datasets", "brain-dies").get("evaluatedAt")
    )
    pid = wait_for("the brain", lambda: child_named(scene, "brain"))
    os.kill(pid, signal.SIGSTOP)
    tiers = [{"name": "Hot", "s3StorageClass": "STANDARD"}]
    policy = manifest(
        "TieringPolicy", scene.world.namespace, "brain-dies",
        {"mode": "Observe", "tiers": tiers, "selector": {"matchLabels": {"brain": "dies"}}},
    )  # fmt: skip
    scene.world.api.create(policy)
    label = {"metadata": {"labels": {"brain": "dies"}}}
    scene.world.api.patch(CLOUDFLUX, "datasets", "brain-dies", label, scene.world.namespace)
    wait_for(
        "the policy to ask for a decision",
        lambda: scene.world.status("tieringpolicies", "brain-dies").get("dataSetsMatched") == 1,
    )
    assert kill_child(scene, "brain") == pid
    wait_for(
        "a decision by another brain",
        lambda: scene.world.status("datasets", "brain-dies")["evaluatedAt"] > evaluated,
    )
    scene.world.wait_ready("brain-dies")
    assert child_named(scene, "brain") not in (None, pid)
