"""Policies that act by themselves, on a schedule, and the switch that stops all moves."""

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator_rig import Operator, World, fill, manifest, read_all, wait_for

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import CLOUDFLUX, KubeApi
from cloudflux_dev.s3servers import S3Server, start_moto
from cloudflux_dev.tracegen import Behaviour, TracedObject, s3_sink, write_logs

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("operator-policies")]
SIZE_BYTES = 2 * 1024 * 1024
OBJECTS = 24
DAYS = 60
SETS = ("auto", "cron", "idle")
TIERS = [
    {"name": "Hot", "s3StorageClass": "STANDARD"},
    {"name": "Cold", "s3StorageClass": "GLACIER_IR"},
]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """Prefixes of objects that nobody read for months, and the logs that prove it."""
    with start_moto() as moto:
        client = moto.client()
        for bucket in ("data", "logs"):
            client.create_bucket(Bucket=bucket)
        keys = [f"{name}/dead-{number:03d}.bin" for name in SETS for number in range(OBJECTS)]
        for key in keys:
            client.put_object(Bucket="data", Key=key, Body=b"x" * SIZE_BYTES)
        traced = [TracedObject(key, SIZE_BYTES, Behaviour.DEAD, DAYS - 2) for key in keys]
        traced.append(TracedObject("other/hot.bin", 100, Behaviour.HOT, DAYS - 2))
        now = dt.datetime.now(dt.UTC)
        sink = s3_sink(client, "logs", "all/")
        write_logs(traced, bucket="data", now=now, put=sink, days=DAYS)
        yield moto


@pytest.fixture
def world(kube_api: KubeApi, namespace: str, server: S3Server) -> World:
    world = World(kube_api, namespace)
    values = {"accessKeyId": server.access_key_id, "secretAccessKey": server.secret_access_key}
    world.api.create_secret(namespace, "keys", values, {"cloudflux.io/credentials": "true"})
    return world


@contextlib.contextmanager
def running(
    control_plane: ControlPlane, world: World, directory: Path, endpoint: str, **settings: Any
) -> Iterator[Operator]:
    operator = Operator(
        control_plane.kubeconfig, world.namespace, directory,
        allowed_endpoints=json.dumps([endpoint]), **settings,
    )  # fmt: skip
    try:
        yield operator.start()
    finally:
        operator.stop()


def at(server: S3Server, uri: str) -> dict[str, Any]:
    return {"uri": uri, "endpoint": server.endpoint, "region": "us-east-1",
            "credentialsSecretRef": {"name": "keys"}}  # fmt: skip


def data_set(world: World, server: S3Server, name: str) -> None:
    logs = {"type": "S3AccessLogs", "logs": at(server, "s3://logs/all")}
    world.data_set(
        name, at(server, f"s3://data/{name}"), access={"sources": [logs]}, labels={"set": name},
        writers="Quiesced",
    )  # fmt: skip


def policy(world: World, name: str, **spec: Any) -> None:
    selector = {"matchLabels": {"set": name}}
    body = {"mode": "Auto", "tiers": TIERS, "selector": selector, **spec}
    world.api.create(manifest("TieringPolicy", world.namespace, name, body))


def jobs_of(world: World, name: str) -> list[Any]:
    found = world.api.list(CLOUDFLUX, "migrationjobs", world.namespace)
    return [job for job in found if job["spec"]["dataSetRef"]["name"] == name]


def in_class(server: S3Server, name: str, storage_class: str) -> int:
    listed = server.client().list_objects_v2(Bucket="data", Prefix=f"{name}/")["Contents"]
    return sum(item.get("StorageClass", "STANDARD") == storage_class for item in listed)


def first_job(world: World, name: str) -> Any:
    """The job that a policy made for the data set."""
    try:
        made = wait_for(f"a job for {name}", lambda: jobs_of(world, name), 180)
    except AssertionError as error:
        status = json.dumps(world.status("datasets", name), indent=1)
        raise AssertionError(f"{error}; the data set says:\n{status}") from None
    assert len(made) == 1
    return made[0]


def decided(world: World, name: str) -> Any:
    return wait_for(
        f"a decision on {name}",
        lambda: (
            (status := world.status("datasets", name)).get("evaluatedAt")
            and status["temperature"] != "Unknown"
            and status
        ),
        180,
    )


