"""TieringPolicy: what should be done with which data."""

import datetime as dt
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from cloudflux.api.common import Condition, Model, Money, StatusModel, Tier, Uri
from cloudflux.api.migrationjob import SourceRetention, VerifyMethod

Label = Annotated[str, StringConstraints(max_length=63)]


class PolicyMode(StrEnum):
    """How far the policy may go."""

    OBSERVE = "Observe"
    RECOMMEND = "Recommend"
    APPROVE = "Approve"
    AUTO = "Auto"


class Strategy(StrEnum):
    """How a tier is chosen."""

    RULES = "Rules"
    COST_OPTIMAL = "CostOptimal"


class Selector(Model):
    """Which data sets, by label; empty selects all of the namespace."""

    match_labels: dict[str, Label] = Field(default_factory=dict, max_length=16, description="Labels.")


class TierTarget(Model):
    """What a tier means for each provider."""

    name: Tier = Field(description="Hot, Warm or Cold.")
    s3_storage_class: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="S3 storage class, for example GLACIER_IR."
    )
    file_root: Uri | None = Field(default=None, description="file:// directory that holds this tier.")
    max_first_byte_millis: int | None = Field(
        default=None, ge=0, le=172_800_000, description="Slowest first byte allowed, milliseconds."
    )


class Rules(Model):
    """Thresholds of the rules strategy."""

    hot_min_reads_per_week: int = Field(default=7, ge=1, le=1_000_000, description="Hot from here.")
    warm_min_reads_per_month: int = Field(default=1, ge=1, le=1_000_000, description="Warm from here.")
    cold_min_idle_days: int = Field(default=60, ge=1, le=3650, description="Cold after so many days.")


class Guardrails(Model):
    """Bounds that no decision crosses."""

    min_observed_days: int = Field(default=30, ge=1, le=3650, description="History needed.")
    min_savings_percent: int = Field(default=10, ge=0, le=100, description="Least saving.")
    min_confidence_percent: int = Field(default=70, ge=0, le=100, description="Least confidence.")
    min_residence_days: int = Field(default=30, ge=0, le=3650, description="Rest after a move.")
    max_bytes_per_day: int | None = Field(default=None, ge=1, description="Bytes moved a day at most.")
    max_one_off_cost: Money | None = Field(default=None, description="Fees of one move at most.")


class Schedule(Model):
    """When the policy evaluates; absent: after each observation."""

    cron: Annotated[str, StringConstraints(min_length=9, max_length=128)] = Field(description="Cron.")
    time_zone: Annotated[str, StringConstraints(max_length=64)] = Field(default="UTC", description="Zone.")


class PolicyMigration(Model):
    """Settings of the jobs that the policy makes."""

    parallelism: int = Field(default=4, ge=1, le=256, description="Objects at a time.")
    bandwidth_bytes_per_second: int | None = Field(default=None, ge=1, description="Limit.")
    verify: VerifyMethod = Field(default=VerifyMethod.CHECKSUM, description="What counts as proof.")
    source_retention: SourceRetention = Field(default_factory=SourceRetention, description="Source.")


class TieringPolicySpec(Model):
    """What the user wants."""

    selector: Selector = Field(default_factory=Selector, description="Which data sets.")
    mode: PolicyMode = Field(default=PolicyMode.RECOMMEND, description="How far it may go.")
    tiers: list[TierTarget] = Field(min_length=1, max_length=3, description="Meaning of the tiers.")
    strategy: Strategy = Field(default=Strategy.COST_OPTIMAL, description="How a tier is chosen.")
    rules: Rules = Field(default_factory=Rules, description="Thresholds of Rules.")
    guardrails: Guardrails = Field(default_factory=Guardrails, description="Bounds.")
    schedule: Schedule | None = Field(default=None, description="When it evaluates.")
    run_now: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="Any new value evaluates at once."
    )
    migration: PolicyMigration = Field(default_factory=PolicyMigration, description="Its jobs.")
    suspend: bool = Field(default=False, description="True stops evaluation.")


class TieringPolicyStatus(StatusModel):
    """What the policy did."""

    observed_generation: int = Field(default=0, ge=0, description="Generation seen.")
    conditions: list[Condition] = Field(default_factory=list, max_length=16, description="Conditions.")
    data_sets_matched: int = Field(default=0, ge=0, description="Data sets selected.")
    last_evaluation_time: dt.datetime | None = Field(default=None, description="Last evaluation.")
    next_evaluation_time: dt.datetime | None = Field(default=None, description="Next evaluation.")
    last_run_token: str | None = Field(default=None, max_length=64, description="runNow served last.")
    projected_savings_per_month: Money | None = Field(default=None, description="If all were done.")
    realised_savings_per_month: Money | None = Field(default=None, description="Of completed jobs.")
    currency: str | None = Field(default=None, max_length=3, description="Currency.")
