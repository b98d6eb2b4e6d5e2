"""The mover's operations: what the mover child serves. Every one may be killed and repeated."""

import datetime as dt

from cloudflux.access.deltalog import PLACES_TABLE, newest_version
from cloudflux.api.move_tasks import (
    CopyRequest,
    CopyResult,
    FindMarkerRequest,
    FindMarkerResult,
    GatherRequest,
    GatherResult,
    PlanRequest,
    PlanResult,
    PrepareSwitchRequest,
    PrepareSwitchResult,
    RestoreRequest,
    RestoreResult,
    RetireRequest,
    RetireResult,
    ShareRequest,
    ShareResult,
    SweepRequest,
    SweepResult,
    VerifyRequest,
    VerifyResult,
)
from cloudflux.api.task import ProbeRequest, ProbeResult
from cloudflux.children.context import Context, Operation
from cloudflux.migration import markers, probing, worklist
from cloudflux.migration.change import change_in_place
from cloudflux.migration.copy import copy_location
from cloudflux.migration.plan import make_plan
from cloudflux.migration.restoring import restore
from cloudflux.migration.retire import retire
from cloudflux.migration.selection import Reads
from cloudflux.migration.session import in_place, open_session
from cloudflux.migration.sweep import sweep
from cloudflux.migration.verify import verify
from cloudflux.storage.registry import open_store

READ_WINDOW_DAYS = 30
PROVEN_COVERAGE_PERCENT = 95
"""Idleness counts only over days of which so many are proven."""


def serve_plan(request: PlanRequest, context: Context) -> PlanResult:
    """Serve mover.plan."""
    with open_session(request, context, open_store) as session:
        return make_plan(session, request, _reads(request, context))


def serve_restore(request: RestoreRequest, context: Context) -> RestoreResult:
    """Serve mover.restore."""
    with open_session(request, context, open_store) as session:
        return restore(session, request)


def serve_copy(request: CopyRequest, context: Context) -> CopyResult:
    """Serve mover.copy."""
    with open_session(request, context, open_store) as session:
        if in_place(request):
            return change_in_place(session, request)
        worklist.merge(session, request.job_uid)
        return copy_location(session, request)


def serve_share(request: ShareRequest, context: Context) -> ShareResult:
    """Serve mover.share."""
    with open_session(request, context, open_store) as session:
        return worklist.share(session, request)


def serve_gather(request: GatherRequest, context: Context) -> GatherResult:
    """Serve mover.gather."""
    with open_session(request, context, open_store) as session:
        return worklist.gather(session, request)


def serve_verify(request: VerifyRequest, context: Context) -> VerifyResult:
    """Serve mover.verify."""
    with open_session(request, context, open_store) as session:
        return verify(session, request)


def serve_prepare_switch(request: PrepareSwitchRequest, context: Context) -> PrepareSwitchResult:
    """Serve mover.prepare_switch."""
    with open_session(request, context, open_store) as session:
        return markers.prepare_switch(session, request)


def serve_retire(request: RetireRequest, context: Context) -> RetireResult:
    """Serve mover.retire."""
    with open_session(request, context, open_store) as session:
        return retire(session, request)


def serve_sweep(request: SweepRequest, context: Context) -> SweepResult:
    """Serve mover.sweep."""
    with open_session(request, context, open_store) as session:
        if not in_place(request):
            worklist.merge(session, request.job_uid)
        return sweep(session, request)


def serve_find_marker(request: FindMarkerRequest, context: Context) -> FindMarkerResult:
    """Serve mover.find_marker."""
    context.check()
    store = open_store(request.source)
    try:
        return markers.find_marker(store)
    finally:
        store.close()


def serve_probe(request: ProbeRequest, context: Context) -> ProbeResult:
    """Serve mover.probe."""
    context.check()
    store = open_store(request.store)
    try:
        return probing.probe(store, request)
    finally:
        store.close()


def _reads(request: PlanRequest, context: Context) -> Reads:
    """Return what the access store knows of the data set's reads, as a plan needs it."""
    if newest_version(context.state_dir / "access" / PLACES_TABLE) is None:
        return Reads()  # no data set has a signal; asking more would load the whole store
    from cloudflux.access.store import open_access_store

    store = open_access_store(context.state_dir)
    today = request.now.date()
    uid = request.data_set_uid
    days = max(READ_WINDOW_DAYS, request.idle_days or 0)
    table = store.daily_reads(uid, today - dt.timedelta(days=days), today)
    last_30d: dict[str, int] = {}
    idle_since = today - dt.timedelta(days=request.idle_days or 0)
    month = today - dt.timedelta(days=READ_WINDOW_DAYS)
    read_lately = set()
    for row in table.to_pylist():
        if row["day"] >= month:
            last_30d[row["key"]] = last_30d.get(row["key"], 0) + row["reads"]
        if row["reads"] and row["day"] >= idle_since:
            read_lately.add(row["key"])
    known = False
    if request.idle_days is not None:
        coverage = store.coverage(uid, idle_since, today).column("state").to_pylist()
        complete = sum(1 for state in coverage if state == "complete")
        known = complete * 100 >= PROVEN_COVERAGE_PERCENT * request.idle_days
    return Reads(known=known, last_30d=last_30d, read_since_idle=frozenset(read_lately))


OPERATIONS = {
    "mover.plan": Operation(PlanRequest, serve_plan, gives_way=True),
    "mover.restore": Operation(RestoreRequest, serve_restore),
    "mover.copy": Operation(CopyRequest, serve_copy),
    "mover.share": Operation(ShareRequest, serve_share),
    "mover.gather": Operation(GatherRequest, serve_gather),
    "mover.verify": Operation(VerifyRequest, serve_verify),
    "mover.prepare_switch": Operation(PrepareSwitchRequest, serve_prepare_switch),
    "mover.retire": Operation(RetireRequest, serve_retire),
    "mover.sweep": Operation(SweepRequest, serve_sweep),
    "mover.find_marker": Operation(FindMarkerRequest, serve_find_marker, gives_way=True),
    "mover.probe": Operation(ProbeRequest, serve_probe),
}
