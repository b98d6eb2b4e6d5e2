"""What the control process asks of its children, and what they answer.

These values cross a pipe as JSON. The control process never imports the code that
serves them: it holds no storage SDK, no numpy and no Delta Lake.
"""

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from cloudflux.api.common import EncryptionType, Tier
from cloudflux.api.dataset import AccessSourceType, InventorySource, Writers
from cloudflux.api.migrationjob import RestoreTier, VerifyMethod
from cloudflux.api.tieringpolicy import Strategy, TieringPolicySpec


class Task(BaseModel):
    """Base: frozen, unknown fields refused, secrets written out only on the pipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Credentials(Task):
    """Static keys of S3, read from a labelled Secret."""

    access_key_id: str
    secret_access_key: SecretStr
    session_token: SecretStr | None = None


class AzureCredentials(Task):
    """An account of Azure Storage, with its key or a shared access signature."""

    account: str
    account_key: SecretStr | None = None
    sas_token: SecretStr | None = None


class GcsCredentials(Task):
    """A service account's key file; without one, requests are anonymous."""

    service_account: SecretStr | None = None


AnyCredentials = Credentials | AzureCredentials | GcsCredentials


class StoreEncryption(Task):
    """How a location's objects are encrypted, with the key where we hold one."""

    type: EncryptionType
    key: str | None = None
    secret: SecretStr | None = None
    """32 bytes in base64."""


class StoreRef(Task):
    """A location resolved: with credentials and with what the operator allows for it."""

    uri: str
    endpoint: str | None = None
    region: str | None = None
    credentials: AnyCredentials | None = None
    encryption: StoreEncryption | None = None
    ambient: bool = False
    """The operator's own identity may be used (granted by its configuration)."""
    public_only: bool = False
    """Connections to loopback, private and cluster addresses are refused when they are made:
    a name may lead elsewhere than when it was looked at."""
    file_roots: tuple[str, ...] = ()
    """Directories that file:// may touch, resolved; empty means none."""


class AccessSourceRef(Task):
    """One access signal, resolved."""

    type: AccessSourceType
    logs: StoreRef | None = None


class InventoryRef(Task):
    """Where inventory reports are, resolved."""

    source: InventorySource
    reports: StoreRef
    since: dt.datetime | None = None
    """Older reports tell of what was before the last move: then the location is listed."""


OWN_USER_AGENT = "cloudflux/"
"""Part of the User-Agent of our own requests."""


class ScanRequest(Task):
    """ingest.scan: list the data set and read its access signals."""

    data_set_uid: str
    source: StoreRef
    sources: tuple[AccessSourceRef, ...] = ()
    inventory: InventoryRef | None = None
    """Read reports instead of listing."""
    tier_roots: tuple[str, ...] = ()
    """Roots of file tiers (file://…), to follow the links that tiering leaves."""
    retention_days: int = 400
    excluded_user_agents: tuple[str, ...] = (OWN_USER_AGENT,)
    excluded_principals: tuple[str, ...] = ()
    now: dt.datetime


class ClassUsage(Task):
    """Objects and bytes of one storage class (or file tier root)."""

    storage_class: str
    objects: int
    size_bytes: int


class ScanResult(Task):
    """What a scan found."""

    objects: int
    size_bytes: int
    classes: tuple[ClassUsage, ...]
    scanned_at: dt.datetime
    reads_7d: int = 0
    reads_30d: int = 0
    last_read_at: dt.datetime | None = None
    observed_days: int = 0
    """Days whose coverage is complete, up to the retention."""
    coverage_percent: int = 0
    first_byte_millis: int | None = None
    """95th percentile of what reads of today and yesterday waited; None: not known."""
    fresh: bool = False
    fresh_reason: str = ""
    """A Reason value: AccessLogsFresh, AccessLogsMissing, AccessLogsLate, AccessTimesOff …"""
    fresh_message: str = ""
    lines_read: int = 0
    lines_malformed: int = 0


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


class JobTask(Task):
    """Base of the mover's requests: the pinned job. Every operation is safe to repeat."""

    job_uid: str
    job_name: str
    namespace: str
    data_set_uid: str
    data_set_name: str = ""
    """Written into the marker, so that a data set of this name finds its data again."""
    source_generation: int
    source: StoreRef
    target: StoreRef
    """Equals source for an in-place change."""
    target_class: str | None = None
    """In-place storage class change (S3)."""
    target_root: str | None = None
    """In-place file tier change: file:// root that takes the content."""
    writers: Writers = Writers.ACTIVE
    verify: VerifyMethod = VerifyMethod.CHECKSUM
    parallelism: int = 4
    bandwidth_bytes_per_second: int | None = None
    total_bytes_per_second: int | None = None
    """Of all jobs together."""
    requests_per_second: float | None = None
    """To each endpoint, of all jobs together."""
    tier_roots: tuple[str, ...] = ()
    """Roots of the source's file tiers, so that links into them are followed."""
    restore_tier: RestoreTier = RestoreTier.NEVER
    """How archived objects are restored first; Never: they block the plan."""
    restore_days: int | None = None


class PlanRequest(JobTask):
    """mover.plan: list the source, map the keys, price the move. Writes jobs/<uid>/plan.jsonl."""

    recommendation: str | None = None
    prefix: str | None = None
    min_size_bytes: int | None = None
    idle_days: int | None = None
    deletes_source: bool = False
    """The source is deleted in the end: its bucket must let us."""
    price_overlay: dict[str, object] | None = None
    now: dt.datetime


