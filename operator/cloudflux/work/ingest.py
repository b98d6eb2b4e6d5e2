"""The ingest child: list a data set, read its access signals, say how well they are known."""

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from urllib.parse import unquote

from cloudflux.access.atime import AtimeSupport, atime_support
from cloudflux.access.formats import FORMATS
from cloudflux.access.freshness import ATIME_SIGNAL, Freshness, assess
from cloudflux.access.inventory import InventoryTotals
from cloudflux.access.logs import IngestTotals, ingest_logs
from cloudflux.access.places import Place, data_set_bucket, kafka_signal
from cloudflux.access.records import Exclusions
from cloudflux.access.reports import newest_report
from cloudflux.access.store import AccessStore, open_access_store
from cloudflux.api.dataset import LOG_SCHEMES, AccessSourceType
from cloudflux.api.scan_tasks import AccessSourceRef, ClassUsage, ScanRequest, ScanResult
from cloudflux.api.task import StoreRef
from cloudflux.children.context import Context, Operation, Operations
from cloudflux.errors import ContainerNotFound, PermissionDenied
from cloudflux.storage.interface import ObjectInfo, Store
from cloudflux.storage.registry import open_store

Trouble = tuple[str, str]
"""Reason and message of a signal that can't be used."""

_CHECK_EVERY_OBJECTS = 1000


def scan(request: ScanRequest, context: Context) -> ScanResult:
    """Serve ingest.scan. Raises StorageError when the data set can't be listed.

    A log location that can't be read is no failure of the scan: the result says that nothing
    is known of the reads, and why.
    """
    access = open_access_store(context.state_dir)
    with closing(open_store(request.source, tier_roots=request.tier_roots)) as store:
        store.check()
        lines, trouble = IngestTotals(), None
        for source in request.sources:
            context.check()
            problem = _register(access, request, source)
            if problem is None and source.type in FORMATS:
                problem = _ingest(access, request, source, lines, context)
            trouble = trouble or problem
        context.stop_point("scan.logs-ingested")
        uses_atime = any(s.type is AccessSourceType.FILE_ATIME for s in request.sources)
        totals = access.write_inventory(
            request.data_set_uid,
            _objects(store, request, context),
            uses_atime=uses_atime,
            now=request.now,
        )
    context.stop_point("scan.inventory-written")
    if uses_atime and request.source.uri.startswith("file://"):
        support = _support(request)
        access.note_scan(request.data_set_uid, request.now, recorded=support.recorded)
        trouble = trouble or (None if support.recorded else ("AccessTimesOff", support.message))
    context.check()
    access.maintain_if_due(request.now)
    return _result(access, request, totals, lines, trouble)


OPERATIONS: Operations = {"ingest.scan": Operation(ScanRequest, scan)}
"""What the ingest child serves."""


def signal_of(kind: AccessSourceType, logs: StoreRef) -> str:
    """Name of a log location, the same for all data sets that share it."""
    text = f"{logs.endpoint or ''} {logs.uri.rstrip('/')}"
    return f"{FORMATS[kind].slug}:" + blake2b(text.encode(), digest_size=12).hexdigest()


def _objects(store: Store, request: ScanRequest, context: Context) -> Iterator[ObjectInfo]:
    if request.inventory is not None:
        with closing(open_store(request.inventory.reports)) as reports:
            bucket, _, prefix = request.source.uri.partition("://")[2].partition("/")
            prefix = prefix.strip("/")
            report = newest_report(
                request.inventory.source,
                reports,
                bucket,
                f"{prefix}/" if prefix else "",
                context.check,
            )
            if request.inventory.since is None or report.at > request.inventory.since:
                yield from report.objects
                return
    for number, entry in enumerate(store.list()):
        if number % _CHECK_EVERY_OBJECTS == 0:
            context.check()
        if isinstance(entry, ObjectInfo):
            yield entry


