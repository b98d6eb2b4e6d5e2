"""What a policy says of its cost."""

import datetime as dt
from types import SimpleNamespace
from typing import Any

from cloudflux.api.tieringpolicy import TieringPolicySpec, TieringPolicyStatus
from cloudflux.handlers import policy_say

NOW = dt.datetime(2026, 3, 14, tzinfo=dt.UTC)


def say(limit: str | None, cost: str, status: TieringPolicyStatus, said: list[str]) -> Any:
    alerts = {} if limit is None else {"monthlyCostAbove": limit}
    spec = TieringPolicySpec.model_validate({"tiers": [{"name": "Hot"}], "alerts": alerts})
    runtime: Any = SimpleNamespace(event=lambda _, reason, __: said.append(reason))
    policy: Any = SimpleNamespace(spec=spec, generation=1)
    given = status.model_copy(update={"monthly_cost": cost, "currency": "USD"})
    return policy_say.cost(runtime, policy, given, NOW)


def test_crossing_the_limit_is_said_once_and_again_when_it_is_crossed_again():
    said: list[str] = []
    status = TieringPolicyStatus()
    seen = []
    for cost in ("5", "10", "10.01", "11", "9", "12"):
        status = say("10", cost, status, said)
        seen.append(status.conditions[0].status.value)
    assert seen == ["True", "True", "False", "False", "True", "False"]
    assert said == ["CostAboveLimit"] * 2
    assert "12 USD a month, the limit is 10" in status.conditions[0].message


def wait(limit: int | None, waited: dict[str, int | None], status: Any, said: list[str]) -> Any:
    alerts = {} if limit is None else {"firstByteMillisAbove": limit}
    spec = TieringPolicySpec.model_validate({"tiers": [{"name": "Hot"}], "alerts": alerts})
    runtime: Any = SimpleNamespace(event=lambda _, reason, __: said.append(reason))
    policy: Any = SimpleNamespace(spec=spec, generation=1)
    matched: Any = [
        SimpleNamespace(
            name=name, status=SimpleNamespace(access=SimpleNamespace(first_byte_millis=millis))
        )
        for name, millis in waited.items()
    ]
    return policy_say.latency(runtime, policy, status, matched, NOW)


def test_reads_that_wait_too_long_are_said_once_with_the_names_of_their_data_sets():
    said: list[str] = []
    status, seen = TieringPolicyStatus(), []
    for waited in ({"a": None}, {"a": 200}, {"a": 201}, {"a": 300, "b": 999}, {"a": 64}):
        status = wait(200, waited, status, said)
        seen.append((status.conditions[0].status.value, status.first_byte_millis))
    assert seen == [
        ("Unknown", None), ("True", 200), ("False", 201), ("False", 999), ("True", 64),
    ]  # fmt: skip
    assert said == ["FirstByteLatencyBreach"]
    breached = wait(200, {f"d{n}": 300 for n in range(7)}, status, said).conditions[0]
    assert breached.message.startswith("d0, d1, d2, d3, d4 and 2 more: ")
    assert wait(None, {"a": 300}, status, said).conditions == []


def test_without_a_limit_nothing_is_said():
    status = say("1", "5", TieringPolicyStatus(), [])
    assert say(None, "5", status, []).conditions == []
