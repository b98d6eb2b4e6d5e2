"""What the state machine is told, and what it answers: values only, no I/O.

The shell reads the world into `JobFacts`, calls `machine.decide`, and carries the
`Decision` out: first `before`, then the status, then `after`. All actions may be repeated.
"""

import datetime as dt
from dataclasses import dataclass

from cloudflux.api.dataset import ActiveLocation, DataSetSpec, DataSetStatus, HistoryEntry
from cloudflux.api.migrationjob import JobPin, MigrationJobSpec, MigrationJobStatus
from cloudflux.api.move_tasks import CopyProgress
from cloudflux.api.task import Task, TaskError
from cloudflux.settings import Moves

PLAN, RESTORE, COPY, VERIFY = "Plan", "Restore", "Copy", "Verify"
SWITCH, RETIRE, SWEEP = "Switch", "Retire", "Sweep"
"""Names of the steps, as status.steps and outcomes carry them."""

OPERATION_OF_STEP = {
    PLAN: "mover.plan",
    RESTORE: "mover.restore",
    COPY: "mover.copy",
    VERIFY: "mover.verify",
    SWITCH: "mover.prepare_switch",
    RETIRE: "mover.retire",
    SWEEP: "mover.sweep",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps the job from starting; `fatal` when only a new job can mend it."""

    reason: str
    message: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """The job as the API server has it."""

    uid: str
    name: str
    namespace: str
    generation: int
    created_at: dt.datetime
    spec: MigrationJobSpec
    status: MigrationJobStatus | None
    """None when the status was never written."""


@dataclass(frozen=True, slots=True)
class DataSetFacts:
    """The data set that spec.dataSetRef names, as the API server has it."""

    uid: str
    name: str
    spec: DataSetSpec
    status: DataSetStatus
    claim_stale: bool = False
    """The claim's job no longer exists (by UID): it may be taken over."""


@dataclass(frozen=True, slots=True)
class Gates:
    """What outside the job decides whether it may go on."""

    moves: Moves = Moves.RUN
    slot_available: bool = True
    """A slot is free for this job, or it already holds one (Copying, Verifying, Switching)."""
    queue_position: int | None = None
    overlap: str | None = None
    """Another job's source or target overlaps ours: wait; the message names no other tenant."""
    config_map_conflict: str | None = None
    """The location ConfigMap's name is taken by someone else."""


@dataclass(frozen=True, slots=True)
class Running:
    """The job's task runs in the mover."""

    step: str
    progress: CopyProgress | None = None
    bytes_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The job's task ended; the shell forgets it once the decision's status is written."""

    step: str
    result: Task


@dataclass(frozen=True, slots=True)
class Failed:
    """The job's task failed; the shell forgets it once the decision's status is written."""

    step: str
    error: TaskError


Outcome = Running | Done | Failed | None
"""State of the job's one task; None when this process has none (also after a restart)."""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """Everything that a decision stands on."""

    job: Job
    data_set: DataSetFacts | None
    resolved: JobPin | None
    """Source and target as spec and data set give them now; None when they can't be resolved."""
    problem: Problem | None
    """Why they can't, or why they are refused (Secret, roots, policy, overlap with a data set)."""
    gates: Gates
    outcome: Outcome
    now: dt.datetime
    source_in_use: str | None = None
    """Why the source must not be deleted: an active or pending location overlaps it."""
    target_in_use: str | None = None
    """Why copies at the target must not be swept: a data set or another move uses them."""
    plan_ttl_seconds: int = 86_400


@dataclass(frozen=True, slots=True)
class StartTask:
    """Start `operation` for `step` with a request built from the status just written."""

    operation: str
    step: str


@dataclass(frozen=True, slots=True)
class CancelTask:
    """Ask the job's running task to stop, whatever its step; its outcome comes later."""


@dataclass(frozen=True, slots=True)
class ClaimDataSet:
    """Set DataSet.status.activeMigrationRef by resourceVersion; a conflict means: decide again."""


@dataclass(frozen=True, slots=True)
class ReleaseClaim:
    """Clear DataSet.status.activeMigrationRef if it is ours."""


@dataclass(frozen=True, slots=True)
class SwitchDataSet:
    """Write location, history and the freed claim in one DataSet status, by resourceVersion.

    `location` is None for in-place changes. An entry of history with the same manifestUri is
    replaced, never doubled; the list keeps its last 10. The present location.generation must
    be `from_generation`; else decide again.
    """

    location: ActiveLocation | None
    history: HistoryEntry
    from_generation: int


@dataclass(frozen=True, slots=True)
class WriteConfigMap:
    """Make `<data set>-location` say what DataSet.status.location says."""


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """A Kubernetes event of this job; the vocabulary says whether it is a warning."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete the finished job: its ttlSecondsAfterFinished is over."""


Action = (
    StartTask
    | CancelTask
    | ClaimDataSet
    | ReleaseClaim
    | SwitchDataSet
    | WriteConfigMap
    | EmitEvent
    | DeleteJob
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do: `before`, then write `status` unless None (unchanged), then `after`."""

    status: MigrationJobStatus | None
    before: tuple[Action, ...] = ()
    after: tuple[Action, ...] = ()
    requeue_after_seconds: float | None = None

    @property
    def actions(self) -> tuple[Action, ...]:
        """All actions in order, those before and those after the status write."""
        return self.before + self.after
