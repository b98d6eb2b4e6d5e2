"""What `cloudflux doctor` looks at of the data: the location, its access signal, its prices."""

import datetime as dt
import io
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cloudflux.api.task import StoreRef
from cloudflux.cli.findings import Finding, Mark
from cloudflux.cli.local import store_ref
from cloudflux.cli.plan import read_overlay
from cloudflux.errors import CloudFluxError, NotSupported, PermissionDenied

FRESH_LOGS = dt.timedelta(hours=48)
_LOOK_BACK_DAYS = 3
_WRITE_RIGHTS = {
    "s3": (
        "s3:PutObject, s3:PutObjectTagging, s3:AbortMultipartUpload and, to delete sources, "
        "s3:DeleteObject"
    ),
    "az": "the role Storage Blob Data Contributor, or a signature with read, add, create, write, "
    "delete, list and tags",
    "gs": "storage.objects.create, .get, .list, .update and .delete (roles/storage.objectUser)",
}


def check_data(
    uri: str,
    logs: str | None,
    endpoint: str | None,
    region: str | None,
    prices: Path | None,
    *,
    write_probe: bool = False,
) -> list[Finding]:
    """Look at a location, its access signal, the right to write to it, and its prices."""
    try:
        ref = store_ref(uri, endpoint=endpoint, region=region)
    except CloudFluxError as error:
        return [Finding(Mark.FAILED, "location", str(error))]
    findings = list(_look(lambda: _check_location(ref), "location"))
    if write_probe:
        findings += _look(lambda: _probe_writes(ref), "write")
    else:
        findings.append(_unwritten(ref))
    if ref.uri.startswith("file://"):
        findings += _look(lambda: _check_access_times(ref), "access times")
    elif not ref.uri.startswith("s3://"):
        message = "can't be read for this kind of storage: nothing moves colder by itself"
        findings.append(Finding(Mark.WARNING, "access logs", message))
    else:
        findings += _look(lambda: _check_signal(ref, logs, endpoint, region), "access logs")
    findings += _look(lambda: _check_prices(ref, prices), "prices")
    return findings


def _check_signal(
    ref: StoreRef, logs: str | None, endpoint: str | None, region: str | None
) -> list[Finding]:
    """The bucket's setting, then the logs: where they are said to be, else where it says."""
    told, findings = _logging_setting(ref, logs)
    where = logs or told
    if where is None:
        advice = "not looked at: say where they are with --logs s3://bucket/prefix"
        return [*findings, Finding(Mark.WARNING, "access logs", advice)]
    at = store_ref(where, endpoint=endpoint, region=region)
    return [*findings, *_look(lambda: check_logs(at, dt.datetime.now(dt.UTC)), "access logs")]


def _logging_setting(ref: StoreRef, logs: str | None) -> tuple[str | None, list[Finding]]:
    from cloudflux.storage.s3_logging import access_logging

    what = "access logging"
    try:
        told = access_logging(ref)
    except PermissionDenied as error:
        message = f"the setting can't be read ({error}); the logs themselves are looked at"
        return None, [Finding(Mark.UNKNOWN, what, message)]
    except NotSupported:
        message = "this server has no such setting; the logs themselves are looked at"
        return None, [Finding(Mark.UNKNOWN, what, message)]
    if told is None:
        message = (
            "switched off: without it nothing moves colder; aws s3api put-bucket-logging sets it"
        )
        return None, [Finding(Mark.FAILED, what, message)]
    if logs is not None and logs.rstrip("/") != told:
        message = f"on, but delivered to {told} and not to {logs}: use --logs {told}"
        return told, [Finding(Mark.WARNING, what, message)]
    return told, [Finding(Mark.OK, what, f"on, delivered to {told}")]


def _unwritten(ref: StoreRef) -> Finding:
    """What can be told of the right to write without writing."""
    if not ref.uri.startswith("file://"):
        rights = _WRITE_RIGHTS[ref.uri.partition("://")[0]]
        message = f"not checked; a move needs {rights}; --write-probe tries it"
        return Finding(Mark.UNKNOWN, "write", message)
    path = unquote(ref.uri.removeprefix("file://"))
    if os.access(path, os.W_OK | os.X_OK):
        return Finding(Mark.OK, "write", "this user may write; the operator's user must, to move")
    message = f"this user may not write to {path}; the operator's user must, to move"
    return Finding(Mark.WARNING, "write", message)


