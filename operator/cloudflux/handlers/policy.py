"""TieringPolicy: which data sets, when to decide, and the jobs that follow."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from cloudflux.api.common import ConditionStatus
from cloudflux.api.conditions import find, set_condition
from cloudflux.api.display import counted
from cloudflux.api.tieringpolicy import TieringPolicyStatus
from cloudflux.api.vocabulary import ConditionType
from cloudflux.errors import ConfigurationError
from cloudflux.handlers import policy_plan as compute
from cloudflux.handlers import policy_results, policy_say
from cloudflux.handlers.dataset_requests import fingerprint
from cloudflux.handlers.kube import MIGRATION_JOBS, Conflict
from cloudflux.handlers.locations import check_file, file_roots
from cloudflux.handlers.resources import DATA_SET, JOB, POLICY, DataSet, Policy
from cloudflux.handlers.runtime import Round, Runtime
from cloudflux.handlers.selection import Assignment, assign, conflict_message
from cloudflux.handlers.tasks import Key


async def reconcile(runtime: Runtime, key: Key) -> float | None:
    """Bring one TieringPolicy a step on; returns seconds until its next evaluation."""
    policy: Policy | None = runtime.find(key)
    if policy is None or policy.deleting:
        return None
    now = runtime.clock()
    matched, conflicts = select(runtime, policy)
    problem = _problem(runtime, policy, conflicts)
    status = policy_results.with_results(policy, matched, runtime.all(JOB, policy.namespace))
    before, policy = (
        policy,
        replace(policy, status=policy_results.with_promise(policy, status, now)),
    )
    stopped = policy_results.stopped_because(policy.status)
    if stopped is None and policy_results.stopped_because(before.status) is not None:
        runtime.event(policy, "PolicyResumed", "spec.resume is new: jobs are made again")
    status = _condition(runtime, policy, problem or stopped, len(matched), now)
    if problem is None and not policy.spec.suspend:
        status = _schedule(runtime, policy, status, matched, now)
    status = _summary(status, matched)
    status = policy_say.delivery(runtime, policy, status, now)
    status = policy_say.cost(runtime, policy, status, now)
    status = policy_say.latency(runtime, policy, status, matched, now)
    if status != before.status or not policy.visited:
        await runtime.write_status(before, status)
    if problem is None and stopped is None and not policy.spec.suspend:
        await _act(runtime, policy, matched, now)
    if status.next_evaluation_time is None:
        return None
    return max(0.1, (status.next_evaluation_time - now).total_seconds())


def select(runtime: Runtime, policy: Policy) -> tuple[list[DataSet], list[tuple[str, Assignment]]]:
    """Return the policy's data sets, and those that it disputes with others."""
    matched, conflicts = [], []
    policies = list(runtime.all(POLICY, policy.namespace))
    for data_set in runtime.all(DATA_SET, policy.namespace):
        found = assign(policies, data_set)
        if found.policy is not None and found.policy.uid == policy.uid:
            matched.append(data_set)
        elif policy.name in found.conflict:
            conflicts.append((data_set.name, found))
    return matched, conflicts


def _problem(
    runtime: Runtime, policy: Policy, conflicts: Sequence[tuple[str, Assignment]]
) -> tuple[str, str] | None:
    """What keeps the policy from acting: reason and message."""
    if conflicts:
        name, found = conflicts[0]
        return "PolicyConflict", conflict_message(name, found.conflict)
    try:
        compute.check_tiers(policy)
        if policy.spec.schedule is not None:
            compute.next_run(policy.spec.schedule, runtime.clock())
        roots = file_roots(runtime.settings, policy.namespace)
        for tier in policy.spec.tiers:
            if tier.file_root is not None:
                check_file(tier.file_root, roots, policy.namespace)
    except ConfigurationError as error:
        return error.reason, str(error)
    return None


