"""Input that can't work: each is said with a condition and an event, and no data is touched.

Every case lives in one namespace beside the others and is served by one operator.
"""

import contextlib
import datetime as dt
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator_rig import Operator, World, fill, manifest, read_all, wait_for

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import ApiError, KubeApi
from cloudflux_dev.ports import free_port
from cloudflux_dev.s3servers import S3Server, start_moto
from cloudflux_dev.tracegen import Behaviour, TracedObject, s3_sink, write_logs

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("bad-input")]
NAMESPACE = "bad-input"
OBJECTS = {"part/one": b"1" * 100, "part/two": b"2" * 200}
TIERS = [
    {"name": "Hot", "s3StorageClass": "STANDARD"},
    {"name": "Cold", "s3StorageClass": "GLACIER_IR"},
]
UNSAFE = {"a": b"a file", "a/b": b"and a directory of its name", "../out": b"no safe path"}


@dataclass(frozen=True)
class Case:
    """Where a mistake must be said, and how."""

    plural: str
    name: str
    condition: str
    status: str
    reason: str
    advice: str
    """Words of the message that tell what to do."""


CASES = (
    Case("datasets", "no-secret", "Ready", "False", "SecretNotFound", "create secret generic"),
    Case("datasets", "no-label", "Ready", "False", "SecretNotFound", "label secret unlabelled"),
    Case("datasets", "wrong-key", "Ready", "False", "CredentialsInvalid", "correct the Secret"),
    Case("datasets", "no-bucket", "Ready", "False", "LocationNotFound", "correct the uri"),
    Case("datasets", "refused", "Ready", "False", "EndpointRefused", "CLOUDFLUX_ALLOWED_ENDPOINTS"),
    Case("datasets", "silent", "Ready", "False", "EndpointUnreachable", "check endpoint"),
    Case("datasets", "outside", "Ready", "False", "LocationRefused", "CLOUDFLUX_FILE_ROOTS"),
    Case("datasets", "link-out", "Ready", "False", "LocationRefused", "CLOUDFLUX_FILE_ROOTS"),
    Case("datasets", "disputed", "Ready", "False", "PolicyConflict", "spec.policyRef"),
    Case("tieringpolicies", "first", "Ready", "False", "PolicyConflict", "narrow their selectors"),
    Case("tieringpolicies", "second", "Ready", "False", "PolicyConflict", "narrow their selectors"),
    Case("datasets", "no-logs", "AccessHistoryFresh", "False", "AccessLogsMissing", "logging"),
    Case("migrationjobs", "no-data-set", "Planned", "False", "DataSetNotFound", "create it"),
    Case("migrationjobs", "equal", "Succeeded", "False", "LocationOverlap", "choose another"),
    Case("migrationjobs", "inside", "Succeeded", "False", "LocationOverlap", "choose another"),
    Case("migrationjobs", "around", "Succeeded", "False", "LocationOverlap", "choose another"),
    Case("migrationjobs", "equal-s3", "Succeeded", "False", "LocationOverlap", "choose another"),
    Case("migrationjobs", "inside-s3", "Succeeded", "False", "LocationOverlap", "choose another"),
    Case("migrationjobs", "around-s3", "Succeeded", "False", "LocationOverlap", "choose another"),
    Case("migrationjobs", "switch", "Succeeded", "Unknown", "ConfigMapConflict", "rename it"),
    Case("migrationjobs", "unsafe", "Succeeded", "False", "PlanBlocked", "a/b"),
    Case("datasets", "no-rights", "Ready", "False", "AccessDenied", "allow s3:ListBucket"),
    Case("migrationjobs", "no-write", "Succeeded", "False", "AccessDenied", "allow s3:PutObject"),
    Case("datasets", "late-logs", "AccessHistoryFresh", "False", "AccessLogsLate", "still on"),
    Case("migrationjobs", "long-key", "Succeeded", "False", "PlanBlocked", "255 bytes"),
    Case("migrationjobs", "archived", "Succeeded", "False", "PlanBlocked", "must be restored"),
    Case("migrationjobs", "disk-full", "Succeeded", "False", "TargetFull", "free space"),
    Case("migrationjobs", "no-target", "Planned", "False", "LocationNotFound", "create it"),
)


