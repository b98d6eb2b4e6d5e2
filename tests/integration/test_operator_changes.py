"""Data that changes while it is moved, places that others need, data sets created again."""

import pytest
from tests.integration.operator_rig import wait_for
from tests.integration.scene import DELETE_AT_ONCE, OBJECTS, Scene, standing_in

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("operator-life")]


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