def _probe_writes(ref: StoreRef) -> list[Finding]:
    """Write a scratch object and remove it, then measure which conditions are enforced."""
    from cloudflux.storage.interface import CONTROL_PREFIX
    from cloudflux.storage.probe import probe_conditions
    from cloudflux.storage.registry import open_store

    key = f"{CONTROL_PREFIX}doctor-{uuid.uuid4()}"
    with closing(open_store(ref)) as store:
        store.put(key, io.BytesIO(b"cloudflux doctor"), 16)
        findings = [Finding(Mark.OK, "write", "objects can be written")]
        try:
            store.delete(key)
        except PermissionDenied as error:
            message = f"{error}; sources can't be deleted, and {key} stays"
            return [*findings, Finding(Mark.WARNING, "delete", message)]
        findings.append(Finding(Mark.OK, "delete", "objects can be deleted"))
        writes, copies = probe_conditions(store)
    if not writes:
        message = "not enforced on writes: nobody else may write to a target during a move"
        findings.append(Finding(Mark.WARNING, "conditions", message))
    if copies is False:
        message = "not enforced on copies: class changes need spec.writers: Quiesced"
        findings.append(Finding(Mark.WARNING, "conditions", message))
    if writes and copies is not False:
        findings.append(Finding(Mark.OK, "conditions", "enforced"))
    return findings


def _look(check: Callable[[], list[Finding]], what: str) -> list[Finding]:
    """Run one check; what it raises is a finding."""
    try:
        return check()
    except CloudFluxError as error:
        return [Finding(Mark.FAILED, what, str(error))]


def _check_location(ref: StoreRef) -> list[Finding]:
    from cloudflux.storage.interface import ObjectInfo
    from cloudflux.storage.registry import open_store

    with closing(open_store(ref)) as store:
        store.check()
        some = [entry for entry in islice(store.list(), 100) if isinstance(entry, ObjectInfo)]
        findings = [Finding(Mark.OK, "location", f"{ref.uri} can be listed")]
        readable = next((entry for entry in some if not entry.archived), None)
        if readable is None:
            findings.append(Finding(Mark.WARNING, "read", "no object to try reading"))
            return findings
        try:
            store.head(readable.key)
            with store.open(readable.key) as stream:
                stream.read(1)
        except PermissionDenied as error:
            message = f"{error}; needed to copy and verify, not to plan"
            return [*findings, Finding(Mark.WARNING, "read", message)]
        findings.append(Finding(Mark.OK, "read", "objects can be read"))
        classes = ", ".join(store.capabilities.storage_classes)
        if classes:
            findings.append(Finding(Mark.OK, "storage classes", classes))
        return findings


def _check_access_times(ref: StoreRef) -> list[Finding]:
    from cloudflux.access.atime import atime_support

    support = atime_support(Path(unquote(ref.uri.removeprefix("file://"))))
    mark = Mark.OK if support.recorded else Mark.FAILED
    return [Finding(mark, "access times", support.message)]


def check_logs(ref: StoreRef, now: dt.datetime) -> list[Finding]:
    """Say how old the newest access log is: whether logging is on, and fresh."""
    from cloudflux.storage.registry import open_store

    with closing(open_store(ref)) as store:
        store.check()
        newest = max(_recent_logs(store, now), default=None)
        if newest is None:
            any_at_all = next(iter(store.list()), None) is not None
            message = (
                f"no log of the last {_LOOK_BACK_DAYS} days below {ref.uri}: logging was on once; "
                "is it still?"
                if any_at_all
                else f"none below {ref.uri}: switch server access logging on (aws s3api "
                "put-bucket-logging), or correct the prefix"
            )
            return [Finding(Mark.FAILED, "access logs", message)]
    hours = (now - newest).total_seconds() / 3600
    if now - newest > FRESH_LOGS:
        message = f"the newest is {hours:.0f} hours old: nothing moves colder until logs are fresh"
        return [Finding(Mark.FAILED, "access logs", message)]
    return [Finding(Mark.OK, "access logs", f"the newest is {max(hours, 0):.1f} hours old")]


def _recent_logs(store: Any, now: dt.datetime) -> Iterator[dt.datetime]:
    """Yield times of recent deliveries; their names begin with the day, so that few are listed."""
    from cloudflux.access.formats.base import delivered_at
    from cloudflux.storage.interface import ObjectInfo

    first = f"{now - dt.timedelta(days=_LOOK_BACK_DAYS):%Y-%m-%d}"
    for entry in store.list(start_after=first):
        if isinstance(entry, ObjectInfo):
            yield delivered_at(entry)


def _check_prices(ref: StoreRef, path: Path | None) -> list[Finding]:
    from cloudflux.brain.prices import load_table, provider_of

    provider = provider_of(ref.uri, ref.endpoint)
    table = load_table(provider, ref.region, read_overlay(path))
    names = ", ".join(table.classes)
    text = f"{provider} {table.region}, {table.currency}, as of {table.date}: {names}"
    notes = [Finding(Mark.WARNING, "prices", warning) for warning in table.warnings]
    return [Finding(Mark.OK, "prices", text), *notes]
