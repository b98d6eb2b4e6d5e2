"""Resources as the watch gives them, made of few words."""

from typing import Any

from cloudflux.console.world import World

NOW = "2026-03-14T10:00:00Z"
_versions = iter(range(1, 1_000_000))


def data_set(name: str, namespace: str = "team-a", **status: Any) -> dict[str, Any]:
    return {
        "metadata": _metadata(name, namespace),
        "spec": {"location": {"uri": f"s3://data/{name}"}},
        "status": {
            "currency": "USD", "monthlyCost": "10", "savingsPerMonth": "4.5", "temperature": "Cold",
            "confidencePercent": 90, "evaluatedAt": NOW,
            "inventory": {"objects": 10, "bytes": 1 << 30, "scannedAt": NOW},
            "tiers": [{
                "tier": "Hot", "storageClass": "STANDARD", "objects": 10, "bytes": 1 << 30,
                "monthlyCost": "10",
            }],
            "conditions": [condition("Ready", "True", "Scanned")],
            **status,
        },
    }  # fmt: skip


def job(name: str, namespace: str = "team-a", **status: Any) -> dict[str, Any]:
    return {
        "metadata": _metadata(name, namespace),
        "spec": {"dataSetRef": {"name": "telemetry"}, "target": {"tier": "Cold"}},
        "status": {"phase": "Copying", "sourceDisplay": "STANDARD", **status},
    }


def policy(name: str, namespace: str = "team-a", **status: Any) -> dict[str, Any]:
    return {
        "metadata": _metadata(name, namespace),
        "spec": {"tiers": [{"name": "Hot", "s3StorageClass": "STANDARD"}]},
        "status": {
            "dataSetsMatched": 1,
            "realisedSavingsPerMonth": "3",
            "currency": "USD",
            **status,
        },
    }


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    return {
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": NOW,
    }  # fmt: skip


def _metadata(name: str, namespace: str) -> dict[str, Any]:
    return {
        "namespace": namespace, "name": name, "uid": f"uid-{namespace}-{name}",
        "resourceVersion": str(next(_versions)), "creationTimestamp": NOW,
    }  # fmt: skip


def fill(world: World, **by_kind: list[dict[str, Any]]) -> None:
    """Put objects into a world; kinds by name."""
    for kind, objects in by_kind.items():
        for one in objects:
            world.cache.put(kind, one)
