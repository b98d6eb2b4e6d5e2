"""What the HTTP API answers with, beside the views of the three kinds."""

import datetime as dt

from pydantic import Field

from cloudflux.api.common import Money, Name, Tier
from cloudflux.api.dataset import DataSetSpec, DataSetStatus, Temperature
from cloudflux.api.dataset_status import (
    AccessStatus,
    ForecastStatus,
    HistoryEntry,
    Recommendation,
    TierUsage,
)
from cloudflux.api.migrationjob import MigrationJobSpec, MigrationJobStatus
from cloudflux.api.tieringpolicy import TieringPolicySpec, TieringPolicyStatus
from cloudflux.console.views import Alert, Bare, DataSetView, MigrationView, PolicyView


class DataSetDetail(Bare):
    """A data set, whole."""

    summary: DataSetView = Field(description="As in the list.")
    spec: DataSetSpec = Field(description="What the user says.")
    status: DataSetStatus = Field(description="What the operator knows.")


class PolicyDetail(Bare):
    """A policy, whole."""

    summary: PolicyView = Field(description="As in the list.")
    spec: TieringPolicySpec = Field(description="What the user says.")
    status: TieringPolicyStatus = Field(description="What the operator knows.")


class MigrationDetail(Bare):
    """A job, whole."""

    summary: MigrationView = Field(description="As in the list.")
    spec: MigrationJobSpec = Field(description="What the user says.")
    status: MigrationJobStatus = Field(description="What the operator knows.")


class ObjectView(Bare):
    """One object of a data set."""

    key: str = Field(description="Key relative to the data set.")
    bytes: int = Field(description="Size.")
    storage_class: str = Field(description="Storage class or tier root.")
    tier: Tier | None = Field(default=None, description="Tier of the class, by the policy.")
    temperature: Temperature = Field(description="By the default thresholds of the rules.")
    reads7d: int = Field(description="Reads in the last 7 days.")
    reads30d: int = Field(description="Reads in the last 30 days.")
    last_modified: dt.datetime | None = Field(default=None, description="Last write.")


class Tiers(Bare):
    """How a data set is spread."""

    currency: str | None = Field(default=None, description="Currency of the amounts.")
    monthly_cost: Money | None = Field(default=None, description="Cost a month.")
    tiers: list[TierUsage] = Field(description="By storage class.")


class Recommended(Bare):
    """What should be done with a data set."""

    currency: str | None = Field(default=None, description="Currency of the amounts.")
    savings_per_month: Money | None = Field(default=None, description="By all of them.")
    recommendations: list[Recommendation] = Field(description="The best first.")
    why_not: str | None = Field(default=None, description="Why nothing is recommended.")
    evaluated_at: dt.datetime | None = Field(default=None, description="When it was decided.")


class Forecasted(Bare):
    """Reads of a data set, seen and expected."""

    namespace: Name = Field(description="Namespace.")
    data_set: Name = Field(description="Name.")
    access: AccessStatus | None = Field(default=None, description="Seen.")
    forecast: ForecastStatus = Field(description="Expected.")


class Alternative(Bare):
    """A whole data set in one class."""

    storage_class: str = Field(description="Storage class.")
    tier: Tier | None = Field(default=None, description="Tier that the class counts as.")
    archived: bool = Field(description="Whether reading waits for a restore.")
    used: bool = Field(description="Whether some of it is there now.")
    storage_per_month: Money = Field(description="Rent a month.")
    reads_per_month: Money = Field(description="Reading as in the last 30 days, a month.")
    total_per_month: Money = Field(description="Both.")
    one_off_cost: Money = Field(description="Getting there, after minimum durations.")


class Alternatives(Bare):
    """A whole data set in each class, by its averages; a decision prices each object."""

    currency: str = Field(description="Currency of the amounts.")
    price_date: str = Field(description="Date of the prices.")
    region: str = Field(description="Region of the prices.")
    now: Money = Field(description="As it is, a month, by the same reckoning.")
    items: list[Alternative] = Field(description="The cheapest first.")


class Moves(Bare):
    """Moves of a data set."""

    items: list[HistoryEntry] = Field(description="The last ten, the newest last.")


class DataSetRecommendation(Bare):
    """A recommendation and whose it is."""

    namespace: Name = Field(description="Namespace.")
    data_set: Name = Field(description="Data set.")
    currency: str | None = Field(default=None, description="Currency of the amounts.")
    recommendation: Recommendation = Field(description="What would pay.")


class Models(Bare):
    """Which models make the forecasts."""

    items: list["ModelUse"] = Field(description="By model, the most used first.")


class ModelUse(Bare):
    """One model."""

    model: str = Field(description="Its name, or the fall-back that stands in.")
    data_sets: int = Field(description="Data sets that it forecasts.")


class Amount(Bare):
    """An amount in a currency."""

    currency: str = Field(description="Currency; empty where it is not known.")
    amount: Money = Field(description="Amount a month.")


class OverviewAnswer(Bare):
    """Everything in short."""

    data_sets: int = Field(description="Data sets that may be seen.")
    policies: int = Field(description="Policies.")
    migrations: int = Field(description="Jobs.")
    migrations_running: int = Field(description="Jobs that have not ended.")
    migrations_failed: int = Field(description="Jobs that failed.")
    objects: int = Field(description="Objects.")
    bytes: int = Field(description="Bytes.")
    monthly_cost: list[Amount] = Field(description="Cost now.")
    savings_possible: list[Amount] = Field(description="Savings possible.")
    savings_realised: list[Amount] = Field(description="Savings realised.")
    alerts: list[Alert] = Field(description="What somebody should look at, at most 50.")


