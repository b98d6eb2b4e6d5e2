"""The result of a replay: what each policy cost beside the others, as a table and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloudflux.brain.money import money
from cloudflux.brain.replay.fees import Fees
from cloudflux.brain.replay.ledger import Bill
from cloudflux.brain.replay.trace import Array

DEARER = 1.01
"""An object is made dearer when it costs over 1 % more than where it would have stayed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One policy of the table. Money is in the currency of the prices; None: not to be had."""

    policy: str
    cost: float
    saving_vs_hot_percent: float
    saving_vs_automatic_percent: float | None
    ratio_to_optimum: float
    dearer_percent: float
    """Share of objects that cost over 1 % more than always-hot."""
    p99_ratio: float
    """99th percentile over objects of cost ÷ optimum."""
    p99_regret: float
    """99th percentile over objects of cost less the optimum."""
    moves_per_object: float
    one_off: float
    payback_days: int | None
    """Days until the bill so far is below always-hot for good; None: never, or no move."""


HINDSIGHT = "best single class in hindsight"
OPTIMUM = "offline optimum"


def hot_name(fees: Fees) -> str:
    """Return the name of the policy that moves nothing."""
    return f"always {fees.names[fees.base]}"


def lines(bills: Mapping[str, Bill], optimum: Array | None, fees: Fees) -> list[Line]:
    """Compare the policies; what was never run is left out."""
    hot = bills[hot_name(fees)]
    automatic = None
    if fees.automatic is not None:
        automatic = bills[f"always {fees.names[fees.automatic]}"].total
    known = optimum is not None
    least = np.zeros(len(hot.total)) if optimum is None else optimum
    found = [_line(name, bill, hot, automatic, least) for name, bill in bills.items()]
    static = [bill.total for name, bill in bills.items() if name.startswith("always ")]
    best = np.minimum.reduce(static)
    for name, total in ((HINDSIGHT, best), (OPTIMUM, least))[: 1 + known]:
        zero = np.zeros(len(total))
        nothing = Bill(total, zero, np.empty(0), hot.moves, hot.left_in, hot.clock)
        found.append(_line(name, nothing, hot, automatic, least))
    return found


def _line(name: str, bill: Bill, hot: Bill, automatic: Array | None, optimum: Array) -> Line:
    total = float(bill.total.sum())
    count = max(len(optimum), 1)
    regret = bill.total - optimum
    ratio = np.divide(bill.total, optimum, out=np.ones_like(optimum), where=optimum > 0)
    return Line(
        policy=name,
        cost=total,
        saving_vs_hot_percent=_percent(float(hot.total.sum()), total),
        saving_vs_automatic_percent=(
            None if automatic is None else _percent(float(automatic.sum()), total)
        ),
        ratio_to_optimum=_ratio(total, float(optimum.sum())),
        dearer_percent=100.0 * float((bill.total > hot.total * DEARER).sum()) / count,
        p99_ratio=float(np.quantile(ratio, 0.99)) if len(ratio) else 1.0,
        p99_regret=float(np.quantile(regret, 0.99)) if len(regret) else 0.0,
        moves_per_object=len(bill.moves) / count,
        one_off=float(bill.one_off.sum()),
        payback_days=_payback(bill, hot),
    )


def _payback(bill: Bill, hot: Bill) -> int | None:
    if not len(bill.moves) or len(bill.by_day) != len(hot.by_day):
        return None
    ahead = np.cumsum(hot.by_day - bill.by_day)
    behind = np.flatnonzero(ahead <= 0)
    if not len(behind):
        return 0
    return None if behind[-1] == len(ahead) - 1 else int(behind[-1]) + 1


def _percent(before: float, after: float) -> float:
    return 100.0 * (before - after) / before if before > 0 else 0.0


def _ratio(cost: float, least: float) -> float:
    return cost / least if least > 0 else 1.0


def as_json(found: list[Line]) -> list[dict[str, Any]]:
    """Return the lines for programs; money as decimal text."""
    return [
        {
            "policy": line.policy,
            "cost": f"{money(line.cost):f}",
            "saving_vs_hot_percent": round(line.saving_vs_hot_percent, 3),
            "saving_vs_automatic_percent": (
                None
                if line.saving_vs_automatic_percent is None
                else round(line.saving_vs_automatic_percent, 3)
            ),
            "ratio_to_optimum": round(line.ratio_to_optimum, 5),
            "dearer_percent": round(line.dearer_percent, 3),
            "p99_ratio": round(line.p99_ratio, 4),
            "p99_regret": f"{money(line.p99_regret):f}",
            "moves_per_object": round(line.moves_per_object, 4),
            "one_off": f"{money(line.one_off):f}",
            "payback_days": line.payback_days,
        }
        for line in found
    ]


def as_text(found: list[Line], currency: str) -> str:
    """Return the table for people."""
    header = (
        f"{'policy':34} {'cost ' + currency:>12} {'vs hot':>8} {'vs auto':>8} {'÷ opt':>7} "
        f"{'dearer':>7} {'p99 ÷':>7} {'moves':>6} {'one-off':>9} {'payback':>8}"
    )
    rows = [header]
    for line in found:
        automatic = line.saving_vs_automatic_percent
        rows.append(
            f"{line.policy:34} {line.cost:12.4g} {line.saving_vs_hot_percent:7.1f}% "
            f"{'-' if automatic is None else f'{automatic:.1f}%':>8} {line.ratio_to_optimum:7.3f} "
            f"{line.dearer_percent:6.1f}% {line.p99_ratio:7.2f} {line.moves_per_object:6.2f} "
            f"{line.one_off:9.3g} "
            f"{'-' if line.payback_days is None else f'{line.payback_days} d':>8}"
        )
    return "\n".join(rows)
