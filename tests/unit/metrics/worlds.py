"""A runtime's caches with resources in them, as collectors see it."""

from collections import Counter
from types import SimpleNamespace as Fake
from typing import Any

from cloudflux.api.dataset import DataSetStatus
from cloudflux.handlers.cache import Cache
from cloudflux.handlers.resources import dump
from cloudflux.handlers.tally import Tally
from cloudflux.settings import Settings

AT = "2026-11-21T10:00:00Z"
PIN = {"source": {"uri": "s3://data"}, "target": {"uri": "file:///cold"}, "dataSetUid": "d"}


class World:
    """Objects are put as the watch puts them."""

    def __init__(self, **settings: Any) -> None:
        self.cache, self.tally = Cache(), Tally()
        self.cache.listen(self.tally.hear)
        self.version = 0
        self.runtime: Any = Fake(
            cache=self.cache,
            tally=self.tally,
            settings=Settings(**settings),
            recorder=Fake(dropped=0),
            publisher=Fake(told=Counter()),
        )

    def put(self, kind: str, name: str, spec: Any = None, uid: str | None = None, **status: Any):
        self.version += 1
        metadata = {
            "namespace": "team",
            "name": name,
            "uid": uid or name,
            "resourceVersion": str(self.version),
            "creationTimestamp": AT,
        }
        return self.cache.put(kind, {"metadata": metadata, "spec": spec or {}, "status": status})

    def job(self, name: str, **status: Any) -> None:
        self.put("MigrationJob", name, {"dataSetRef": {"name": "books"}}, pin=PIN, **status)

    def data_set(self, name: str, size_bytes: int = 10, **status: Any) -> None:
        known: Any = {
            "currency": "USD",
            "inventory": {"objects": 1, "bytes": size_bytes, "scannedAt": AT},
            "tiers": [
                {"tier": "Hot", "storageClass": "HOT", "objects": 1, "bytes": size_bytes,
                 "monthlyCost": "2.50"}
            ],
            "savingsPerMonth": "1.25",
            "temperature": "Cold",
            "access": {"reads7d": 7, "reads30d": 30, "observedDays": 40, "coveragePercent": 98},
            "forecast": {"reads7d": 8, "reads30d": 31, "low": 5, "high": 12,
                         "model": "random-forest-40 (trained 2026-11-20)"},
            "conditions": [condition("Ready"), condition("AccessHistoryFresh")],
        }  # fmt: skip
        model = DataSetStatus.model_validate({**known, **status})
        self.put("DataSet", name, {}, **dump(model))

    def sample(self, collector: Any) -> dict[tuple[str, tuple[str, ...]], float]:
        """Every series: name and values of labels in the order of the declaration."""
        return {
            (sample.name, tuple(sample.labels.values())): sample.value
            for metric in collector.collect()
            for sample in metric.samples
        }


def condition(kind: str, status: str = "True", reason: str = "-") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": AT}
