"""What is said of a decision: savings on the data set, what it assumes on its policy."""

import pytest
from tests.unit.handlers.test_pure import NOW, a_data_set, a_policy

from cloudflux.api.brain_tasks import EvaluateResult
from cloudflux.handlers.dataset_say import tell_of_decision
from cloudflux.handlers.dataset_status import evaluated
from cloudflux.handlers.resources import POLICY

WARNING = "no region is set: s3 list prices of us-east-1 are used"


class Runtime:
    """Takes down events; the queue is its own."""

    def __init__(self, *policies):
        self.policies, self.events, self.queued = policies, [], []
        self.queue = self

    def all(self, kind, namespace):
        return self.policies if kind == POLICY else ()

    def event(self, resource, reason, message):
        self.events.append((resource.kind, resource.name, reason, message))

    def add(self, key):
        self.queued.append(key)


def told(runtime, *warnings):
    data_set = a_data_set(storage="object")
    found = EvaluateResult(
        temperature="Cold", confidence_percent=90, tiers=(), monthly_cost="1",
        savings_per_month="0", currency="USD", price_date="2026-11-21", warnings=warnings,
    )  # fmt: skip
    tell_of_decision(runtime, data_set, evaluated(data_set, found, NOW), found.warnings)
    return runtime.events


@pytest.mark.parametrize("selected", [True, False])
def test_what_a_decision_assumes_is_said_on_its_policy_else_on_the_data_set(selected):
    runtime = Runtime(*[a_policy("tier", storage="object")] * selected)
    about = ("TieringPolicy", "tier") if selected else ("DataSet", "d")
    assert told(runtime, WARNING) == [(*about, "DecisionWarning", f"data set d: {WARNING}")]
    assert len(runtime.queued) == selected


def test_a_decision_that_assumes_nothing_says_nothing():
    assert told(Runtime(a_policy("tier", storage="object"))) == []
