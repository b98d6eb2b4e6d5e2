"""The outbox as metrics, read when Prometheus asks."""

from collections.abc import Iterable

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from cloudflux.api.events import EVENTS, EventType
from cloudflux.events.families import family
from cloudflux.events.outbox import FAILURE_REASONS, Outbox


class OutboxCollector(Collector):
    """What was produced and dropped, what waits, and since when."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def collect(self) -> Iterable[Metric]:
        """Return the present values; every type and reason is there from the start."""
        outbox = self._outbox
        droppable = [kind for kind, info in EVENTS.items() if info.droppable]
        yield family(
            "events_produced_total", {(k.value,): outbox.produced[k.value] for k in EventType}
        )
        yield family(
            "events_dropped_total", {(k.value,): outbox.dropped[k.value] for k in droppable}
        )
        yield family(
            "events_failures_total", {(word,): outbox.failures[word] for word in FAILURE_REASONS}
        )
        yield family("outbox_events", outbox.depth)
        yield family("outbox_oldest_age_seconds", outbox.oldest_age_seconds)
        yield family("outbox_filled_ratio", outbox.filled)
