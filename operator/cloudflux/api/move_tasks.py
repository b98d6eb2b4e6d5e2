"""What is asked of the mover, and what it answers."""

import datetime as dt

from cloudflux.api.brain_tasks import RestoreQuote
from cloudflux.api.dataset import Writers
from cloudflux.api.migrationjob import RestoreTier, VerifyMethod
from cloudflux.api.task import StoreRef, Task, TaskError


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