def _condition(
    runtime: Runtime,
    policy: Policy,
    problem: tuple[str, str] | None,
    matched: int,
    now: dt.datetime,
) -> TieringPolicyStatus:
    value = ConditionStatus.TRUE
    if problem is not None:
        value, (reason, message) = ConditionStatus.FALSE, problem
    elif policy.spec.suspend:
        value, reason, message = ConditionStatus.FALSE, "Suspended", "spec.suspend is true"
    elif matched == 0:
        reason, message = "NoDataSets", "the selector matches no data set of this namespace"
    else:
        reason, message = "PolicyMatched", f"selects {counted(matched, 'data set')}"
    before = find(policy.status.conditions, ConditionType.READY)
    if problem is not None and (before is None or before.message != message):
        runtime.event(policy, reason, message)
    conditions = set_condition(
        policy.status.conditions, ConditionType.READY, value, reason, message,
        generation=policy.generation, now=now,
    )  # fmt: skip
    return policy.status.model_copy(
        update={
            "conditions": conditions,
            "observed_generation": policy.generation,
            "data_sets_matched": matched,
        }
    )


def _schedule(
    runtime: Runtime,
    policy: Policy,
    status: TieringPolicyStatus,
    matched: Sequence[DataSet],
    now: dt.datetime,
) -> TieringPolicyStatus:
    """Begin an evaluation when one is due: at creation, by cron, or by a new runNow token."""
    schedule, token = policy.spec.schedule, policy.spec.run_now
    asked = token is not None and token != status.last_run_token
    due = schedule is not None and (
        status.next_evaluation_time is None or now >= status.next_evaluation_time
    )
    if asked or due:
        reached = {data_set.uid for data_set in matched}
        runtime.due_rounds[policy.uid] = Round(reached, policy.spec.mode in compute.ACTING)
        for data_set in matched:
            runtime.memory(data_set.uid).evaluation_wanted = True
            runtime.queue.add(data_set.key)
        status = status.model_copy(
            update={"last_evaluation_time": now, "last_run_token": token or status.last_run_token}
        )
    if schedule is None:
        latest = [one.status.evaluated_at for one in matched if one.status.evaluated_at]
        last = max(latest, default=status.last_evaluation_time)
        return status.model_copy(
            update={"next_evaluation_time": None, "last_evaluation_time": last}
        )
    if due or asked or policy.status.observed_generation != policy.generation:
        following = compute.next_run(schedule, now)
        status = status.model_copy(update={"next_evaluation_time": following})
    return status


def _summary(status: TieringPolicyStatus, matched: Sequence[DataSet]) -> TieringPolicyStatus:
    currencies = [one.status.currency for one in matched if one.status.currency]
    return status.model_copy(
        update={
            "monthly_cost": compute.monthly_cost(matched),
            "projected_savings_per_month": compute.projected_savings(matched),
            "currency": currencies[0] if currencies else status.currency,
        }
    )


async def _act(
    runtime: Runtime, policy: Policy, matched: Sequence[DataSet], now: dt.datetime
) -> None:
    """Create the jobs of what was decided by the policy as it is now.

    What was only shown counts as done: a mode that acts, set later, waits for the next time.
    """
    due = _round(runtime, policy, matched)
    acts, waiting = due.acts and policy.spec.mode in compute.ACTING, due.data_sets
    jobs = list(runtime.all(JOB, policy.namespace)) if acts else []
    for data_set in matched:
        memory = runtime.memory(data_set.uid)
        decided = memory.evaluated_for == fingerprint(Assignment(policy))
        under_way = (
            memory.evaluation_wanted
            or memory.unwritten.changes
            or runtime.tasks.get(data_set.uid) is not None
        )
        if data_set.uid not in waiting or not decided or under_way or data_set.spec.suspend:
            continue
        for body in compute.jobs_to_make(policy, data_set, jobs, now) if acts else []:
            try:
                runtime.cache.put(JOB, await runtime.kube.create(MIGRATION_JOBS, body))
            except Conflict:
                continue  # made before, by an earlier visit that was interrupted
            runtime.queue.add((JOB, data_set.namespace, body["metadata"]["name"]))
        waiting.discard(data_set.uid)


def _round(runtime: Runtime, policy: Policy, matched: Sequence[DataSet]) -> Round:
    """Return which data sets may be acted on: all, or those of a scheduled evaluation.

    After a restart the evaluation that was under way is known by what it had not reached.
    """
    if policy.spec.schedule is None:
        return Round({data_set.uid for data_set in matched}, acts=True)
    last = policy.status.last_evaluation_time
    if policy.uid not in runtime.due_rounds:
        left = {
            data_set.uid
            for data_set in matched
            if last is not None
            and (data_set.status.evaluated_at is None or data_set.status.evaluated_at < last)
        }
        runtime.due_rounds[policy.uid] = Round(left, acts=True)
    return runtime.due_rounds[policy.uid]