@dataclass(frozen=True)
class Scene:
    """The world after the operator was started, and what the data was before."""

    world: World
    server: S3Server
    directory: Path
    contents: dict[str, bytes]
    small_disk: Path | None
    """A directory on a file system of 256 KiB; None where this user may not mount one."""


@contextlib.contextmanager
def small_disk(directory: Path) -> Iterator[Path | None]:
    """A real file system that is soon full."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(directory)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.fixture(scope="module")
def scene(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[Scene]:
    base = tmp_path_factory.mktemp("bad-input")
    allowed, outside = base / "allowed", base / "outside"
    (allowed / "data").mkdir(parents=True)
    for place in ("good", "other", "disputed", "claimed", "busy"):
        fill(allowed / "data" / place, 3)
    fill(allowed / "data" / "large", 4, 100_000)
    fill(outside / "data", 3)
    (allowed / "link").symlink_to(outside / "data")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(start_moto())
        api = stack.enter_context(contextlib.closing(KubeApi(control_plane.kubeconfig)))
        namespace = f"{NAMESPACE}-{worker_id}"
        api.create_namespace(namespace)
        stack.callback(api.delete_namespace, namespace)
        world = World(api, namespace)
        silent = f"http://127.0.0.1:{free_port()}"
        _fill_buckets(server)
        _secrets(world, server)
        _s3_cases(world, server, silent)
        _file_cases(world, allowed, outside)
        full = stack.enter_context(small_disk(allowed / "full"))
        _policy_cases(world)
        _job_cases(world, allowed, full)
        contents = read_all(base)
        operator = Operator(
            control_plane.kubeconfig, namespace, allowed, state=base / "state",
            allowed_endpoints=json.dumps([server.endpoint, silent]),
        )  # fmt: skip
        stack.callback(operator.stop)
        operator.start()
        yield Scene(world, server, base, contents, full)


def _fill_buckets(server: S3Server) -> None:
    client = server.client()
    for bucket, objects in (("data", OBJECTS), ("unsafe", UNSAFE), ("logs", {})):
        client.create_bucket(Bucket=bucket)
        for key, body in objects.items():
            client.put_object(Bucket=bucket, Key=f"set/{key}", Body=body)
    client.create_bucket(Bucket="elsewhere")
    client.put_object(Bucket="unsafe", Key="long/" + "k" * 300, Body=b"a name of 300 bytes")
    client.put_object(Bucket="unsafe", Key="ice/frozen", Body=b"cold", StorageClass="GLACIER")
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(5)
    traced = [TracedObject(f"set/{key}", len(OBJECTS[key]), Behaviour.DEAD, 20) for key in OBJECTS]
    write_logs(traced, bucket="data", now=long_ago, days=25, put=s3_sink(client, "logs", "late/"))


def _narrow_user(server: S3Server, name: str, *actions: str) -> dict[str, str]:
    """Keys of a user who may do these actions only."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    if actions:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}


def _secrets(world: World, server: S3Server) -> None:
    right = {
        "accessKeyId": server.access_key_id,
        "secretAccessKey": server.secret_access_key,
    }
    label = {"cloudflux.io/credentials": "true"}
    world.api.create_secret(world.namespace, "right", right, label)
    world.api.create_secret(world.namespace, "unlabelled", right, {})
    wrong = {**right, "secretAccessKey": "not-the-key-of-this-user-at-all"}
    world.api.create_secret(world.namespace, "wrong", wrong, label)
    nobody = _narrow_user(server, "nobody", "s3:GetBucketLocation")
    world.api.create_secret(world.namespace, "nobody", nobody, label)
    reader = _narrow_user(server, "reader", "s3:ListBucket", "s3:GetObject*")
    world.api.create_secret(world.namespace, "reader", reader, label)


