"""What a policy brought, and when it stops itself."""

import datetime as dt
import json
from dataclasses import replace
from types import SimpleNamespace as Fake

import pytest
from tests.unit.handlers.test_pure import NOW, a_data_set, a_policy

from cloudflux.api.conditions import find
from cloudflux.api.results import OutcomeStatus, ReplayStatus, SavingsMethod
from cloudflux.api.tieringpolicy import Guardrails, Strategy
from cloudflux.api.vocabulary import ConditionType
from cloudflux.handlers.policy_results import shortfall_percent, with_promise, with_results


def outcome(promised="100", realised="90", days=20, objects=5, **changes):
    until = NOW.date()
    given = {
        "since": (until - dt.timedelta(days=days)).isoformat(), "until": until.isoformat(),
        "objects": objects, "promised": promised, "realised": realised, "fees": "1",
        "promised_per_month": "150", "realised_per_month": "135", "missed": "7", **changes,
    }  # fmt: skip
    return OutcomeStatus(**given)


def replay(cost, automatic="9"):
    return ReplayStatus(
        made_at=NOW, first_day="2026-01-01", last_day="2026-03-01", objects=2, of_objects=3,
        strategy=Strategy.COST_OPTIMAL, cost=cost, always_hot_cost="10",
        automatic_class_cost=automatic, optimum_cost="4",
    )  # fmt: skip


def data_set(**status):
    found = a_data_set(storage="object")
    return replace(found, status=found.status.model_copy(update=status))


def policy(status=None, **spec):
    found = a_policy("tier", storage="object")
    found = replace(found, spec=found.spec.model_copy(update=spec))
    return found if status is None else replace(found, status=status)


def test_outcomes_and_replays_of_data_sets_add_up():
    sets = [
        data_set(outcome=outcome(), replay=replay("5")),
        data_set(outcome=outcome(realised="50", days=40), replay=replay("6")),
        data_set(),
    ]
    found = with_results(policy(), sets, [])
    assert (found.outcome.promised, found.outcome.realised) == ("200", "140")
    assert found.outcome.since == (NOW.date() - dt.timedelta(days=40)).isoformat()
    assert (found.missed_savings, found.savings_method) == ("14", SavingsMethod.MODELLED)
    assert found.realised_savings_per_month == "270"
    assert found.replay.summary.startswith(
        "CostOptimal cost 0.55 of always-hot, 0.61 of the automatic class, 1.38 of the optimum"
    )
    sets[0] = data_set(replay=replay("5", automatic=None))
    assert with_results(policy(), sets, []).replay.automatic_class_cost is None


def test_until_a_day_has_passed_the_plans_of_jobs_are_what_is_realised():
    plan = Fake(savings_per_month="3.5")
    job = Fake(
        status=Fake(phase="Completed", plan=plan),
        spec=Fake(policy_ref=Fake(name="tier"), data_set_ref=Fake(name="d")),
    )
    found = with_results(policy(), [data_set()], [job])
    assert (found.realised_savings_per_month, found.savings_method) == ("3.5", "Planned")
    found = with_results(policy(), [data_set(outcome=outcome())], [job])
    assert found.realised_savings_per_month == "135", "and not both"


@pytest.mark.parametrize(
    ("given", "fell"),
    [
        (outcome(realised="90"), 10),
        (outcome(realised="-20"), 120),
        (outcome(realised="130"), -30),
        (outcome(days=13), None),
        (outcome(objects=0), None),
        (outcome(promised="0", realised="-5"), None),
        (None, None),
    ],
)
def test_how_far_savings_fell_behind(given, fell):
    status = policy().status.model_copy(update={"outcome": given})
    assert shortfall_percent(status) == fell


def step(status, realised, now=NOW, promised="100", days=20, **spec):
    given = outcome(promised, realised, days)
    status = status.model_copy(update={"outcome": given, "currency": "USD"})
    return with_promise(policy(status, **spec), status, now)


def said(status):
    found = find(status.conditions, ConditionType.SAVINGS_AS_PROMISED)
    return None if found is None else (found.status.value, found.reason)


def test_a_policy_stops_itself_stays_stopped_and_goes_on_when_it_is_told_to():
    status = step(policy().status, "60")
    assert said(status) == ("True", "SavingsKept")
    status = step(status, "49")
    assert said(status) == ("False", "SavingsDrifted")
    message = find(status.conditions, ConditionType.SAVINGS_AS_PROMISED).message
    assert "saved 49 USD of 100 USD promised, 51 % too little" in message
    assert "set spec.resume to a new value" in message
    status = step(status, "95")
    assert said(status) == ("False", "SavingsDrifted"), "a person decides, not a good day"
    status = step(status, "40", resume="yes")
    assert said(status) == ("True", "PolicyResumed")
    # what was lost before is not held against it again; what is lost from now on is
    later = NOW + dt.timedelta(days=20)
    given = outcome("200", "130", 40, until=later.date().isoformat())
    status = status.model_copy(update={"outcome": given})
    assert shortfall_percent(status) == 10
    kept = with_promise(policy(status, resume="yes"), status, later)
    assert said(kept) == ("True", "SavingsKept")
    worse = status.model_copy(update={"outcome": given.model_copy(update={"realised": "45"})})
    worse = with_promise(policy(worse, resume="yes"), worse, later)
    assert said(worse) == ("False", "SavingsDrifted")


def test_the_limit_is_the_policys():
    rails = Guardrails(max_drift_percent=150)
    assert said(step(policy().status, "-40", guardrails=rails)) == ("True", "SavingsKept")
    assert said(step(policy().status, "-60", guardrails=rails)) == ("False", "SavingsDrifted")


def test_a_token_that_was_there_before_the_stop_resumes_nothing():
    status = step(policy().status, "60", resume="old")
    assert said(step(status, "10", resume="old")) == ("False", "SavingsDrifted")


def billed(saved, since=0, until=20):
    day = NOW.date() - dt.timedelta(days=20)
    return json.dumps(
        {
            "savingsPerMonth": saved, "currency": "USD",
            "since": (day + dt.timedelta(days=since)).isoformat(),
            "until": (day + dt.timedelta(days=until)).isoformat(),
        }
    )  # fmt: skip


def with_bill(text):
    found = replace(policy(), annotations={"cloudflux.io/billed-savings": text})
    given = found.status.model_copy(update={"currency": "USD"})
    found = replace(found, status=given)
    return with_results(found, [data_set(outcome=outcome(), currency="USD")], [])


def test_a_bill_goes_before_the_model_and_is_held_against_the_promise():
    status = with_bill(billed("60"))
    assert (status.realised_savings_per_month, status.savings_method) == ("60", "Billed")
    assert shortfall_percent(status) == 60, "150 a month were promised"
    stopped = with_promise(policy(status), status, NOW)
    assert said(stopped) == ("False", "SavingsDrifted")
    message = find(stopped.conditions, ConditionType.SAVINGS_AS_PROMISED).message
    assert "the bill says that moves saved 60 USD a month of 150 USD promised" in message
    on = with_promise(policy(stopped, resume="seen"), stopped, NOW)
    assert shortfall_percent(on) is None, "the bill is older than the word of a person"


@pytest.mark.parametrize(
    "text", [billed("60", since=-5), billed("60", until=10), "{", '{"savingsPerMonth": "x"}']
)
def test_a_bill_of_too_early_days_or_none_at_all_stops_nothing(text):
    assert shortfall_percent(with_bill(text)) == 10, "as the replay says"
