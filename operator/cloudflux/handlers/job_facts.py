"""Read the world around a MigrationJob into the facts that the state machine decides on."""

import datetime as dt
from collections.abc import Iterator

from cloudflux.api.common import ConditionStatus
from cloudflux.api.conditions import find
from cloudflux.api.migrationjob import JobPin, Phase
from cloudflux.api.move_tasks import JobTask
from cloudflux.api.vocabulary import ConditionType
from cloudflux.errors import CloudFluxError, ConfigurationError, EndpointRefused
from cloudflux.handlers import locationmap
from cloudflux.handlers.admission import (
    BEFORE_MOVING,
    HOLDING,
    MOVING,
    awaits_retirement,
    sweeping,
)
from cloudflux.handlers.claims import claim_is_gone, data_set_of
from cloudflux.handlers.dataset_requests import active_location, assignment
from cloudflux.handlers.locations import check_file, file_roots
from cloudflux.handlers.overlap import Place, touches
from cloudflux.handlers.requests import RESULTS
from cloudflux.handlers.resolve import in_place, resolve
from cloudflux.handlers.resources import DATA_SET, POLICY, DataSet, Job, Policy
from cloudflux.handlers.retirement import pin_places, source_in_use
from cloudflux.handlers.runtime import Runtime
from cloudflux.migration import facts as machine

PREPARING = (*BEFORE_MOVING, Phase.SUSPENDED)


async def gather(runtime: Runtime, job: Job, now: dt.datetime) -> machine.JobFacts:
    """Everything a decision stands on. What is raced for is read last, without waiting."""
    data_set: DataSet | None = runtime.find((DATA_SET, job.namespace, job.spec.data_set_ref.name))
    stale = await _claim_is_stale(runtime, job, data_set)
    resolved: JobPin | None = None
    problem: machine.Problem | None = None
    taken: str | None = None
    if data_set is not None and job.status.phase in PREPARING:
        resolved, problem = await _resolve(runtime, job, data_set)
        if resolved is not None and not in_place(resolved):
            taken = await locationmap.conflict(runtime, job.namespace, data_set.name)
            problem = problem or _target_problem(runtime, resolved, job.namespace)
    # nothing waits from here on: two jobs must not be let in on the same reading
    gates = _gates(runtime, job, resolved, taken)
    return machine.JobFacts(
        job=machine.Job(
            uid=job.uid,
            name=job.name,
            namespace=job.namespace,
            generation=job.generation,
            created_at=job.created,
            spec=job.spec,
            status=job.status if job.visited else None,
        ),
        data_set=machine.DataSetFacts(
            data_set.uid, data_set.name, data_set.spec, data_set.status, stale
        )
        if data_set is not None
        else None,
        resolved=resolved if problem is None else None,
        problem=problem,
        gates=gates,
        outcome=outcome(runtime, job.uid),
        now=now,
        source_in_use=source_in_use(runtime, job),
        target_in_use=target_in_use(runtime, job),
        plan_ttl_seconds=runtime.settings.plan_ttl_seconds,
    )


def outcome(runtime: Runtime, uid: str) -> machine.Outcome:
    """What the job's task does or brought."""
    entry = runtime.tasks.get(uid)
    if entry is None:
        return None
    if not entry.ended:
        told, rate = entry.progress()
        return machine.Running(entry.step, told, rate)
    failure = entry.error()
    if failure is not None:
        return machine.Failed(entry.step, failure)
    return machine.Done(entry.step, entry.result(RESULTS[entry.step]))


async def _claim_is_stale(runtime: Runtime, job: Job, data_set: DataSet | None) -> bool:
    """Whether the data set is claimed by a job that no longer exists."""
    claim = data_set.status.active_migration_ref if data_set else None
    if claim is None or claim.uid == job.uid:
        return False
    return await claim_is_gone(runtime, job.namespace, claim)


async def _resolve(
    runtime: Runtime, job: Job, data_set: DataSet
) -> tuple[JobPin | None, machine.Problem | None]:
    """Source and target now, checked with their credentials; or why not."""
    ready = find(data_set.status.conditions, ConditionType.READY)
    if data_set.status.location is None:
        if ready is not None and ready.status == ConditionStatus.FALSE:
            return None, machine.Problem(ready.reason, f"The data set: {ready.message}")
        return None, None
    try:
        pin = resolve(job, data_set, active_location(data_set), policy_of(runtime, job))
        await runtime.store(pin.source, job.namespace)
        if pin.target != pin.source:
            await runtime.store(pin.target, job.namespace)
        if pin.target_root is not None:
            roots = file_roots(runtime.settings, job.namespace)
            check_file(pin.target_root, roots, job.namespace)
    except (ConfigurationError, EndpointRefused) as error:
        return None, machine.Problem(error.reason, str(error), fatal=True)
    except CloudFluxError as error:
        return None, machine.Problem(error.reason, str(error))
    return pin, None


