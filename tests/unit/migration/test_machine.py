"""The state machine: the rules of life of a job, one by one."""

import datetime as dt
from dataclasses import replace

import pytest
from tests.unit.migration.jobs import IN_PLACE, PIN, RESULTS, World, error

from cloudflux.api.dataset import ActiveMigrationRef
from cloudflux.api.migrationjob import Phase
from cloudflux.api.move_tasks import CopyProgress, ObjectFailure, PrepareSwitchResult, RetireResult
from cloudflux.api.task import TaskError
from cloudflux.migration import facts as f
from cloudflux.migration.backoff import backoff_seconds
from cloudflux.migration.display import human_seconds
from cloudflux.settings import Moves

DELETE = {"sourceRetention": {"policy": "Delete", "graceSeconds": 60}}


def test_a_job_goes_from_pending_to_completed_in_few_writes() -> None:
    world = World().until(Phase.COMPLETED)
    assert world.writes <= 6
    assert world.events() == ["Planned", "Copying", "Verified", "Switched", "Completed"]
    assert world.condition("Succeeded").status == "True"
    assert world.condition("SourceRetired").reason == "SourceRetained"
    location = world.data_set.status.location
    assert (location.uri, location.generation, location.previous) == (
        "file:///new",
        1,
        "file:///old",
    )
    assert world.data_set.status.active_migration_ref is None
    assert world.data_set.status.history[0].objects == 2
    assert [step.name for step in world.status.steps] == ["Plan", "Copy", "Verify", "Switch"]
    assert world.status.progress_display == "100%"
    world.outcome = None
    assert world.step().status is None


def test_first_visit_sets_conditions_and_the_generation() -> None:
    world = World(problem=f.Problem("SecretNotFound", "Create the Secret."))
    world.step()
    assert world.status.observed_generation == 1
    assert world.condition("Succeeded").status == "Unknown"
    assert (world.phase, world.reason) == (Phase.PENDING, "SecretNotFound")
    assert world.condition("Planned").status == "False"
    assert world.step().status is None
    assert world.events() == ["SecretNotFound"]
    world.problem = None
    world.until(Phase.COMPLETED)


def test_what_no_watch_tells_is_looked_at_soon_and_then_ever_less_often() -> None:
    missing = World(problem=f.Problem("SecretNotFound", "Create the Secret."))
    taken = World(gates=f.Gates(config_map_conflict="books-location is somebody's")).until(
        Phase.QUEUED
    )
    for world in (missing, taken):
        waits = []
        for _ in range(20):
            decision = world.step()
            assert decision.requeue_after_seconds is not None
            waits.append(decision.requeue_after_seconds)
            world.wait(decision.requeue_after_seconds)
        assert waits[0] == 5
        assert waits == sorted(waits)
        assert waits[-1] == 60
        assert sum(waits[:5]) < 30


def test_an_in_place_change_keeps_the_location_and_writes_no_config_map() -> None:
    world = World(pin=IN_PLACE, gates=f.Gates(config_map_conflict="taken")).until(Phase.COMPLETED)
    assert world.data_set.status.location is None
    assert not world.did(f.WriteConfigMap)
    assert world.condition("SourceRetired").reason == "NotApplicable"
    assert world.status.target_display == "GLACIER_IR"


@pytest.mark.parametrize("phase", [Phase.COPYING, Phase.VERIFYING, Phase.SWITCHING])
def test_each_moving_phase_is_written_before_its_task_starts(phase: Phase) -> None:
    world = World().until(phase)
    step = {Phase.COPYING: "Copy", Phase.VERIFYING: "Verify", Phase.SWITCHING: "Switch"}[phase]
    assert world.started == step
    assert world.status.phase is phase
    world.outcome = None  # another process: it has no task
    decision = world.step()
    assert decision.status is None
    assert world.outcome == f.Running(step)


