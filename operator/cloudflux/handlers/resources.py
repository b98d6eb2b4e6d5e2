"""The three resources as typed values: raw JSON of the API in, frozen models out."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from cloudflux.api.dataset import DataSetSpec, DataSetStatus
from cloudflux.api.migrationjob import MigrationJobSpec, MigrationJobStatus
from cloudflux.api.tieringpolicy import TieringPolicySpec, TieringPolicyStatus
from cloudflux.errors import ConfigurationError

DATA_SET, POLICY, JOB = "DataSet", "TieringPolicy", "MigrationJob"
KINDS = (DATA_SET, POLICY, JOB)
SWEEP_KIND = "Sweep"
"""In the work queue: what a deleted or cancelled job left."""

SCAN_NOW_ANNOTATION = "cloudflux.io/scan-now"
CREDENTIALS_LABEL = "cloudflux.io/credentials"
ENDPOINTS_ANNOTATION = "cloudflux.io/endpoints"

Raw = dict[str, Any]
Clock = Callable[[], dt.datetime]
Spec = TypeVar("Spec", bound=BaseModel)
Status = TypeVar("Status", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Resource(Generic[Spec, Status]):
    """One object of the API, parsed."""

    kind: str
    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    created: dt.datetime
    deleting: bool
    spec: Spec
    status: Status
    visited: bool
    """A status was written before."""
    raw: Raw = field(repr=False, compare=False)
    """The object as the API gave it."""

    @property
    def key(self) -> tuple[str, str, str]:
        """The key of the work queue."""
        return (self.kind, self.namespace, self.name)


DataSet = Resource[DataSetSpec, DataSetStatus]
Policy = Resource[TieringPolicySpec, TieringPolicyStatus]
Job = Resource[MigrationJobSpec, MigrationJobStatus]

_MODELS: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    DATA_SET: (DataSetSpec, DataSetStatus),
    POLICY: (TieringPolicySpec, TieringPolicyStatus),
    JOB: (MigrationJobSpec, MigrationJobStatus),
}


def parse_time(value: str) -> dt.datetime:
    """An API timestamp (RFC 3339, UTC)."""
    return dt.datetime.fromisoformat(value)


def parse(kind: str, raw: Mapping[str, Any]) -> Resource[Any, Any]:
    """Parse one object. Raises ConfigurationError with the first problem, in words."""
    meta = raw["metadata"]
    spec_model, status_model = _MODELS[kind]
    try:
        spec = spec_model.model_validate(raw.get("spec") or {})
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ConfigurationError(f"spec.{place}: {problem['msg']}") from error
    try:
        status = status_model.model_validate(raw.get("status") or {})
    except ValidationError:
        status = status_model()  # a status of another version is computed again
    return Resource(
        kind=kind,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        generation=meta.get("generation", 0),
        resource_version=meta.get("resourceVersion", ""),
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
        created=parse_time(meta.get("creationTimestamp") or "1970-01-01T00:00:00Z"),
        deleting="deletionTimestamp" in meta,
        spec=spec,
        status=status,
        visited=bool(raw.get("status")),
        raw=dict(raw),
    )


def dump(status: BaseModel) -> Raw:
    """A status as the API takes it."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
