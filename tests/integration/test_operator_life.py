"""What people do to a job and its data while it runs, on the operator as a process.

One operator and one S3 server serve all cases; a gate before the server holds single requests,
so that a job stands in a phase for as long as a test looks at it.
"""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.gate import Gate
from tests.integration.operator_rig import (
    World,
    alive,
    fill,
    manifest,
    operating,
    read_all,
    wait_for,
)

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import CLOUDFLUX, ApiError
from cloudflux_dev.s3servers import S3Server, start_moto

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("operator-life")]
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


@pytest.fixture(scope="module")
def scene(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("life")
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


# --- cancel, in each phase


@contextlib.contextmanager
def standing_in(scene: Scene, phase: str, name: str, **spec: Any) -> Iterator[str]:
    """A job of the data set `name` that stands in a phase while the block runs."""
    target = f"{name}-target"
    holds = {
        "Pending": ("GET", f"prefix={name}/"),
        "Copying": ("PUT", f"/{target}/", "object-3"),
        "Verifying": ("HEAD", f"/{target}/", "object-3"),
        "Switching": ("PUT", f"/{target}/{MARKER}"),
    }
    with contextlib.ExitStack() as stack:
        if phase in holds:
            rule = stack.enter_context(scene.gate.rule(*holds[phase]))
        if phase == "AwaitingApproval":
            spec["requireApproval"] = True
        job = scene.move(name, target, **spec)
        if phase in holds:
            wait_for(f"a held request of {phase}", lambda: rule.caught, 30)
        scene.world.wait_phase(job, phase, seconds=30)
        yield job


@pytest.mark.parametrize(
    ("phase", "copies", "residue"),
    [
        ("Pending", 0, "Nothing had been written."),
        ("AwaitingApproval", 0, "Nothing had been written."),
        ("Copying", 3, "copies were removed"),
        ("Verifying", OBJECTS, f"{OBJECTS} copies were removed"),
    ],
)
def test_cancel_stops_a_job_and_says_what_is_left(
    scene: Scene, phase: str, copies: int, residue: str
) -> None:
    name = f"cancel-{phase.lower()}"
    content = scene.data_set(name)
    with standing_in(scene, phase, name) as job:
        assert len(scene.contents(f"{name}-target")) == copies
        scene.world.patch("migrationjobs", job, cancel=True)
        if copies:
            scene.world.wait_phase(job, "Cancelling", "Cancelled")
    status = scene.world.wait_phase(job, "Cancelled")
    assert residue in status["residue"]
    assert residue in scene.world.condition("migrationjobs", job, "Succeeded")["message"]
    assert residue in scene.world.wait_event(job, "Cancelled")
    assert scene.contents(f"{name}-target") == {}
    assert scene.contents(name) == content
    wait_for("the claim", lambda: "activeMigrationRef" not in scene.world.status("datasets", name))
    again = scene.at(f"{name}-target")
    scene.world.job(f"{name}-again", name, {"location": again})
    scene.world.wait_condition("migrationjobs", f"{name}-again", "Succeeded", "True")
    assert scene.contents(f"{name}-target") == content, "a new job can go there at once"


def test_cancel_beats_suspend_and_a_queued_job_leaves_the_queue(scene: Scene) -> None:
    content = scene.data_set("queued")
    with standing_in(scene, "Copying", "queued") as first:
        scene.world.job("queued-second", "queued", {"location": scene.at("queued-elsewhere")})
        scene.world.wait_phase("queued-second", "Queued")
        scene.world.patch("migrationjobs", "queued-second", cancel=True)
        status = scene.world.wait_phase("queued-second", "Cancelled")
        assert status["residue"] == "Nothing had been written."
        scene.world.patch("migrationjobs", first, suspend=True)
        scene.world.wait_phase(first, "Suspended")
        scene.world.patch("migrationjobs", first, cancel=True)
    status = scene.world.wait_phase(first, "Cancelled")
    assert "copies were removed" in status["residue"]
    assert scene.contents("queued") == content
    assert scene.contents("queued-target") == {}


def test_cancel_from_the_switch_on_is_refused_and_the_job_completes(scene: Scene) -> None:
    content = scene.data_set("too-late")
    with standing_in(scene, "Switching", "too-late") as job:
        scene.world.patch("migrationjobs", job, cancel=True)
        assert "new job" in scene.world.wait_event(job, "CancelRefused")
    scene.world.wait_condition("migrationjobs", job, "Succeeded", "True")
    assert scene.world.status("migrationjobs", job)["reason"] == "CancelRefused"
    assert scene.contents("too-late-target") == content


def test_cancel_of_a_class_change_while_it_is_proven_says_which_objects_are_changed(
    scene: Scene,
) -> None:
    content = scene.data_set("in-place")
    with contextlib.ExitStack() as stack:
        last = stack.enter_context(scene.gate.rule("PUT", "/in-place/", "object-5"))
        change = {"storageClass": "GLACIER_IR"}
        scene.world.job("in-place-job", "in-place", change, execution={"parallelism": 1})
        wait_for("the last change to be held", lambda: last.caught)
        listing = stack.enter_context(scene.gate.rule("GET", "prefix=in-place/"))
        last.released.set()
        scene.world.wait_phase("in-place-job", "Verifying")
        wait_for("the listing that proves to be held", lambda: listing.caught)
        scene.world.patch("migrationjobs", "in-place-job", cancel=True)
        status = scene.world.wait_phase("in-place-job", "Cancelling")
        assert status["message"] == "Stops; objects that are changed already are left so."
    status = scene.world.wait_phase("in-place-job", "Cancelled")
    first = ", ".join(sorted(content)[:3])
    said = f"{OBJECTS} objects changed already, left so: {first} and {OBJECTS - 3} more"
    assert said in status["residue"]
    assert said in scene.world.wait_event("in-place-job", "Cancelled")
    listed = scene.server.client().list_objects_v2(Bucket="data", Prefix="in-place/")["Contents"]
    classes = [one["StorageClass"] for one in listed if ".cloudflux/" not in one["Key"]]
    assert classes == ["GLACIER_IR"] * OBJECTS
    assert scene.contents("in-place") == content
    wait_for(
        "the claim", lambda: "activeMigrationRef" not in scene.world.status("datasets", "in-place")
    )


# --- suspend and resume, edits


def test_a_suspended_job_stands_still_and_goes_on_where_it_was(scene: Scene) -> None:
    content = scene.data_set("paused")
    with standing_in(scene, "Copying", "paused") as job:
        scene.world.patch("migrationjobs", job, suspend=True)
        status = scene.world.wait_phase(job, "Suspended")
        assert "spec.suspend" in status["message"]
    wait_for("the held copy", lambda: len(scene.contents("paused-target")) == 4)
    requests = scene.gate.count("PUT", "/paused-target/")
    scene.world.patch("datasets", "paused", suspend=True)  # wakes the job: it must not go on
    scene.world.wait_condition("datasets", "paused", "Ready", "False")
    scene.world.patch("datasets", "paused", suspend=False)
    scene.world.wait_condition("datasets", "paused", "Ready", "True")
    assert scene.world.status("migrationjobs", job)["phase"] == "Suspended"
    assert scene.gate.count("PUT", "/paused-target/") == requests, "nothing was written meanwhile"
    scene.world.patch("migrationjobs", job, suspend=False)
    scene.world.wait_condition("migrationjobs", job, "Succeeded", "True")
    assert scene.contents("paused-target") == content
    for key in content:
        assert scene.gate.count("PUT", f"/paused-target/{key}") <= 2, "one was on its way"
    assert scene.gate.count("PUT", "/paused-target/dir") <= OBJECTS + 1


def test_a_running_jobs_spec_can_not_be_changed(scene: Scene) -> None:
    content = scene.data_set("fixed")
    with standing_in(scene, "Copying", "fixed") as job:
        for change in (
            {"target": {"location": {"uri": "s3://data/elsewhere/"}}},
            {"verify": "Size"},
            {"sourceRetention": DELETE_AT_ONCE},
            {"execution": {"parallelism": 9}},
        ):
            with pytest.raises(ApiError, match=r"immutable|can't be changed|can not be changed"):
                scene.world.patch("migrationjobs", job, **change)
        with pytest.raises(ApiError, match="uri"):
            scene.world.patch("datasets", "fixed", location={"uri": "s3://data/elsewhere/"})
    scene.world.wait_condition("migrationjobs", job, "Succeeded", "True")
    assert scene.contents("fixed-target") == content


def test_a_data_set_may_be_edited_while_its_data_moves(scene: Scene) -> None:
    content = scene.data_set("edited")
    before = scene.world.condition("datasets", "edited", "AccessHistoryFresh")
    assert before["reason"] == "NoAccessSource"
    with standing_in(scene, "Copying", "edited") as job:
        logs = {"type": "S3AccessLogs", "logs": scene.at("logs-of-edited")}
        scene.world.patch("datasets", "edited", access={"sources": [logs]}, writers="Active")
        wait_for(
            "the new access source to be read",
            lambda: (
                scene.world.condition("datasets", "edited", "AccessHistoryFresh")["reason"]
                == "AccessLogsMissing"
            ),
        )
        scene.world.patch("datasets", "edited", suspend=True)
        said = scene.world.wait_condition("datasets", "edited", "Ready", "False")
        assert said["reason"] == "Suspended"
        assert scene.world.status("migrationjobs", job)["phase"] == "Copying"
    scene.world.wait_condition("migrationjobs", job, "Succeeded", "True")
    assert scene.contents("edited-target") == content
    where = scene.world.status("datasets", "edited")["location"]
    assert where["uri"] == scene.at("edited-target")["uri"]
    scene.world.patch("datasets", "edited", suspend=False)
    scene.world.wait_ready("edited")


# --- the data changes meanwhile


def test_what_changes_at_the_source_while_it_moves_is_moved_as_it_is_at_the_end(
    scene: Scene,
) -> None:
    content = scene.data_set("busy", writers="Active")
    keys = sorted(content)
    with standing_in(scene, "Copying", "busy") as job:
        copied = sorted(scene.contents("busy-target"))
        assert copied
        scene.put("busy", copied[0], b"written again after it was copied")
        scene.remove("busy", copied[1])
        scene.remove("busy", keys[-1])  # not copied yet
        scene.put("busy", "dir 0/a new one", b"new")
    scene.world.wait_condition("migrationjobs", job, "Succeeded", "True")
    expected = {
        **content,
        copied[0]: b"written again after it was copied",
        "dir 0/a new one": b"new",
    }
    del expected[copied[1]], expected[keys[-1]]
    assert scene.contents("busy-target") == expected
    assert scene.contents("busy") == expected
    matched = scene.world.status("migrationjobs", job)["verification"]["matched"]
    assert matched == len(expected)


def test_a_copy_with_a_flipped_byte_is_never_switched_to(scene: Scene) -> None:
    content = scene.data_set("flipped")
    with standing_in(scene, "Verifying", "flipped") as job:
        broken = bytearray(content["dir 1/object-4"])
        broken[7] ^= 1
        scene.put("flipped-target", "dir 1/object-4", bytes(broken))
    said = scene.world.wait_condition("migrationjobs", job, "Succeeded", "False")
    assert said["reason"] == "VerificationFailed"
    assert "object-4" in said["message"]
    assert scene.world.status("migrationjobs", job)["failures"][0]["key"].endswith("object-4")
    scene.world.wait_event(job, "VerificationFailed")
    assert scene.world.status("datasets", "flipped")["location"]["generation"] == 0
    assert scene.contents("flipped") == content
    wait_for("the sweep", lambda: scene.world.status("migrationjobs", job).get("residue"))
    assert scene.contents("flipped-target") == {"dir 1/object-4": bytes(broken)}
    assert "left there" in scene.world.status("migrationjobs", job)["residue"]


def test_what_is_written_between_verification_and_switch_is_moved_first(scene: Scene) -> None:
    content = scene.data_set("late", writers="Active")
    with standing_in(scene, "Verifying", "late") as job:
        scene.put("late", "dir 1/late", b"late")
    scene.world.wait_condition("migrationjobs", job, "Succeeded", "True")
    assert scene.contents("late-target") == {**content, "dir 1/late": b"late"}


def test_what_is_written_after_the_switch_is_kept_and_reported(scene: Scene) -> None:
    content = scene.data_set("grace", writers="Active")
    keys = sorted(content)
    job = scene.move("grace", "grace-target", sourceRetention={**DELETE_AT_ONCE, "graceSeconds": 4})
    scene.world.wait_phase(job, "Completed")
    scene.put("grace", keys[0], b"changed in the grace")
    scene.put("grace", "dir 9/new", b"new in the grace")
    scene.remove("grace", keys[1])
    assert len(scene.contents("grace")) == OBJECTS, "nothing is deleted before the grace is over"
    wait_for(
        "the retirement",
        lambda: (
            scene.world.condition("migrationjobs", job, "SourceRetired").get("reason")
            == "NewObjectsAtSource"
        ),
    )
    said = scene.world.condition("migrationjobs", job, "SourceRetired")
    assert said["status"] == "False"
    assert "dir 9/new" in said["message"]
    assert keys[0] in said["message"]
    assert "by hand" in said["message"]
    scene.world.wait_event(job, "NewObjectsAtSource")
    assert scene.contents("grace") == {
        keys[0]: b"changed in the grace", "dir 9/new": b"new in the grace",
    }  # fmt: skip
    assert scene.contents("grace-target") == content


# --- there and back, and who else needs a place


def test_going_back_within_the_grace_keeps_the_source_of_the_first_move(scene: Scene) -> None:
    content = scene.data_set("there")
    first = scene.move("there", "there-target", sourceRetention={"policy": "Delete"})
    scene.world.wait_phase(first, "Completed")
    assert scene.world.condition("migrationjobs", first, "SourceRetired")["reason"] == "SourceKept"
    scene.world.job("and-back", "there", {"location": scene.at("there")})
    scene.world.wait_condition("migrationjobs", "and-back", "Succeeded", "True")
    where = scene.world.status("datasets", "there")["location"]
    assert (where["uri"], where["generation"]) == (scene.at("there")["uri"], 2)
    wait_for(
        "the first job to let go",
        lambda: (
            scene.world.condition("migrationjobs", first, "SourceRetired")["reason"]
            == "SourceInUse"
        ),
    )
    assert "by hand" in scene.world.condition("migrationjobs", first, "SourceRetired")["message"]
    scene.world.wait_event(first, "SourceInUse")
    assert scene.contents("there") == content


def test_a_data_set_that_appears_at_a_source_stops_its_deletion(scene: Scene) -> None:
    content = scene.data_set("shared")
    with scene.gate.rule("DELETE", "/shared/dir", after=2) as rule:
        job = scene.move("shared", "shared-target", sourceRetention=DELETE_AT_ONCE)
        scene.world.wait_phase(job, "Completed")
        wait_for("the third deletion", lambda: rule.caught)
        scene.world.data_set("newcomer", scene.at("shared/dir 1"))
        wait_for(
            "the retirement to be stopped",
            lambda: (
                scene.world.condition("migrationjobs", job, "SourceRetired").get("reason")
                == "SourceInUse"
            ),
        )
    wait_for("the held request to go through", lambda: scene.gate.count("DELETE", "/shared/") == 3)
    scene.world.wait_event(job, "SourceInUse")
    scene.world.wait_ready("newcomer")
    left = scene.contents("shared")
    assert len(left) == OBJECTS - 3, "nothing but the deletion that was on its way"
    assert left == {key: content[key] for key in left}
    scene.world.delete("datasets", "newcomer")
    scene.world.wait_condition("migrationjobs", job, "SourceRetired", "True", 30)
    assert scene.contents("shared") == {}, "it goes on once nobody needs the source"
    assert scene.contents("shared-target") == content


def test_of_two_jobs_for_one_target_the_second_is_refused(scene: Scene) -> None:
    scene.data_set("winner")
    content = scene.data_set("loser")
    with standing_in(scene, "Copying", "winner") as first:
        job = scene.move("loser", "winner-target")
        status = scene.world.wait_phase(job, "Queued")
        assert status["reason"] == "LocationOverlap"
        scene.world.wait_event(job, "LocationOverlap")
    scene.world.wait_condition("migrationjobs", first, "Succeeded", "True")
    said = scene.world.wait_condition("migrationjobs", job, "Succeeded", "False")
    assert said["reason"] == "LocationOverlap"
    assert "choose another target" in said["message"]
    assert scene.world.status("migrationjobs", job)["phase"] == "Failed"
    assert scene.contents("loser") == content


# --- created again


def test_a_data_set_created_again_after_two_moves_finds_the_newest_place(scene: Scene) -> None:
    content = scene.data_set("lost")
    first = scene.move("lost", "lost-b", sourceRetention=DELETE_AT_ONCE)
    scene.world.wait_condition("migrationjobs", first, "SourceRetired", "True")
    target = {"location": scene.at("lost-c", secret="other-keys")}
    scene.world.job("lost-again", "lost", target, sourceRetention=DELETE_AT_ONCE)
    scene.world.wait_condition("migrationjobs", "lost-again", "SourceRetired", "True")
    assert scene.contents("lost-b") == {}
    scene.world.delete("datasets", "lost")
    scene.world.data_set("lost", scene.at("lost"), writers="Quiesced")
    scene.world.wait_ready("lost")
    status = scene.world.status("datasets", "lost")
    assert status["location"]["uri"] == scene.at("lost-c")["uri"]
    assert status["location"]["generation"] == 2
    assert status["location"]["credentialsSecretName"] == "other-keys"
    assert status["inventory"]["objects"] == OBJECTS
    assert "lost-c" in scene.world.wait_event("lost", "LocationAdopted")
    target = {"location": scene.at("lost-d")}
    scene.world.job("lost-on", "lost", target)
    scene.world.wait_condition("migrationjobs", "lost-on", "Succeeded", "True")
    assert scene.contents("lost-d") == content
    assert scene.world.status("datasets", "lost")["location"]["generation"] == 3


def test_a_move_of_a_data_set_created_again_does_not_wait_for_the_old_ones_grace(
    scene: Scene,
) -> None:
    content = scene.data_set("twice")
    first = scene.move("twice", "twice-b", sourceRetention={"policy": "Delete"})
    scene.world.wait_phase(first, "Completed")
    scene.world.delete("datasets", "twice")
    scene.world.data_set("twice", scene.at("twice"), writers="Quiesced")
    scene.world.wait_ready("twice")
    scene.world.job("twice-on", "twice", {"location": scene.at("twice-c")})
    scene.world.wait_condition("migrationjobs", "twice-on", "Succeeded", "True")
    assert scene.contents("twice-c") == content
    said = scene.world.condition("migrationjobs", first, "SourceRetired")
    assert said["reason"] == "SourceInUse"
    assert scene.contents("twice") == content


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
