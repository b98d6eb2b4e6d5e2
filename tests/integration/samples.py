"""Valid resources with every field of spec set, to break one thing of at a time."""

import copy
from typing import Any

Json = dict[str, Any]

LOCATION = {
    "uri": "s3://data/logs",
    "endpoint": "http://127.0.0.1:9000",
    "region": "eu-central-1",
    "credentialsSecretRef": {"name": "keys"},
}

_WHERE = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["fast"]}]}
PODS = {
    "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
    "nodeSelector": {"pool": "movers"},
    "tolerations": [{"key": "movers", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_WHERE]},
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "preference": _WHERE}
            ],
        }
    },
    "priorityClassName": "low",
    "annotations": {"example.com/cost": "team-a"},
}

DATA_SET: Json = {
    "location": LOCATION,
    "access": {
        "sources": [{"type": "S3AccessLogs", "logs": {**LOCATION, "uri": "s3://logs/data/"}}]
    },
    "writers": "AppendOnly",
    "retention": {"accessHistoryDays": 90},
    "policyRef": {"name": "saver"},
    "suspend": False,
}

TIERING_POLICY: Json = {
    "selector": {"matchLabels": {"team": "research"}},
    "mode": "Auto",
    "tiers": [
        {"name": "Hot", "s3StorageClass": "STANDARD", "fileRoot": "file:///mnt/hot"},
        {"name": "Cold", "s3StorageClass": "GLACIER_IR", "maxFirstByteMillis": 200},
    ],
    "strategy": "Rules",
    "rules": {"hotMinReadsPerWeek": 5, "warmMinReadsPerMonth": 2, "coldMinIdleDays": 30},
    "guardrails": {"minObservedDays": 14, "maxBytesPerDay": 10**12, "maxOneOffCost": "12.50"},
    "schedule": {"cron": "0 3 * * *", "timeZone": "Europe/Berlin"},
    "runNow": "1",
    "migration": {
        "parallelism": 8,
        "bandwidthBytesPerSecond": 10**8,
        "verify": "Bytes",
        "sourceRetention": {"policy": "Delete", "graceSeconds": 60},
        "pods": PODS,
    },
    "suspend": False,
}

MIGRATION_JOB: Json = {
    "dataSetRef": {"name": "logs"},
    "policyRef": {"name": "saver"},
    "target": {"tier": "Cold"},
    "selection": {"prefix": "2024/", "minSizeBytes": 131072, "idleDays": 90},
    "execution": {"parallelism": 3, "bandwidthBytesPerSecond": 10**8, "pods": PODS},
    "verify": "Bytes",
    "sourceRetention": {"policy": "Retain", "graceSeconds": 3600},
    "restore": {"tier": "Standard", "days": 3},
    "retry": {"maxAttempts": 3, "initialBackoffSeconds": 1, "maxBackoffSeconds": 60},
    "activeDeadlineSeconds": 86400,
    "progressDeadlineSeconds": 600,
    "budget": {"maxCost": "1.00", "maxBytes": 10**12},
    "ttlSecondsAfterFinished": 60,
    "requireApproval": True,
    "priority": 1,
    "suspend": False,
    "cancel": False,
}

SPECS = {"DataSet": DATA_SET, "TieringPolicy": TIERING_POLICY, "MigrationJob": MIGRATION_JOB}


def resource(
    kind: str, namespace: str, changes: Json | None = None, *, name: str = "sample"
) -> Json:
    """Return the sample of a kind; `changes` maps paths such as `target.tier` to values.

    A value of None removes the field.
    """
    spec = copy.deepcopy(SPECS[kind])
    for path, value in (changes or {}).items():
        put(spec, path, value)
    return {
        "apiVersion": "cloudflux.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def put(content: Any, path: str, value: Any) -> None:
    """Set, or with None remove, what is at a path; a number steps into a list."""
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in steps:
        if isinstance(step, str):
            content.setdefault(step, {})
        content = content[step]
    if value is None:
        del content[last]
    else:
        content[last] = value
