"""A collector's totals as metrics, read when Prometheus asks."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector as MetricsCollector

from cloudflux.collector.parse import REASONS
from cloudflux.collector.reader import Totals


class TotalsCollector(MetricsCollector):
    """Operations counted and refused, and what waits."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterable[Metric]:
        """Return the present values; every reason is there from the start."""
        totals = self._totals
        for name, text, value in (
            ("reads", "Reads counted.", totals.reads),
            ("writes", "Writes counted.", totals.writes),
            ("duplicates", "Operations told twice and counted once.", totals.duplicates),
            ("lost", "Messages deleted by the topic before they were read.", totals.lost),
            ("commits", "Commits to the access store.", totals.commits),
        ):
            yield CounterMetricFamily(f"cloudflux_access_events_{name}", text, value=value)
        rejected = CounterMetricFamily(
            "cloudflux_access_events_rejected", "Messages that can't be counted.", labels=["reason"]
        )
        for reason in REASONS:
            rejected.add_metric([reason], totals.rejected[reason])
        yield rejected
        lag = GaugeMetricFamily(
            "cloudflux_access_events_lag", "Messages not yet counted.", labels=["partition"]
        )
        for partition, waiting in list(totals.lag.items()):
            lag.add_metric([str(partition)], waiting)
        yield lag
