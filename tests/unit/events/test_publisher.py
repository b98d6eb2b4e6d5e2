"""Transitions are derived from what was committed, told once, and told again after a kill."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.events.samples import NOW, Thing

from cloudflux.api.common import Condition, ConditionStatus, Location
from cloudflux.api.dataset import (
    AccessStatus,
    ActiveLocation,
    DataSetStatus,
    ForecastStatus,
    Recommendation,
    TierUsage,
)
from cloudflux.api.events import EVENTS, EventType
from cloudflux.api.migrationjob import (
    JobPin,
    MigrationJobSpec,
    MigrationJobStatus,
    Phase,
    PlanStatus,
    ProgressStatus,
    RestorePlan,
    StepStatus,
    VerificationStatus,
)
from cloudflux.api.tieringpolicy import TieringPolicySpec, TieringPolicyStatus
from cloudflux.events.derive import transitions
from cloudflux.events.envelope import Event, to_json
from cloudflux.events.publisher import Publisher, Told
from cloudflux.events.transitions import EventLog

SOURCE, TARGET = Location(uri="s3://data/d"), Location(uri="s3://archive/d")


def at(seconds: int) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def holds(kind: str, seconds: int, reason: str = "Done") -> Condition:
    return Condition(
        type=kind, status=ConditionStatus.TRUE, reason=reason, last_transition_time=at(seconds)
    )


def job(**status: Any) -> Thing:
    spec = MigrationJobSpec.model_validate(
        {
            "dataSetRef": {"name": "d"},
            "target": {"storageClass": "STANDARD_IA"},
            "selection": {"recommendation": "rec-1"},
        }
    )
    plan = PlanStatus(
        hash="abcdef", objects=3, bytes=30, one_off_cost="1", savings_per_month="2",
        duration_seconds=5, list_uri="file:///x",
    )  # fmt: skip
    pin = JobPin(source=SOURCE, target=TARGET, source_generation=4, data_set_uid="ds-uid")
    conditions = [holds("Planned", 0)]
    given = {"plan": plan, "pin": pin, "conditions": conditions, **status}
    return Thing("MigrationJob", spec, MigrationJobStatus(**given), uid="job-uid", name="j")


def completed() -> Thing:
    return job(
        phase=Phase.COMPLETED,
        started_at=at(1),
        completed_at=at(9),
        conditions=[
            holds("Planned", 0), holds("Verified", 5), holds("Switched", 7),
            holds("SourceRetired", 20, "SourceRetired"),
        ],
        progress=ProgressStatus(objects_done=3, bytes_done=30),
        verification=VerificationStatus(
            method="checksum", matched=3, mismatched=0, manifest_uri="file:///m", digest="d"
        ),
    )  # fmt: skip


def data_set(**status: Any) -> Thing:
    found = {
        "location": ActiveLocation(uri="s3://archive/d", generation=1, since=at(7)),
        "evaluated_at": at(3),
        "temperature": "Cold",
        "access": AccessStatus(reads7d=1, reads30d=2, observed_days=30, coverage_percent=99),
        "forecast": ForecastStatus(reads7d=1, reads30d=4, low=0, high=3, model="m"),
        "savings_per_month": "2",
        "recommendations": [
            Recommendation(
                id="rec-1", objects=3, bytes=30, source="STANDARD", target="STANDARD_IA",
                tier="Warm", savings_per_month="2", one_off_cost="1", confidence_percent=91,
                reason="idle",
            )
        ],
        **status,
    }  # fmt: skip
    return Thing("DataSet", None, DataSetStatus(**found), uid="ds-uid", name="d")


def policy(**status: Any) -> Thing:
    spec = TieringPolicySpec.model_validate({"tiers": [{"name": "Hot"}], "mode": "Auto"})
    found = {"last_evaluation_time": at(4), "data_sets_matched": 2, **status}
    return Thing("TieringPolicy", spec, TieringPolicyStatus(**found), uid="p-uid", name="p")


def words(seen: Thing) -> list[str]:
    return [found.slot for found in transitions(seen, NOW)]


def test_a_completed_job_tells_its_whole_life_in_order():
    assert words(completed()) == [
        "migration.planned", "migration.started", "cloud.download", "cloud.upload",
        "migration.verified", "migration.switched", "migration.completed", "cloud.delete",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "last"),
    [
        ({"phase": Phase.QUEUED, "queue_position": 2}, "migration.queued"),
        ({"phase": Phase.FAILED, "completed_at": at(9)}, "migration.failed"),
        ({"phase": Phase.CANCELLED, "residue": "none"}, "migration.cancelled"),
        (
            {
                "phase": Phase.COPYING,
                "started_at": at(1),
                "progress": ProgressStatus(percent=10, last_updated_time=at(2)),
            },
            "migration.progress",
        ),
    ],
)
def test_each_phase_tells_its_transition(status, last):
    assert words(job(**status))[-1] == last


def test_a_restore_is_told_once_for_each_time_that_objects_are_asked_for():
    plan = PlanStatus(
        hash="h" * 32, objects=9, bytes=90, one_off_cost="1", savings_per_month="2",
        duration_seconds=5, list_uri="file:///l",
        restore=RestorePlan(objects=4, bytes=40, tier="Bulk", hours=12, days=2, cost="0.31"),
    )  # fmt: skip

    def asked(seconds: int, state: str = "Running", **status: Any) -> Thing:
        step = StepStatus(name="Restore", state=state, started_at=at(seconds))
        return job(plan=plan, steps=[step], **status)

    (planned, restoring) = transitions(asked(3, phase=Phase.RESTORING), NOW)
    assert (planned.slot, restoring.slot) == ("migration.planned", "migration.restoring")
    data = json.loads(restoring.data.model_dump_json(by_alias=True))
    assert (data["archivedObjects"], data["archivedBytes"]) == (4, 40)
    assert (data["restoreTier"], data["restoreHours"], data["restoreCost"]) == ("Bulk", 12, "0.31")
    # done before the status was read, and told all the same; expired and asked for again
    (_, done, _) = transitions(asked(3, "Done", phase=Phase.COPYING, started_at=at(5)), NOW)
    assert (done.slot, done.transition) == ("migration.restoring", restoring.transition)
    (_, again, *_) = transitions(asked(60, phase=Phase.RESTORING), NOW)
    assert again.transition != restoring.transition
    assert "migration.restoring" not in words(job(plan=plan))


def test_data_sets_and_policies_tell_what_the_brain_found():
    assert words(data_set()) == [
        "dataset.switched", "access.pattern_detected", "ml.prediction", "cost.savings_found",
    ]  # fmt: skip
    assert words(policy()) == ["policy.evaluated"]
    assert words(policy(last_evaluation_time=None)) == []


def test_a_cost_alert_is_told_once_for_each_time_that_the_limit_is_crossed(tmp_path):
    def crossed(seconds: int, status: ConditionStatus) -> Thing:
        condition = Condition(
            type="CostWithinLimit", status=status, reason="x", last_transition_time=at(seconds)
        )
        return policy(conditions=[condition], monthly_cost="7", last_evaluation_time=None)

    box = Box()
    made = publisher(tmp_path, box)
    for seen in (
        crossed(0, ConditionStatus.FALSE),
        crossed(0, ConditionStatus.FALSE),
        crossed(9, ConditionStatus.TRUE),
        crossed(20, ConditionStatus.FALSE),
    ):
        made.saw(seen)
    assert [e.type for e in box.events] == [EventType.COST_ALERT] * 2
    assert json.loads(box.events[0].data)["monthlyCost"] == "7"


def test_a_breach_of_latency_is_told_once_with_what_was_waited(tmp_path):
    breach = Condition(
        type="FirstByteWithinLimit", status=ConditionStatus.FALSE, reason="FirstByteLatencyBreach",
        message="d waits", last_transition_time=at(0),
    )  # fmt: skip
    box = Box()
    made = publisher(tmp_path, box)
    for waited in (300, 400):
        made.saw(policy(conditions=[breach], first_byte_millis=waited, last_evaluation_time=None))
    [told] = box.events
    assert told.type == EventType.LATENCY_BREACHED
    assert json.loads(told.data)["firstByteMillis"] == 300


def test_ids_and_data_repeat_exactly_and_match_their_models():
    for seen in (completed(), data_set(), policy()):
        first, second = list(transitions(seen, NOW)), list(transitions(seen, at(500)))
        assert first == second
        assert all(isinstance(one.data, EVENTS[one.type].model) for one in first)


def test_the_data_holds_what_a_consumer_needs():
    planned = next(iter(transitions(completed(), NOW, data_set())))
    data = json.loads(planned.data.model_dump_json(by_alias=True, exclude_none=True))
    assert data["dataSetUid"] == "ds-uid"
    assert data["confidencePercent"] == 91
    assert (data["objects"], data["bytes"], data["provider"]) == (3, 30, "s3")
    assert (data["oneOffCost"], data["savingsPerMonth"]) == ("1", "2")


class Box:
    """An outbox that is durable when the test says so."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, event: Event) -> None:
        self.events.append(event)


