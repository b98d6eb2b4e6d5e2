"""Facts for the state machine's tests, and a shell that carries its decisions out in memory."""

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any

from cloudflux.api.common import Condition, Location
from cloudflux.api.dataset import ActiveMigrationRef, DataSetSpec, DataSetStatus
from cloudflux.api.migrationjob import JobPin, MigrationJobSpec, MigrationJobStatus, Phase
from cloudflux.api.move_tasks import (
    CopyResult,
    PlanResult,
    PrepareSwitchResult,
    RetireResult,
    SweepResult,
    VerifyResult,
)
from cloudflux.api.task import Task, TaskError
from cloudflux.migration import facts as f
from cloudflux.migration.machine import decide

START = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
OLD, NEW = Location(uri="file:///old"), Location(uri="file:///new")
PIN = JobPin(source=OLD, target=NEW, source_generation=0, data_set_uid="ds")
IN_PLACE = PIN.model_copy(update={"target": OLD, "target_class": "GLACIER_IR"})

RESULTS: dict[str, Task] = {
    f.PLAN: PlanResult(
        hash="abc",
        objects=2,
        size_bytes=2048,
        one_off_cost="0.01",
        savings_per_month="1.5",
        currency="USD",
        price_date="2026-11-01",
        duration_seconds=3,
        payback_days=1,
        list_path="/plan",
    ),
    f.COPY: CopyResult(
        objects_total=2,
        objects_done=2,
        objects_failed=0,
        objects_skipped=0,
        bytes_total=2048,
        bytes_done=2048,
    ),
    f.VERIFY: VerifyResult(
        method="sha256", matched=2, mismatched=0, manifest_uri="file:///m", digest="d"
    ),
    f.SWITCH: PrepareSwitchResult(delta_objects=0),
    f.RETIRE: RetireResult(deleted=2, remaining=0),
    f.SWEEP: SweepResult(removed_objects=2, aborted_uploads=0, residue="2 copies removed."),
}


def error(reason: str = "EndpointUnreachable", *, retryable: bool = True) -> TaskError:
    return TaskError(kind="Unavailable", message="no answer", retryable=retryable, reason=reason)


@dataclass
class World:
    """One job and its data set; `step` decides once and carries the decision out."""

    spec: dict[str, Any] = field(default_factory=dict)
    pin: JobPin = PIN
    now: dt.datetime = START
    gates: f.Gates = field(default_factory=f.Gates)
    problem: f.Problem | None = None
    status: MigrationJobStatus | None = None
    outcome: f.Outcome = None
    data_set: f.DataSetFacts | None = field(
        default_factory=lambda: f.DataSetFacts(
            "ds", "data", DataSetSpec(location=OLD), DataSetStatus()
        )
    )
    source_in_use: str | None = None
    generation: int = 1
    writes: int = 0
    actions: list[f.Action] = field(default_factory=list)
    started: str | None = None
    deleted: bool = False

    def facts(self) -> f.JobFacts:
        target = {"location": {"uri": "file:///new"}}
        if self.pin.target_class:
            target = {"storageClass": self.pin.target_class}
        spec = MigrationJobSpec.model_validate(
            {"dataSetRef": {"name": "data"}, "target": target, **self.spec}
        )
        job = f.Job("job", "move", "default", self.generation, START, spec, self.status)
        return f.JobFacts(
            job=job,
            data_set=self.data_set,
            resolved=self.pin,
            problem=self.problem,
            gates=self.gates,
            outcome=self.outcome,
            now=self.now,
            source_in_use=self.source_in_use,
        )

    def step(self) -> f.Decision:
        decision = decide(self.facts())
        for action in decision.before:
            self.do(action)
        if decision.status is not None:
            self.writes += 1
            self.status = decision.status
        if not isinstance(self.outcome, f.Running):
            self.outcome = None
        for action in decision.after:
            self.do(action)
        return decision

    def do(self, action: f.Action) -> None:
        self.actions.append(action)
        match action:
            case f.StartTask(step=step):
                if self.outcome is None:
                    self.started, self.outcome = step, f.Running(step)
            case f.CancelTask() if isinstance(self.outcome, f.Running):
                self.outcome = f.Failed(
                    self.outcome.step,
                    TaskError(kind="Cancelled", message="", reason="Cancelled"),
                )
            case f.ClaimDataSet():
                self.patch(active_migration_ref=ActiveMigrationRef(name="move", uid="job"))
            case f.ReleaseClaim():
                self.patch(active_migration_ref=None)
            case f.SwitchDataSet(location=location, history=history):
                assert self.data_set is not None
                self.patch(active_migration_ref=None, history=[history])
                if location is not None:
                    self.patch(location=location)
            case f.DeleteJob():
                self.deleted = True

    def patch(self, **fields: Any) -> None:
        if self.data_set is not None:
            status = self.data_set.status.model_copy(update=fields)
            self.data_set = replace(self.data_set, status=status)

    def finish(self, result: Task | TaskError | None = None) -> f.Decision:
        """End the running task, as planned or as given, and decide."""
        assert isinstance(self.outcome, f.Running), self.outcome
        step = self.outcome.step
        if isinstance(result, TaskError):
            self.outcome = f.Failed(step, result)
        else:
            self.outcome = f.Done(step, result or RESULTS[step])
        return self.step()

    def until(self, phase: Phase) -> "World":
        """Go on with good results until the phase is reached."""
        for _ in range(20):
            if self.phase is phase:
                return self
            if isinstance(self.outcome, f.Running):
                self.finish()
            else:
                self.step()
        raise AssertionError(f"never {phase}, but {self.phase}: {self.reason}")

    def wait(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)

    @property
    def phase(self) -> Phase | None:
        return self.status.phase if self.status else None

    @property
    def reason(self) -> str | None:
        return self.status.reason if self.status else None

    def condition(self, type_: str) -> Condition:
        assert self.status is not None
        return next(one for one in self.status.conditions if one.type == type_)

    def events(self) -> list[str]:
        return [one.reason for one in self.actions if isinstance(one, f.EmitEvent)]

    def did(self, kind: type) -> bool:
        return any(isinstance(one, kind) for one in self.actions)
