"""Group the choices into at most ten recommendations, with figures and a reason in words."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.api.common import Tier
from cloudflux.brain import cost, words
from cloudflux.brain.choose import Choice, Scene
from cloudflux.brain.plan import HORIZON_DAYS, payback_days
from cloudflux.brain.prices import DAYS_PER_MONTH

Rows = npt.NDArray[np.intp]

MAX_RECOMMENDATIONS = 10
_MONTHS = HORIZON_DAYS / DAYS_PER_MONTH


@dataclass(frozen=True, slots=True)
class Recommended:
    """One move of many objects from one class to another."""

    id: str
    source: str
    target: str
    tier: Tier
    rows: npt.NDArray[np.intp]
    """Positions of the objects."""
    size_bytes: int
    savings_per_month: float
    one_off_cost: float
    payback_days: int | None
    confidence_percent: int
    reason: str
    reads_30d: npt.NDArray[np.float64]
    """Reads expected in 30 days by which the move was priced, by object."""
    idle_days: npt.NDArray[np.float64]
    """Days without a read in the present class, by object."""
    saves_per_month: npt.NDArray[np.float64]
    """Promised, by object; their sum is savings_per_month."""


def recommend(scene: Scene, choice: Choice) -> tuple[Recommended, ...]:
    """Make one recommendation for each pair of classes, the largest saving first."""
    found = []
    bytes_left = scene.policy.guardrails.max_bytes_per_day
    groups = [
        (source, position, chosen)
        for source, rows in cost.by_class(scene.data_set.objects.storage_class).items()
        for position in range(len(scene.candidates))
        if len(chosen := rows[choice.target[rows] == position])
    ]
    groups.sort(key=lambda group: -_saved(scene, group[1], group[2]).sum())
    for source, position, chosen in groups[:MAX_RECOMMENDATIONS]:
        affordable = _within_limits(scene, position, chosen, bytes_left)
        if bytes_left is not None:
            bytes_left -= int(scene.data_set.objects.size_bytes[affordable].sum())
        if len(affordable):
            found.append(_group(scene, choice, source, position, affordable))
    return tuple(found)


def _saved(scene: Scene, position: int, rows: Rows) -> npt.NDArray[np.float64]:
    return np.asarray(scene.options.stay[rows] - scene.options.total[position, rows])


def _within_limits(scene: Scene, position: int, rows: Rows, bytes_left: int | None) -> Rows:
    """Keep the objects that save most for their fees, within maxOneOffCost and maxBytesPerDay."""
    max_cost = scene.policy.guardrails.max_one_off_cost
    fees = scene.options.one_off[position, rows]
    size = scene.data_set.objects.size_bytes[rows]
    order = np.argsort(-_saved(scene, position, rows) / np.maximum(fees, 1e-12), kind="stable")
    keep = np.ones(len(rows), dtype=np.bool_)
    if max_cost is not None:
        keep &= np.cumsum(fees[order]) <= float(max_cost)
    if bytes_left is not None:
        keep &= np.cumsum(size[order]) <= bytes_left
    return np.sort(rows[order][keep])


def _group(scene: Scene, choice: Choice, source: str, position: int, rows: Rows) -> Recommended:
    option, options = scene.candidates[position], scene.options
    size = scene.data_set.objects.size_bytes[rows]
    stay = float(options.stay[rows].sum()) / _MONTHS
    then = float(options.running[position, rows].sum()) / _MONTHS
    one_off = float(options.one_off[position, rows].sum())
    payback = payback_days(one_off, stay - then)
    weight = np.maximum(size, 1.0)
    facts = words.MoveFacts(
        objects=len(rows),
        size_bytes=float(size.sum()),
        source=source,
        target=option.name,
        idle_days=float(np.median(scene.demand.idle_days[rows])),
        reads_30d=float(scene.demand.reads_30d[rows].sum()),
        now_per_month=stay,
        then_per_month=then,
        one_off=one_off,
        payback_days=payback,
        read_once=float(cost.read_cost(scene.table, option.name, size).sum()),
        alternative=_alternative(scene, position, rows),
        currency=scene.table.currency,
        prices=f"{scene.table.date} ({scene.table.provider}, {scene.table.region})",
    )
    return Recommended(
        id=_content_id(scene, source, option.name, rows),
        source=source,
        target=option.name,
        tier=option.tier,
        rows=rows,
        size_bytes=int(size.sum()),
        savings_per_month=stay - then,
        one_off_cost=one_off,
        payback_days=payback,
        confidence_percent=int(np.average(choice.confidence_percent[rows], weights=weight)),
        reason=words.reason(facts),
        reads_30d=options.reads_per_day[rows] * 30,
        idle_days=np.minimum(
            scene.demand.idle_days[rows], scene.data_set.objects.days_in_class[rows]
        ),
        saves_per_month=(options.stay[rows] - options.running[position, rows]) / _MONTHS,
    )


def _alternative(scene: Scene, chosen: int, rows: Rows) -> words.Alternative | None:
    """Find the cheapest other class that all of these objects could go to and gain."""
    others = [
        (float(scene.options.total[position, rows].sum()), position)
        for position in range(len(scene.candidates))
        if position != chosen and scene.options.possible[position, rows].all()
    ]
    if not others:
        return None
    total, position = min(others)
    if total >= float(scene.options.stay[rows].sum()):
        return None
    return words.Alternative(
        name=scene.candidates[position].name,
        per_month=float(scene.options.running[position, rows].sum()) / _MONTHS,
        one_off=float(scene.options.one_off[position, rows].sum()),
    )


def _content_id(scene: Scene, source: str, target: str, rows: Rows) -> str:
    """Name the list by its content: the same objects in the same versions have the same id."""
    objects = scene.data_set.objects
    digest = hashlib.sha256(f"{scene.data_set.uri}\0{source}\0{target}".encode())
    for row in rows:
        line = f"\0{objects.keys[row]}\0{objects.versions[row]}"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]
