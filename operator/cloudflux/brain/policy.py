"""What a policy allows: the candidate classes, and the guardrails that bound every decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.api.common import Tier
from cloudflux.api.tieringpolicy import Guardrails, TieringPolicySpec, TierTarget
from cloudflux.brain.ladder import dominated
from cloudflux.brain.prices import PriceTable
from cloudflux.errors import ConfigurationError

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

TIER_RANK = {Tier.HOT: 0, Tier.WARM: 1, Tier.COLD: 2}
COLDER_MOVE_MIN_COVERAGE_PERCENT = 95.0
_NOT_NEEDED = frozenset({"transition_in_per_1k"})
"""Of defaults, which are classes of S3 and R2: their changes are copies."""
_DEFAULTS: Mapping[str, tuple[str, Mapping[Tier, str]]] = {
    "s3": (
        "s3_storage_class",
        {Tier.HOT: "STANDARD", Tier.WARM: "INTELLIGENT_TIERING", Tier.COLD: "GLACIER_IR"},
    ),
    "r2": ("s3_storage_class", {Tier.HOT: "STANDARD", Tier.WARM: "STANDARD_IA"}),
    "azure": ("azure_tier", {Tier.HOT: "Hot", Tier.WARM: "Cool", Tier.COLD: "Cold"}),
    "gcs": (
        "gcs_storage_class",
        {Tier.HOT: "STANDARD", Tier.WARM: "NEARLINE", Tier.COLD: "COLDLINE"},
    ),
}
"""By provider: the policy's field, and classes that are read at once."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One class that objects may go to (or are in), with the tier that it stands for."""

    name: str
    tier: Tier
    archived: bool
    price_keeps_warm: bool
    """Price alone keeps what is read away from here: reads are dearer than in the base class, or
    the class is automatic. Where not (disks), the classifier's tier is the coldest allowed."""


def default_policy(provider: str) -> TieringPolicySpec | None:
    """Return sound tiers where no policy is given; None where none can be known (disk roots)."""
    field, classes = _DEFAULTS.get(provider, ("", {}))
    if not classes:
        return None
    targets = [TierTarget.model_validate({"name": t, field: name}) for t, name in classes.items()]
    return TieringPolicySpec(tiers=targets)


def with_policy_roots(table: PriceTable, policy: TieringPolicySpec | None) -> PriceTable:
    """Price disk roots by the tier that the policy gives them, unless the overlay says more."""
    if table.provider != "file" or policy is None:
        return table
    roots = {t.file_root: table.disk_of_tier(t.name) for t in policy.tiers if t.file_root}
    return table.with_roots(roots)


def candidates(table: PriceTable, policy: TieringPolicySpec) -> tuple[Candidate, ...]:
    """List the classes that the policy's tiers name for this provider, hottest first.

    Raises PriceUnknown for a class without prices, ConfigurationError for a class whose first
    byte is slower than its tier allows.
    """
    found = []
    for target in sorted(policy.tiers, key=lambda t: TIER_RANK[t.name]):
        name = target.named_for(table.provider)
        if not name:
            continue
        slowest = target.max_first_byte_millis
        actual = table.prices(name).first_byte_millis
        if slowest is not None and actual > slowest:
            raise ConfigurationError(
                f"{name} answers after about {actual} ms, but the {target.name} tier allows "
                f"maxFirstByteMillis {slowest}: name a faster class or allow more"
            )
        found.append(candidate(table, name, policy))
    return tuple(found)


def prune(
    table: PriceTable,
    found: tuple[Candidate, ...],
    size_bytes: Array,
    days: int,
    *,
    chosen_by_us: bool,
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Leave out classes that can't be the cheapest for objects of these sizes; say which.

    A class is only held against candidates that every object may go to. Where the classes are
    our defaults and not the policy's, one whose prices are unknown is left out too; otherwise
    pricing it raises PriceUnknown.
    """
    kept, said = [], []
    priced = [
        each
        for each in found
        if not chosen_by_us or not set(table.unknown(each.name)) - _NOT_NEEDED
    ]
    for each in found:
        if each not in priced:
            said.append(
                f"{each.name} is not considered: {table.unknown(each.name)[0]} is not known for "
                f"{table.provider} in {table.region}"
            )
            continue
        rivals = [o.name for o in priced if o is not each and _open_to_all(o)]
        if each.name in dominated(table, [each.name, *rivals], size_bytes, days):
            said.append(
                f"{each.name} is not considered: at the prices of {table.region} another class "
                "is cheaper for objects of these sizes, however often they are read"
            )
        else:
            kept.append(each)
    return tuple(kept), tuple(said)


def _open_to_all(option: Candidate) -> bool:
    """Tell whether only money decides who goes there, and not the temperature."""
    hottest = TIER_RANK[option.tier] == 0
    return not option.archived and (hottest or option.price_keeps_warm)


def candidate(table: PriceTable, name: str, policy: TieringPolicySpec | None) -> Candidate:
    """Describe a class; its tier is the policy's, else the price table's."""
    prices = table.prices(name)
    tier = prices.tier
    for target in policy.tiers if policy else ():
        given = target.named_for(table.provider)
        if given and same_class(given, name):
            tier = target.name
            break
    reads = table.figure(name, "retrieval_per_gb") + table.figure(name, "get_per_1k")
    base = table.figure(table.base_class, "retrieval_per_gb")
    base += table.figure(table.base_class, "get_per_1k")
    keeps = reads > base or prices.automatic_min_bytes is not None
    return Candidate(name, tier, prices.archived, keeps)


def same_class(one: str, other: str) -> bool:
    """Compare two class names or disk roots; a trailing slash means nothing."""
    return one.rstrip("/") == other.rstrip("/")


def is_colder(table: PriceTable, source: Candidate, target: Candidate) -> bool:
    """Tell whether a move goes to a colder tier, or within one to a cheaper rent."""
    if TIER_RANK[target.tier] != TIER_RANK[source.tier]:
        return TIER_RANK[target.tier] > TIER_RANK[source.tier]
    rent = "storage_per_gb_month"
    return table.figure(target.name, rent) < table.figure(source.name, rent)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the guardrails are held against, by object unless said otherwise."""

    fresh: bool
    """Of the data set."""
    coverage_percent: Array
    """Of the deciding window."""
    observed_days: Array
    confidence_percent: Array
    savings_percent: Array
    resting: Mask
    """Moved less than minResidenceDays ago."""


def blocked(
    guardrails: Guardrails, evidence: Evidence, *, colder: bool
) -> Sequence[tuple[str, Mask]]:
    """Name each guardrail with the objects that it holds back, the weightiest first.

    History, coverage and rest bind moves that go colder; a move to a hotter class is demand
    that was really seen and need not wait.
    """
    few = evidence.observed_days < guardrails.min_observed_days
    checks = [
        (
            f"proven by less than {COLDER_MOVE_MIN_COVERAGE_PERCENT:g} % of the days looked at",
            evidence.coverage_percent < COLDER_MOVE_MIN_COVERAGE_PERCENT,
        ),
        (f"observed for fewer than {guardrails.min_observed_days} days", few),
        (f"moved less than {guardrails.min_residence_days} days ago", evidence.resting),
    ]
    if not evidence.fresh:
        checks.insert(0, ("without a fresh access signal", np.ones_like(few)))
    always = [
        (
            f"savings under {guardrails.min_savings_percent} %",
            evidence.savings_percent < guardrails.min_savings_percent,
        ),
        (
            f"confidence under {guardrails.min_confidence_percent} %",
            evidence.confidence_percent < guardrails.min_confidence_percent,
        ),
    ]
    return [*(checks if colder else []), *always]