def test_retryable_failures_back_off_and_end_after_max_attempts() -> None:
    world = World(spec={"retry": {"maxAttempts": 3, "initialBackoffSeconds": 10}})
    world.until(Phase.COPYING)
    for attempt in (1, 2):
        world.finish(error())
        assert (world.status.attempts, world.reason) == (attempt, "Retrying")
        assert world.outcome is None
        again = world.step()
        assert again.status is None
        assert world.outcome is None
        assert again.requeue_after_seconds > 1
        world.wait(again.requeue_after_seconds)
        world.step()
        assert world.outcome == f.Running("Copy")
    world.finish(error())
    assert (world.phase, world.reason) == (Phase.FAILED, "RetriesExhausted")
    assert world.started == "Sweep"
    world.finish()
    assert world.status.residue == "2 copies removed."
    assert world.data_set.status.active_migration_ref is None


def test_fatal_errors_fail_at_once_with_their_reason() -> None:
    world = World().until(Phase.COPYING)
    world.finish(error("AccessDenied", retryable=False))
    assert (world.phase, world.reason) == (Phase.FAILED, "AccessDenied")
    assert world.condition("Copied").reason == "AccessDenied"
    assert "AccessDenied" in world.events()


def test_failed_objects_fail_the_job_and_are_named() -> None:
    world = World().until(Phase.COPYING)
    failure = ObjectFailure(key="a", reason="TargetOccupied", message="someone else's")
    world.finish(RESULTS["Copy"].model_copy(update={"objects_failed": 1, "failures": (failure,)}))
    assert (world.phase, world.reason) == (Phase.FAILED, "TargetOccupied")
    assert world.status.failures[0].key == "a"


def test_a_mismatch_is_no_success_and_never_switches() -> None:
    world = World().until(Phase.VERIFYING)
    world.finish(RESULTS["Verify"].model_copy(update={"mismatched": 1}))
    assert (world.phase, world.reason) == (Phase.FAILED, "VerificationFailed")
    assert not world.did(f.SwitchDataSet)


def test_a_delta_at_the_switch_goes_back_to_copying() -> None:
    world = World().until(Phase.SWITCHING)
    world.finish(PrepareSwitchResult(delta_objects=3))
    assert world.phase is Phase.COPYING
    assert world.condition("Verified").status == "False"
    world.until(Phase.COMPLETED)


def test_a_switch_written_before_a_kill_is_recognised() -> None:
    world = World().until(Phase.SWITCHING)
    before = world.status
    world.finish()
    world.status, world.outcome, world.actions = before, None, []
    world.step()
    assert world.phase is Phase.COMPLETED
    assert not world.did(f.SwitchDataSet)
    assert world.did(f.WriteConfigMap)


@pytest.mark.parametrize("phase", [Phase.COPYING, Phase.VERIFYING])
def test_cancel_before_the_switch_stops_sweeps_and_says_the_residue(phase: Phase) -> None:
    world = World().until(phase)
    world.spec = {"cancel": True, "suspend": True}
    world.step()
    assert world.phase is Phase.CANCELLING
    world.until(Phase.CANCELLED)
    assert world.status.residue == "2 copies removed."
    assert world.condition("Succeeded").reason == "Cancelled"
    assert world.data_set.status.active_migration_ref is None


def test_cancel_before_anything_was_written_needs_no_sweep() -> None:
    world = World(gates=f.Gates(slot_available=False)).until(Phase.QUEUED)
    world.spec = {"cancel": True}
    world.step()
    assert world.phase is Phase.CANCELLED
    assert world.started == "Plan"


@pytest.mark.parametrize("phase", [Phase.SWITCHING, Phase.COMPLETED])
def test_cancel_from_the_switch_on_is_refused_once(phase: Phase) -> None:
    world = World().until(phase)
    world.spec = {"cancel": True}
    world.step()
    world.step()
    assert world.reason == "CancelRefused"
    assert world.events().count("CancelRefused") == 1
    world.until(Phase.COMPLETED)
    assert world.events().count("CancelRefused") == 1


def test_cancel_ends_even_when_the_sweep_fails() -> None:
    world = World().until(Phase.COPYING)
    world.spec = {"cancel": True}
    world.step()
    world.step()
    world.finish(error("AccessDenied", retryable=False))
    assert world.phase is Phase.CANCELLED
    assert "could not be removed" in world.status.residue


