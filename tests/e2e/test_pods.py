"""The product as pods on a real node: installed by its chart, moved, killed, upgraded, removed.

The tests stand on one cluster and run in their order; each has data sets of its own.
"""

import asyncio
import json
import os
import signal
import subprocess
import time
import urllib.request
from typing import Any

import pytest
from tests.e2e.conftest import NAMESPACE, Cluster
from tests.integration.kafka_rig import as_events, read_all

from cloudflux.settings import KafkaSettings

pytestmark = pytest.mark.timeout(900)
OPERATOR = "app.kubernetes.io/name=cloudflux"
WORKER = "app.kubernetes.io/name=cloudflux-worker"
SLOW = 12_000
"""Bytes a second: 300 objects then take about half a minute."""


def operator_pod(cluster: Cluster) -> dict[str, Any]:
    found = cluster.pods(NAMESPACE, OPERATOR)
    assert len(found) == 1
    return found[0]


def answer(cluster: Cluster, path: str) -> str:
    address = operator_pod(cluster)["status"]["podIP"]
    with urllib.request.urlopen(f"http://{address}:8080{path}", timeout=10) as found:
        return found.read().decode()


def copied(cluster: Cluster, name: str) -> int:
    found = cluster.store.client().list_objects_v2(Bucket=f"{name}-to").get("Contents", ())
    return len([item for item in found if "/.cloudflux/" not in item["Key"]])


def said_copied(cluster: Cluster, name: str, *, workers: int) -> set[str]:
    """Keys that workers told of, which nobody may copy again; empty until each told something."""
    client, who, keys = cluster.store.client(), set(), set()
    prefix = "data/.cloudflux/work/"
    for item in client.list_objects_v2(Bucket=f"{name}-to", Prefix=prefix).get("Contents", ()):
        if "/told/" in item["Key"]:
            who.add(item["Key"].split("/")[-2])
            body = client.get_object(Bucket=f"{name}-to", Key=item["Key"])["Body"].read()
            keys |= {json.loads(line)["key"] for line in body.splitlines()[1:]}
    return keys if len(who) == workers else set()


def worker_pods(cluster: Cluster) -> str:
    """Names of worker pods, those that are ending among them."""
    return cluster.kubectl("-n", "team-a", "get", "pods", "-l", WORKER, "-o", "name").strip()


def completed(cluster: Cluster, name: str) -> None:
    cluster.wait(f"MigrationJob {name}", lambda: cluster.phase(name) == "Completed")
    assert cluster.content(f"{name}-to") == cluster.content(f"{name}-from")
    location = cluster.get("dataset", name, "team-a")["status"]["location"]
    assert location["uri"].rstrip("/") == f"s3://{name}-to/data"