def _s3_cases(world: World, server: S3Server, silent: str) -> None:
    def location(
        uri: str = "s3://data/set", endpoint: str = server.endpoint, secret: str = "right"
    ) -> dict[str, Any]:
        return {"uri": uri, "endpoint": endpoint, "credentialsSecretRef": {"name": secret}}

    world.data_set("no-secret", location(secret="missing"))
    world.data_set("no-label", location(secret="unlabelled"))
    world.data_set("wrong-key", location(secret="wrong"))
    world.data_set("no-bucket", location("s3://nowhere/set"))
    world.data_set("refused", location(endpoint="http://127.0.0.1:1"))
    world.data_set("silent", location(endpoint=silent))
    logs = {"type": "S3AccessLogs", "logs": location("s3://logs/access/")}
    world.data_set("no-logs", location(), access={"sources": [logs]})
    world.data_set("unsafe", location("s3://unsafe/set"))
    world.data_set("no-rights", location(secret="nobody"))
    late = {"type": "S3AccessLogs", "logs": location("s3://logs/late/")}
    world.data_set("late-logs", location(), access={"sources": [late]}, labels={"team": "late"})
    world.data_set("long-key", location("s3://unsafe/long"))
    world.data_set("archived", location("s3://unsafe/ice"))
    world.data_set("readable", location())
    target = location("s3://elsewhere/set", secret="reader")
    world.job("no-write", "readable", {"location": target})
    for name, uri in (("equal-s3", "set"), ("inside-s3", "set/below"), ("around-s3", "")):
        world.job(name, "unsafe", {"location": location(f"s3://data/{uri}")})


def _file_cases(world: World, allowed: Path, outside: Path) -> None:
    data = allowed / "data"
    world.data_set("outside", (outside / "data").as_uri())
    world.data_set("link-out", (allowed / "link").as_uri())
    world.data_set("disputed", (data / "disputed").as_uri(), labels={"team": "both"})
    for name in ("good", "other", "claimed", "busy", "large"):
        world.data_set(name, (data / name).as_uri())


def _policy_cases(world: World) -> None:
    auto = {
        "selector": {"matchLabels": {"team": "late"}},
        "mode": "Auto",
        "tiers": TIERS,
        "guardrails": {"minObservedDays": 1},
    }
    world.api.create(manifest("TieringPolicy", world.namespace, "eager", auto))
    for name in ("first", "second"):
        spec = {
            "selector": {"matchLabels": {"team": "both"}},
            "mode": "Observe",
            "tiers": TIERS,
        }
        world.api.create(manifest("TieringPolicy", world.namespace, name, spec))


def _job_cases(world: World, allowed: Path, full: Path | None) -> None:
    data = allowed / "data"
    world.api.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": world.namespace, "name": "claimed-location"},
            "data": {"mine": "and nobody else's"},
        }
    )

    def job(name: str, data_set: str, target: Path, **spec: Any) -> None:
        world.job(name, data_set, {"location": {"uri": target.as_uri()}}, **spec)

    for name in ("to-claimed", "to-unsafe", "to-long-key", "to-archived"):
        (allowed / name).mkdir()

    job("no-data-set", "nobody", allowed / "to-nobody")
    job("equal", "good", data / "other")
    job("inside", "good", data / "other" / "below")
    job("around", "good", data)
    job("switch", "claimed", allowed / "to-claimed")
    job("unsafe", "unsafe", allowed / "to-unsafe")
    job("long-key", "long-key", allowed / "to-long-key")
    job("archived", "archived", allowed / "to-archived", restore={"tier": "Never"})
    if full is not None:
        job("disk-full", "large", full)
    job("no-target", "good", allowed / "nowhere")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.reason}")
