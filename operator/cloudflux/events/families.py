"""From the declaration of a metric to what Prometheus reads: names and labels only from there."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from cloudflux.api.metrics import METRICS, PREFIX, MetricInfo, MetricKind

Labels = tuple[str, ...]
L = TypeVar("L", bound=tuple[str, ...])


def info(name: str) -> MetricInfo:
    """Return the declaration of a metric, named without the prefix. Raises KeyError."""
    return METRICS[PREFIX + name]


def family(name: str, values: Mapping[L, float] | float) -> Metric:
    """Return a counter or gauge with its values by labels, in the order of the declaration.

    Raises ValueError when a series has other labels than the declaration.
    """
    declared = info(name)
    by_labels: Mapping[Any, float] = values if isinstance(values, Mapping) else {(): values}
    kind = CounterMetricFamily if declared.kind is MetricKind.COUNTER else GaugeMetricFamily
    made = kind(PREFIX + name, declared.meaning, labels=declared.labels)
    for labels, value in by_labels.items():
        if len(labels) != len(declared.labels):
            raise ValueError(f"{name} has the labels {declared.labels}, not {labels}")
        made.add_metric(labels, value)
    return made


class Distribution:
    """A histogram by one label; every known value of the label is there from the start."""

    def __init__(self, name: str, values: Sequence[str]) -> None:
        self._name, self._declared = name, info(name)
        self._counts = {value: [0] * (len(self._declared.buckets) + 1) for value in values}
        self._sums = dict.fromkeys(values, 0.0)

    def observe(self, value: str, seconds: float) -> None:
        """Count one observation."""
        self._counts[value][bisect_left(self._declared.buckets, seconds)] += 1
        self._sums[value] += seconds

    def family(self) -> Metric:
        """Return it as Prometheus reads it."""
        made = HistogramMetricFamily(
            PREFIX + self._name, self._declared.meaning, labels=self._declared.labels
        )
        bounds = [*(str(bound) for bound in self._declared.buckets), "+Inf"]
        for value, counts in self._counts.items():
            running, cumulative = 0, []
            for bound, count in zip(bounds, counts, strict=True):
                running += count
                cumulative.append((bound, float(running)))
            made.add_metric([value], cumulative, self._sums[value])
        return made
