"""A collector's totals as metrics, read when Prometheus asks."""

from collections.abc import Iterable

from prometheus_client.core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from cloudflux.collector.parse import REASONS
from cloudflux.collector.reader import Totals
from cloudflux.events.families import family


class TotalsCollector(MetricsCollector):
    """Operations counted and refused, and what waits."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterable[Metric]:
        """Return the present values; every reason is there from the start."""
        totals = self._totals
        for name in ("reads", "writes", "duplicates", "lost", "commits"):
            yield family(f"access_events_{name}_total", getattr(totals, name))
        yield family(
            "access_events_rejected_total", {(word,): totals.rejected[word] for word in REASONS}
        )
        lag = {
            (topic, str(partition)): waiting
            for (topic, partition), waiting in list(totals.lag.items())
        }
        yield family("access_events_lag", lag)
