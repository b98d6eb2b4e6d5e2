"""What a TieringPolicy should do now: when it is due, which jobs it makes. Pure."""

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from cloudflux.api.dataset import Recommendation
from cloudflux.api.migrationjob import Phase
from cloudflux.api.tieringpolicy import PolicyMode, Schedule
from cloudflux.errors import ConfigurationError
from cloudflux.handlers.admission import FINISHED
from cloudflux.handlers.resources import DataSet, Job, Policy, Raw

POLICY_LABEL = "cloudflux.io/policy"
ACTING = (PolicyMode.APPROVE, PolicyMode.AUTO)
MAX_NAME = 253


def next_run(schedule: Schedule, after: dt.datetime) -> dt.datetime:
    """Return the first time after `after` that the schedule names. Raises ConfigurationError."""
    try:
        zone = ZoneInfo(schedule.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigurationError(
            f"spec.schedule.timeZone {schedule.time_zone} is unknown; use a name like Europe/Paris"
        ) from error
    try:
        found: dt.datetime = next(CronSim(schedule.cron, after.astimezone(zone)))
    except (CronSimError, StopIteration) as error:
        raise ConfigurationError(
            f"spec.schedule.cron {schedule.cron!r} is no cron expression of five fields"
        ) from error
    return found.astimezone(dt.UTC)


def check_tiers(policy: Policy) -> None:
    """Raise ConfigurationError when the tiers contradict each other."""
    names = [tier.name for tier in policy.spec.tiers]
    if len(set(names)) != len(names):
        raise ConfigurationError("spec.tiers names a tier twice; keep one of each name")


def job_name(data_set: str, recommendation: str) -> str:
    """Return the deterministic name of the job that carries a recommendation out."""
    tail = f"-{recommendation[:8].lower()}"
    return data_set[: MAX_NAME - len(tail)] + tail


def jobs_to_make(
    policy: Policy, data_set: DataSet, jobs: Iterable[Job], now: dt.datetime
) -> list[Raw]:
    """Return the jobs that the policy should create for one data set now.

    None while a job for anything but the present recommendations is unfinished; no more bytes
    a day than the guardrail allows.
    """
    wanted = {job_name(data_set.name, item.id): item for item in data_set.status.recommendations}
    mine = [job for job in jobs if job.spec.data_set_ref.name == data_set.name]
    if any(job.status.phase not in FINISHED and job.name not in wanted for job in mine):
        return []
    present = {job.name for job in mine}
    allowed = _bytes_left_today(policy, jobs, now)
    made = []
    for name, item in wanted.items():
        if name in present:
            continue
        if allowed is not None:
            if item.bytes > allowed:
                continue
            allowed -= item.bytes
        made.append(build_job(policy, data_set, name, item))
    return made


def _bytes_left_today(policy: Policy, jobs: Iterable[Job], now: dt.datetime) -> int | None:
    limit = policy.spec.guardrails.max_bytes_per_day
    if limit is None:
        return None
    day = dt.timedelta(days=1)
    used = sum(
        job.status.plan.bytes
        for job in jobs
        if job.labels.get(POLICY_LABEL) == policy.name[:63]
        and job.status.plan is not None
        and now - job.created < day
    )
    return max(0, limit - used)


def build_job(policy: Policy, data_set: DataSet, name: str, item: Recommendation) -> Raw:
    """Return the MigrationJob of one recommendation; it outlives the policy, so nothing owns it."""
    settings = policy.spec.migration
    file_tier = data_set.spec.location.uri.startswith("file://")
    execution: Raw = {"parallelism": settings.parallelism}
    if settings.bandwidth_bytes_per_second is not None:
        execution["bandwidthBytesPerSecond"] = settings.bandwidth_bytes_per_second
    return {
        "metadata": {
            "namespace": data_set.namespace,
            "name": name,
            "labels": {POLICY_LABEL: policy.name[:63]},
        },
        "spec": {
            "dataSetRef": {"name": data_set.name},
            "policyRef": {"name": policy.name},
            "target": {"tier": item.tier.value} if file_tier else {"storageClass": item.target},
            "selection": {"recommendation": item.id},
            "execution": execution,
            "verify": settings.verify.value,
            "sourceRetention": settings.source_retention.model_dump(mode="json", by_alias=True),
            "requireApproval": policy.spec.mode is PolicyMode.APPROVE,
        },
    }


def monthly_cost(data_sets: Sequence[DataSet]) -> str:
    """Sum what all data sets cost a month."""
    return _money(Decimal(one.status.monthly_cost or "0") for one in data_sets)


def projected_savings(data_sets: Sequence[DataSet]) -> str:
    """Sum what the recommendations of all data sets would save a month."""
    return _money(Decimal(one.status.savings_per_month or "0") for one in data_sets)


def realised_savings(policy: Policy, jobs: Iterable[Job]) -> str:
    """Sum what the completed jobs of the policy save a month, by their plans."""
    return _money(
        Decimal(job.status.plan.savings_per_month)
        for job in jobs
        if job.status.phase == Phase.COMPLETED
        and job.status.plan is not None
        and job.spec.policy_ref is not None
        and job.spec.policy_ref.name == policy.name
    )


def amount_text(amounts: Iterable[str]) -> str:
    """Add up amounts of the status."""
    return _money(Decimal(one) for one in amounts)


def _money(amounts: Iterable[Decimal]) -> str:
    return f"{sum(amounts, Decimal(0)):.9f}".rstrip("0").rstrip(".") or "0"
