"""The CustomResourceDefinitions, made from the models, and what tells theirs from ours."""

import functools
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cloudflux import __version__
from cloudflux.api.common import GROUP, VERSION, Model, StatusModel
from cloudflux.api.dataset import DataSetSpec, DataSetStatus
from cloudflux.api.migrationjob import MigrationJobSpec, MigrationJobStatus
from cloudflux.api.rules import RULES
from cloudflux.api.structural import Schema, structural_schema
from cloudflux.api.tieringpolicy import TieringPolicySpec, TieringPolicyStatus

SCHEMA_VERSION_ANNOTATION = f"{GROUP}/schema-version"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`; `wide` ones show with `-o wide` only."""

    name: str
    json_path: str
    type: str = "string"
    wide: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a CRD says beside its schema."""

    kind: str
    plural: str
    short_name: str
    description: str
    spec: type[Model]
    status: type[StatusModel]
    columns: tuple[Column, ...]


def _condition(condition_type: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{condition_type}")].{field}'


_AGE = Column("Age", ".metadata.creationTimestamp", "date", description="Since its creation.")
_READY = Column("Ready", _condition("Ready", "status"), description="Status of Ready.")

KINDS = (
    Kind(
        "DataSet",
        "datasets",
        "cfds",
        "A DataSet says where some data is and how its reads are seen. The operator lists it, "
        "prices it, finds out how warm it is and recommends moves that would pay. Deleting a "
        "DataSet never deletes data.",
        DataSetSpec,
        DataSetStatus,
        (
            Column("Location", ".status.location.uri", wide=True, description="Read this."),
            Column("Temperature", ".status.temperature", description="How warm it is."),
            Column("Objects", ".status.inventory.objects", "integer", description="Objects."),
            Column("Bytes", ".status.inventory.bytesDisplay", description="Size."),
            Column("Cost/Mo", ".status.monthlyCostDisplay", description="Cost a month now."),
            Column("Savings/Mo", ".status.savingsDisplay", description="What moving would save."),
            _READY,
            Column("Reason", _condition("Ready", "reason"), description="Why it is so."),
            _AGE,
        ),
    ),
    Kind(
        "TieringPolicy",
        "tieringpolicies",
        "cftp",
        "A TieringPolicy says what should be done with the data sets that it selects in its own "
        "namespace: what hot, warm and cold mean, how a tier is chosen, and how far the operator "
        "may go on its own.",
        TieringPolicySpec,
        TieringPolicyStatus,
        (
            Column("Mode", ".spec.mode", description="How far it may go."),
            Column("DataSets", ".status.dataSetsMatched", "integer", description="Selected."),
            Column("Savings/Mo", ".status.savingsDisplay", description="If all were done."),
            Column("Realised/Mo", ".status.realisedDisplay", description="By what was done."),
            Column("Last", ".status.lastEvaluationTime", "date", description="Evaluated."),
            # not of type date: kubectl writes a date in the future as <invalid>
            Column("Next", ".status.nextEvaluationTime", description="Evaluates next."),
            _READY,
            Column("Reason", _condition("Ready", "reason"), description="Why it is so."),
            _AGE,
        ),
    ),
    Kind(
        "MigrationJob",
        "migrationjobs",
        "cfmj",
        "A MigrationJob is one move of a data set, or of some of its objects, to another tier, "
        "storage class or location: planned, copied, verified, switched. Deleting it stops it "
        "and never deletes data.",
        MigrationJobSpec,
        MigrationJobStatus,
        (
            Column("DataSet", ".spec.dataSetRef.name", description="What is moved."),
            Column("From", ".status.sourceDisplay", description="Where from."),
            Column("To", ".status.targetDisplay", description="Where to."),
            Column("Phase", ".status.phase", description="Where it is in its life."),
            Column("Progress", ".status.progressDisplay", description="Share done."),
            Column("Objects", ".status.objectsDisplay", description="Objects done of all."),
            Column("Bytes", ".status.bytesDisplay", description="Bytes done of all."),
            Column("ETA", ".status.etaDisplay", description="Time left."),
            Column("Reason", ".status.reason", description="Why it is as it is."),
            _AGE,
        ),
    ),
)


def crd(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind, with its schema version noted on it."""
    spec = {
        "group": GROUP,
        "names": {
            "kind": kind.kind,
            "listKind": f"{kind.kind}List",
            "plural": kind.plural,
            "singular": kind.kind.lower(),
            "shortNames": [kind.short_name],
            "categories": ["cloudflux"],
        },
        "scope": "Namespaced",
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": _schema(kind)},
                "subresources": {"status": {}},
                "additionalPrinterColumns": [_column(column) for column in kind.columns],
            }
        ],
    }
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{GROUP}",
            "annotations": {SCHEMA_VERSION_ANNOTATION: f"{__version__}-{digest}"},
        },
        "spec": spec,
    }


@functools.cache
def schema_version(plural: str) -> str:
    """Return this code's schema version of a resource: operator version and content hash."""
    kind = next(kind for kind in KINDS if kind.plural == plural)
    annotations: dict[str, str] = crd(kind)["metadata"]["annotations"]
    return annotations[SCHEMA_VERSION_ANNOTATION]


def mismatch(installed: dict[str, Any]) -> str | None:
    """Say how an installed CRD of ours differs from what this code expects; None if it doesn't.

    `installed` is the CRD as the API server returns it. The sentence says what to do.
    """
    name = installed["metadata"]["name"]
    expected = schema_version(installed["spec"]["names"]["plural"])
    found = (installed["metadata"].get("annotations") or {}).get(SCHEMA_VERSION_ANNOTATION)
    if found == expected:
        return None
    if not found:
        age = "carries no schema version, so it was not made by CloudFlux's generator"
    elif _release(found) < _release(expected):
        age = f"is older ({found}) than this operator ({expected})"
    elif _release(found) > _release(expected):
        age = f"is newer ({found}) than this operator ({expected})"
    else:
        age = f"differs ({found}) from this operator's ({expected})"
    newer = found is not None and _release(found) > _release(expected)
    remedy = (
        "upgrade the operator"
        if newer
        else "apply the CRDs of this version: kubectl apply --server-side -f crds/"
    )
    return f"CRD {name} {age}; {remedy}."


def _release(version: str) -> tuple[int, ...]:
    numbers = version.split("-", 1)[0].split(".")
    return tuple(int(number) if number.isdigit() else 0 for number in numbers)


def _schema(kind: Kind) -> Schema:
    status = structural_schema(kind.status, defaults=False)
    status["description"] = "What the operator found and did; written by the operator only."
    schema: Schema = {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"{kind.kind}."},
            "metadata": {"type": "object"},
            "spec": structural_schema(kind.spec, defaults=True),
            "status": status,
        },
    }
    for path, rules in RULES[kind.kind].items():
        _at(schema, path)["x-kubernetes-validations"] = [
            {"rule": each.rule, "message": each.message} for each in rules
        ]
    return schema


def _at(schema: Schema, path: str) -> Schema:
    """Return the schema node at a path such as `spec.tiers[]`."""
    for step in path.split(".") if path else ():
        schema = schema["properties"][step.removesuffix("[]")]
        if step.endswith("[]"):
            schema = schema["items"]
    return schema


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.json_path,
        "description": column.description,
        **({"priority": 1} if column.wide else {}),
    }
