"""A node, the image and the chart, shared by all tests of pods; run by `make e2e`."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudflux_dev import node as nodes
from cloudflux_dev import node_programs, parts
from cloudflux_dev.cloudservers import AzureServer, start_azurite
from cloudflux_dev.kafka_server import KafkaServer, running_kafka
from cloudflux_dev.node import ADDRESS, Node
from cloudflux_dev.s3servers import S3Server, start_minio

IMAGE, TAG = "localhost/cloudflux/operator", "0.1.0"
NAMESPACE = "cloudflux"
CHART = Path(__file__).resolve().parents[2] / "charts" / "cloudflux"
PATIENCE_SECONDS = 240.0


@dataclass
class Cluster:
    """The node with the operator installed, and an object store that pods reach."""

    node: Node
    store: S3Server
    helm: Path
    azure: AzureServer
    kafka: KafkaServer

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl as administrator."""
        return self.node.kubectl(*arguments, stdin=stdin, check=check)

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply objects."""
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        """Read one object; {} when it is not there."""
        found = self.kubectl("-n", namespace, "get", kind, name, "-o", "yaml", "--ignore-not-found")
        return yaml.safe_load(found) or {}

    def pods(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        """Pods that are not ending."""
        found = yaml.safe_load(
            self.kubectl("-n", namespace, "get", "pods", "-l", selector, "-o", "yaml")
        )
        return [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]

    def install(self, *arguments: str) -> None:
        """Install the chart, or upgrade to other values."""
        values = {
            "image": {"repository": IMAGE, "tag": TAG, "pullPolicy": "Never"},
            "operator": {
                "allowedEndpoints": [self.store.endpoint, self.azure.endpoint],
                "leaseSeconds": 10,
                "fileRoots": {"team-a": ["/data"]},
            },
            "extraVolumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}],
            "extraVolumeMounts": [{"name": "disk", "mountPath": "/data"}],
            "extraEnv": [{"name": "CLOUDFLUX_KAFKA__BROKERS", "value": self.kafka.bootstrap}],
            "credentials": {"namespaces": ["team-a", "team-b"]},
            "workers": {"enabled": True, "namespaces": ["team-a"]},
            "state": {"persistence": {"enabled": True, "existingClaim": "state"}},
        }
        path = self.node.directory / "values.yaml"
        path.write_text(yaml.safe_dump(values))
        chart = str(self.node.directory / "chart")
        self.run_helm("upgrade", "--install", "cloudflux", chart, "-f", str(path), *arguments)

    def run_helm(self, *arguments: str) -> str:
        """Run helm in the operator's namespace."""
        done = subprocess.run(
            [str(self.helm), "--namespace", NAMESPACE, *arguments],
            env={"KUBECONFIG": str(self.node.kubeconfig), "HOME": str(self.node.directory)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ready(self) -> bool:
        """Whether the one operator is up, leads and is served."""
        deployment = self.get("deployment", "cloudflux-operator", NAMESPACE)
        status = deployment.get("status", {})
        return (
            status.get("readyReplicas") == 1
            and status.get("updatedReplicas") == 1
            and status.get("observedGeneration") == deployment["metadata"]["generation"]
        )

    def location(self, uri: str) -> dict[str, Any]:
        """A location in the store."""
        return {
            "uri": uri, "endpoint": self.store.endpoint, "region": self.store.region,
            "credentialsSecretRef": {"name": "keys"},
        }  # fmt: skip

    def data_set(self, name: str, namespace: str = "team-a", *, objects: int = 0) -> None:
        """Make a DataSet in a bucket of its own, with so many objects, and an empty bucket."""
        client = self.store.client()
        for bucket in (f"{name}-from", f"{name}-to"):
            client.create_bucket(Bucket=bucket)
        for number in range(objects):
            key, body = f"data/{number % 7}/{number:05d}", bytes([number % 251]) * (1000 + number)
            client.put_object(Bucket=f"{name}-from", Key=key, Body=body)
        self.apply({
            "apiVersion": "cloudflux.io/v1alpha1", "kind": "DataSet",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"location": self.location(f"s3://{name}-from/data"), "writers": "Quiesced"},
        })  # fmt: skip

    def move(self, name: str, *, to: dict[str, Any] | None = None, **execution: Any) -> None:
        """Move a data set to its empty bucket, or to another location."""
        self.apply({
            "apiVersion": "cloudflux.io/v1alpha1", "kind": "MigrationJob",
            "metadata": {"name": name, "namespace": "team-a"},
            "spec": {
                "dataSetRef": {"name": name},
                "target": {"location": to or self.location(f"s3://{name}-to/data")},
                "execution": execution,
                "retry": {"initialBackoffSeconds": 1, "maxBackoffSeconds": 5},
            },
        })  # fmt: skip

    def phase(self, name: str) -> str:
        """Phase of a MigrationJob."""
        status = self.get("migrationjob", name, "team-a").get("status", {})
        if status.get("phase") == "Failed":
            raise AssertionError(f"{name} failed: {status.get('message')} {status}")
        return str(status.get("phase", ""))

    def content(self, bucket: str) -> dict[str, bytes]:
        """Every object below data/, but CloudFlux's own."""
        client, found = self.store.client(), {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", ()):
                key = item["Key"].removeprefix("data/")
                if not key.startswith(".cloudflux/"):
                    body = client.get_object(Bucket=bucket, Key=item["Key"])["Body"]
                    found[key] = body.read()
        return found

    def wait(self, what: str, ready: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        """Wait until something is so; fail with what the cluster says."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = ready()
            if found:
                return found
            time.sleep(0.5)
        said = self.kubectl("get", "pods,jobs,datasets,migrationjobs", "-A", check=False)
        logs = self.kubectl(
            "-n", NAMESPACE, "logs", "deployment/cloudflux-operator", "--tail=40", check=False
        )
        raise AssertionError(f"{what}: not after {seconds:.0f} s\n{said}\n{logs}")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    archive = os.environ.get("CLOUDFLUX_E2E_IMAGE")
    if archive is None:
        pytest.skip("needs a node of its own: make e2e")
    directory = tmp_path_factory.mktemp("node")
    node = Node(directory, node_programs.directory())
    try:
        node.start()
        pause = directory / "pause.tar"
        node_programs.pause_image(node.programs / "pause", nodes.PAUSE_IMAGE, pause)
        node.load_image(pause)
        node.load_image(Path(archive))
        with (
            start_minio(directory / "minio", port=9000, host=ADDRESS) as store,
            start_azurite(directory / "azurite", host=ADDRESS) as azure,
            running_kafka(directory / "kafka", host=ADDRESS) as kafka,
        ):
            made = Cluster(node, store, parts.get("helm"), azure, kafka)
            prepare(made, directory)
            made.install()
            made.wait("the operator's pod", made.ready)
            yield made
    finally:
        node.stop()


def prepare(cluster: Cluster, directory: Path) -> None:
    """Namespaces, keys for the store in one of them, and a volume for the operator's state."""
    # as it is now: an edit while the tests run must not change the CRDs under the operator
    shutil.copytree(CHART, directory / "chart")
    for name in ("state", "disk"):
        (directory / name).mkdir()
        os.chown(directory / name, 65532, 65532)
    names = (NAMESPACE, "team-a", "team-b")
    cluster.apply(*(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names
    ))  # fmt: skip
    size = {"storage": "1Gi"}
    # the disk has a volume in each namespace, as one that several nodes can mount has
    for name, namespace in (("state", NAMESPACE), ("disk", NAMESPACE), ("disk", "team-a")):
        volume = f"{namespace}-{name}"
        common = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
        cluster.apply(
            {
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume},
                "spec": {
                    **common, "capacity": size, "hostPath": {"path": str(directory / name)},
                    "claimRef": {"name": name, "namespace": namespace},
                },
            },
            {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {**common, "volumeName": volume, "resources": {"requests": size}},
            },
        )  # fmt: skip
    labels = {"cloudflux.io/credentials": "true"}
    cluster.apply(
        {
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "azure", "namespace": "team-a", "labels": labels},
            "stringData": {
                "accountName": cluster.azure.account, "accountKey": cluster.azure.account_key,
            },
        },
        {
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "keys", "namespace": "team-a", "labels": labels},
            "stringData": {
                "accessKeyId": cluster.store.access_key_id,
                "secretAccessKey": cluster.store.secret_access_key,
            },
        },
    )  # fmt: skip