def test_a_mistake_is_said_with_condition_message_and_event(scene: Scene, case: Case) -> None:
    if case.name == "disk-full" and scene.small_disk is None:
        pytest.skip("this user may not mount a small file system")

    def said() -> Any:
        found = scene.world.condition(case.plural, case.name, case.condition)
        return found if found.get("reason") == case.reason else None

    try:
        found = wait_for(f"{case.name}: {case.reason}", said, 30)
    except AssertionError as error:
        status = json.dumps(scene.world.status(case.plural, case.name), indent=1)
        raise AssertionError(f"{error}; it says:\n{status}") from None
    assert found["status"] == case.status
    assert case.advice in found["message"]
    wait_for(
        f"an event {case.reason} of {case.name}",
        lambda: case.reason in scene.world.event_reasons(case.name),
        10,
    )


@pytest.mark.parametrize("name", ["no-logs", "late-logs"])
def test_without_fresh_access_logs_nothing_moves_colder(scene: Scene, name: str) -> None:
    status = wait_for(
        "the decision on data whose reads nobody sees",
        lambda: (found := scene.world.status("datasets", name)).get("evaluatedAt") and found,
        30,
    )
    assert status["temperature"] == "Unknown"
    assert not status.get("recommendations")
    assert "signal" in status["whyNot"] or "log" in status["whyNot"]
    jobs = scene.world.api.list("cloudflux.io/v1alpha1", "migrationjobs", scene.world.namespace)
    assert not [job for job in jobs if job["spec"]["dataSetRef"]["name"] == name]


@pytest.mark.parametrize("uri", ["ftp://host/data", "file:///srv/../etc", "s3:///no-bucket"])
def test_a_uri_that_can_not_work_is_refused_at_once(scene: Scene, uri: str) -> None:
    with pytest.raises(ApiError, match="uri must"):
        scene.world.data_set("never", uri)


def test_two_jobs_for_one_data_set_do_not_move_at_once(scene: Scene) -> None:
    def job(name: str, **spec: Any) -> None:
        target = scene.directory / "allowed" / f"to-{name}"
        target.mkdir()
        scene.world.job(name, "busy", {"location": {"uri": target.as_uri()}}, **spec)

    job("slow", execution={"bandwidthBytesPerSecond": 1})
    scene.world.wait_phase("slow", "Copying", seconds=30)
    job("late")
    status = scene.world.wait_phase("late", "Queued", seconds=30)
    assert status["reason"] == "DataSetBusy"
    assert "slow" in scene.world.condition("migrationjobs", "late", "Succeeded")["message"]
    assert not read_all(scene.directory / "allowed" / "to-late")
    wait_for("an event of it", lambda: "DataSetBusy" in scene.world.event_reasons("late"), 10)


def test_no_data_is_touched(scene: Scene) -> None:
    for case in CASES:
        if case.name == "disk-full" and scene.small_disk is None:
            continue
        wait_for(
            f"{case.name}: {case.reason}",
            lambda case=case: (  # type: ignore[misc]
                scene.world.condition(case.plural, case.name, case.condition).get("reason")
                == case.reason
            ),
            30,
        )
    now = read_all(scene.directory)
    assert {key: now.get(key) for key in scene.contents} == scene.contents
    for name in ("to-unsafe", "to-claimed", "to-long-key", "to-archived", "full"):
        place = scene.directory / "allowed" / name
        wait_for(f"{name} to be empty", lambda place=place: not read_all(place), 10)  # type: ignore[misc]
    client = scene.server.client()
    for bucket, objects in (("data", OBJECTS), ("unsafe", UNSAFE)):
        for key, body in objects.items():
            answer = client.get_object(Bucket=bucket, Key=f"set/{key}")
            assert answer["Body"].read() == body
    assert "Contents" not in client.list_objects_v2(Bucket="elsewhere")
    foreign = scene.world.api.get("v1", "configmaps", "claimed-location", scene.world.namespace)
    assert foreign["data"] == {"mine": "and nobody else's"}
