"""What was written and never told, because of a kill, is told after the next start; once."""

from collections import Counter
from pathlib import Path

import pytest
from tests.integration.operator_rig import Operator, World, fill, wait_for

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import KubeApi

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

TRANSITIONS = {"Planned", "Copying", "Verified", "Switched", "Completed"}


def told(api: KubeApi, namespace: str) -> dict[str, str]:
    """Names of the job's events by reason; each reason must be there once."""
    events = api.list("events.k8s.io/v1", "events", namespace)
    mine = [event for event in events if event["regarding"]["name"] == "move"]
    counts = Counter(event["reason"] for event in mine)
    assert all(count == 1 for count in counts.values()), counts
    return {event["reason"]: event["metadata"]["name"] for event in mine}


def test_events_that_a_kill_kept_are_told_after_the_next_start(
    control_plane: ControlPlane, kube_api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    world = World(kube_api, namespace)
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    fill(source, 3)
    world.data_set("books", source.as_uri(), writers="Quiesced")
    world.job("move", "books", {"location": {"uri": target.as_uri()}})
    operator = Operator(control_plane.kubeconfig, namespace, tmp_path).start()
    try:
        world.wait_condition("migrationjobs", "move", "Succeeded", "True")
        wait_for("the events", lambda: told(kube_api, namespace).keys() >= TRANSITIONS)
    finally:
        operator.stop()
    names = told(kube_api, namespace)
    for reason in ("Verified", "Completed"):
        kube_api.delete("events.k8s.io/v1", "events", names[reason], namespace)
    operator.start()
    try:
        wait_for("the missing ones", lambda: told(kube_api, namespace).keys() >= TRANSITIONS)
    finally:
        operator.stop()
    again = told(kube_api, namespace)
    kept = ("Planned", "Copying", "Switched")
    assert [again[reason] for reason in kept] == [names[reason] for reason in kept]
