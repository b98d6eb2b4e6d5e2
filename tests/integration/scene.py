"""A running operator, one S3 server, and a gate before it that holds single requests.

So a job stands in a phase for as long as a test looks at it.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.gate import Gate
from tests.integration.operator_rig import World, operating, wait_for

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.s3servers import S3Server, start_moto

OBJECTS = 6
DELETE_AT_ONCE = {"policy": "Delete", "graceSeconds": 0}
MARKER = ".cloudflux/location.json"


@dataclass(frozen=True)
class Scene:
    """A running operator, and what it works on."""

    world: World
    server: S3Server
    gate: Gate
    directory: Path

    def at(self, place: str, secret: str = "keys") -> dict[str, Any]:
        """A prefix of the bucket, by way of the gate."""
        return {
            "uri": f"s3://data/{place}/", "endpoint": self.gate.url, "region": "us-east-1",
            "credentialsSecretRef": {"name": secret},
        }  # fmt: skip

    def put(self, place: str, key: str, body: bytes) -> None:
        self.server.client().put_object(Bucket="data", Key=f"{place}/{key}", Body=body)

    def remove(self, place: str, key: str) -> None:
        self.server.client().delete_object(Bucket="data", Key=f"{place}/{key}")

    def contents(self, place: str) -> dict[str, bytes]:
        """The objects of a prefix, without our own markers."""
        client, found = self.server.client(), {}
        listed = client.list_objects_v2(Bucket="data", Prefix=f"{place}/")
        for item in listed.get("Contents", []):
            key = item["Key"].removeprefix(f"{place}/")
            if not key.startswith(".cloudflux/"):
                found[key] = client.get_object(Bucket="data", Key=item["Key"])["Body"].read()
        return found

    def data_set(self, name: str, **spec: Any) -> dict[str, bytes]:
        """A data set of a few objects below s3://data/<name>/, ready to move."""
        content = {f"dir {n // 3}/object-{n}": f"{name} {n} ".encode() * 20 for n in range(OBJECTS)}
        for key, body in content.items():
            self.put(name, key, body)
        self.world.data_set(name, self.at(name), **{"writers": "Quiesced", **spec})
        self.world.wait_ready(name)
        return content

    def move(self, name: str, target: str, **spec: Any) -> str:
        """A job that moves the data set `name` to s3://data/<target>/; returns its name."""
        spec = {"execution": {"parallelism": 1}, **spec}
        self.world.job(f"{name}-job", name, {"location": self.at(target)}, **spec)
        return f"{name}-job"


@contextlib.contextmanager
def open_scene(control_plane: ControlPlane, directory: Path) -> Iterator[Scene]:
    """Start the operator and its server; both end with the block."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(start_moto())
        gate = Gate(server.endpoint)
        stack.callback(gate.stop)
        server.client().create_bucket(Bucket="data")
        world = stack.enter_context(
            operating(control_plane, "life", directory, allowed_endpoints=json.dumps([gate.url]))
        )
        keys = {"accessKeyId": server.access_key_id, "secretAccessKey": server.secret_access_key}
        for name in ("keys", "other-keys"):
            world.api.create_secret(
                world.namespace, name, keys, {"cloudflux.io/credentials": "true"}
            )
        yield Scene(world, server, gate, directory)


@contextlib.contextmanager
def standing_in(scene: Scene, phase: str, name: str, **spec: Any) -> Iterator[str]:
    """A job of the data set `name` that stands in a phase while the block runs."""
    target = f"{name}-target"
    holds = {
        "Pending": ("GET", f"prefix={name}/"),
        "Copying": ("PUT", f"/{target}/", "object-3"),
        "Verifying": ("GET", f"/{target}/", "object-3"),
        "Switching": ("PUT", f"/{target}/{MARKER}"),
    }
    with contextlib.ExitStack() as stack:
        if phase in holds:
            rule = stack.enter_context(scene.gate.rule(*holds[phase]))
        if phase == "Verifying":
            spec["verify"] = "Bytes"
        if phase == "AwaitingApproval":
            spec["requireApproval"] = True
        job = scene.move(name, target, **spec)
        if phase in holds:
            wait_for(f"a held request of {phase}", lambda: rule.caught, 30)
        scene.world.wait_phase(job, phase, seconds=30)
        yield job