@pytest.mark.parametrize("step", ["Sweep", "Retire"])
def test_a_job_that_ended_keeps_saying_how_while_its_clearing_up_is_tried_again(step: str) -> None:
    world = World(spec=DELETE)
    if step == "Sweep":
        world.until(Phase.COPYING).finish(error("AccessDenied", retryable=False))
    else:
        world.until(Phase.COMPLETED).wait(61)
        world.step()
    ended = (world.phase, world.reason, world.status.message)
    for _ in range(2):
        assert world.outcome == f.Running(step)
        again = world.finish(error())
        assert (world.phase, world.reason, world.status.message) == ended
        world.wait(again.requeue_after_seconds)
        world.step()
    world.finish()
    assert (world.phase, world.reason, world.status.message) == ended
    assert world.events().count("Retrying") == 1


def test_suspend_stops_the_task_and_resume_goes_on() -> None:
    world = World().until(Phase.COPYING)
    world.spec = {"suspend": True}
    world.step()
    assert (world.phase, world.status.suspended_from) == (Phase.SUSPENDED, Phase.COPYING)
    world.step()
    assert world.outcome is None
    world.wait(100_000)
    world.spec = {}
    world.step()
    assert world.phase is Phase.COPYING
    assert world.events().count("Copying") == 1
    world.until(Phase.COMPLETED)


def test_approval_waits_for_the_hash_of_the_present_plan() -> None:
    world = World(spec={"requireApproval": True}).until(Phase.AWAITING_APPROVAL)
    assert world.condition("Approved").status == "Unknown"
    world.spec["approval"] = "wrong"
    world.step()
    assert world.condition("Approved").reason == "PlanMismatch"
    assert world.step().status is None
    world.spec["approval"] = "abc"
    world.step()
    assert world.phase is Phase.COPYING
    assert world.condition("Approved").status == "True"


def test_an_expired_plan_is_made_again_and_its_approval_is_void() -> None:
    world = World(spec={"requireApproval": True}).until(Phase.AWAITING_APPROVAL)
    world.wait(86_401)
    world.step()
    assert (world.phase, world.started) == (Phase.PENDING, "Plan")
    world.spec["approval"] = "abc"
    world.finish(RESULTS["Plan"].model_copy(update={"hash": "def"}))
    assert world.phase is Phase.AWAITING_APPROVAL
    assert world.condition("Approved").reason == "PlanMismatch"


def test_a_source_that_moved_before_copying_is_planned_again() -> None:
    world = World(gates=f.Gates(slot_available=False)).until(Phase.QUEUED)
    world.pin = PIN.model_copy(update={"source_generation": 2})
    world.step()
    assert world.started == "Plan"
    assert world.status.pin.source_generation == 2


def test_data_that_grew_since_the_plan_is_planned_again() -> None:
    world = World().until(Phase.COPYING)
    world.finish(error("PlanChanged", retryable=False))
    assert (world.phase, world.started) == (Phase.PENDING, "Plan")
    assert world.data_set.status.active_migration_ref is None
    world.until(Phase.COMPLETED)


@pytest.mark.parametrize("budget", [{"maxCost": "0.001"}, {"maxBytes": 100}])
def test_a_plan_over_the_budget_fails_before_anything_moves(budget: dict[str, object]) -> None:
    world = World(spec={"budget": budget}).until(Phase.FAILED)
    assert world.reason == "BudgetExceeded"
    assert not world.did(f.ClaimDataSet)


def test_a_blocked_plan_fails_and_lists_why() -> None:
    world = World()
    world.step()
    world.finish(RESULTS["Plan"].model_copy(update={"problems": ("../x is no safe path",)}))
    assert (world.phase, world.reason) == (Phase.FAILED, "PlanBlocked")
    assert "../x" in world.status.message


@pytest.mark.parametrize(
    ("gates", "phase", "reason"),
    [
        (f.Gates(moves=Moves.DRY_RUN), Phase.PLANNED, "DryRun"),
        (f.Gates(moves=Moves.STOP), Phase.QUEUED, "MovesStopped"),
        (f.Gates(slot_available=False, queue_position=4), Phase.QUEUED, "Queued"),
        (f.Gates(overlap="overlaps"), Phase.QUEUED, "LocationOverlap"),
        (f.Gates(config_map_conflict="taken"), Phase.QUEUED, "ConfigMapConflict"),
    ],
)
def test_gates_hold_the_job_and_say_why(gates: f.Gates, phase: Phase, reason: str) -> None:
    world = World(gates=gates).until(phase)
    assert world.reason == reason
    assert world.step().status is None
    assert not world.did(f.ClaimDataSet)
    world.gates = f.Gates()
    world.until(Phase.COMPLETED)