def policy_of(runtime: Runtime, job: Job) -> Policy | None:
    """The policy that the job names, or that speaks for its data set."""
    if job.spec.policy_ref is not None:
        found: Policy | None = runtime.find((POLICY, job.namespace, job.spec.policy_ref.name))
        return found
    data_set = data_set_of(runtime, job)
    return assignment(runtime, data_set).policy if data_set is not None else None


def _target_problem(runtime: Runtime, pin: JobPin, namespace: str) -> machine.Problem | None:
    """A target that equals, contains or lies inside a data set's location is refused."""
    target = runtime.place(pin.target.uri, pin.target.endpoint)
    there = runtime.standing.data_sets_touching(target, namespace)
    if not there:
        return None
    whose = "the data set's own location" if pin.data_set_uid in there else "a location in use"
    return machine.Problem(
        "LocationOverlap",
        f"The target {pin.target.uri} equals, contains or lies inside {whose}; "
        "choose another target.",
        fatal=True,
    )


def _gates(runtime: Runtime, job: Job, resolved: JobPin | None, taken: str | None) -> machine.Gates:
    moves = runtime.settings.moves
    if job.status.phase not in BEFORE_MOVING or resolved is None:
        return machine.Gates(moves=moves, config_map_conflict=taken)
    limit = runtime.settings.max_running_jobs
    now = runtime.standing.turn(job, runtime.admitted, limit)
    return machine.Gates(
        moves=moves,
        slot_available=now.slot_available,
        queue_position=now.queue_position,
        overlap=_overlap(runtime, job, resolved),
        config_map_conflict=taken,
    )


def _overlap(runtime: Runtime, job: Job, pin: JobPin) -> str | None:
    """Whether another job, of any namespace, works on or keeps a place of ours."""
    mine = list(pin_places(runtime, pin))
    for swept in runtime.sweeps.values():
        if any(touches(one, another) for one in mine for another in pin_places(runtime, swept)):
            return "What a deleted move left at the target is being removed; it waits."
    for other in runtime.standing.jobs_touching(mine, also=runtime.admitted):
        if other.uid == job.uid:
            continue
        held = runtime.admitted.get(other.uid) or _held(other)
        if held is None:
            continue
        # jobs of one data set are kept apart by its claim, but a retirement or a sweep that
        # runs may hold none any more
        if held.data_set_uid == pin.data_set_uid and not _removes(runtime, other):
            continue
        theirs = list(pin_places(runtime, held))
        if any(touches(one, another) for one in mine for another in theirs):
            return "Source or target touches a location that another move works on; it waits."
    for uid, entry in runtime.tasks.items():
        request = entry.handle.request
        if (
            runtime.standing.knows(uid)
            or entry.step == machine.PLAN
            or not isinstance(request, JobTask)
        ):
            continue
        if any(touches(one, another) for one in mine for another in _task_places(runtime, request)):
            return "A deleted move that still works on source or target is being stopped; it waits."
    return None


def _task_places(runtime: Runtime, request: JobTask) -> Iterator[Place]:
    """The places that a task works on; the same for both ends of a change in place."""
    for store in (request.source, request.target):
        yield runtime.place(store.uri, store.endpoint)


def _removes(runtime: Runtime, job: Job) -> bool:
    """Whether a task of the job deletes objects now; it is woken, to see that it should stop."""
    entry = runtime.tasks.get(job.uid)
    if entry is None or entry.ended or entry.step not in (machine.RETIRE, machine.SWEEP):
        return False
    runtime.queue.add(job.key)
    return True


def _held(job: Job) -> JobPin | None:
    """What a job holds: while it may write, and until its source is retired."""
    if job.status.phase in HOLDING or sweeping(job) or awaits_retirement(job):
        return job.status.pin
    return None


def target_in_use(runtime: Runtime, job: Job) -> str | None:
    """Why what an ended job left at its target must stay: it is, or becomes, data."""
    pin = job.status.pin
    ends = job.spec.cancel or job.status.phase is Phase.CANCELLING or sweeping(job)
    if pin is None or in_place(pin) or not ends:
        return None
    return target_used(runtime, pin, job.uid, job.namespace)


def target_used(runtime: Runtime, pin: JobPin, uid: str, namespace: str) -> str | None:
    """Whether a data set, or a move other than `uid` that is let in, uses the pinned target."""
    target = runtime.place(pin.target.uri, pin.target.endpoint)
    if runtime.standing.data_sets_touching(target, namespace):
        return "Copies and markers were kept: a data set's location is, or touches, the target."
    for other in runtime.standing.jobs_touching([target], also=runtime.admitted):
        held = runtime.admitted.get(other.uid)
        if held is None and other.status.phase in MOVING:
            held = other.status.pin
        if other.uid == uid or held is None:
            continue
        if any(touches(target, place) for place in pin_places(runtime, held)):
            return "Copies and markers were kept: another move uses the target now."
    return None