def publisher(path: Path, box: Box | None = None) -> Publisher:
    path.mkdir(exist_ok=True)
    made = Publisher(path, EventLog(path), cluster="c", clock=lambda: NOW)
    if box is not None:
        made.attach(box)
    return made


def test_what_was_told_is_not_told_again_also_not_after_a_restart(tmp_path):
    made = publisher(tmp_path)
    made.saw(completed())
    made.saw(completed())
    publisher(tmp_path).saw(completed())
    logged = EventLog(tmp_path).read()
    assert len(logged) == 8
    assert logged[0]["id"] == "job-uid:4:migration.planned@abcdef"
    assert logged[0]["source"] == "/clusters/c/namespaces/team-a/migrationjobs/j"
    assert logged[0]["partitionkey"] == "ds-uid"


def test_a_kill_before_the_outbox_was_on_disk_tells_again_with_the_same_ids(tmp_path):
    first, second, third = Box(), Box(), Box()
    killed = publisher(tmp_path, first)
    killed.saw(completed())
    survivor = publisher(tmp_path, second)
    survivor.saw(completed())
    assert [e.id for e in first.events] == [e.id for e in second.events] != []
    survivor.durable(second.events)
    publisher(tmp_path, third).saw(completed())
    assert third.events == []


def test_only_a_change_is_told_and_going_back_is_a_change(tmp_path):
    box = Box()
    made = publisher(tmp_path, box)
    for n, temperature in enumerate(["Cold", "Cold", "Hot", "Cold"]):
        made.saw(data_set(temperature=temperature, evaluated_at=at(n * 60)))
    found = [e for e in box.events if e.type == EventType.PATTERN_DETECTED]
    assert [json.loads(e.data)["temperature"] for e in found] == ["Cold", "Hot", "Cold"]
    assert len({e.id for e in found}) == 3


