"""The brain's slow operation: replay a data set's past, learn from it, choose what decides.

It gives way to decisions, and one is made at a time: it takes seconds, and memory by the sample.
"""

import datetime as dt
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from cloudflux.access.store import open_access_store
from cloudflux.api.brain_tasks import ReplayTask, StudyRequest, StudyResult
from cloudflux.api.tieringpolicy import Strategy, TieringPolicySpec
from cloudflux.brain.money import money_text
from cloudflux.brain.policy import candidates, default_policy, with_policy_roots
from cloudflux.brain.prices import PriceTable, load_table, provider_of
from cloudflux.brain.replay.fees import build_fees
from cloudflux.brain.replay.learning import HORIZON_DAYS, CappedReads
from cloudflux.brain.replay.study import MIN_HISTORY_DAYS, Replayed, Study, study
from cloudflux.brain.replay.trace import Trace
from cloudflux.children.context import Context
from cloudflux.errors import PriceUnknown
from cloudflux.work.history import objects_of, trace_of
from cloudflux.work.study_store import Kept, save_study

MAX_OBJECTS = 1_000
"""More hardly change what is chosen, and take longer."""
KEPT_DAYS = 7
_YOUNG_DAYS = 180
"""As long as less is known, more history is worth a new study soon."""
_MIN_DRIFT_DAYS = 14
_MOST_READS, _FEWEST_READS = 2.0, 0.5
_LEAST_EXPECTED_READS = 20.0
"""With fewer expected, chance alone doubles or halves them."""
_MOST_NEW = 0.5
_ONE_AT_A_TIME = threading.Lock()
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Market:
    """What a policy allows for a data set, priced: the table and the classes to replay."""

    table: PriceTable
    classes: tuple[str, ...]


def market(
    uri: str,
    endpoint: str | None,
    region: str | None,
    policy: TieringPolicySpec | None,
    overlay: dict[str, object] | None,
) -> Market | None:
    """Return what a replay may use; None where there is nothing to weigh.

    That is so for directories, whose reads cost the same everywhere. Classes that have to be
    restored before they are read are left to CostOptimal, and so are those of which a price is
    unknown: a policy that names one hears of it when it decides. Raises PriceUnknown.
    """
    provider = provider_of(uri, endpoint)
    policy = policy or default_policy(provider)
    if policy is None or provider == "file":
        return None
    table = with_policy_roots(load_table(provider, region, overlay), policy)
    named = [each.name for each in candidates(table, policy) if not each.archived]
    base = table.base_class
    if not _is_priced(table, [base]):
        return None
    others = dict.fromkeys(name for name in named if name != base)
    classes = (base, *(name for name in others if _is_priced(table, [base, name])))
    return Market(table, classes) if len(classes) > 1 else None


def _is_priced(table: PriceTable, classes: list[str]) -> bool:
    """Tell whether every figure that a replay needs is known."""
    try:
        build_fees(table, classes, np.ones(1))
    except PriceUnknown:
        return False
    return True


def serve(request: StudyRequest, context: Context) -> StudyResult:
    """Study one data set and keep what was found. The same history gives the same study.

    Raises PriceUnknown and ConfigurationError, whose messages say what to change.
    """
    with _ONE_AT_A_TIME:
        context.check()
        store = open_access_store(context.state_dir)
        objects = objects_of(store.inventory(request.data_set_uid), request.now)
        policy = request.policy
        place = market(request.uri, request.endpoint, request.region, policy, request.price_overlay)
        if place is None:
            return StudyResult(why="there is nothing to replay: one class, or directories only")
        seed = crc32(request.data_set_uid.encode())
        recorded = trace_of(
            store, request.data_set_uid, request.now, objects, limit=MAX_OBJECTS, seed=seed
        )
        if recorded is None:
            return StudyResult(why="no day of reads is known completely")
        strategy = policy.strategy if policy else Strategy.COST_OPTIMAL
        found = study(
            recorded.trace, place.table, place.classes, strategy, seed=seed, check=context.check
        )
        context.check()
        kept = Kept(found, request.now, strategy, place.classes, len(objects), seed)
        save_study(context.state_dir / "models" / request.data_set_uid, kept)
    return StudyResult(
        why=found.why,
        decided_by=found.decided_by,
        replay=None if found.replayed is None else _told(found.replayed, found.decided_by, kept),
    )


def _told(replayed: Replayed, decided_by: Strategy, kept: Kept) -> ReplayTask:
    return ReplayTask(
        first_day=_EPOCH + dt.timedelta(days=replayed.first_day),
        last_day=_EPOCH + dt.timedelta(days=replayed.last_day),
        objects=replayed.objects,
        of_objects=kept.objects,
        strategy=decided_by,
        cost=money_text(replayed.by_strategy[decided_by]),
        always_hot=money_text(replayed.always_hot),
        automatic=None if replayed.automatic is None else money_text(replayed.automatic),
        optimum=money_text(replayed.optimum),
        currency=replayed.currency,
        made_at=kept.made_at,
    )


def is_due(
    kept: Kept | None,
    *,
    now: dt.datetime,
    days: int,
    strategy: Strategy,
    classes: Sequence[str],
) -> str | None:
    """Say why a study should be made now; None where the last one still serves."""
    if days < MIN_HISTORY_DAYS:
        return None
    if kept is None:
        return "none was made yet"
    if kept.strategy is not strategy or kept.classes != tuple(classes):
        return "the policy asks for another strategy or other classes"
    age_days = (now - kept.made_at).total_seconds() / 86_400
    if age_days >= KEPT_DAYS:
        return f"the last one is {age_days:.0f} days old"
    if age_days >= 1 and kept.study.forecaster is None and days <= _YOUNG_DAYS:
        return "there is more history to learn from"
    return None


def drift(kept: Kept, trace: Trace) -> str | None:
    """Say how far what came is from what the model foresaw; None while it is near."""
    found: Study = kept.study
    passed = trace.until - found.day
    new = float((trace.first_day > found.day).mean()) if len(trace) else 0.0
    if new > _MOST_NEW:
        return f"{100 * new:.0f} % of the objects are newer than the model"
    if passed < _MIN_DRIFT_DAYS:
        return None
    last = min(trace.until, found.day + HORIZON_DAYS)
    old = trace.first_day <= found.day
    came = float(CappedReads(trace, last).sum(found.day + 1, last)[old].sum())
    of_each = found.expected_60d / max(found.replayed.objects if found.replayed else 0, 1)
    expected = of_each * float(old.sum()) * (last - found.day) / HORIZON_DAYS
    if max(came, expected) < _LEAST_EXPECTED_READS:
        return None
    if not _FEWEST_READS * expected <= came <= _MOST_READS * expected:
        return f"{came:.0f} reads came in {last - found.day} days, {expected:.0f} were foreseen"
    return None
