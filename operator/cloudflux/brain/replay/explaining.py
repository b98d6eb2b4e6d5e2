"""Why an object is where it should be: the decision of one day, its alternatives and its curve."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cloudflux.api.tieringpolicy import Guardrails
from cloudflux.brain import cost
from cloudflux.brain.prices import DAYS_PER_MONTH, PriceTable
from cloudflux.brain.replay.fees import Fees, build_fees
from cloudflux.brain.replay.histories import CAP_PER_DAY, Histories
from cloudflux.brain.replay.learning import HORIZON_DAYS, CappedReads, Forecaster
from cloudflux.brain.replay.ledger import State
from cloudflux.brain.replay.predictive import Predictive
from cloudflux.brain.replay.prior import home_class
from cloudflux.brain.replay.trace import Array, Trace
from cloudflux.errors import ConfigurationError

CURVE_DAYS = 180


@dataclass(frozen=True, slots=True)
class Option:
    """One class that the objects could be in, over the 180 days that follow."""

    name: str
    one_off: float
    rent: float
    reads: float
    curve: tuple[float, ...]
    """Spent by the end of each day, the move included; 181 values, the first is the move."""

    @property
    def total(self) -> float:
        """Everything that is spent in 180 days."""
        return self.curve[-1]


@dataclass(frozen=True, slots=True)
class Rail:
    """One bound of a policy, and what it is held against."""

    name: str
    least: float
    found: float

    @property
    def holds_back(self) -> bool:
        """Whether it keeps the move from being made."""
        return self.found < self.least


@dataclass(frozen=True, slots=True)
class Explanation:
    """What should be done with some objects that are in one class, and why."""

    objects: int
    size_bytes: float
    day: int
    source: str
    target: str
    reason: str
    confidence: float
    expected_reads: float
    """In the 60 days that follow, by all of these objects, at most three a day each."""
    forecast: str
    options: tuple[Option, ...]
    currency: str
    prices_as_of: str
    observed_days: int
    held_days: int
    """Days that the objects have been where they are; without meaning in the base class."""

    def guardrails(self, rails: Guardrails, base: str) -> tuple["Rail", ...]:
        """Hold the move against a policy's bounds; nothing where the objects stay."""
        if self.source == self.target:
            return ()
        saved = 100.0 * (1.0 - self.chosen.total / self.stay.total) if self.stay.total else 0.0
        found = [
            Rail("minSavingsPercent", rails.min_savings_percent, saved),
            Rail("minConfidencePercent", rails.min_confidence_percent, 100.0 * self.confidence),
            Rail("minObservedDays", rails.min_observed_days, self.observed_days),
        ]
        if self.source != base:
            found.append(Rail("minResidenceDays", rails.min_residence_days, self.held_days))
        return tuple(found)

    @property
    def stay(self) -> Option:
        """The class that they are in."""
        return next(each for each in self.options if each.name == self.source)

    @property
    def chosen(self) -> Option:
        """The class that they should be in."""
        return next(each for each in self.options if each.name == self.target)

    @property
    def payback_day(self) -> int | None:
        """Days until the move has cost less than staying for good; None: not in 180 days."""
        ahead = np.array(self.stay.curve) - np.array(self.chosen.curve)
        behind = np.flatnonzero(ahead < 0)
        if not len(behind):
            return 0
        return None if behind[-1] == len(ahead) - 1 else int(behind[-1]) + 1

    @property
    def peak(self) -> float:
        """The most that the move is ever behind staying."""
        return float(max(np.max(np.array(self.chosen.curve) - np.array(self.stay.curve)), 0.0))

    def as_json(self) -> dict[str, Any]:
        """Return everything for programs."""
        return {
            "objects": self.objects,
            "size_bytes": int(self.size_bytes),
            "day": str(np.datetime64(self.day, "D")),
            "from_class": self.source,
            "to_class": self.target,
            "reason": self.reason,
            "confidence": round(self.confidence, 4),
            "expected_reads_60d": round(self.expected_reads, 4),
            "forecast": self.forecast,
            "expected_saving_180d": self.stay.total - self.chosen.total,
            "payback_days": self.payback_day,
            "most_behind": self.peak,
            "currency": self.currency,
            "prices_as_of": self.prices_as_of,
            "options": [
                {
                    "class": each.name,
                    "one_off": each.one_off,
                    "rent": each.rent,
                    "reads": each.reads,
                    "total": each.total,
                    "curve": list(each.curve),
                }
                for each in self.options
            ],
        }


