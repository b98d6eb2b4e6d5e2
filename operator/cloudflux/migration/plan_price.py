"""What a plan's move costs and brings, and about how long it takes."""

from dataclasses import replace

import numpy as np

from cloudflux.api.move_tasks import PlanRequest
from cloudflux.brain.money import money
from cloudflux.brain.plan import MovePrice, payback_days, price_move
from cloudflux.migration.mapping import provider_of
from cloudflux.migration.plan_findings import Findings
from cloudflux.migration.session import Session, in_place

ASSUMED_BYTES_PER_SECOND = 50_000_000
ASSUMED_SECONDS_PER_OBJECT = 0.03


def price_of(session: Session, request: PlanRequest, findings: Findings) -> MovePrice:
    """Price the move, one call for each class that objects get."""
    sizes, days = np.asarray(findings.sizes, float), np.asarray(findings.days, float)
    reads, targets = np.asarray(findings.reads, float), np.asarray(findings.targets, object)
    classes = np.asarray(findings.classes, object)
    wanted = sorted(set(findings.targets)) or [_any_class(session, request)]
    moves = not in_place(request)
    source, target = provider_of(session.source), provider_of(session.target)
    prices = []
    for name in wanted:
        rows = targets == name
        prices.append(
            price_move(
                source_provider=source,
                source_region=request.source.region,
                source_class=list(classes[rows]),
                size_bytes=sizes[rows],
                days_in_class=days[rows],
                reads_30d=reads[rows],
                target_provider=target,
                target_region=request.target.region,
                target_class=name,
                crosses_region=moves and request.source.region != request.target.region,
                crosses_location=moves,
                overlay=request.price_overlay,
            )
        )
    return prices[0] if len(prices) == 1 else sum_prices(prices)


def _any_class(session: Session, request: PlanRequest) -> str:
    """Return a class to price an empty plan with."""
    named = request.target_class or request.target_root
    return named or session.target.capabilities.storage_classes[0]


def sum_prices(prices: list[MovePrice]) -> MovePrice:
    """Add up moves into several classes; the warnings of all, each once."""
    one_off = sum((one.one_off_cost for one in prices), start=prices[0].one_off_cost * 0)
    savings = sum((one.savings_per_month for one in prices), start=prices[0].savings_per_month * 0)
    return MovePrice(
        one_off_cost=one_off,
        savings_per_month=savings,
        payback_days=payback_days(float(one_off), float(savings)),
        currency=prices[0].currency,
        price_date=min(one.price_date for one in prices),
        warnings=tuple(dict.fromkeys(text for one in prices for text in one.warnings)),
    )


def with_fee(price: MovePrice, fee: float) -> MovePrice:
    """Return the price with a fee added to it once."""
    one_off = float(price.one_off_cost) + fee
    return replace(
        price,
        one_off_cost=money(one_off),
        payback_days=payback_days(one_off, float(price.savings_per_month)),
    )


def with_rent(price: MovePrice, rent: float) -> MovePrice:
    """Return the price with a rent that goes on every month, and lessens what is saved."""
    savings = float(price.savings_per_month) - rent
    return replace(
        price,
        savings_per_month=money(savings),
        payback_days=payback_days(float(price.one_off_cost), savings),
    )


def duration_seconds(request: PlanRequest, findings: Findings) -> int:
    """Estimate the time of a move in seconds, from assumed rates and its bandwidth limit."""
    rate = min(
        request.bandwidth_bytes_per_second or ASSUMED_BYTES_PER_SECOND, ASSUMED_BYTES_PER_SECOND
    )
    by_server = request.target_class is not None
    stream_seconds = 0.0 if by_server else 2 * sum(findings.sizes) / rate
    calls_seconds = 2 * len(findings.sizes) * ASSUMED_SECONDS_PER_OBJECT / request.parallelism
    return int(stream_seconds + calls_seconds) + 1
