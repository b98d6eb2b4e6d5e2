"""What a TieringPolicy brought: sums over its data sets, and whether it keeps its promise. Pure.

A policy whose moves save too little of what they promised stops itself: it goes on evaluating and
advising, and makes no more jobs until a person sets spec.resume to a new value.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal

from pydantic import ValidationError

from cloudflux.api.common import ConditionStatus
from cloudflux.api.conditions import find, set_condition
from cloudflux.api.results import BilledStatus, OutcomeStatus, ReplayStatus, SavingsMethod
from cloudflux.api.tieringpolicy import Settled, TieringPolicyStatus
from cloudflux.api.vocabulary import ConditionType
from cloudflux.handlers.policy_plan import amount_text, realised_savings
from cloudflux.handlers.resources import DataSet, Job, Policy

BILLED_ANNOTATION = "cloudflux.io/billed-savings"
MIN_DRIFT_DAYS = 14
_KIND = ConditionType.SAVINGS_AS_PROMISED


def with_results(
    policy: Policy, matched: Sequence[DataSet], jobs: Iterable[Job]
) -> TieringPolicyStatus:
    """Return the status with what the data sets' moves and replays add up to."""
    outcomes = [one.status.outcome for one in matched if one.status.outcome is not None]
    replays = [one.status.replay for one in matched if one.status.replay is not None]
    outcome = _summed(outcomes) if outcomes else None
    known = {
        one.name for one in matched if one.status.outcome is not None and one.status.outcome.objects
    }
    # of data sets whose moves are of today there are only plans
    planned = realised_savings(
        policy, (job for job in jobs if job.spec.data_set_ref.name not in known)
    )
    realised = amount_text([planned, *(one.realised_per_month for one in outcomes)])
    method = SavingsMethod.MODELLED if known else SavingsMethod.PLANNED
    billed = _billed(policy)
    if billed is not None:
        realised, method = billed.savings_per_month, SavingsMethod.BILLED
    return policy.status.model_copy(
        update={
            "outcome": outcome,
            "billed": billed,
            "replay": _joined(policy, replays) if replays else None,
            "realised_savings_per_month": realised,
            "savings_method": method,
            "missed_savings": outcome.missed if outcome is not None else None,
        }
    )


def _billed(policy: Policy) -> BilledStatus | None:
    """Read what a bill was found to say; what can't be read says nothing."""
    given = policy.annotations.get(BILLED_ANNOTATION)
    if not given:
        return None
    try:
        return BilledStatus.model_validate_json(given)
    except ValidationError:
        return None


def _summed(found: Sequence[OutcomeStatus]) -> OutcomeStatus:
    def added(name: str) -> str:
        return amount_text([getattr(one, name) for one in found])

    return OutcomeStatus(
        since=min(one.since for one in found),
        until=max(one.until for one in found),
        objects=sum(one.objects for one in found),
        objects_gone=sum(one.objects_gone for one in found),
        objects_open=sum(one.objects_open for one in found),
        promised=added("promised"),
        realised=added("realised"),
        fees=added("fees"),
        promised_per_month=added("promised_per_month"),
        realised_per_month=added("realised_per_month"),
        missed=added("missed"),
    )


def _joined(policy: Policy, found: Sequence[ReplayStatus]) -> ReplayStatus:
    automatic = [one.automatic_class_cost for one in found]
    known = [cost for cost in automatic if cost is not None]
    return ReplayStatus(
        made_at=max(one.made_at for one in found),
        first_day=min(one.first_day for one in found),
        last_day=max(one.last_day for one in found),
        objects=sum(one.objects for one in found),
        of_objects=sum(one.of_objects for one in found),
        strategy=policy.spec.strategy,
        cost=amount_text([one.cost for one in found]),
        always_hot_cost=amount_text([one.always_hot_cost for one in found]),
        automatic_class_cost=amount_text(known) if len(known) == len(automatic) else None,
        optimum_cost=amount_text([one.optimum_cost for one in found]),
    )


