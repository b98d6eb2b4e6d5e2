"""What must be so before the operator leads: the CRDs are served, the price overlay is read."""

import asyncio
import json
from typing import Any

import structlog

from cloudflux.api import crds
from cloudflux.api.common import GROUP
from cloudflux.errors import ConfigurationError
from cloudflux.handlers.kube import CRDS, OURS, Kube, KubeError, NotFound
from cloudflux.settings import Settings

CRD_POLL_SECONDS = 1.0


async def wait_for_crds(kube: Kube) -> list[tuple[dict[str, Any], str]]:
    """Wait until the three CRDs are served; return those of another version, with what to do."""
    log = structlog.get_logger("cloudflux.operator")
    said: set[str] = set()
    while True:
        found: list[dict[str, Any]] = []
        for resource in OURS.values():
            name = f"{resource.plural}.{GROUP}"
            try:
                found.append(await kube.get(CRDS, None, name))
            except NotFound:
                if name not in said:
                    said.add(name)
                    log.error(
                        "CRD missing; install it: kubectl apply --server-side -f crds/", crd=name
                    )
            except KubeError as error:
                if not error.retryable:
                    raise
                log.warning("the Kubernetes API does not answer", error=str(error))
        if len(found) == len(OURS):
            break
        await asyncio.sleep(CRD_POLL_SECONDS)
    problems = [(item, crds.mismatch(item)) for item in found]
    mismatches = [(item, problem) for item, problem in problems if problem]
    for item, problem in mismatches:
        log.error(problem, reason="CrdMismatch", crd=item["metadata"]["name"])
    return mismatches


def price_overlay(settings: Settings) -> dict[str, object] | None:
    """Read the file with own prices. Raises ConfigurationError."""
    if settings.price_overlay is None:
        return None
    try:
        overlay = json.loads(settings.price_overlay.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{settings.price_overlay} can't be read: {error}") from error
    if not isinstance(overlay, dict):
        raise ConfigurationError(f"{settings.price_overlay} must hold one JSON object")
    return overlay