class CostShare(Bare):
    """What a part of the data costs."""

    namespace: Name = Field(description="Namespace.")
    provider: str = Field(description="s3, az, gs or file.")
    storage_class: str = Field(description="Storage class or tier root.")
    tier: Tier | None = Field(default=None, description="Tier of it.")
    objects: int = Field(description="Objects.")
    bytes: int = Field(description="Bytes.")
    currency: str = Field(description="Currency.")
    monthly_cost: Money = Field(description="Cost a month.")


class Costs(Bare):
    """What the data costs, in parts."""

    items: list[CostShare] = Field(description="By namespace, provider and class.")


class Performance(Bare):
    """How moves go."""

    running: int = Field(description="Jobs that move now.")
    bytes_per_second: int = Field(description="Speed of all that move now.")
    completed: int = Field(description="Jobs completed, of those that are still there.")
    failed: int = Field(description="Jobs failed.")
    cancelled: int = Field(description="Jobs cancelled.")
    bytes_moved: int = Field(description="Bytes moved by completed jobs.")
    objects_moved: int = Field(description="Objects moved by completed jobs.")
    median_seconds: float | None = Field(default=None, description="Median time of completed jobs.")


class TrendPoint(Bare):
    """Amounts at one time."""

    at: dt.datetime = Field(description="When.")
    monthly_cost: float = Field(description="Cost a month.")
    savings_possible: float = Field(description="Savings possible a month.")
    savings_realised: float = Field(description="Savings realised a month.")
    bytes_by_tier: dict[str, int] | None = Field(
        default=None, description="Bytes by tier; absent without a collector's history."
    )


class Trends(Bare):
    """Amounts over time: by days where a collector keeps them, else since this console runs."""

    currency: str = Field(description="Currency of the amounts.")
    items: list[TrendPoint] = Field(description="One a day, or one a minute; the oldest first.")


class DataSetSavings(Bare):
    """What could be saved on one data set."""

    namespace: Name = Field(description="Namespace.")
    data_set: Name = Field(description="Name.")
    currency: str | None = Field(default=None, description="Currency.")
    savings_per_month: Money = Field(description="Possible.")


class PolicySavings(Bare):
    """What one policy saved."""

    namespace: Name = Field(description="Namespace.")
    policy: Name = Field(description="Name.")
    currency: str | None = Field(default=None, description="Currency.")
    realised_savings_per_month: Money = Field(description="Realised.")


class Savings(Bare):
    """Savings, possible and realised."""

    possible: list[DataSetSavings] = Field(description="By data set, the largest first.")
    realised: list[PolicySavings] = Field(description="By policy, the largest first.")


class Check(Bare):
    """How one part is."""

    name: str = Field(description="operator, collector, events, accessStore or kubernetes.")
    state: str = Field(description="ok, failed or unknown.")
    message: str = Field(description="Why, and what to do.")


class Health(Bare):
    """How everything is."""

    ok: bool = Field(description="No part has failed.")
    checks: list[Check] = Field(description="Part by part.")


class EventAnswer(Bare):
    """An event and its place."""

    id: str = Field(description="Place in the stream: give it as `after` to go on from here.")
    event: dict[str, object] = Field(description="The CloudEvent.")


class PastEventAnswer(Bare):
    """An event that a collector kept."""

    id: str = Field(description="CloudEvent id.")
    time: dt.datetime = Field(description="When it happened.")
    type: str = Field(description="Type, without what all share: migration.completed.")
    severity: str = Field(description="info, warning or error.")
    namespace: str = Field(description="Namespace.")
    data_set: str | None = Field(default=None, description="Data set.")
    policy: str | None = Field(default=None, description="Policy.")
    job: str | None = Field(default=None, description="Job.")
    reason: str | None = Field(default=None, description="Why, in a word.")
    data: dict[str, object] = Field(description="What the event says.")


class EstimateAsked(Bare):
    """What a move would be."""

    namespace: Name = Field(description="Namespace of the data set.")
    data_set: Name = Field(description="Data set.")
    target: Name = Field(description="Tier (Hot, Warm, Cold), or storage class or tier root.")


class Estimate(Bare):
    """What a move would cost and save."""

    recommendations: list[Recommendation] = Field(description="The moves that lead there.")
    objects: int = Field(description="Objects of all of them.")
    bytes: int = Field(description="Bytes of all of them.")
    one_off_cost: Money = Field(description="What they cost once.")
    savings_per_month: Money = Field(description="What they save a month.")
    currency: str | None = Field(default=None, description="Currency of the amounts.")


class Approval(Bare):
    """What is approved."""

    plan: Name = Field(description="Hash of the plan: planHash of the migration.")


class NewMigration(Bare):
    """A job to be made."""

    namespace: Name = Field(description="Namespace.")
    name: Name | None = Field(default=None, description="Name; absent: one is made.")
    spec: MigrationJobSpec = Field(description="What to move.")


class Done(Bare):
    """What was written."""

    kind: str = Field(description="Kind.")
    namespace: Name = Field(description="Namespace.")
    name: Name = Field(description="Name.")
    message: str = Field(description="What was done.")