def test_the_pod_serves_probes_and_metrics(cluster: Cluster) -> None:
    assert answer(cluster, "/healthz")
    assert answer(cluster, "/readyz")
    assert "cloudflux_build_info" in answer(cluster, "/metrics")
    pod = operator_pod(cluster)["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_a_data_set_is_scanned_and_a_policy_evaluates_it(cluster: Cluster) -> None:
    cluster.data_set("seen", objects=5)
    cluster.apply({
        "apiVersion": "cloudflux.io/v1alpha1", "kind": "TieringPolicy",
        "metadata": {"name": "saver", "namespace": "team-a"},
        "spec": {
            "selector": {}, "mode": "Recommend",
            "tiers": [
                {"name": "Hot", "s3StorageClass": "STANDARD"},
                {"name": "Cold", "s3StorageClass": "GLACIER_IR"},
            ],
        },
    })  # fmt: skip

    def scanned() -> bool:
        status = cluster.get("dataset", "seen", "team-a").get("status", {})
        return status.get("inventory", {}).get("objects") == 5

    cluster.wait("the data set's inventory", scanned)
    cluster.wait(
        "the policy's evaluation",
        lambda: "lastEvaluationTime" in str(cluster.get("tieringpolicy", "saver", "team-a")),
    )


def test_worker_pods_move_a_data_set_and_kubectl_shows_it(cluster: Cluster) -> None:
    cluster.data_set("big", objects=400)
    watch = subprocess.Popen(
        [
            str(cluster.node.programs / "kubectl"), "--kubeconfig", str(cluster.node.kubeconfig),
            "-n", "team-a", "get", "migrationjobs", "-w",
        ],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    cluster.move("big", mode="Job", workers=2, parallelism=4)
    pods = cluster.wait("worker pods", lambda: cluster.pods("team-a", WORKER))
    for pod in pods:
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["serviceAccountName"] == "cloudflux-mover"
        assert not any("projected" in volume for volume in pod["spec"]["volumes"])
        assert cluster.store.secret_access_key not in str(pod)
    completed(cluster, "big")
    watch.terminate()
    shown = watch.communicate()[0]
    print(shown)
    assert shown.splitlines()[0].split()[:4] == ["NAME", "DATASET", "FROM", "TO"]
    assert "Copying" in shown
    assert "Completed" in shown
    cluster.wait("no Job left", lambda: not cluster.pods("team-a", WORKER))
    events = cluster.kubectl("-n", "team-a", "get", "events")
    assert "2 worker pods copy 400 objects" in events


def test_a_killed_worker_is_replaced_and_copies_nothing_twice(cluster: Cluster) -> None:
    cluster.data_set("kill", objects=300)
    cluster.move("kill", mode="Job", workers=2, parallelism=2, bandwidthBytesPerSecond=SLOW)
    client = cluster.store.client()
    told = cluster.wait("what both workers told", lambda: said_copied(cluster, "kill", workers=2))
    killed = next(
        pod["metadata"]["name"]
        for pod in cluster.pods("team-a", WORKER)
        if pod["status"]["phase"] == "Running"
    )
    before = client.list_objects_v2(Bucket="kill-to", Prefix="data/")["Contents"]
    written = {item["Key"]: item["LastModified"] for item in before}
    cluster.kubectl("-n", "team-a", "delete", "pod", killed, "--grace-period=0", "--force")
    completed(cluster, "kill")
    now = {
        item["Key"]: item["LastModified"]
        for item in client.list_objects_v2(Bucket="kill-to", Prefix="data/")["Contents"]
    }
    again = [key for key in told if now[f"data/{key}"] != written[f"data/{key}"]]
    assert again == []


def test_a_job_deleted_by_hand_is_made_again(cluster: Cluster) -> None:
    cluster.data_set("gone", objects=300)
    cluster.move("gone", mode="Job", workers=2, parallelism=2, bandwidthBytesPerSecond=SLOW)
    cluster.wait("some copies", lambda: copied(cluster, "gone") > 40)
    cluster.kubectl("-n", "team-a", "delete", "jobs", "--all")
    completed(cluster, "gone")


def test_suspending_ends_the_pods_and_letting_go_on_copies_nothing_twice(cluster: Cluster) -> None:
    cluster.data_set("pause", objects=300)
    cluster.move("pause", mode="Job", workers=2, parallelism=2, bandwidthBytesPerSecond=SLOW)
    cluster.wait("what both workers told", lambda: said_copied(cluster, "pause", workers=2))
    patch = ["-n", "team-a", "patch", "migrationjob", "pause", "--type=merge", "-p"]
    cluster.kubectl(*patch, '{"spec":{"suspend":true}}')
    cluster.wait("Suspended", lambda: cluster.phase("pause") == "Suspended")
    cluster.wait("the pods to end", lambda: not worker_pods(cluster), 60)
    client = cluster.store.client()
    before = client.list_objects_v2(Bucket="pause-to", Prefix="data/")["Contents"]
    written = {
        item["Key"]: item["LastModified"] for item in before if ".cloudflux" not in item["Key"]
    }
    assert 0 < len(written) < 300
    cluster.kubectl(*patch, '{"spec":{"suspend":false}}')
    completed(cluster, "pause")
    now = client.list_objects_v2(Bucket="pause-to", Prefix="data/")["Contents"]
    after = {item["Key"]: item["LastModified"] for item in now}
    assert [key for key, when in written.items() if after[key] != when] == []


def test_a_data_set_moves_to_azure_and_kafka_is_told(cluster: Cluster) -> None:
    cluster.azure.client().create_container("archive")
    cluster.data_set("blue", objects=20)
    cluster.move("blue", to={
        "uri": "az://archive/data", "endpoint": cluster.azure.endpoint,
        "credentialsSecretRef": {"name": "azure"},
    }, mode="Job", workers=2)  # fmt: skip
    cluster.wait("MigrationJob blue", lambda: cluster.phase("blue") == "Completed")
    container = cluster.azure.client().get_container_client("archive")
    found = {
        blob.name.removeprefix("data/"): container.download_blob(blob.name).readall()
        for blob in container.list_blobs(name_starts_with="data/")
        if "/.cloudflux/" not in blob.name
    }
    assert found == cluster.content("blue-from")
    uid = cluster.get("dataset", "blue", "team-a")["metadata"]["uid"]

    def told(messages: list[Any]) -> set[str]:
        return {one["type"] for one in as_events([m for m in messages if m.key == uid.encode()])}

    wanted = {f"io.cloudflux.migration.{word}.v1" for word in ("planned", "verified", "completed")}
    topic = KafkaSettings().events_topic
    asyncio.run(read_all(cluster.kafka.bootstrap, topic, enough=lambda got: wanted <= told(got)))


def test_pods_reach_a_directory_by_the_claim_that_its_owner_labelled(cluster: Cluster) -> None:
    cluster.data_set("disk", objects=40)
    place = {"uri": "file:///data/out", "volumeClaim": {"name": "disk", "mountPath": "/data"}}
    made = cluster.node.directory / "disk" / "out"
    made.mkdir()
    os.chown(made, 65532, 65532)
    cluster.move("disk", to=place, mode="Job", workers=2)

    def refused() -> bool:
        said = cluster.get("migrationjob", "disk", "team-a").get("status", {})
        return "label persistentvolumeclaim disk" in str(said)

    cluster.wait("the refusal of an unlabelled claim", refused)
    assert not worker_pods(cluster)
    label = ["label", "persistentvolumeclaim", "disk", "cloudflux.io/mover=true"]
    cluster.kubectl("-n", "team-a", *label)
    cluster.wait("worker pods", lambda: cluster.pods("team-a", WORKER))
    cluster.wait("MigrationJob disk", lambda: cluster.phase("disk") == "Completed")
    found = {
        str(path.relative_to(made)): path.read_bytes()
        for path in made.rglob("*")
        if path.is_file() and ".cloudflux" not in path.parts
    }
    assert found == cluster.content("disk-from")


def test_cancelling_ends_the_pods_and_sweeps_the_copies(cluster: Cluster) -> None:
    cluster.data_set("stop", objects=300)
    cluster.move("stop", mode="Job", workers=2, parallelism=2, bandwidthBytesPerSecond=SLOW)
    cluster.wait("some copies", lambda: copied(cluster, "stop") > 20)
    patch = '{"spec":{"cancel":true}}'
    cluster.kubectl("-n", "team-a", "patch", "migrationjob", "stop", "--type=merge", "-p", patch)
    cluster.wait("Cancelled", lambda: cluster.phase("stop") == "Cancelled")
    assert cluster.pods("team-a", WORKER) == []
    cluster.wait("nothing left at the target", lambda: copied(cluster, "stop") == 0)
    assert len(cluster.content("stop-from")) == 300


def test_a_rolling_upgrade_and_a_killed_operator_do_not_stop_a_move(cluster: Cluster) -> None:
    cluster.data_set("roll", objects=300)
    cluster.move("roll", mode="Job", workers=2, parallelism=2, bandwidthBytesPerSecond=SLOW)
    cluster.wait("some copies", lambda: copied(cluster, "roll") > 30)
    before = operator_pod(cluster)["metadata"]["name"]
    cluster.install("--set", "podAnnotations.upgraded=yes")
    cluster.wait(
        "another pod",
        lambda: cluster.ready() and operator_pod(cluster)["metadata"]["name"] != before,
    )
    cluster.kubectl(
        "-n", NAMESPACE, "delete", "pod", operator_pod(cluster)["metadata"]["name"],
        "--grace-period=0", "--force",
    )  # fmt: skip
    completed(cluster, "roll")
    job = cluster.get("migrationjob", "roll", "team-a")
    assert job["status"]["verification"]["matched"] == 300


def test_a_namespace_reaches_no_other_ones_secret_or_data(cluster: Cluster) -> None:
    cluster.data_set("theirs", "team-b")
    said = cluster.wait(
        "a condition", lambda: _conditions(cluster, "theirs", "team-b").get("Ready")
    )
    assert said["status"] == "False"
    assert said["reason"] == "SecretNotFound"
    account = "system:serviceaccount:cloudflux:cloudflux-operator"
    for verb, what, where in (
        ("list", "secrets", "team-a"), ("get", "secrets", "kube-system"),
        ("create", "pods", "team-a"), ("update", "deployments", "team-a"),
    ):  # fmt: skip
        said = cluster.kubectl(
            "auth", "can-i", verb, what, "-n", where, "--as", account, check=False
        )
        assert said.strip() == "no", f"{verb} {what} in {where}"
    mover = "system:serviceaccount:team-a:cloudflux-mover"
    said = cluster.kubectl(
        "auth", "can-i", "get", "secrets", "-n", "team-a", "--as", mover, check=False
    )
    assert said.strip() == "no"


def _conditions(cluster: Cluster, name: str, namespace: str) -> dict[str, dict[str, str]]:
    status = cluster.get("dataset", name, namespace).get("status", {})
    return {one["type"]: one for one in status.get("conditions", ())}


def test_a_frozen_api_server_is_survived_within_two_minutes(cluster: Cluster) -> None:
    cluster.wait("a ready operator", cluster.ready)
    pod = operator_pod(cluster)["status"]
    restarts = pod["containerStatuses"][0]["restartCount"]
    cluster.node.signal("kube-apiserver", signal.SIGSTOP)
    try:
        noticed_by = time.monotonic() + 120
        while _is_ready(pod["podIP"]):
            assert time.monotonic() < noticed_by, "the operator calls itself ready for two minutes"
            time.sleep(0.5)
    finally:
        cluster.node.signal("kube-apiserver", signal.SIGCONT)
    woken = time.monotonic()
    cluster.wait("the API server", lambda: _answers(cluster))
    cluster.wait("an operator that is ready again", cluster.ready, 120)
    now = operator_pod(cluster)["status"]["containerStatuses"][0]["restartCount"]
    logs = ("-n", NAMESPACE, "logs", "deployment/cloudflux-operator")
    said = cluster.kubectl(*logs, *(["--previous"] if now > restarts else []))
    assert "lease" in said.rpartition("lease acquired")[2], "it says nothing of what it missed"
    cluster.data_set("later", objects=3)

    def scanned() -> bool:
        status = cluster.get("dataset", "later", "team-a").get("status", {})
        return status.get("inventory", {}).get("objects") == 3

    cluster.wait("what was made after the freeze", scanned, 120)
    assert time.monotonic() - woken < 120


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}:8080/readyz", timeout=5) as found:
            return bool(found.status == 200)
    except OSError:  # an answer that says no, or nobody who answers
        return False


def _answers(cluster: Cluster) -> bool:
    return "ok" in cluster.kubectl("get", "--raw", "/readyz", check=False)


def test_uninstalling_deletes_no_data_and_wedges_nothing(cluster: Cluster) -> None:
    cluster.data_set("stays", objects=5)
    cluster.wait("the data set to be seen", lambda: _conditions(cluster, "stays", "team-a"))
    before = cluster.content("stays-from")
    assert len(before) == 5
    cluster.run_helm("uninstall", "cloudflux", "--wait")
    crds = cluster.kubectl("get", "crds", "-o", "name")
    assert crds.count("cloudflux.io") == 3
    assert cluster.get("dataset", "stays", "team-a")
    cluster.kubectl("-n", "team-a", "delete", "migrationjobs,datasets,tieringpolicies", "--all")
    cluster.kubectl("delete", "namespace", "team-a", "--wait=false")
    cluster.wait(
        "the namespace to go",
        lambda: not cluster.kubectl("get", "namespace", "team-a", "--ignore-not-found").strip(),
        120,
    )
    assert cluster.content("stays-from") == before
