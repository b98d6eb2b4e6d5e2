"""What is asked of the brain child, and what it answers."""

import datetime as dt

from cloudflux.api.common import Tier
from cloudflux.api.migrationjob import RestoreTier
from cloudflux.api.task import Task
from cloudflux.api.tieringpolicy import Strategy, TieringPolicySpec


class EvaluateRequest(Task):
    """brain.evaluate: decide for one data set from the access store."""

    data_set_uid: str
    uri: str
    endpoint: str | None = None
    region: str | None = None
    fresh: bool
    fresh_message: str = ""
    policy: TieringPolicySpec | None = None
    """None: sound defaults, recommendations only."""
    last_move_at: dt.datetime | None = None
    price_overlay: dict[str, object] | None = None
    now: dt.datetime


class TierCost(Task):
    """Present use and cost of one class."""

    storage_class: str
    tier: Tier | None
    objects: int
    size_bytes: int
    monthly_cost: str


class RecommendationTask(Task):
    """One recommended move; the list of objects is a file."""

    id: str
    objects: int
    size_bytes: int
    source: str
    target: str
    tier: Tier
    savings_per_month: str
    one_off_cost: str
    payback_days: int | None
    confidence_percent: int
    reason: str
    list_path: str


class ModelTask(Task):
    """Whether a model decided, and why or why not."""

    used: bool
    why: str


class TrendTask(Task):
    """Reads and bytes of a whole data set expected in the next `days`."""

    days: int
    reads: int
    reads_low: int
    reads_high: int
    size_bytes: int
    size_bytes_low: int
    size_bytes_high: int


class OutcomeTask(Task):
    """What advice was worth by the reads that really came; amounts are decimal strings."""

    since: dt.date
    until: dt.date
    objects: int
    """Moved as advised."""
    objects_gone: int
    objects_open: int
    promised: str
    realised: str
    fees: str
    promised_per_month: str
    realised_per_month: str
    missed: str


class EvaluateResult(Task):
    """The decision."""

    temperature: str
    confidence_percent: int | None
    tiers: tuple[TierCost, ...]
    monthly_cost: str
    savings_per_month: str
    currency: str
    price_date: str
    forecast_7d: int | None = None
    forecast_30d: int | None = None
    forecast_low: int | None = None
    forecast_high: int | None = None
    forecast_model: str | None = None
    trend: tuple[TrendTask, ...] = ()
    recommendations: tuple[RecommendationTask, ...] = ()
    why_not: str | None = None
    warnings: tuple[str, ...] = ()
    """What to know of the prices: assumed region, changed by an overlay."""
    model: ModelTask | None = None
    """Of the strategy Predictive; None with another one."""
    outcome: OutcomeTask | None = None
    study_due: str | None = None
    """Why brain.study should be asked for now; None: it need not."""


class StudyRequest(Task):
    """brain.study: replay a data set's past, learn from it, choose what decides from now on."""

    data_set_uid: str
    uri: str
    endpoint: str | None = None
    region: str | None = None
    policy: TieringPolicySpec | None = None
    price_overlay: dict[str, object] | None = None
    now: dt.datetime


class ReplayTask(Task):
    """What a window of the past would have cost; amounts are decimal strings."""

    first_day: dt.date
    last_day: dt.date
    objects: int
    of_objects: int
    """In the data set; of a large one a part is replayed."""
    strategy: Strategy
    cost: str
    """Under `strategy`, which decides from now on."""
    always_hot: str
    automatic: str | None
    optimum: str
    currency: str
    made_at: dt.datetime


class StudyResult(Task):
    """What a study found; the model and the rule are kept beside the access store."""

    why: str
    decided_by: Strategy | None = None
    replay: ReplayTask | None = None


class RestoreTerms(Task):
    """What restoring the objects of one class costs and takes; amounts are decimal strings."""

    storage_class: str
    hours: int
    """Until an object can be read, at most."""
    per_object: str
    per_gb: str
    """The request, and the restored copy for its days."""


class RestoreQuote(Task):
    """What a plan says of the objects that must be restored first."""

    objects: int
    size_bytes: int
    tier: RestoreTier
    hours: int
    days: int
    cost: str
    terms: tuple[RestoreTerms, ...]
