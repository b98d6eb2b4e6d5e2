"""A decision in the making: the status so far and the actions so far."""

import datetime as dt
from typing import Any

from cloudflux.api import conditions
from cloudflux.api.common import ConditionStatus
from cloudflux.api.migrationjob import MigrationJobStatus, Phase, StepStatus
from cloudflux.api.vocabulary import REASONS, ConditionType
from cloudflux.migration.facts import (
    OPERATION_OF_STEP,
    Action,
    CancelTask,
    Decision,
    EmitEvent,
    JobFacts,
    Running,
    StartTask,
)

TEXT_LIMIT = 1024


class Draft:
    """Collects one decision. Used by the machine's own modules only."""

    def __init__(self, facts: JobFacts) -> None:
        self.facts = facts
        self.status = facts.job.status or MigrationJobStatus()
        self.before: list[Action] = []
        self.after: list[Action] = []
        self.requeue_seconds: float | None = None

    @property
    def now(self) -> dt.datetime:
        """The time of the decision."""
        return self.facts.now

    def set(self, **fields: Any) -> None:
        """Replace fields of the status."""
        self.status = self.status.model_copy(update=fields)

    def say(self, reason: str, message: str) -> None:
        """Set the reason and the words that the row shows."""
        self.set(reason=reason, message=message[:TEXT_LIMIT])

    def enter(self, phase: Phase, reason: str, message: str) -> None:
        """Go to a phase and say why."""
        self.set(phase=phase)
        self.say(reason, message)

    def condition(
        self, type_: ConditionType, status: ConditionStatus, reason: str, message: str = ""
    ) -> None:
        """Set a condition; without a message it says what its reason means."""
        self.set(
            conditions=conditions.set_condition(
                self.status.conditions,
                type_,
                status,
                reason,
                message or REASONS[reason].meaning,
                generation=self.facts.job.generation,
                now=self.now,
            )
        )

    def event(self, reason: str, message: str) -> None:
        """Emit an event once the status is written."""
        self.after.append(EmitEvent(reason, message))

    def warn_once(self, reason: str, message: str) -> None:
        """Emit an event when the job's reason was another one before."""
        old = self.facts.job.status
        if old is None or old.reason != reason:
            self.event(reason, message)

    def begin_step(self, name: str) -> None:
        """Record that a step runs, with fresh attempts, and start its task after the write."""
        self.set(attempts=0, next_attempt_time=None)
        self._put_step(StepStatus(name=name, state="Running", started_at=self.now))
        self.start(name)

    def start(self, name: str) -> None:
        """Start the step's task; one that still runs for another step is stopped first."""
        if isinstance(self.facts.outcome, Running):
            self.stop_task()
            return
        self.after.append(StartTask(OPERATION_OF_STEP[name], name))

    def stop_task(self) -> None:
        """Ask a running task to stop and look again soon."""
        if isinstance(self.facts.outcome, Running):
            self.before.append(CancelTask())
            self.look_again(1)

    def end_step(self, name: str, state: str, message: str) -> None:
        """Record the end of a step."""
        old = self.step(name)
        started = old.started_at if old else self.now
        self._put_step(
            StepStatus(
                name=name,
                state=state,
                started_at=started,
                finished_at=self.now,
                message=message[:TEXT_LIMIT],
            )
        )

    def step(self, name: str) -> StepStatus | None:
        """Return the recorded step, or None."""
        return next((one for one in self.status.steps if one.name == name), None)

    def look_again(self, seconds: float) -> None:
        """Decide again after so long at the latest."""
        seconds = max(seconds, 0.1)
        if self.requeue_seconds is None or seconds < self.requeue_seconds:
            self.requeue_seconds = seconds

    def decision(self) -> Decision:
        """Close the draft; an unchanged status is not written."""
        generation = self.facts.job.generation
        self.set(
            observed_generation=generation,
            conditions=conditions.observed(self.status.conditions, generation),
        )
        changed = self.facts.job.status is None or self.status != self.facts.job.status
        return Decision(
            status=self.status if changed else None,
            before=tuple(self.before),
            after=tuple(self.after),
            requeue_after_seconds=self.requeue_seconds,
        )

    def _put_step(self, step: StepStatus) -> None:
        steps = [one for one in self.status.steps if one.name != step.name]
        self.set(steps=[*steps, step])
