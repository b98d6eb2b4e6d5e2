"""`cloudflux doctor`: what is reachable, which rights are missing, and what to do about it."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cloudflux.api.common import GROUP
from cloudflux.cli.doctor_data import check_data
from cloudflux.cli.findings import Finding, Mark
from cloudflux.errors import CloudFluxError
from cloudflux.handlers.kube import CRDS, Forbidden, Kube, NotFound, Object, Resource
from cloudflux.settings import Settings

SUPPORTED_KUBERNETES = ((1, 31), (1, 36))
"""Oldest and newest minor version that is supported (CEL rules of the CRDs need 1.31)."""
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
    write_probe: Annotated[
        bool,
        typer.Option(
            "--write-probe",
            help="Also write one scratch object below .cloudflux/ and remove it.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
) -> None:
    """Say what is reachable, which rights are missing, and which prices apply.

    Writes nothing, unless --write-probe asks for it.
    """
    findings: list[Finding] = []
    if kubeconfig is None:
        low, high = (".".join(map(str, version)) for version in SUPPORTED_KUBERNETES)
        findings.append(
            Finding(Mark.OK, "Kubernetes", f"supported: {low} to {high}; --kubeconfig looks at one")
        )
    else:
        findings += asyncio.run(check_cluster(kubeconfig, context))
    if uri is not None:
        findings += check_data(uri, logs, endpoint, region, prices, write_probe=write_probe)
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
