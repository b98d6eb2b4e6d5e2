"""TieringPolicy: what should be done with which data."""

import datetime as dt
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, computed_field

from cloudflux.api.common import (
    CONDITIONS_BY_TYPE,
    Condition,
    Model,
    Money,
    PricedStatus,
    StatusPart,
    Tier,
    Uri,
)
from cloudflux.api.display import display_amount
from cloudflux.api.migrationjob import SourceRetention, VerifyMethod
from cloudflux.api.results import BilledStatus, OutcomeStatus, ReplayStatus, SavingsMethod
from cloudflux.api.strategy import Strategy
from cloudflux.api.worker_pods import WorkerPods

__all__ = ["Strategy"]

Label = Annotated[str, StringConstraints(max_length=63)]


class PolicyMode(StrEnum):
    """How far the policy may go."""

    OBSERVE = "Observe"
    RECOMMEND = "Recommend"
    APPROVE = "Approve"
    AUTO = "Auto"


class Selector(Model):
    """Which data sets, by label; empty selects all of the namespace."""

    match_labels: dict[str, Label] = Field(
        default_factory=dict,
        max_length=16,
        description=(
            "Labels that a data set must carry, all of them. Empty selects every data set "
            "of the namespace."
        ),
    )


class TierTarget(Model):
    """What a tier means for each provider."""

    name: Tier = Field(description="Hot, Warm or Cold.")
    s3_storage_class: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description="Storage class of this tier on S3, such as STANDARD_IA or GLACIER_IR.",
    )
    azure_tier: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description="Access tier of this tier on Azure: Hot, Cool, Cold or Archive.",
    )
    gcs_storage_class: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description="Storage class of this tier on Google Cloud, such as NEARLINE or COLDLINE.",
    )
    file_root: Uri | None = Field(
        default=None,
        description="Directory that holds this tier for file:// data, as in file:///mnt/cold.",
    )
    max_first_byte_millis: int | None = Field(
        default=None,
        ge=0,
        le=172_800_000,
        description=(
            "How long the first byte may take at most, in milliseconds. Slower classes are "
            "not considered."
        ),
    )

    def named_for(self, provider: str) -> str | None:
        """The class, access tier or directory that this tier means at a provider."""
        others = {
            "azure": self.azure_tier,
            "gcs": self.gcs_storage_class,
            "file": self.file_root,
        }
        return others.get(provider, self.s3_storage_class)


class Rules(Model):
    """Thresholds of the rules strategy."""

    hot_min_reads_per_week: int = Field(
        default=7, ge=1, le=1_000_000, description="An object with so many reads in 7 days is hot."
    )
    warm_min_reads_per_month: int = Field(
        default=1,
        ge=1,
        le=1_000_000,
        description="An object with so many reads in 30 days is at least warm.",
    )
    cold_min_idle_days: int = Field(
        default=60,
        ge=1,
        le=3650,
        description="An object that was not read for so many days is cold.",
    )


class Guardrails(Model):
    """Bounds that no decision crosses."""

    min_observed_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Nothing moves colder before so many days of reads were observed.",
    )
    min_savings_percent: int = Field(
        default=10,
        ge=0,
        le=100,
        description="What a move must save at least, in percent of the cost of what it moves.",
    )
    min_confidence_percent: int = Field(
        default=70, ge=0, le=100, description="A move needs at least this confidence, in percent."
    )
    min_residence_days: int = Field(
        default=30, ge=0, le=3650, description="An object that was moved rests for so many days."
    )
    max_bytes_per_day: int | None = Field(
        default=None,
        ge=1,
        description="So many bytes are moved in a day at most. Absent: no limit.",
    )
    max_drift_percent: int = Field(
        default=50,
        ge=1,
        le=1000,
        description=(
            "The policy stops itself when what its moves saved falls behind what they promised "
            "by more than so many percent; above 100, when they cost that much more than was "
            "promised to be saved. It looks once 14 days have passed since the first move."
        ),
    )
    max_one_off_cost: Money | None = Field(
        default=None,
        description=(
            "What one move may cost at most, in the currency of the prices. Absent: no limit."
        ),
    )


class Alerts(Model):
    """When to raise an alarm; a condition, an event and, with Kafka, a CloudEvent."""

    monthly_cost_above: Money | None = Field(
        default=None,
        description=(
            "CostWithinLimit is False while the policy's data sets together cost more a month, "
            "in the currency of the prices. Absent: no limit."
        ),
    )
    first_byte_millis_above: int | None = Field(
        default=None,
        ge=1,
        description=(
            "FirstByteWithinLimit is False while, of today's and yesterday's reads of a data set, "
            "more than one in twenty waited longer for its first byte. Absent: no limit."
        ),
    )


class Schedule(Model):
    """When the policy evaluates; absent: after each observation."""

    cron: Annotated[str, StringConstraints(min_length=9, max_length=128)] = Field(
        description="When to evaluate, as five fields: minute, hour, day, month, day of the week."
    )
    time_zone: Annotated[str, StringConstraints(max_length=64)] = Field(
        default="UTC", description="Time zone of cron, such as Europe/Berlin."
    )


class PolicyMigration(Model):
    """Settings of the jobs that the policy makes, and of worker pods of its data sets."""

    parallelism: int = Field(
        default=4, ge=1, le=256, description="How many objects a job moves at a time."
    )
    bandwidth_bytes_per_second: int | None = Field(
        default=None,
        ge=1,
        description="How many bytes a second a job moves at most. Absent: no limit.",
    )
    verify: VerifyMethod = Field(
        default=VerifyMethod.CHECKSUM,
        description="What counts as proof of a copy: Checksum, Bytes (read back) or Size.",
    )
    source_retention: SourceRetention = Field(
        default_factory=SourceRetention,
        description="What happens to the source of a move to another location.",
    )
    pods: WorkerPods | None = Field(
        default=None,
        description=(
            "How large worker pods are and where they run, for moves of the data sets that the "
            "policy selects; a job's own execution.pods goes before it."
        ),
    )


