"""The outbox as metrics, read when Prometheus asks."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cloudflux.api.events import EVENTS, EventType
from cloudflux.events.outbox import FAILURE_REASONS, Outbox


class OutboxCollector(Collector):
    """What was produced and dropped, what waits, and since when."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def collect(self) -> Iterable[Metric]:
        """Return the present values; every type and reason is there from the start."""
        outbox = self._outbox
        produced = CounterMetricFamily(
            "cloudflux_events_produced", "Events that brokers took.", labels=["type"]
        )
        for kind in EventType:
            produced.add_metric([kind.value], outbox.produced[kind.value])
        yield produced
        dropped = CounterMetricFamily(
            "cloudflux_events_dropped", "Events dropped, the local log being full.", labels=["type"]
        )
        for kind, info in EVENTS.items():
            if info.droppable:
                dropped.add_metric([kind.value], outbox.dropped[kind.value])
        yield dropped
        failures = CounterMetricFamily(
            "cloudflux_events_failures", "Hand-overs that brokers did not take.", labels=["reason"]
        )
        for reason in FAILURE_REASONS:
            failures.add_metric([reason], outbox.failures[reason])
        yield failures
        yield GaugeMetricFamily("cloudflux_outbox_events", "Events waiting.", value=outbox.depth)
        yield GaugeMetricFamily(
            "cloudflux_outbox_oldest_age_seconds",
            "How long the oldest event has been waiting.",
            value=outbox.oldest_age_seconds,
        )
        yield GaugeMetricFamily(
            "cloudflux_outbox_filled_ratio",
            "Share of the local log's limit in use.",
            value=outbox.filled,
        )
