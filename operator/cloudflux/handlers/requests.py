"""The mover's requests, from a job's pinned source and target."""

import datetime as dt
from decimal import Decimal

from cloudflux.api.dataset import Writers
from cloudflux.api.migrationjob import (
    JobPin,
    MigrationJobSpec,
    MigrationJobStatus,
    RetentionPolicy,
)
from cloudflux.api.move_tasks import (
    CopyRequest,
    CopyResult,
    JobTask,
    PlanRequest,
    PlanResult,
    PrepareSwitchRequest,
    PrepareSwitchResult,
    RestoreRequest,
    RestoreResult,
    RetireRequest,
    RetireResult,
    SweepRequest,
    SweepResult,
    VerifyRequest,
    VerifyResult,
)
from cloudflux.api.task import StoreRef, Task
from cloudflux.handlers.locations import file_roots, usable_root
from cloudflux.handlers.resources import POLICY, Job
from cloudflux.handlers.runtime import Runtime
from cloudflux.migration.facts import COPY, PLAN, RESTORE, RETIRE, SWEEP, SWITCH, VERIFY

RESULTS: dict[str, type[Task]] = {
    PLAN: PlanResult,
    RESTORE: RestoreResult,
    COPY: CopyResult,
    VERIFY: VerifyResult,
    SWITCH: PrepareSwitchResult,
    RETIRE: RetireResult,
    SWEEP: SweepResult,
}


def tier_roots(
    runtime: Runtime, namespace: str, uri: str, wanted: str | None = None
) -> tuple[str, ...]:
    """The roots of file tiers that the namespace's policies name; none for a bucket.

    With them a store can change tiers; it knows its own links into a tier without them. A root
    that can't be used is left out, but for the `wanted` one, to which a job moves: else a
    policy with a mistake would stop everybody's scans and moves.
    """
    if not uri.startswith("file://"):
        return ()
    allowed = file_roots(runtime.settings, namespace)
    roots = {
        tier.file_root
        for policy in runtime.all(POLICY, namespace)
        for tier in policy.spec.tiers
        if tier.file_root
    }
    usable = {root for root in roots if usable_root(root, allowed, namespace)}
    return tuple(sorted(usable | ({wanted} if wanted else set())))


def job_task(
    runtime: Runtime, job: Job, pin: JobPin, source: StoreRef, target: StoreRef, writers: Writers
) -> JobTask:
    """What every request of a job holds."""
    spec = job.spec
    return JobTask(
        job_uid=job.uid,
        job_name=job.name,
        namespace=job.namespace,
        data_set_uid=pin.data_set_uid,
        data_set_name=spec.data_set_ref.name,
        source_generation=pin.source_generation,
        source=source,
        target=target,
        target_class=pin.target_class,
        target_root=pin.target_root,
        tier_roots=tier_roots(runtime, job.namespace, pin.source.uri, pin.target_root),
        writers=writers,
        verify=spec.verify,
        parallelism=spec.execution.parallelism,
        bandwidth_bytes_per_second=spec.execution.bandwidth_bytes_per_second,
        total_bytes_per_second=runtime.settings.bandwidth_bytes_per_second,
        requests_per_second=runtime.settings.requests_per_second,
        restore_tier=spec.restore.tier,
        restore_days=spec.restore.days,
    )


def request_of(
    step: str,
    base: JobTask,
    spec: MigrationJobSpec,
    status: MigrationJobStatus,
    runtime: Runtime,
    now: dt.datetime,
) -> JobTask:
    """The request of one step."""
    common = {name: getattr(base, name) for name in JobTask.model_fields}
    digest = status.verification.digest if status.verification else ""
    match step:
        case "Plan":
            return PlanRequest(
                **common,
                price_overlay=runtime.price_overlay,
                now=now,
                deletes_source=spec.source_retention.policy is RetentionPolicy.DELETE,
                **_selection(spec),
            )
        case "Restore":
            return RestoreRequest(
                **common,
                now=now,
                budget_left=_budget_left(spec, status),
                max_rounds=spec.retry.max_attempts,
            )
        case "Copy":
            return CopyRequest(
                **common,
                quiet_seconds=runtime.settings.quiet_seconds,
                tolerance_percent=runtime.settings.plan_tolerance_percent,
            )
        case "Verify":
            return VerifyRequest(**common)
        case "Switch":
            secret = status.pin.target.credentials_secret_ref if status.pin else None
            return PrepareSwitchRequest(
                **common,
                generation=base.source_generation + 1,
                manifest_digest=digest,
                target_secret_name=secret.name if secret else "",
            )
        case "Retire":
            return RetireRequest(**common, manifest_digest=digest)
        case "Sweep":
            return SweepRequest(**common)
    raise ValueError(f"no request for step {step}")


def _budget_left(spec: MigrationJobSpec, status: MigrationJobStatus) -> str | None:
    """What the plan leaves of the budget, for asking again for what expires."""
    if spec.budget is None or spec.budget.max_cost is None or status.plan is None:
        return None
    left = Decimal(spec.budget.max_cost) - Decimal(status.plan.one_off_cost)
    return f"{max(left, Decimal(0)):f}"


def _selection(spec: MigrationJobSpec) -> dict[str, object]:
    chosen = spec.selection
    if chosen is None:
        return {}
    return {
        "recommendation": chosen.recommendation,
        "prefix": chosen.prefix,
        "min_size_bytes": chosen.min_size_bytes,
        "idle_days": chosen.idle_days,
    }