def test_costs_are_told_when_they_change_and_once_a_day(tmp_path):
    def costs(seconds: int, amount: str) -> Thing:
        usage = TierUsage(
            tier="Cold", storage_class="GLACIER", objects=3, bytes=30, monthly_cost=amount
        )
        return data_set(tiers=[usage], monthly_cost=amount, evaluated_at=at(seconds))

    box = Box()
    made = publisher(tmp_path, box)
    for seen in (
        data_set(),  # not priced: nothing to tell
        costs(60, "1"),
        costs(120, "1"),
        costs(180, "2"),
        costs(86_400, "2"),
    ):
        made.saw(seen)
    found = [json.loads(e.data) for e in box.events if e.type == EventType.COST_MEASURED]
    assert [one["monthlyCost"] for one in found] == ["1", "2", "2"]
    assert found[0]["tiers"][0]["storageClass"] == "GLACIER"


def test_deleted_objects_are_forgotten_and_the_file_stays_small(tmp_path):
    told = Told(tmp_path / "told")
    for n in range(100):
        told.note(f"u{n}", "slot", "m")
        told.write([(f"u{n}", "slot", "m")])
    told.retain({"u7"})
    assert (tmp_path / "told").read_text() == "u7\tslot\tm\n"
    assert Told(tmp_path / "told").holds("u7", "slot", "m")


def test_a_status_that_cannot_be_told_disturbs_nobody(tmp_path):
    box = Box()
    publisher(tmp_path, box).saw(Thing("MigrationJob", None, None))
    assert box.events == []


def test_the_local_log_holds_the_same_events_as_the_outbox(tmp_path):
    box = Box()
    publisher(tmp_path, box).saw(policy())
    assert EventLog(tmp_path).read() == [to_json(e) for e in box.events]


def test_what_is_being_told_is_not_written_down_as_told(tmp_path: Path) -> None:
    """A kill after the list was compacted, and before the event is durable, must not lose it."""
    told = Told(tmp_path / "told")
    told.note("uid", "phase", "Copying")
    told.compact()
    told.close()
    assert not Told(tmp_path / "told").holds("uid", "phase", "Copying")
    again = Told(tmp_path / "told")
    again.note("uid", "phase", "Copying")
    again.write([("uid", "phase", "Copying")])
    again.compact()
    again.close()
    assert Told(tmp_path / "told").holds("uid", "phase", "Copying")