class PlanResult(Task):
    """The plan; problems block it, warnings don't."""

    hash: str
    objects: int
    size_bytes: int
    one_off_cost: str
    savings_per_month: str
    currency: str
    price_date: str
    duration_seconds: int
    payback_days: int | None
    list_path: str
    restore: RestoreQuote | None = None
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class ObjectFailure(Task):
    """One object that could not be moved."""

    key: str
    reason: str
    message: str


class RestoreRequest(JobTask):
    """mover.restore: ask for what is archived, and look how far it is; one pass."""

    now: dt.datetime
    budget_left: str | None = None
    """What may be spent on asking again for what expired; None: no limit."""
    max_rounds: int = 6
    """An object that expired so many times is asked for no more."""


class RestoreResult(Task):
    """How far the restore is."""

    objects: int
    ready: int
    waiting: int
    """Not 0: look again later. No more than some are looked for."""
    requested: int
    """Requests so far, those of earlier passes included."""
    cost: str
    """Of all of them."""
    hours: int = 0
    """Until what waits can be read, at most, from when it was asked for."""


class CopyRequest(JobTask):
    """mover.copy: move what the plan lists and the delta since, until quiet. Resumable."""

    quiet_seconds: int = 2
    tolerance_percent: int | None = None
    """Refuse (PlanChanged) when bytes or objects grew by more since the plan; None: never."""


class CopyProgress(Task):
    """Sent while copying or verifying."""

    objects_total: int
    objects_done: int
    objects_failed: int
    objects_skipped: int
    bytes_total: int
    bytes_done: int


class CopyResult(CopyProgress):
    """End of copying."""

    failures: tuple[ObjectFailure, ...] = ()


class ShareRequest(JobTask):
    """mover.share: write the work list for worker pods beside the target."""

    workers: int
    """Pods at most."""
    anew: bool = False
    """Take in what was told, and share out what is left; else the run under way is returned."""


class ShareResult(Task):
    """One run of workers; `workers` is 0 where nothing is left to copy."""

    run: str
    shards: int
    workers: int
    objects: int
    size_bytes: int
    objects_before: int
    bytes_before: int
    """Copied before this run began."""
    objects_total: int
    bytes_total: int


class GatherRequest(JobTask):
    """mover.gather: how far the workers are, by what they told beside the target."""

    run: str
    workers: int
    seen: tuple[int, ...]
    """The newest part that was read of each worker; 0: none."""


class GatherResult(Task):
    """Sums of what workers claim, for showing; and why one gave up."""

    seen: tuple[int, ...]
    objects: int
    size_bytes: int
    error: "TaskError | None" = None


class WorkerTask(JobTask):
    """What a worker pod is told: the pinned job and its run, without credentials."""

    run: str


class VerifyRequest(JobTask):
    """mover.verify: prove every object and write the manifest."""


class VerifyResult(Task):
    """The proof."""

    method: str
    matched: int
    mismatched: int
    manifest_uri: str
    digest: str
    failures: tuple[ObjectFailure, ...] = ()


class PrepareSwitchRequest(JobTask):
    """mover.prepare_switch: last listing; markers at both locations. In place: nothing to do."""

    generation: int
    """location.generation that the switch will write."""
    manifest_digest: str
    target_secret_name: str = ""
    """Name of the Secret for the target, for the marker; "" for none."""


class PrepareSwitchResult(Task):
    """Whether the switch may go on."""

    delta_objects: int
    """Not 0: back to copying."""


class RetireRequest(JobTask):
    """mover.retire: delete at most max_objects of the source, each by its recorded version."""

    manifest_digest: str
    max_objects: int = 20_000
    """The manifest is read anew for each call: fewer would cost more than the deletions."""


class RetireResult(Task):
    """Progress of the retirement."""

    deleted: int
    remaining: int
    kept: tuple[str, ...] = ()
    """New or changed objects at the source, kept and reported (≤ 10 named)."""
    kept_objects: int = 0


class SweepRequest(JobTask):
    """mover.sweep: remove what an unfinished job left at the target; never source data."""

    keep_copies: bool = False


class SweepResult(Task):
    """What was swept and what is left, in words."""

    removed_objects: int
    aborted_uploads: int
    residue: str


class FindMarkerRequest(Task):
    """mover.find_marker: a marker at the origin says where an earlier data set's data went."""

    source: StoreRef


class Marker(Task):
    """.cloudflux/location.json at the old and the new location, written before the switch."""

    data_set_uid: str
    namespace: str
    data_set: str = ""
    generation: int
    source_uri: str
    target_uri: str
    target_endpoint: str | None = None
    target_region: str | None = None
    target_secret_name: str | None = None
    """Name of the Secret that the move used there; "" for none; None in older markers."""
    target_encryption: str | None = None
    """How the objects there are encrypted, in one word. Keys are never found by a marker."""
    job_uid: str
    manifest_digest: str


class FindMarkerResult(Task):
    """The marker, if there is one."""

    marker: Marker | None = None


class ProbeRequest(Task):
    """mover.probe: find out whether the location is there, readable, and enforces preconditions."""

    store: StoreRef
    write: bool = False


class ProbeResult(Task):
    """What the probe found."""

    reachable: bool
    conditional_writes: bool | None = None
    conditional_copies: bool | None = None
    message: str = ""


class TaskError(Task):
    """An error that crossed the pipe; `kind` is the class name in cloudflux.errors."""

    kind: str
    message: str
    retryable: bool = False
    reason: str = Field(description="A Reason value of the vocabulary.")