def _register(access: AccessStore, request: ScanRequest, source: AccessSourceRef) -> Trouble | None:
    """Tie the data set's present location to the signal, or say why it can't be."""
    uri, uid, since = request.source.uri, request.data_set_uid, request.now.date()
    scheme, _, rest = uri.partition("://")
    if source.type is AccessSourceType.FILE_ATIME:
        if scheme != "file":
            return "AccessTimesOff", f"FileAtime sees reads of file:// data only, and this is {uri}"
        place = Place(ATIME_SIGNAL + uid, "", "", since)
    elif source.type is AccessSourceType.KAFKA:
        bucket, _, prefix = rest.strip("/").partition("/")
        if scheme == "file":  # a path has no bucket
            bucket, prefix = "", unquote(rest.strip("/"))
        named = data_set_bucket(uid)
        access.register(uid, Place(kafka_signal(named), named, "", since), request.retention_days)
        there = f"{scheme}://{bucket}"
        place = Place(kafka_signal(there), there, f"{prefix}/" if prefix else "", since)
    else:
        needed = LOG_SCHEMES[source.type]
        if scheme != needed or source.logs is None:
            data = f"{needed}:// data only" if scheme != needed else "data whose logs are named"
            return "AccessLogsMissing", f"{source.type} sees reads of {data}; the data is at {uri}"
        bucket, _, prefix = rest.partition("/")
        prefix, signal = prefix.strip("/"), signal_of(source.type, source.logs)
        place = Place(signal, bucket, f"{prefix}/" if prefix else "", since)
    access.register(uid, place, request.retention_days)
    return None


def _ingest(
    access: AccessStore,
    request: ScanRequest,
    source: AccessSourceRef,
    totals: IngestTotals,
    context: Context,
) -> Trouble | None:
    if source.logs is None:
        return None
    try:
        with closing(open_store(source.logs)) as logs:
            found = ingest_logs(
                access,
                signal_of(source.type, source.logs),
                logs,
                log_format=FORMATS[source.type],
                now=request.now,
                retention_days=request.retention_days,
                exclusions=Exclusions(request.excluded_user_agents, request.excluded_principals),
                check=context.check,
            )
    except (ContainerNotFound, PermissionDenied) as error:
        return "AccessLogsMissing", f"the access logs at {source.logs.uri} can't be read: {error}"
    totals.log_objects += found.log_objects
    totals.lines += found.lines
    totals.malformed += found.malformed
    return None


def _support(request: ScanRequest) -> AtimeSupport:
    """Whether every directory that holds the files records access times."""
    supports = [
        atime_support(Path(unquote(uri.removeprefix("file://"))))
        for uri in (request.source.uri, *request.tier_roots)
    ]
    return next((s for s in supports if not s.recorded), supports[0])


def _result(
    access: AccessStore,
    request: ScanRequest,
    totals: InventoryTotals,
    lines: IngestTotals,
    trouble: Trouble | None,
) -> ScanResult:
    verdict: Freshness = assess(
        access.spans(request.data_set_uid), request.now, request.retention_days, trouble
    )
    today = request.now.date()
    month = access.daily_reads(request.data_set_uid, today - dt.timedelta(29), today)
    week_start = today - dt.timedelta(6)
    waited = access.first_byte(request.data_set_uid, today - dt.timedelta(1), today)
    days, reads = month["day"].to_pylist(), month["reads"].to_pylist()
    return ScanResult(
        objects=sum(objects for objects, _ in totals.classes.values()),
        size_bytes=sum(size for _, size in totals.classes.values()),
        classes=tuple(
            ClassUsage(storage_class=name, objects=objects, size_bytes=size)
            for name, (objects, size) in sorted(totals.classes.items())
        ),
        scanned_at=request.now,
        reads_7d=sum(n for day, n in zip(days, reads, strict=True) if day >= week_start),
        reads_30d=sum(reads),
        last_read_at=access.last_read_at(request.data_set_uid),
        observed_days=verdict.observed_days,
        coverage_percent=verdict.coverage_percent,
        first_byte_millis=None if waited is None else waited.millis,
        fresh=verdict.fresh,
        fresh_reason=verdict.reason,
        fresh_message=verdict.message[:1024],
        lines_read=lines.lines,
        lines_malformed=lines.malformed,
    )
