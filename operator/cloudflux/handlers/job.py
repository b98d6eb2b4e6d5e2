"""MigrationJob: gather facts, have the state machine decide, carry the decision out."""

import asyncio
from dataclasses import replace
from typing import Any

from cloudflux.api.dataset import Writers
from cloudflux.api.migrationjob import JobPin, Phase
from cloudflux.api.move_tasks import CopyRequest
from cloudflux.api.task import TaskError
from cloudflux.children.supervisor import TaskHandle
from cloudflux.errors import CloudFluxError, ConfigurationError
from cloudflux.handlers import pins, requests, worker_pods, worker_shape
from cloudflux.handlers.admission import (
    FINISHED,
    HOLDING,
    MOVING,
    awaits_retirement,
    in_line,
    sweeping,
)
from cloudflux.handlers.bandwidth import tell_bandwidth, write_bandwidth
from cloudflux.handlers.claims import claim, data_set_of, release_claim, switch, write_map
from cloudflux.handlers.hearing import refresh, wake_line
from cloudflux.handlers.job_facts import gather, policy_of, target_in_use
from cloudflux.handlers.kube import MIGRATION_JOBS, Conflict
from cloudflux.handlers.locations import file_roots
from cloudflux.handlers.resolve import in_place
from cloudflux.handlers.resources import DATA_SET, POLICY, Job
from cloudflux.handlers.retirement import source_in_use
from cloudflux.handlers.runtime import Held, Runtime
from cloudflux.handlers.shared_writes import may_wait_seconds
from cloudflux.handlers.tasks import Key
from cloudflux.handlers.worker_jobs import copy_by_workers
from cloudflux.migration import facts as machine
from cloudflux.migration.machine import decide

CONFLICT_SECONDS = 0.2
"""After a compare-and-swap that lost: the watch brings the newer version in about so long."""


async def reconcile(runtime: Runtime, key: Key) -> float | None:
    """Bring one MigrationJob a step on; returns seconds until it wants to be seen again."""
    job: Job | None = runtime.find(key)
    if job is None or job.deleting:
        return None
    held = runtime.held.get(job.uid)
    if held is not None:
        job = replace(job, status=held.status, visited=True)
    await tell_bandwidth(runtime, job)
    facts = await gather(runtime, job, runtime.clock())
    decision = decide(facts)
    if held is None and (seconds := may_wait_seconds(decision)) and decision.status is not None:
        held = runtime.held[job.uid] = Held(decision.status, seconds)
        return await _hold(runtime, job, facts, decision, held)
    if held is not None and held.left_seconds > 0:
        if decision.status is None and not decision.actions:
            return held.left_seconds
        if may_wait_seconds(decision):
            return await _hold(runtime, job, facts, decision, held)
    if held is not None and decision.status is None:
        decision = replace(decision, status=held.status)
    # let in before anything is awaited: the next job that is looked at must see it
    pin = (decision.status or job.status).pin
    if pin is not None and (decision.status or job.status).phase in MOVING:
        runtime.admitted[job.uid] = pin
    try:
        return await _carry_out(runtime, job, facts, decision)
    except Conflict:
        runtime.held.pop(job.uid, None)
        for changed in (key, (DATA_SET, job.namespace, job.spec.data_set_ref.name)):
            await refresh(runtime, changed)  # the next decision stands on what is
        return CONFLICT_SECONDS
    finally:
        runtime.admitted.pop(job.uid, None)


async def _hold(
    runtime: Runtime,
    job: Job,
    facts: machine.JobFacts,
    decision: machine.Decision,
    held: Held,
) -> float:
    """Go on without writing the status; returns seconds until it must be written."""
    held.status = decision.status or held.status
    if isinstance(facts.outcome, machine.Done | machine.Failed):
        runtime.tasks.forget(job.uid)
    for action in decision.after:
        await _act(runtime, replace(job, status=held.status), action, facts)
    return max(0.0, held.left_seconds)


async def _carry_out(
    runtime: Runtime, job: Job, facts: machine.JobFacts, decision: machine.Decision
) -> float | None:
    for action in decision.before:
        await _act(runtime, job, action, facts)
    written = job
    if decision.status is not None:
        written = await runtime.write_status(job, decision.status)
        runtime.held.pop(job.uid, None)
    if isinstance(facts.outcome, machine.Done | machine.Failed):
        runtime.tasks.forget(job.uid)
    for action in decision.after:
        await _act(runtime, written, action, facts)
    _wake(runtime, job, written)
    await _tidy(runtime, written)
    if decision.status is not None and not any(
        isinstance(action, machine.StartTask) for action in decision.after
    ):
        return 0.0  # what was written may lead on; a task that was started tells of its end
    return decision.requeue_after_seconds


async def _act(runtime: Runtime, job: Job, action: machine.Action, facts: machine.JobFacts) -> None:
    match action:
        case machine.StartTask(_, step):
            await _start(runtime, job, action.operation, step)
        case machine.CancelTask():
            runtime.tasks.cancel(job.uid)
        case machine.ClaimDataSet():
            seen = facts.data_set.status.active_migration_ref if facts.data_set else None
            await claim(runtime, job, seen)
        case machine.ReleaseClaim():
            await release_claim(runtime, job.namespace, job.spec.data_set_ref.name, job.uid)
        case machine.SwitchDataSet():
            await switch(runtime, job, action)
        case machine.WriteConfigMap():
            await write_map(runtime, job)
        case machine.EmitEvent(reason, message):
            runtime.event(job, reason, message)
        case machine.DeleteJob():
            await runtime.kube.delete(MIGRATION_JOBS, job.namespace, job.name, uid=job.uid)


