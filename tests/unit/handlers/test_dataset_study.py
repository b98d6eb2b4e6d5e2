"""A data set's past is studied when its child says so, beside its other tasks, and said."""

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace as Fake

import pytest
from tests.unit.handlers.test_pure import NOW, a_data_set

from cloudflux.api.brain_tasks import (
    EvaluateResult,
    ModelTask,
    ReplayTask,
    StudyRequest,
    StudyResult,
)
from cloudflux.api.conditions import find
from cloudflux.api.task import TaskError
from cloudflux.api.tieringpolicy import Strategy
from cloudflux.api.vocabulary import ConditionType
from cloudflux.handlers import dataset_study
from cloudflux.handlers.runtime import Observed

REPLAY = ReplayTask(
    first_day=dt.date(2026, 8, 1), last_day=dt.date(2026, 11, 20), objects=5, of_objects=9,
    strategy=Strategy.PREDICTIVE, cost="5.5", always_hot="11", automatic="10", optimum="5",
    currency="USD", made_at=NOW,
)  # fmt: skip


class Runtime:
    """Takes down what is started and said."""

    def __init__(self):
        self.remembered, self.events, self.started, self.entry = Observed(), [], [], None
        self.tasks, self.price_overlay = self, None

    def memory(self, uid):
        return self.remembered

    def all(self, kind, namespace):
        return ()

    def event(self, resource, reason, message):
        self.events.append((reason, message))

    def get(self, uid):
        return self.entry

    def forget(self, uid):
        self.entry = None

    def start(self, uid, step, operation, request, key):
        self.started.append((uid, operation, type(request)))

    def ended(self, error=None, result=None):
        self.entry = Fake(ended=True, error=lambda: error, result=lambda model: result)


@pytest.fixture
def runtime():
    return Runtime()


def test_it_is_asked_for_when_due_and_not_again_within_the_hour(runtime):
    data_set = a_data_set(storage="object")
    dataset_study.begin_if_due(runtime, data_set, NOW)
    assert runtime.started == []
    asked = [(f"{data_set.uid}/study", "brain.study", StudyRequest)]
    for minutes, times in ((0, 1), (30, 1), (61, 2)):
        runtime.remembered.study_due = "none was made yet"
        dataset_study.begin_if_due(runtime, data_set, NOW + dt.timedelta(minutes=minutes))
        assert runtime.started == asked * times


def test_what_it_found_is_written_and_decided_with(runtime):
    data_set = a_data_set(storage="object")
    runtime.ended(result=StudyResult(why="it cost less", replay=REPLAY))
    dataset_study.serve(runtime, data_set)
    assert runtime.remembered.evaluation_wanted
    status = runtime.remembered.unwritten.applied(data_set).status
    assert status.replay.summary == (
        "Predictive cost 0.50 of always-hot, 0.55 of the automatic class, 1.10 of the optimum; "
        "2026-08-01 to 2026-11-20"
    )


def test_one_that_fails_is_said_and_due_again(runtime):
    runtime.ended(error=TaskError(kind="fatal", reason="PriceUnknown", message="no price of X"))
    dataset_study.serve(runtime, a_data_set(storage="object"))
    assert runtime.remembered.study_due == "no price of X"
    assert not runtime.remembered.evaluation_wanted
    assert runtime.events == [("StudyFailed", "data set d: no price of X")]


def found(model):
    return EvaluateResult(
        temperature="Cold", confidence_percent=90, tiers=(), monthly_cost="1",
        savings_per_month="0", currency="USD", price_date="2026-11-21", model=model,
    )  # fmt: skip


def test_whether_the_model_decides_is_a_condition_and_its_change_an_event(runtime):
    data_set = a_data_set(storage="object")
    for used, why in ((False, "refused"), (False, "refused again"), (True, "it cost less")):
        status = dataset_study.with_model(
            data_set, data_set.status, found(ModelTask(used=used, why=why)), NOW
        )
        dataset_study.tell_of_model(runtime, data_set, status)
        condition = find(status.conditions, ConditionType.MODEL_USABLE)
        assert (condition.status.value, condition.message) == (str(used), why)
        data_set = replace(data_set, status=status)
    assert runtime.events == [("ModelFallback", "refused"), ("ModelDecides", "it cost less")]
    gone = dataset_study.with_model(data_set, data_set.status, found(None), NOW)
    assert find(gone.conditions, ConditionType.MODEL_USABLE) is None
