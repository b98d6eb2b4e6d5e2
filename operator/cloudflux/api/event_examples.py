"""One example of each event: shown in the docs and used by the tests."""

from typing import Any

from cloudflux.api.events import EventType

_UID = "3b0d7a52-6a4e-4a0e-9a52-0f8b1d6c9e11"
_OWNER = {
    "namespace": "team-a",
    "dataSet": "telemetry",
    "dataSetUid": "8c1f4f0e-51d5-4f4c-8f6b-0d9a2f6c7b21",
}
_JOB: dict[str, Any] = {
    **_OWNER,
    "job": "telemetry-4f1c2a9b",
    "jobUid": _UID,
    "policy": "save-money",
    "provider": "s3",
    "from": "s3://data/telemetry",
    "to": "GLACIER_IR",
    "tier": "Cold",
    "objects": 12000,
    "bytes": 4800000000,
    "oneOffCost": "0.24",
    "savingsPerMonth": "0.0912",
    "currency": "USD",
    "paybackDays": 80,
    "reason": "Planned",
    "message": "12000 objects, 4.47 GiB to GLACIER_IR",
}
_TRANSFER = {
    **_OWNER,
    "job": "telemetry-4f1c2a9b",
    "jobUid": _UID,
    "provider": "s3",
    "uri": "s3://archive/telemetry",
    "objects": 12000,
    "bytes": 4800000000,
}
_COUNTS = {"objectsDone": 12000, "objectsFailed": 0, "objectsSkipped": 0}
_MANIFEST = "file:///var/lib/cloudflux/jobs/3b0d7a52/manifest.jsonl"