def test_auto_makes_a_job_and_carries_it_out_without_a_person(
    control_plane: ControlPlane, world: World, server: S3Server, tmp_path: Path
) -> None:
    policy(world, "auto", migration={"parallelism": 2, "verify": "Checksum"})
    data_set(world, server, "auto")
    with running(control_plane, world, tmp_path, server.endpoint):
        made = first_job(world, "auto")
        spec = made["spec"]
        assert spec["target"] == {"storageClass": "GLACIER_IR"}
        assert spec["policyRef"] == {"name": "auto"}
        assert spec.get("requireApproval", False) is False
        assert spec["execution"]["parallelism"] == 2
        assert "ownerReferences" not in made["metadata"], "it outlives the policy"
        name = made["metadata"]["name"]
        world.wait_condition("migrationjobs", name, "Succeeded", "True")
        moved = world.status("migrationjobs", name)["verification"]["matched"]
        assert in_class(server, "auto", "GLACIER_IR") == moved > 0
        world.delete("tieringpolicies", "auto")
        assert not world.gone("migrationjobs", name)


def test_a_schedule_decides_when_it_is_due_and_not_before(
    control_plane: ControlPlane, world: World, server: S3Server, tmp_path: Path
) -> None:
    schedule = {"cron": "0 3 1 1 *", "timeZone": "Europe/Berlin"}
    policy(world, "cron", schedule=schedule, mode="Recommend")
    data_set(world, server, "cron")
    with running(control_plane, world, tmp_path, server.endpoint):
        first = decided(world, "cron")["evaluatedAt"]
        status = world.status("tieringpolicies", "cron")
        planned = dt.datetime.fromisoformat(status["nextEvaluationTime"])
        assert (planned.month, planned.day, planned.hour) == (1, 1, 2), "3 o'clock in Berlin"
        world.patch("tieringpolicies", "cron", mode="Auto")
        wait_for(
            "the edit to be seen",
            lambda: world.status("tieringpolicies", "cron").get("observedGeneration") == 2,
        )
        second = wait_for(
            "a decision by the edited policy",
            lambda: (at := world.status("datasets", "cron")["evaluatedAt"]) > first and at,
            90,
        )
        world.wait_ready("cron")
        assert jobs_of(world, "cron") == [], "it waits for its time"
        soon = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)).isoformat()
        world.api.patch(
            CLOUDFLUX, "tieringpolicies", "cron", {"status": {"nextEvaluationTime": soon}},
            world.namespace, subresource="status",
        )  # fmt: skip
        made = first_job(world, "cron")
        assert world.status("datasets", "cron")["evaluatedAt"] > second
        status = world.status("tieringpolicies", "cron")
        assert dt.datetime.fromisoformat(status["nextEvaluationTime"]) == planned
        assert status["lastEvaluationTime"] > soon
        world.wait_condition("migrationjobs", made["metadata"]["name"], "Succeeded", "True")


def test_one_switch_makes_dry_runs_of_all_moves_or_stops_them(
    control_plane: ControlPlane, world: World, server: S3Server, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    content = fill(source, 20)
    target.mkdir()
    world.data_set("files", source.as_uri(), writers="Quiesced")
    slowly = {"parallelism": 1, "bandwidthBytesPerSecond": 1024}
    world.job("files", "files", {"location": {"uri": target.as_uri()}}, execution=slowly)
    policy(world, "idle")
    data_set(world, server, "idle")

    def run(moves: str) -> contextlib.AbstractContextManager[Operator]:
        return running(
            control_plane, world, tmp_path, server.endpoint, moves=moves, name=moves.lower()
        )

    with run("DryRun"):
        for name in ("files", first_job(world, "idle")["metadata"]["name"]):
            status = world.wait_phase(name, "Planned")
            wait_for(
                "the reason", lambda name=name: world.status("migrationjobs", name).get("reason")
                == "DryRun",
            )  # fmt: skip
            assert status["plan"]["objects"], "the plan says what a move would do"
        assert read_all(target) == {}
    with run("Run"):
        wait_for("the first copies", lambda: read_all(target))
        assert world.status("migrationjobs", "files")["phase"] == "Copying"
    with run("Stop"):
        wait_for(
            "the stop",
            lambda: world.status("migrationjobs", "files")["reason"] == "MovesStopped",
        )
        assert world.status("migrationjobs", "files")["phase"] == "Queued"
        before = set(read_all(target))
        world.job("late", "files", {"location": {"uri": (tmp_path / "other").as_uri()}})
        (tmp_path / "other").mkdir()
        world.wait_ready("files")
        assert set(read_all(target)) == before, "nothing is moved"
    with run("Run"):
        world.wait_condition("migrationjobs", "files", "Succeeded", "True", 90)
    assert read_all(target) == content
    assert read_all(source) == content