class TieringPolicySpec(Model):
    """What the user wants."""

    selector: Selector = Field(
        default_factory=Selector,
        description="Which data sets the policy is for. A data set's policyRef goes before it.",
    )
    mode: PolicyMode = Field(
        default=PolicyMode.RECOMMEND,
        description=(
            "How far the policy may go. Observe: say what the data costs. Recommend: say "
            "what would save money. Approve: make jobs that wait for spec.approval. Auto: "
            "make jobs that run."
        ),
    )
    tiers: list[TierTarget] = Field(
        min_length=1,
        max_length=3,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        description="What hot, warm and cold mean on each kind of storage.",
    )
    strategy: Strategy = Field(
        default=Strategy.COST_OPTIMAL,
        description=(
            "How a tier is chosen. Rules: by the thresholds in rules. CostOptimal: the "
            "cheapest tier for the reads that an object's own past lets expect, all fees "
            "included. Predictive: by a model that is learnt from all objects of a data set, "
            "where replaying the data set's past shows that it costs no more than CostOptimal, "
            "which decides until then."
        ),
    )
    rules: Rules = Field(
        default_factory=Rules,
        description=(
            "Thresholds of the strategy Rules; they also say what is called hot, warm and cold."
        ),
    )
    guardrails: Guardrails = Field(
        default_factory=Guardrails, description="Bounds that no decision crosses."
    )
    schedule: Schedule | None = Field(
        default=None, description="When the policy evaluates. Absent: after each observation."
    )
    run_now: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description="Any new value makes the policy evaluate at once, such as a time or a counter.",
    )
    alerts: Alerts = Field(default_factory=Alerts, description="When to raise an alarm.")
    migration: PolicyMigration = Field(
        default_factory=PolicyMigration, description="Settings of the jobs that the policy makes."
    )
    suspend: bool = Field(
        default=False, description="True stops evaluating; jobs that it made go on."
    )
    resume: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description=(
            "Any new value lets a policy that stopped itself go on, such as a time; what was "
            "saved and missed until then is not held against it again."
        ),
    )


class Settled(StatusPart):
    """Amounts up to a time, which a person has seen and goes on in spite of."""

    at: dt.datetime = Field(description="When spec.resume was set.")
    promised: Money = Field(description="Promised until then.")
    realised: Money = Field(description="Realised until then.")


class TieringPolicyStatus(PricedStatus):
    """What the policy did."""

    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        json_schema_extra=CONDITIONS_BY_TYPE,
        description=(
            "Conditions: Ready; EventsDelivered where Kafka is configured; CostWithinLimit and "
            "FirstByteWithinLimit where spec.alerts names a limit; SavingsAsPromised once moves "
            "are 14 days old."
        ),
    )
    data_sets_matched: int = Field(
        default=0, ge=0, description="Number of data sets that the policy is for."
    )
    last_evaluation_time: dt.datetime | None = Field(
        default=None, description="When it evaluated last."
    )
    next_evaluation_time: dt.datetime | None = Field(
        default=None, description="When it will evaluate next."
    )
    last_run_token: str | None = Field(
        default=None, max_length=64, description="The value of spec.runNow that was served last."
    )
    monthly_cost: Money | None = Field(
        default=None, description="What the policy's data sets together cost a month."
    )
    projected_savings_per_month: Money | None = Field(
        default=None,
        description="What would be saved a month if every recommendation were carried out.",
    )
    realised_savings_per_month: Money | None = Field(
        default=None, description="What moves that were made save a month; see savingsMethod."
    )
    savings_method: SavingsMethod | None = Field(
        default=None,
        description=(
            "Where realisedSavingsPerMonth is from. Planned: from the plans of completed jobs, "
            "while no whole day has passed since. Modelled: by replaying the reads that really "
            "came, with the moves and without them. Billed: from an imported bill."
        ),
    )
    missed_savings: Money | None = Field(
        default=None,
        description="What open advice would have saved by now, had it been followed at once.",
    )
    outcome: OutcomeStatus | None = Field(
        default=None, description="What the policy's moves were worth, over all its data sets."
    )
    billed: BilledStatus | None = Field(
        default=None,
        description=(
            "What the provider's bill says was saved, as `cloudflux bill --policy` recorded it."
        ),
    )
    replay: ReplayStatus | None = Field(
        default=None,
        description="What the recent past would have cost, over all its data sets.",
    )
    settled: Settled | None = Field(
        default=None, description="What spec.resume has drawn a line under."
    )
    last_resume_token: str | None = Field(
        default=None, max_length=64, description="The value of spec.resume that was served last."
    )
    first_byte_millis: int | None = Field(
        default=None,
        ge=0,
        description="Of the policy's data sets, the slowest one's status.access.firstByteMillis.",
    )

    @computed_field(description="Projected savings a month, for `kubectl get`.")  # type: ignore[prop-decorator]
    @property
    def savings_display(self) -> Annotated[str, Field(max_length=64)] | None:
        """Projected savings with their currency; None while they are not known."""
        return display_amount(self.projected_savings_per_month, self.currency)

    @computed_field(description="Realised savings a month, for `kubectl get`.")  # type: ignore[prop-decorator]
    @property
    def realised_display(self) -> Annotated[str, Field(max_length=64)] | None:
        """Realised savings with their currency; None while they are not known."""
        return display_amount(self.realised_savings_per_month, self.currency)
