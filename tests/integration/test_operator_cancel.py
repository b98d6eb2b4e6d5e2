"""Jobs that are cancelled, suspended or edited while they run, on the operator as a process."""

import contextlib

import pytest
from tests.integration.operator_rig import wait_for
from tests.integration.scene import DELETE_AT_ONCE, OBJECTS, Scene, standing_in

from cloudflux_dev.kubeapi import ApiError

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("operator-life")]


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