def explain(
    trace: Trace,
    table: PriceTable,
    classes: list[str],
    *,
    source: str,
    held_days: int,
    rows: npt.NDArray[np.intp],
    seed: int = 0,
    model: Forecaster | None = None,
) -> list[Explanation]:
    """Explain the decision of the trace's `decide_from` for some objects, all of one class.

    What goes the same way is one explanation, the most bytes first. `held_days` is how long the
    objects have been in the class; an object that has just come there is `0`. Raises
    ConfigurationError for a class that is not among those that may be used.
    """
    day = trace.decide_from
    fees = build_fees(table, classes, trace.known_size_bytes)
    if source not in fees.names:
        raise ConfigurationError(f"--class {source} is not among --classes {','.join(fees.names)}")
    rows = rows[trace.first_day[rows] <= day]
    policy = Predictive(replace(trace, until=max(trace.until, day)), fees, seed=seed, model=model)
    state = _state(trace, day, fees.names.index(source), held_days)
    moves = policy(state)
    target = state.klass.copy()
    reason = np.full(len(trace), "", dtype=object)
    confidence = np.full(len(trace), 0.5)
    if moves is not None and len(moves):
        target[moves.row] = moves.target
        reason[moves.row] = moves.reason
        confidence[moves.row] = moves.confidence
    stays = target == state.klass
    reason[stays] = _staying(policy)
    small = stays & (target == fees.base) & (home_class(fees) == fees.base)
    reason[small & (fees.automatic is not None)] = (
        "stays: a quiet year is no cheaper in the automatic class for objects so small"
    )
    expected, forecast = _expected(policy, trace, day)
    found = []
    for code in np.unique(target[rows]).tolist():
        alike = rows[target[rows] == code]
        idle = np.minimum(state.idle_days()[alike], held_days).astype(np.float64)
        found.append(
            Explanation(
                objects=len(alike),
                size_bytes=float(trace.known_size_bytes[alike].sum()),
                day=day,
                source=source,
                target=fees.names[code],
                reason=_reason(reason[alike], code == fees.names.index(source)),
                confidence=float(np.mean(confidence[alike])),
                expected_reads=float(expected[alike].sum()),
                forecast=forecast,
                options=tuple(
                    _option(table, fees, position, source, alike, expected[alike], idle, held_days)
                    for position in range(len(fees))
                ),
                currency=fees.currency,
                prices_as_of=fees.as_of,
                observed_days=day - trace.train_from + 1,
                held_days=held_days,
            )
        )
    return sorted(found, key=lambda each: -each.size_bytes)


def _state(trace: Trace, day: int, position: int, held_days: int) -> State:
    walk = Histories(trace)
    walk.advance(day)
    return State(
        day=day,
        klass=np.full(len(trace), position, dtype=np.int8),
        since=np.maximum(np.full(len(trace), day - held_days), trace.first_day).astype(np.int32),
        born=trace.first_day <= day,
        first_day=trace.first_day,
        last_read=walk.last_read,
    )


def _expected(policy: Predictive, trace: Trace, day: int) -> tuple[Array, str]:
    """Return reads expected in 60 days, and where they come from."""
    scores = policy.expected_on(day)
    if scores is not None:
        return np.nan_to_num(scores.astype(np.float64)), "model"
    capped = CappedReads(trace, day)
    return capped.sum(day - HORIZON_DAYS + 1, day), (
        f"the last {HORIZON_DAYS} days again: too little history for a model"
    )


def _staying(policy: Predictive) -> str:
    return "stays: " + policy.epochs[-1].in_words(policy.class_names) if policy.epochs else "stays"