def test_stopping_all_moves_holds_a_copying_job() -> None:
    world = World().until(Phase.COPYING)
    world.gates = f.Gates(moves=Moves.STOP)
    world.step()
    world.step()
    assert (world.phase, world.reason, world.outcome) == (Phase.QUEUED, "MovesStopped", None)
    world.gates = f.Gates()
    world.until(Phase.COMPLETED)


def test_a_queue_that_moves_costs_few_writes() -> None:
    world = World(gates=f.Gates(slot_available=False, queue_position=1000)).until(Phase.QUEUED)
    writes = world.writes
    for position in range(999, 0, -1):
        world.gates = f.Gates(slot_available=False, queue_position=position)
        world.step()
    assert world.status.queue_position == 1
    assert world.writes - writes <= 7


def test_one_writer_per_data_set_and_stale_claims_are_taken_over() -> None:
    world = World()
    world.patch(active_migration_ref=ActiveMigrationRef(name="other", uid="other"))
    world.until(Phase.QUEUED)
    assert world.reason == "DataSetBusy"
    world.data_set = replace(world.data_set, claim_stale=True)
    world.step()
    assert world.phase is Phase.COPYING
    assert world.data_set.status.active_migration_ref.uid == "job"


def test_progress_is_written_by_the_rule() -> None:
    world = World().until(Phase.COPYING)
    writes = world.writes

    def told(done: int) -> None:
        progress = CopyProgress(
            objects_total=1000,
            objects_done=done,
            objects_failed=0,
            objects_skipped=0,
            bytes_total=1000_000,
            bytes_done=done * 1000,
        )
        world.outcome = f.Running("Copy", progress, 1000)
        world.step()

    told(500)
    assert world.writes == writes, "not within ten seconds"
    world.wait(11)
    told(500)
    assert world.writes == writes + 1
    assert (world.status.progress_display, world.status.eta_display) == ("50%", "8m20s")
    world.wait(11)
    told(501)
    assert world.writes == writes + 1, "less than one percent"
    world.wait(50)
    told(501)
    assert world.writes == writes + 2, "after sixty seconds"
    world.wait(4000)
    told(501)
    assert world.reason == "Stalled"
    assert world.condition("Stalled").status == "True"
    told(700)
    assert world.condition("Stalled").status == "False"


def test_the_active_deadline_fails_the_job_and_sweeps() -> None:
    world = World(spec={"activeDeadlineSeconds": 100}).until(Phase.COPYING)
    world.wait(101)
    world.step()
    assert (world.phase, world.reason) == (Phase.FAILED, "DeadlineExceeded")
    world.step()
    assert world.started == "Sweep"


def test_the_source_is_retired_after_its_grace_in_as_many_calls_as_it_takes() -> None:
    world = World(spec=DELETE).until(Phase.COMPLETED)
    assert world.condition("SourceRetired").reason == "SourceKept"
    world.step()
    assert world.started == "Switch"
    world.wait(61)
    world.step()
    assert world.started == "Retire"
    world.finish(RetireResult(deleted=500, remaining=3))
    assert world.outcome == f.Running("Retire")
    world.finish()
    assert world.condition("SourceRetired").status == "True"
    assert world.step().status is None


def test_a_source_in_use_again_is_kept() -> None:
    world = World(spec=DELETE, source_in_use="In use by data set x.").until(Phase.COMPLETED)
    world.wait(61)
    world.step()
    world.step()
    assert world.condition("SourceRetired").reason == "SourceInUse"
    assert world.events().count("SourceInUse") == 1
    assert world.started == "Switch"


def test_a_later_move_supersedes_the_retirement() -> None:
    world = World(spec=DELETE).until(Phase.COMPLETED)
    later = world.data_set.status.location.model_copy(update={"generation": 2})
    world.patch(location=later)
    world.wait(61)
    world.step()
    assert world.condition("SourceRetired").reason == "SourceInUse"
    assert world.started == "Switch"
    assert world.step().status is None


