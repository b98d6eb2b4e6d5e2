"""DataSet: find where the data is, list it, read its signals, have it decided, say so."""

import datetime as dt

from cloudflux.api.brain_tasks import EvaluateRequest, EvaluateResult
from cloudflux.api.dataset import DataSetStatus
from cloudflux.api.move_tasks import FindMarkerRequest, FindMarkerResult
from cloudflux.api.scan_tasks import ScanRequest, ScanResult
from cloudflux.api.task import TaskError
from cloudflux.errors import CloudFluxError, ConfigurationError
from cloudflux.handlers import dataset_status as compute
from cloudflux.handlers import dataset_study, finding
from cloudflux.handlers.claims import free_stale_claim
from cloudflux.handlers.dataset_requests import (
    assignment,
    evaluate_request,
    fingerprint,
    scan_request,
)
from cloudflux.handlers.dataset_say import tell_of_decision, warn_of_access, with_conflict
from cloudflux.handlers.hearing import is_busy
from cloudflux.handlers.locationmap import repair_location_map
from cloudflux.handlers.locations import check_location
from cloudflux.handlers.resources import DataSet
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tasks import Entry, Key

FIND, SCAN, EVALUATE = "Find", "Scan", "Evaluate"
FIRST_HOLD_SECONDS, HOLD_SECONDS = 1.0, 5.0
"""So long what was found out waits for what the next step brings, to share a write with it:
before it is known where the data is, for which jobs wait, and afterwards."""
YIELD_SECONDS, YIELD_AGAIN_SECONDS = 300.0, 10.0
"""So long at most the scan after a move gives way to other moves."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 5, 300


async def reconcile(runtime: Runtime, key: Key) -> float | None:
    """Bring one DataSet a step on; returns seconds until it wants to be seen again.

    Steps that take a moment share one write of the status; see `_write_when_due`.
    """
    data_set: DataSet | None = runtime.find(key)
    if data_set is None:
        return None
    unwritten = runtime.memory(data_set.uid).unwritten
    while True:
        seen, known = unwritten.applied(data_set), len(unwritten.changes)
        again = await _step(runtime, seen, runtime.clock())
        if len(unwritten.changes) == known or again != 0.0:
            break
    return await _write_when_due(runtime, key, again)


async def _write_when_due(runtime: Runtime, key: Key, again: float | None) -> float | None:
    """Write what was found out, unless the running task is likely to add to it in a moment."""
    data_set: DataSet | None = runtime.find(key)
    if data_set is None:
        return None
    unwritten = runtime.memory(data_set.uid).unwritten
    if not unwritten.changes:
        return again
    entry = runtime.tasks.get(data_set.uid)
    hold_seconds = FIRST_HOLD_SECONDS if data_set.status.location is None else HOLD_SECONDS
    left_seconds = hold_seconds - unwritten.age_seconds
    if entry is not None and not entry.ended and left_seconds > 0:
        return left_seconds
    status = unwritten.applied(data_set).status
    if status != data_set.status:
        await runtime.write_status(data_set, status)
    unwritten.written(data_set, status)
    return again


async def _step(runtime: Runtime, data_set: DataSet, now: dt.datetime) -> float | None:
    """Find out one thing more; 0.0 when there may be another at once."""
    memory = runtime.memory(data_set.uid)
    if not data_set.status.conditions or (
        data_set.status.observed_generation != data_set.generation
    ):
        memory.unwritten.add(lambda one: compute.first_visit(one, now), data_set.generation)
        memory.failures, memory.not_before = 0, None  # an edit may have mended what failed
        return 0.0
    if data_set.spec.suspend:
        return _say_not_ready(runtime, data_set, "Suspended", "spec.suspend is true")
    dataset_study.serve(runtime, data_set)
    entry = runtime.tasks.get(data_set.uid)
    if entry is not None:
        return await _serve_task(runtime, data_set, entry)
    if memory.not_before is not None and memory.not_before > now and _same_wish(runtime, data_set):
        return (memory.not_before - now).total_seconds()
    try:
        return await _start_next(runtime, data_set, now)
    except ConfigurationError as error:
        return _failed(runtime, data_set, error.reason, str(error))
    except CloudFluxError as error:
        if error.reason == "InternalError":
            raise
        return _failed(runtime, data_set, error.reason, str(error))


async def _start_next(runtime: Runtime, data_set: DataSet, now: dt.datetime) -> float | None:
    """Start what is due: finding the data, a scan, a decision; else say when something will be."""
    status = data_set.status
    if status.location is None:
        memory = runtime.memory(data_set.uid)
        memory.trail = memory.trail or finding.begin(data_set)
        here = memory.trail.here
        hearsay = finding.is_hearsay(data_set, here)
        source = await runtime.store(here, data_set.namespace, hearsay=hearsay)
        _start(runtime, data_set, FIND, "mover.find_marker", FindMarkerRequest(source=source))
        return None
    await free_stale_claim(runtime, data_set)
    await check_location(data_set.spec.location, data_set.namespace, runtime.settings)
    if _scan_is_due(runtime, data_set, now):
        _start(runtime, data_set, SCAN, "ingest.scan", await scan_request(runtime, data_set, now))
        return None
    chosen = assignment(runtime, data_set)
    memory = runtime.memory(data_set.uid)
    if memory.evaluation_wanted or memory.evaluated_for != fingerprint(chosen):
        memory.evaluation_wanted, memory.evaluated_for = False, fingerprint(chosen)
        request = evaluate_request(runtime, data_set, chosen, now)
        _start(runtime, data_set, EVALUATE, "brain.evaluate", request)
        return None
    dataset_study.begin_if_due(runtime, data_set, now)
    await repair_location_map(runtime, data_set)
    assert status.inventory is not None  # noqa: S101 - else a scan was due
    if _moved_since_scan(data_set):
        return _await_turn(runtime, data_set, now)
    interval = runtime.settings.scan_interval_seconds
    return max(1.0, interval - (now - status.inventory.scanned_at).total_seconds())


def _scan_is_due(runtime: Runtime, data_set: DataSet, now: dt.datetime) -> bool:
    status, memory = data_set.status, runtime.memory(data_set.uid)
    if status.inventory is None:
        return True
    if not _same_wish(runtime, data_set):
        return True
    if status.active_migration_ref is not None:
        return False  # a move is under way; its end asks for a scan
    if _moved_since_scan(data_set):
        return not _yields(runtime, data_set, now)
    if memory.scanned_generation is None:
        memory.scanned_generation = data_set.generation
    age_seconds = (now - status.inventory.scanned_at).total_seconds()
    return age_seconds >= runtime.settings.scan_interval_seconds


def _moved_since_scan(data_set: DataSet) -> bool:
    history, inventory = data_set.status.history, data_set.status.inventory
    return bool(history and inventory and history[0].completed_at > inventory.scanned_at)


def _yields(runtime: Runtime, data_set: DataSet, now: dt.datetime) -> bool:
    """Whether listing what was just moved gives way to other moves."""
    moved_at = data_set.status.history[0].completed_at
    return is_busy(runtime) and (now - moved_at).total_seconds() < YIELD_SECONDS


def _await_turn(runtime: Runtime, data_set: DataSet, now: dt.datetime) -> float:
    """Return when to look again; sooner, it is woken when the moves leave room."""
    if not _yields(runtime, data_set, now):
        return YIELD_AGAIN_SECONDS
    runtime.yielding.add(data_set.key)
    left_seconds = YIELD_SECONDS - (now - data_set.status.history[0].completed_at).total_seconds()
    return max(YIELD_AGAIN_SECONDS, left_seconds)


def _same_wish(runtime: Runtime, data_set: DataSet) -> bool:
    """Whether nobody asked for a scan since the last one: no new token, no new spec."""
    seen = runtime.memory(data_set.uid).scanned_generation
    if seen is not None and seen != data_set.generation:
        return False
    token = compute.scan_token(data_set)
    return token is None or token == data_set.status.served_scan_token


def _start(
    runtime: Runtime,
    data_set: DataSet,
    step: str,
    operation: str,
    request: FindMarkerRequest | ScanRequest | EvaluateRequest,
) -> None:
    runtime.tasks.start(data_set.uid, step, operation, request, data_set.key)


async def _serve_task(runtime: Runtime, data_set: DataSet, entry: Entry) -> float | None:
    """Take what a task brought into the status; nothing while it runs."""
    if not entry.ended:
        return None
    failure = entry.error()
    if failure is not None:
        return _task_failed(runtime, data_set, entry.step, failure)
    now, memory = runtime.clock(), runtime.memory(data_set.uid)
    memory.failures, memory.not_before = 0, None
    scanned = memory.scanned_generation or data_set.generation
    if entry.step == FIND:
        runtime.tasks.forget(data_set.uid)
        return await _locate(runtime, data_set, entry.result(FindMarkerResult), now)
    if entry.step == SCAN:
        scan = entry.result(ScanResult)
        runtime.tally.scanned(scan)
        memory.evaluation_wanted = True
        memory.unwritten.add(
            lambda one: with_conflict(runtime, one, compute.scanned(one, scan, now), now),
            scanned,
            lambda before, status: warn_of_access(runtime, before, status),
        )
    else:
        _take_decision(runtime, data_set, entry.result(EvaluateResult), scanned, now)
    runtime.tasks.forget(data_set.uid)
    return 0.0


def _take_decision(
    runtime: Runtime, data_set: DataSet, found: EvaluateResult, scanned: int, now: dt.datetime
) -> None:
    memory = runtime.memory(data_set.uid)
    memory.study_due = found.study_due

    def change(one: DataSet) -> DataSetStatus:
        status = compute.ready(one, compute.evaluated(one, found, now), now)
        status = dataset_study.with_model(one, status, found, now)
        return with_conflict(runtime, one, status, now)

    def tell(before: DataSet, status: DataSetStatus) -> None:
        tell_of_decision(runtime, before, status, found.warnings)
        dataset_study.tell_of_model(runtime, before, status)

    memory.unwritten.add(change, scanned, tell)


async def _locate(
    runtime: Runtime, data_set: DataSet, found: FindMarkerResult, now: dt.datetime
) -> float:
    """Follow the marker that was found, or settle where no newer one leads on."""
    memory = runtime.memory(data_set.uid)
    known = memory.trail or finding.begin(data_set)
    try:
        memory.trail, ended = finding.follow(data_set, known, found.marker)
        await check_location(memory.trail.here, data_set.namespace, runtime.settings)
    except CloudFluxError as error:
        return _failed(runtime, data_set, error.reason, str(error))
    if not ended:
        return 0.0
    trail, memory.trail = memory.trail, None

    def tell(before: DataSet, _: DataSetStatus) -> None:
        for key in runtime.standing.jobs_of(before.namespace, before.name):
            runtime.queue.add(key)
        if trail.hops:
            message = f"markers, from the origin on, say that the data is at {trail.here.uri}"
            runtime.event(before, "LocationAdopted", message)

    memory.unwritten.add(lambda one: finding.located(one, trail, now), data_set.generation, tell)
    return 0.0


def _task_failed(
    runtime: Runtime, data_set: DataSet, step: str, failure: TaskError
) -> float | None:
    runtime.tasks.forget(data_set.uid)
    if step == EVALUATE:
        runtime.memory(data_set.uid).evaluation_wanted = True
    return _failed(runtime, data_set, failure.reason, failure.message)


def _failed(runtime: Runtime, data_set: DataSet, reason: str, message: str) -> float:
    """Say what failed, keep the last good values, come back after a growing while."""
    memory = runtime.memory(data_set.uid)
    delay = float(min(FIRST_RETRY_SECONDS << memory.failures, LAST_RETRY_SECONDS))
    memory.failures = min(memory.failures + 1, 16)
    if memory.trail is not None and memory.trail.hops:
        message = f"A marker says that the data is at {memory.trail.here.uri}: {message}"
    memory.trail = None  # what stood at its beginning may have changed, too
    memory.not_before = runtime.clock() + dt.timedelta(seconds=delay)
    _say_not_ready(runtime, data_set, reason, message)
    return delay


def _say_not_ready(runtime: Runtime, data_set: DataSet, reason: str, message: str) -> float | None:
    now = runtime.clock()
    if compute.not_ready(data_set, reason, message, now) != data_set.status:
        runtime.memory(data_set.uid).unwritten.add(
            lambda one: compute.not_ready(one, reason, message, now),
            data_set.generation,
            lambda before, _: runtime.event(before, reason, message),
        )
    return None