def with_promise(
    policy: Policy, status: TieringPolicyStatus, now: dt.datetime
) -> TieringPolicyStatus:
    """Return the status with what is to be said of the promise; a stop lasts until resumed."""
    before, token = find(status.conditions, _KIND), policy.spec.resume
    resumed = token is not None and token != status.last_resume_token
    stopped = has_stopped(status)
    if resumed:
        status = status.model_copy(update={"last_resume_token": token})
    if stopped and not resumed:
        return status
    if stopped:
        status = status.model_copy(update={"settled": _line(status.outcome, now)})
        return _said(policy, status, True, "PolicyResumed", "goes on, with spec.resume", now)
    fell = shortfall_percent(status)
    if fell is None:
        return status
    limit = policy.spec.guardrails.max_drift_percent
    if fell <= limit:
        if before is not None and before.reason == "SavingsKept":
            return status  # the amounts are in status.outcome
        message = "moves save what they promised, as far as guardrails.maxDriftPercent allows"
        return _said(policy, status, True, "SavingsKept", message, now)
    return _said(policy, status, False, "SavingsDrifted", _stop_words(status, fell, limit), now)


def has_stopped(status: TieringPolicyStatus) -> bool:
    """Whether the policy has stopped itself."""
    found = find(status.conditions, _KIND)
    return found is not None and found.status is ConditionStatus.FALSE


def stopped_because(status: TieringPolicyStatus) -> tuple[str, str] | None:
    """Return reason and message of a stop; None while the policy goes on."""
    found = find(status.conditions, _KIND)
    if found is None or found.status is not ConditionStatus.FALSE:
        return None
    return found.reason, found.message


def shortfall_percent(status: TieringPolicyStatus) -> int | None:
    """Return by how much savings fell behind the promise; None while it is too early to say.

    By the replay, and by the bill where one was imported that is newer than spec.resume: the
    worse of both.
    """
    known = [one for one in (_by_replay(status), _by_bill(status)) if one is not None]
    return max(known, default=None)


def _by_bill(status: TieringPolicyStatus) -> int | None:
    billed, outcome, settled = status.billed, status.outcome, status.settled
    if billed is None or outcome is None or billed.currency != status.currency:
        return None
    if settled is not None and billed.until <= settled.at.date().isoformat():
        return None
    # before all moves were made there was less to save
    days = (dt.date.fromisoformat(billed.until) - dt.date.fromisoformat(outcome.since)).days
    promised = Decimal(outcome.promised_per_month)
    if billed.since < outcome.since or days < MIN_DRIFT_DAYS or promised <= 0:
        return None
    return int(100 * (promised - Decimal(billed.savings_per_month)) / promised)


def _by_replay(status: TieringPolicyStatus) -> int | None:
    outcome, settled = status.outcome, status.settled
    if outcome is None or not outcome.objects:
        return None
    since = settled.at.date() if settled else dt.date.fromisoformat(outcome.since)
    if (dt.date.fromisoformat(outcome.until) - since).days < MIN_DRIFT_DAYS:
        return None
    promised, realised = Decimal(outcome.promised), Decimal(outcome.realised)
    if settled is not None:
        promised, realised = (
            promised - Decimal(settled.promised),
            realised - Decimal(settled.realised),
        )
    if promised <= 0:
        return None
    return int(100 * (promised - realised) / promised)


def _line(outcome: OutcomeStatus | None, now: dt.datetime) -> Settled:
    if outcome is None:
        return Settled(at=now, promised="0", realised="0")
    return Settled(at=now, promised=outcome.promised, realised=outcome.realised)


def _stop_words(status: TieringPolicyStatus, fell: int, limit: int) -> str:
    outcome = status.outcome
    assert outcome is not None  # noqa: S101 - else there was no shortfall
    currency = f" {status.currency}" if status.currency else ""
    by_bill = _by_bill(status)
    if by_bill is not None and status.billed is not None and by_bill >= fell:
        saved, promised = status.billed.savings_per_month, outcome.promised_per_month
        since, until = status.billed.since, status.billed.until
        what = f"the bill says that moves saved {saved}{currency} a month"
        head = f"from {since} to {until} {what} of {promised}{currency} promised"
    else:
        head = (
            f"from {outcome.since} to {outcome.until} moves saved {outcome.realised}{currency} of "
            f"{outcome.promised}{currency} promised"
        )
    return (
        f"{head}, {fell} % too little where "
        f"guardrails.maxDriftPercent allows {limit}: no more jobs are made. See why with "
        "`cloudflux explain`; to go on, set spec.resume to a new value"
    )


def _said(
    policy: Policy,
    status: TieringPolicyStatus,
    holds: bool,
    reason: str,
    message: str,
    now: dt.datetime,
) -> TieringPolicyStatus:
    value = ConditionStatus.TRUE if holds else ConditionStatus.FALSE
    conditions = set_condition(
        status.conditions, _KIND, value, reason, message, generation=policy.generation, now=now
    )
    return status.model_copy(update={"conditions": conditions})