@pytest.mark.parametrize("uid", ["another", None])
def test_a_job_whose_data_set_is_gone_holds_its_source_no_longer(uid: str | None) -> None:
    world = World(spec={**DELETE, "ttlSecondsAfterFinished": 10}).until(Phase.COMPLETED)
    world.data_set = replace(world.data_set, uid=uid) if uid else None
    world.step()
    assert world.condition("SourceRetired").reason == "SourceInUse"
    assert world.status.steps[-1].name == "Retire", "nothing is left to do, though grace goes on"
    assert world.status.steps[-1].state == "Done"
    world.wait(11)
    world.step()
    assert world.deleted
    assert world.started == "Switch"


def test_new_objects_at_the_source_are_reported() -> None:
    world = World(spec=DELETE).until(Phase.COMPLETED)
    world.wait(61)
    world.step()
    world.finish(RetireResult(deleted=1, remaining=0, kept=("late.bin",), kept_objects=1))
    assert world.condition("SourceRetired").reason == "NewObjectsAtSource"
    assert "late.bin" in world.condition("SourceRetired").message


def test_ttl_counts_from_the_retirement() -> None:
    world = World(spec={**DELETE, "ttlSecondsAfterFinished": 10}).until(Phase.COMPLETED)
    world.wait(61)
    world.step()
    assert not world.deleted
    world.finish()
    world.wait(11)
    world.step()
    assert world.deleted


def test_a_data_set_deleted_while_copying_fails_the_job_and_is_swept() -> None:
    world = World().until(Phase.COPYING)
    world.data_set = None
    world.step()
    assert (world.phase, world.reason) == (Phase.FAILED, "DataSetNotFound")
    world.step()
    assert world.started == "Sweep"


def test_a_data_set_replaced_while_switching_leaves_the_target_alone() -> None:
    world = World().until(Phase.SWITCHING)
    world.data_set = replace(world.data_set, uid="another")
    world.step()
    world.step()
    assert world.phase is Phase.FAILED
    assert world.started == "Switch"
    assert "kept" in world.status.residue


def test_an_edited_spec_is_observed() -> None:
    world = World().until(Phase.COPYING)
    world.generation = 2
    world.step()
    assert world.status.observed_generation == 2
    assert {one.observed_generation for one in world.status.conditions} == {2}


def test_transition_times_move_only_with_the_status() -> None:
    world = World(gates=f.Gates(slot_available=False)).until(Phase.QUEUED)
    since = world.condition("Succeeded").last_transition_time
    world.wait(50)
    world.gates = f.Gates(overlap="overlaps")
    world.step()
    assert world.condition("Succeeded").reason == "LocationOverlap"
    assert world.condition("Succeeded").last_transition_time == since
    world.gates = f.Gates()
    world.until(Phase.COMPLETED)
    assert world.condition("Succeeded").last_transition_time == since + dt.timedelta(seconds=50)


def test_backoff_grows_is_bounded_and_repeatable() -> None:
    retry = World().facts().job.spec.retry
    waits = [backoff_seconds(retry, attempt, "job") for attempt in range(1, 12)]
    assert waits == [backoff_seconds(retry, attempt, "job") for attempt in range(1, 12)]
    assert 5 <= waits[0] <= 10
    assert all(300 <= wait <= 600 for wait in waits[7:])
    assert waits[0] != backoff_seconds(retry, 1, "other job")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0s"), (59, "59s"), (130, "2m10s"), (7200, "2h"), (180_000, "2d2h")]
)
def test_durations_for_people(seconds: int, words: str) -> None:
    assert human_seconds(seconds) == words


def test_keys_that_were_rotated_while_a_step_ran_are_read_again() -> None:
    world = World().until(Phase.COPYING)
    wrong = TaskError(
        kind="CredentialsInvalid", message="the key is unknown", reason="CredentialsInvalid"
    )
    world.finish(wrong)
    assert (world.phase, world.reason) == (Phase.COPYING, "Retrying")
    world.wait(60)
    world.step()
    assert world.outcome == f.Running(f.COPY), "the task is started with the keys of now"
    world = World()
    while world.outcome != f.Running(f.PLAN):
        world.step()
    world.finish(wrong)
    assert world.phase is Phase.FAILED, "a plan's keys were read just now"