async def _start(runtime: Runtime, job: Job, operation: str, step: str) -> None:
    """Start a task; what keeps it from starting is told to the machine as its failure."""
    pin = job.status.pin
    if pin is None:
        return
    try:
        source = await runtime.store(pin.source, job.namespace)
        target = source
        if pin.target != pin.source:
            target = await runtime.store(pin.target, job.namespace)
    except CloudFluxError as error:
        failure = TaskError(
            kind=type(error).__name__, message=str(error), retryable=True, reason=error.reason
        )
        runtime.tasks.fail(job.uid, step, failure, job.key)
        return
    data_set = data_set_of(runtime, job)
    writers = data_set.spec.writers if data_set else Writers.ACTIVE
    if step in (machine.COPY, machine.SWITCH):
        await asyncio.to_thread(_pin, runtime, job, pin, writers, step)
    if (runtime.settings.state_dir / "jobs" / job.uid / "limits.json").exists():
        await asyncio.to_thread(write_bandwidth, runtime, job)  # it may be older than the spec
    base = requests.job_task(runtime, job, pin, source, target, writers)
    request = requests.request_of(step, base, job.spec, job.status, runtime, runtime.clock())
    # nothing waits from here on: a retirement and a move to its source exclude each other
    if step == machine.RETIRE and source_in_use(runtime, job):
        runtime.queue.add(job.key)
        return
    if step == machine.SWEEP and target_in_use(runtime, job):
        runtime.queue.add(job.key)
        return
    if isinstance(request, CopyRequest) and worker_pods.wanted(
        job.spec, job.status, pin, runtime.settings.workers
    ):
        _start_workers(runtime, job, pin, request)
        return
    runtime.tasks.start(job.uid, step, operation, request, job.key)


def _start_workers(runtime: Runtime, job: Job, pin: JobPin, request: CopyRequest) -> None:
    """Have worker pods do the copying, or say why they can't."""
    workers = runtime.settings.workers
    policy = policy_of(runtime, job)
    asked = [policy.spec.migration.pods if policy else None, job.spec.execution.pods]
    form, why = None, None
    try:
        form = worker_shape.shape([one for one in asked if one is not None], workers)
        why = worker_pods.refusal(pin, workers, file_roots(runtime.settings, job.namespace))
    except ConfigurationError as error:
        why = str(error)
    if why is not None:
        refused = TaskError(kind="ConfigurationError", message=why, reason="InvalidSpec")
        runtime.tasks.fail(job.uid, machine.COPY, refused, job.key)
        return

    async def work(handle: TaskHandle) -> dict[str, Any]:
        return await copy_by_workers(runtime, job, pin, request, handle, form)

    runtime.tasks.run(job.uid, machine.COPY, request, job.key, work)


def _pin(runtime: Runtime, job: Job, pin: JobPin, writers: Writers, step: str) -> None:
    # markers stand since the first Switch, also when a delta brought the job back to Copying
    marked = any(one.name == machine.SWITCH for one in job.status.steps)
    running = step == machine.COPY and not marked
    stage = pins.Stage.RUNNING if running else pins.Stage.SWITCHING
    pins.write_pin(
        runtime.settings.state_dir,
        pins.Pin(
            uid=job.uid,
            name=job.name,
            namespace=job.namespace,
            data_set=job.spec.data_set_ref.name,
            stage=stage,
            pin=pin,
            writers=writers,
            verify=job.spec.verify,
            parallelism=job.spec.execution.parallelism,
            written_at=runtime.clock(),
        ),
    )


def _wake(runtime: Runtime, before: Job, after: Job) -> None:
    """Wake those who waited for what this job has let go."""
    old, new = before.status.phase, after.status.phase
    if in_line(before.status) and not in_line(after.status) and new not in MOVING:
        wake_line(runtime)  # its turn came, but something else holds it
    if old == new and before.visited:
        return
    if old in HOLDING and new not in HOLDING:
        wake_waiting(runtime, after)
    if new in FINISHED and after.spec.policy_ref is not None:
        # it sums what was saved, and may try again what failed
        runtime.queue.add((POLICY, after.namespace, after.spec.policy_ref.name))


def wake_waiting(runtime: Runtime, ended: Job) -> None:
    """Wake the first of the queue, and whoever waited for this data set or place."""
    runtime.queue.add((DATA_SET, ended.namespace, ended.spec.data_set_ref.name))
    wake_line(runtime)
    for key in runtime.standing.waiting:
        runtime.queue.add(key)
    for key in runtime.standing.jobs_of(ended.namespace, ended.spec.data_set_ref.name):
        earlier: Job | None = runtime.find(key)
        # a switch may supersede the retirement of an earlier move of the same data
        if earlier is not None and earlier.uid != ended.uid and awaits_retirement(earlier):
            runtime.queue.add(key)


async def _tidy(runtime: Runtime, job: Job) -> None:
    """Forget the pin of a job that left nothing to sweep."""
    ended = job.status.phase in FINISHED and not sweeping(job)
    if ended and runtime.tasks.get(job.uid) is None and job.status.pin is not None:
        swept = job.status.phase == Phase.COMPLETED or in_place(job.status.pin)
        if swept or job.status.residue is not None:
            await asyncio.to_thread(pins.remove_pin, runtime.settings.state_dir, job.uid)
