"""What the client of the Kubernetes API speaks of: the kinds that we use, and how it refuses."""

import json
from dataclasses import dataclass
from typing import Any

from cloudflux.api.common import GROUP, VERSION
from cloudflux.errors import CloudFluxError

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of the API and where it is found."""

    path: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The apiVersion of its objects."""
        return self.path.removeprefix("apis/").removeprefix("api/")


_OURS = f"apis/{GROUP}/{VERSION}"
DATA_SETS = Resource(_OURS, "datasets", "DataSet")
TIERING_POLICIES = Resource(_OURS, "tieringpolicies", "TieringPolicy")
MIGRATION_JOBS = Resource(_OURS, "migrationjobs", "MigrationJob")
CONFIG_MAPS = Resource("api/v1", "configmaps", "ConfigMap")
SECRETS = Resource("api/v1", "secrets", "Secret")
JOBS = Resource("apis/batch/v1", "jobs", "Job")
SERVICE_ACCOUNTS = Resource("api/v1", "serviceaccounts", "ServiceAccount")
VOLUME_CLAIMS = Resource("api/v1", "persistentvolumeclaims", "PersistentVolumeClaim")
LEASES = Resource("apis/coordination.k8s.io/v1", "leases", "Lease")
EVENTS = Resource("apis/events.k8s.io/v1", "events", "Event")
CRDS = Resource(
    "apis/apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", False
)
OURS = {r.kind: r for r in (DATA_SETS, TIERING_POLICIES, MIGRATION_JOBS)}


class KubeError(CloudFluxError):
    """The Kubernetes API refused or failed; `status` is the HTTP status, 0 for no answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NotFound(KubeError):
    """No such object."""


class Conflict(KubeError):
    """The object changed since it was read, or exists already: read it again."""

    retryable = True


class Forbidden(KubeError):
    """A right is missing; the message names verb and resource."""

    reason = "AccessDenied"


class KubeUnavailable(KubeError):
    """No answer, or a server error, after the retries."""

    retryable = True


def with_kind(resource: Resource, obj: Object) -> Object:
    """Return the object with its apiVersion and kind."""
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def repeatable(method: str, body: Object | None) -> bool:
    """Whether repeating a request that may have been served does no harm.

    A compare-and-swap that was served answers its repetition with a conflict, which is safe:
    the caller reads again. A POST may have created the object: same answer, same cure.
    """
    return method != "POST" or "name" in (body or {}).get("metadata", {})


def error_of(status: int, content: bytes, method: str, url: str) -> KubeError:
    """Return the error that an answer of the API means."""
    try:
        message = str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        message = f"{method} {url.partition('?')[0]} answered {status}"
    kind = {403: Forbidden, 404: NotFound, 409: Conflict}.get(status)
    if kind is None:
        kind = KubeUnavailable if status == 429 or status >= 500 else KubeError
    return kind(message[:2048], status=status)
