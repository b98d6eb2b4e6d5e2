"""Decisions in plain words, with figures."""

from collections import Counter
from dataclasses import dataclass

from cloudflux.api.tieringpolicy import TieringPolicySpec
from cloudflux.brain.inputs import DataSet
from cloudflux.brain.money import with_currency

MAX_CHARACTERS = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


@dataclass(frozen=True, slots=True)
class Alternative:
    """The next best class; money a month and once."""

    name: str
    per_month: float
    one_off: float


@dataclass(frozen=True, slots=True)
class MoveFacts:
    """The figures of one recommendation; money in `currency`."""

    objects: int
    size_bytes: float
    source: str
    target: str
    idle_days: float
    reads_30d: float
    now_per_month: float
    then_per_month: float
    one_off: float
    payback_days: int | None
    read_once: float
    alternative: Alternative | None
    currency: str
    prices: str
    """Date, provider and region of the list prices."""


def reason(facts: MoveFacts) -> str:
    """Say why a move is recommended, what it costs, and what the main alternative is."""
    each = "object" if facts.objects == 1 else "objects"
    one, plural = ("it", "s") if facts.objects == 1 else ("they", "")
    sentences = [
        f"{facts.objects} {each} ({size_text(facts.size_bytes)}) had {_reads(facts.reads_30d)} "
        f"in 30 days{_idle(facts)}.",
        f"In {facts.target} {one} cost{plural} "
        f"{with_currency(facts.then_per_month, facts.currency)} a month, expected reads included, "
        f"instead of {with_currency(facts.now_per_month, facts.currency)} in {facts.source}.",
        _moving(facts),
    ]
    if facts.read_once:
        sentences.append(
            f"Reading everything there once would cost "
            f"{with_currency(facts.read_once, facts.currency)}."
        )
    if facts.alternative:
        other = facts.alternative
        sentences.append(
            f"Main alternative: {other.name} at {with_currency(other.per_month, facts.currency)} "
            f"a month and {with_currency(other.one_off, facts.currency)} once."
        )
    else:
        sentences.append("No other class costs less than staying.")
    sentences.append(f"Prices of {facts.prices}.")
    return " ".join(sentences)[:MAX_CHARACTERS]


def why_not(data_set: DataSet, policy: TieringPolicySpec, held_back: Counter[str]) -> str:
    """Say why nothing is recommended, the weightiest cause first."""
    if not data_set.fresh:
        because = data_set.fresh_message or "the access signal is not fresh"
        return f"nothing moves colder without a fresh access signal: {because}"[:MAX_CHARACTERS]
    if held_back:
        causes = ", ".join(f"{count} {cause}" for cause, count in held_back.most_common(4))
        total = held_back.total()
        each = "object would" if total == 1 else "objects would"
        return f"{total} {each} be moved, but the guardrails hold back: {causes}"[:MAX_CHARACTERS]
    named = ", ".join(tier.name for tier in policy.tiers)
    return f"every object is already where it costs least among the tiers {named}"


def no_tiers(provider: str) -> str:
    """Say that no candidate class is known."""
    field = "fileRoot" if provider == "file" else "s3StorageClass"
    return f"no tier names a class for {provider}: set spec.tiers[].{field} in a TieringPolicy"


def size_text(size_bytes: float) -> str:
    """Write a size for people, in binary units."""
    for unit in _UNITS:
        if size_bytes < 1024 or unit == _UNITS[-1]:
            break
        size_bytes /= 1024
    return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"


def _reads(reads: float) -> str:
    return "1 read" if round(reads) == 1 else f"{reads:.0f} reads"


def _idle(facts: MoveFacts) -> str:
    days = "1 day" if round(facts.idle_days) == 1 else f"{facts.idle_days:.0f} days"
    if facts.objects == 1:
        return f"; it was not read for {days}"
    return f"; half of them were not read for {days} or more"


def _moving(facts: MoveFacts) -> str:
    fees = f"Moving costs {with_currency(facts.one_off, facts.currency)} once"
    if facts.payback_days is None:
        return f"{fees} and is not for money: the rule asks for a faster tier."
    if not facts.one_off:
        return "Moving bills no fees."
    days = "day" if facts.payback_days == 1 else "days"
    return f"{fees}, paid back in {facts.payback_days} {days}."
