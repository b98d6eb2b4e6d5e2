"""What the data costs over time, sampled while the console runs; nothing is kept over its end."""

import asyncio
import datetime as dt
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from cloudflux.console import views
from cloudflux.console.who import Scope
from cloudflux.console.world import World
from cloudflux.handlers.resources import DATA_SET, POLICY

SAMPLE_SECONDS = 60.0
MAX_SAMPLES = 1440
"""A day at one a minute."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Amounts at one time, by namespace and currency."""

    at: dt.datetime
    cost: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    savings: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    realised: dict[tuple[str, str], Decimal] = field(default_factory=dict)


class Trend:
    """Samples of a day."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)

    async def run(self, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> None:
        """Take a sample each minute until cancelled."""
        await self._world.synced.wait()
        while True:
            self._samples.append(self.sample(clock()))
            await asyncio.sleep(SAMPLE_SECONDS)

    def sample(self, now: dt.datetime) -> Sample:
        """Return the amounts as they are now."""
        found = Sample(now)
        for one in views.all_typed(DATA_SET, self._world.cache.list(DATA_SET)):
            key = (one.namespace, one.status.currency or "")
            _add(found.cost, key, one.status.monthly_cost)
            _add(found.savings, key, one.status.savings_per_month)
        for one in views.all_typed(POLICY, self._world.cache.list(POLICY)):
            key = (one.namespace, one.status.currency or "")
            _add(found.realised, key, one.status.realised_savings_per_month)
        return found

    def series(self, what: str, scope: Scope, currency: str) -> list[tuple[dt.datetime, float]]:
        """Return `cost`, `savings` or `realised` over time, of what may be seen."""
        plural = "tieringpolicies" if what == "realised" else "datasets"
        return [
            (
                sample.at,
                float(
                    sum(
                        value
                        for (namespace, unit), value in getattr(sample, what).items()
                        if unit == currency and scope.sees(namespace, plural)
                    )
                ),
            )
            for sample in self._samples
        ]


def _add(sums: dict[tuple[str, str], Decimal], key: tuple[str, str], value: str | None) -> None:
    if value is not None:
        sums[key] = sums.get(key, Decimal(0)) + views.money(value)