EXAMPLES: dict[EventType, dict[str, Any]] = {
    EventType.CLOUD_UPLOAD: {**_TRANSFER, "storageClass": "STANDARD_IA"},
    EventType.CLOUD_DOWNLOAD: {**_TRANSFER, "uri": "s3://data/telemetry"},
    EventType.CLOUD_DELETE: {**_TRANSFER, "uri": "s3://data/telemetry"},
    EventType.PATTERN_DETECTED: {
        **_OWNER,
        "temperature": "Cold",
        "confidencePercent": 93,
        "reads7d": 0,
        "reads30d": 2,
        "lastReadAt": "2026-03-01T09:12:44Z",
        "observedDays": 90,
        "coveragePercent": 100,
    },
    EventType.LATENCY_BREACHED: {
        "namespace": "team-a",
        "policy": "save-money",
        "firstByteMillis": 861,
        "limitMillis": 200,
        "message": "telemetry: one read in twenty waits longer than 200 ms for its first byte",
    },
    EventType.PREDICTION: {
        **_OWNER,
        "reads7d": 4,
        "reads30d": 15,
        "low": 1,
        "high": 9,
        "model": "gradient-boosting",
        "confidencePercent": 88,
    },
    EventType.SAVINGS_FOUND: {
        **_OWNER,
        "provider": "s3",
        "monthlyCost": "0.1104",
        "savingsPerMonth": "0.0912",
        "currency": "USD",
        "recommendations": [
            {
                "id": "4f1c2a9b77aa01ce",
                "from": "STANDARD",
                "to": "GLACIER_IR",
                "tier": "Cold",
                "objects": 12000,
                "bytes": 4800000000,
                "savingsPerMonth": "0.0912",
                "oneOffCost": "0.24",
                "paybackDays": 80,
                "confidencePercent": 93,
                "reason": "not read for 74 days; GLACIER_IR saves 83 % after all fees",
            }
        ],
    },
    EventType.COST_ALERT: {
        "namespace": "team-a",
        "policy": "save-money",
        "monthlyCost": "512.40",
        "limit": "500",
        "currency": "USD",
        "dataSets": 14,
        "savingsPerMonth": "77.10",
    },
    EventType.COST_MEASURED: {
        **_OWNER,
        "provider": "s3",
        "currency": "USD",
        "monthlyCost": "0.1104",
        "savingsPerMonth": "0.0912",
        "tiers": [
            {
                "tier": "Hot",
                "storageClass": "STANDARD",
                "objects": 12000,
                "bytes": 4800000000,
                "monthlyCost": "0.1104",
            }
        ],
    },
    EventType.MIGRATION_PLANNED: {**_JOB, "planHash": "a41f0c9d2e", "durationSeconds": 240},
    EventType.MIGRATION_QUEUED: {**_JOB, "reason": "Queued", "queuePosition": 2},
    EventType.MIGRATION_RESTORING: {
        **_JOB,
        "from": "s3://data/telemetry (GLACIER)",
        "to": "STANDARD",
        "tier": "Hot",
        "reason": "Restoring",
        "message": "Restores 12000 objects by Bulk: up to 12 h, 0.31 USD.",
        "restoreTier": "Bulk",
        "archivedObjects": 12000,
        "archivedBytes": 4800000000,
        "restoreHours": 12,
        "restoreCost": "0.31",
        "restoringSince": "2026-03-14T10:00:00Z",
    },
    EventType.MIGRATION_STARTED: {
        **_JOB,
        "reason": "Copying",
        "startedAt": "2026-03-14T10:00:00Z",
    },
    EventType.MIGRATION_PROGRESS: {
        **_JOB,
        **_COUNTS,
        "reason": "Copying",
        "percent": 41,
        "objectsTotal": 12000,
        "objectsDone": 4920,
        "bytesTotal": 4800000000,
        "bytesDone": 1968000000,
        "bytesPerSecond": 20000000,
        "estimatedRemainingSeconds": 142,
    },
    EventType.MIGRATION_VERIFIED: {
        **_JOB,
        "reason": "Verified",
        "method": "checksum",
        "matched": 12000,
        "mismatched": 0,
        "manifestUri": _MANIFEST,
        "manifestDigest": "sha256:9f86d081884c7d65",
    },
    EventType.MIGRATION_SWITCHED: {
        **_JOB,
        "reason": "Switched",
        "switchedAt": "2026-03-14T10:04:10Z",
        "locationGeneration": 1,
    },
    EventType.MIGRATION_COMPLETED: {
        **_JOB,
        **_COUNTS,
        "reason": "Completed",
        "startedAt": "2026-03-14T10:00:00Z",
        "completedAt": "2026-03-14T10:04:12Z",
        "bytesDone": 4800000000,
        "manifestUri": _MANIFEST,
    },
    EventType.MIGRATION_FAILED: {
        **_JOB,
        "reason": "RetriesExhausted",
        "message": "Copying failed 5 times: the target is full",
        "objectsDone": 100,
        "objectsFailed": 1,
        "failures": [{"key": "2024/01/a.parquet", "reason": "TargetFull"}],
        "residue": "100 objects at s3://archive/telemetry",
    },
    EventType.MIGRATION_CANCELLED: {**_JOB, "reason": "Cancelled", "objectsDone": 100},
    EventType.DATASET_SWITCHED: {
        **_OWNER,
        "uri": "s3://archive/telemetry",
        "provider": "s3",
        "previous": "s3://data/telemetry",
        "locationGeneration": 1,
        "since": "2026-03-14T10:04:10Z",
    },
    EventType.POLICY_EVALUATED: {
        "namespace": "team-a",
        "policy": "save-money",
        "mode": "Auto",
        "dataSetsMatched": 14,
        "projectedSavingsPerMonth": "77.10",
        "realisedSavingsPerMonth": "410.02",
        "currency": "USD",
        "nextEvaluationTime": "2026-03-15T02:00:00Z",
    },
    EventType.EVENTS_DROPPED: {
        "namespace": "cloudflux",
        "dropped": 1204,
        "droppedByType": {"io.cloudflux.migration.progress.v1": 1204},
        "first": "2026-03-14T10:00:00Z",
        "last": "2026-03-14T13:40:02Z",
    },
}

ACCESS_EXAMPLE: dict[str, Any] = {
    "id": "8f14e45f-ceea-4a2b-9c1d-2f6f0c1b7a10",
    "time": "2026-03-14T10:00:00.120Z",
    "op": "read",
    "uri": "s3://data/telemetry/2026/03/14/part-0.parquet",
    "bytes": 4194304,
    "latencyMs": 12.5,
    "principal": "analytics",
}

DEAD_LETTER_EXAMPLE: dict[str, Any] = {
    "reason": "InvalidJson",
    "message": "the value is no JSON object",
    "topic": "cloudflux.access-events",
    "partition": 3,
    "offset": 123456,
    "sizeBytes": 26,
    "shape": '{"aa": "0a',
}
