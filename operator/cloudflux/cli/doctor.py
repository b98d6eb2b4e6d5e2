"""`cloudflux doctor`: what is reachable, which rights are missing, and what to do about it."""

import asyncio
import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

import typer

from cloudflux.api.common import GROUP
from cloudflux.api.tasks import StoreRef
from cloudflux.cli.local import store_ref
from cloudflux.cli.plan import read_overlay
from cloudflux.errors import CloudFluxError, PermissionDenied
from cloudflux.handlers.kube import CRDS, Forbidden, Kube, NotFound, Object, Resource
from cloudflux.settings import Settings

SUPPORTED_KUBERNETES = ((1, 31), (1, 36))
"""Oldest and newest minor version that is supported (CEL rules of the CRDs need 1.31)."""
FRESH_LOGS = dt.timedelta(hours=48)
_LOOK_BACK_DAYS = 3
_VERSION = Resource("version", "", "Version", namespaced=False)
_REVIEWS = Resource(
    "apis/authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False
)
_OURS = ("datasets", "tieringpolicies", "migrationjobs")
NEEDED_RIGHTS = (
    *((verb, GROUP, kind) for kind in _OURS for verb in ("get", "list", "watch")),
    *(("patch", GROUP, f"{kind}/status") for kind in _OURS),
    ("create", GROUP, "migrationjobs"),
    ("get", "", "secrets"),
    ("create", "", "configmaps"),
    ("create", "events.k8s.io", "events"),
    ("update", "coordination.k8s.io", "leases"),
)
"""Rights that the operator needs: verb, API group, resource[/subresource]."""


class Mark(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and what to do when it is not as it must be."""

    mark: Mark
    what: str
    message: str


def doctor(
    uri: Annotated[
        str | None, typer.Argument(help="Data to look at: s3://…, file:///… or a path.")
    ] = None,
    logs: Annotated[str | None, typer.Option(help="Where its S3 access logs are.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="URL of an S3-compatible endpoint.")] = None,
    region: Annotated[str | None, typer.Option(help="Region, for prices and signatures.")] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Cluster to look at; the default one is never read.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Context in the kubeconfig.")] = None,
    prices: Annotated[Path | None, typer.Option(help="JSON file with overriding prices.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
) -> None:
    """Say what is reachable, which rights are missing, and which prices apply. Writes nothing."""
    findings: list[Finding] = []
    if kubeconfig is None:
        low, high = (".".join(map(str, version)) for version in SUPPORTED_KUBERNETES)
        findings.append(
            Finding(Mark.OK, "Kubernetes", f"supported: {low} to {high}; --kubeconfig looks at one")
        )
    else:
        findings += asyncio.run(check_cluster(kubeconfig, context))
    if uri is not None:
        findings += check_data(uri, logs, endpoint, region, prices)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{finding.mark.value:8} {finding.what}: {finding.message}")
    if any(finding.mark is Mark.FAILED for finding in findings):
        raise typer.Exit(1)


# -- the cluster --------------------------------------------------------------------------------


async def check_cluster(kubeconfig: Path, context: str | None) -> list[Finding]:
    """Look at a cluster: version, CRDs and the rights of who is named in the kubeconfig."""
    try:
        kube = await Kube.connect(Settings(kubeconfig=kubeconfig, kube_context=context))
    except CloudFluxError as error:
        return [Finding(Mark.FAILED, "Kubernetes", str(error))]
    try:
        version = await kube.get(_VERSION, None, "")
        return [_version(version), *await _crds(kube), *await _rights(kube)]
    except CloudFluxError as error:
        return [Finding(Mark.FAILED, "Kubernetes", f"{kube.host}: {error}")]
    finally:
        await kube.close()


def _version(answer: Object) -> Finding:
    found = (int(answer["major"]), int("".join(c for c in answer["minor"] if c.isdigit())))
    low, high = SUPPORTED_KUBERNETES
    text = answer["gitVersion"]
    span = f"{low[0]}.{low[1]} to {high[0]}.{high[1]}"
    if found < low:
        return Finding(Mark.FAILED, "Kubernetes", f"{text} is too old; supported: {span}")
    if found > high:
        return Finding(Mark.WARNING, "Kubernetes", f"{text} is newer than was tested ({span})")
    return Finding(Mark.OK, "Kubernetes", f"{text} (supported: {span})")


async def _crds(kube: Kube) -> list[Finding]:
    missing = []
    for plural in _OURS:
        try:
            await kube.get(CRDS, None, f"{plural}.{GROUP}")
        except NotFound:
            missing.append(plural)
        except Forbidden as error:
            return [Finding(Mark.WARNING, "CRDs", f"can't be looked at: {error}")]
    if missing:
        what = f"{', '.join(missing)} not installed: kubectl apply --server-side -f crds/"
        return [Finding(Mark.FAILED, "CRDs", what)]
    return [Finding(Mark.OK, "CRDs", "installed")]


async def _rights(kube: Kube) -> list[Finding]:
    missing = []
    for verb, group, name in NEEDED_RIGHTS:
        resource, _, subresource = name.partition("/")
        attributes = {"verb": verb, "group": group, "resource": resource}
        if subresource:
            attributes["subresource"] = subresource
        review = {"metadata": {}, "spec": {"resourceAttributes": attributes}}
        answer = await kube.create(_REVIEWS, review)
        if not answer["status"].get("allowed"):
            missing.append(f"{verb} {name}{'.' + group if group else ''}")
    if missing:
        return [Finding(Mark.FAILED, "rights", f"missing in all namespaces: {', '.join(missing)}")]
    return [Finding(Mark.OK, "rights", "all that the operator needs")]


# -- the data -----------------------------------------------------------------------------------


def check_data(
    uri: str, logs: str | None, endpoint: str | None, region: str | None, prices: Path | None
) -> list[Finding]:
    """Look at a location, its access signal and its prices."""
    try:
        ref = store_ref(uri, endpoint=endpoint, region=region)
    except CloudFluxError as error:
        return [Finding(Mark.FAILED, "location", str(error))]
    findings = list(_look(lambda: _check_location(ref), "location"))
    if ref.uri.startswith("file://"):
        findings += _look(lambda: _check_access_times(ref), "access times")
    elif logs is None:
        advice = "not looked at: say where they are with --logs s3://bucket/prefix"
        findings.append(Finding(Mark.WARNING, "access logs", advice))
    else:
        findings += _look(
            lambda: check_logs(
                store_ref(logs, endpoint=endpoint, region=region), dt.datetime.now(dt.UTC)
            ),
            "access logs",
        )
    findings += _look(lambda: _check_prices(ref, prices), "prices")
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
    from cloudflux.access.logs import delivered_at
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