def _reason(reasons: npt.NDArray[np.object_], stays: bool) -> str:
    words = list(dict.fromkeys(reasons.tolist()))
    more = f" (and {len(words) - 1} other figures)" if len(words) > 1 and not stays else ""
    return f"{words[0]}{more}"


def _option(
    table: PriceTable,
    fees: Fees,
    position: int,
    source: str,
    rows: npt.NDArray[np.intp],
    expected: Array,
    idle: Array,
    held_days: int,
) -> Option:
    """Price one class day by day at the reads that are expected."""
    name = fees.names[position]
    before = fees.names.index(source)
    sizes = fees.sizes[rows]
    stays = position == before
    one_off = 0.0
    if not stays:
        missing = max(int(fees.min_days[before]) - held_days, 0)
        move = fees.move[before][position][rows] + missing * fees.rent[before][rows]
        one_off = float(move.sum())
    per_day = np.minimum(expected / HORIZON_DAYS, CAP_PER_DAY)
    clock = idle if stays else np.zeros(len(rows))
    if fees.steps[position]:
        rent = np.array(
            [
                float(cost.storage_cost(table, name, sizes, per_day, clock, days).sum())
                for days in range(1, CURVE_DAYS + 1)
            ]
        )
    else:
        rent = float(fees.rent[position][rows].sum()) * np.arange(1, CURVE_DAYS + 1)
    reads = float((per_day * fees.read_cost(position, sizes)).sum())
    curve = one_off + np.r_[0.0, rent + reads * np.arange(1, CURVE_DAYS + 1)]
    return Option(name, one_off, float(rent[-1]), reads * CURVE_DAYS, tuple(curve.tolist()))


def as_text(found: list[Explanation], rails: Guardrails, base: str) -> str:
    """Write explanations for people, held against a policy's guardrails."""
    return "\n\n".join(_in_words(each, each.guardrails(rails, base)) for each in found)


def _in_words(each: Explanation, rails: tuple[Rail, ...]) -> str:
    things = "1 object" if each.objects == 1 else f"{each.objects} objects"
    head = f"{things}, {each.size_bytes / 2**30:.4g} GiB in {each.source}"
    if each.source == each.target:
        lines = [f"{head}: stay"]
    else:
        lines = [f"{head}: move to {each.target} (confidence {100 * each.confidence:.0f} %)"]
    lines += [
        f"  why       {each.reason}",
        f"  forecast  {each.expected_reads:.3g} reads in {HORIZON_DAYS} days ({each.forecast})",
    ]
    if each.source != each.target:
        payback = each.payback_day
        lines.append(
            f"  payback   {'not within 180 days' if payback is None else f'after {payback} days'}; "
            f"until then at most {each.peak:.4g} {each.currency} behind staying"
        )
    for rail in rails:
        kept = "holds the move back" if rail.holds_back else "allows it"
        lines.append(f"  guardrail {rail.name} {rail.least:g}: {rail.found:.4g}, {kept}")
    lines += [
        "",
        f"  {'class':22} {'move':>10} {'rent':>10} {'reads':>10} {'180 days':>10} {'a month':>10}",
    ]
    months = CURVE_DAYS / DAYS_PER_MONTH
    for option in sorted(each.options, key=lambda option: option.total):
        mark = {each.target: "<- decided", each.source: "<- now"}.get(option.name, "")
        lines.append(
            f"  {option.name:22} {option.one_off:10.4g} {option.rent:10.4g} {option.reads:10.4g} "
            f"{option.total:10.4g} {option.total / months:10.4g} {mark}".rstrip()
        )
    if each.source != each.target:
        lines += ["", "  spent by day     " + " ".join(f"{day:>9}" for day in _SHOWN)]
        for option in (each.stay, each.chosen):
            spent = " ".join(f"{option.curve[day]:9.4g}" for day in _SHOWN)
            lines.append(f"  {option.name:16.16} {spent}")
    lines.append(f"  prices in {each.currency} as of {each.prices_as_of}")
    return "\n".join(lines)


_SHOWN = (0, 1, 7, 30, 60, 90, 120, 180)
