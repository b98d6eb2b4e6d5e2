"""Learning from a data set's past: off the path of its scans and decisions, and never in a hurry.

The child says when a study is due; what it finds is kept on disk and used by the next decision.
"""

import datetime as dt

from cloudflux.api.brain_tasks import EvaluateResult, ReplayTask, StudyRequest, StudyResult
from cloudflux.api.common import ConditionStatus
from cloudflux.api.conditions import find as find_condition
from cloudflux.api.dataset import DataSetStatus
from cloudflux.api.results import ReplayStatus
from cloudflux.api.vocabulary import ConditionType
from cloudflux.handlers import dataset_status as compute
from cloudflux.handlers.dataset_requests import active_location, assignment
from cloudflux.handlers.resources import DataSet
from cloudflux.handlers.runtime import Runtime

STUDY = "Study"
RETRY = dt.timedelta(hours=1)


def study_key(data_set: DataSet) -> str:
    """Name the task: the data set may have another one that runs beside it."""
    return f"{data_set.uid}/study"


def begin_if_due(runtime: Runtime, data_set: DataSet, now: dt.datetime) -> None:
    """Ask the child for a study, if the last decision said that one is due."""
    memory = runtime.memory(data_set.uid)
    early = memory.study_not_before is not None and now < memory.study_not_before
    if not memory.study_due or early or runtime.tasks.get(study_key(data_set)) is not None:
        return
    location, chosen = active_location(data_set), assignment(runtime, data_set)
    request = StudyRequest(
        data_set_uid=data_set.uid,
        uri=location.uri,
        endpoint=location.endpoint,
        region=location.region,
        policy=chosen.policy.spec if chosen.policy else None,
        price_overlay=runtime.price_overlay,
        now=now,
    )
    # one that is asked for again and again, whatever it brings, must not keep a core busy
    memory.study_due, memory.study_not_before = None, now + RETRY
    runtime.tasks.start(study_key(data_set), STUDY, "brain.study", request, data_set.key)


def serve(runtime: Runtime, data_set: DataSet) -> None:
    """Take what an ended study brought into the status, and have it decided with."""
    entry = runtime.tasks.get(study_key(data_set))
    if entry is None or not entry.ended:
        return
    runtime.tasks.forget(study_key(data_set))
    memory, failure = runtime.memory(data_set.uid), entry.error()
    if failure is not None:
        memory.study_due = failure.message
        runtime.event(data_set, "StudyFailed", f"data set {data_set.name}: {failure.message}")
        return
    found = entry.result(StudyResult)
    memory.evaluation_wanted = True
    if found.replay is not None:
        replay = replay_status(found.replay)
        memory.unwritten.add(
            lambda one: one.status.model_copy(update={"replay": replay}), data_set.generation
        )


def replay_status(found: ReplayTask) -> ReplayStatus:
    """Return a replay as the status shows it."""
    return ReplayStatus(
        made_at=found.made_at,
        first_day=found.first_day.isoformat(),
        last_day=found.last_day.isoformat(),
        objects=found.objects,
        of_objects=found.of_objects,
        strategy=found.strategy,
        cost=found.cost,
        always_hot_cost=found.always_hot,
        automatic_class_cost=found.automatic,
        optimum_cost=found.optimum,
    )


def with_model(
    data_set: DataSet, status: DataSetStatus, found: EvaluateResult, now: dt.datetime
) -> DataSetStatus:
    """Say whether the model decided; nothing where the policy asks for none."""
    kind = ConditionType.MODEL_USABLE
    if found.model is None:
        others = [one for one in status.conditions if one.type != kind]
        return status.model_copy(update={"conditions": others})
    value = ConditionStatus.TRUE if found.model.used else ConditionStatus.FALSE
    reason = "ModelDecides" if found.model.used else "ModelFallback"
    return compute.with_condition(
        status, data_set, kind, value, reason, found.model.why[:1024], now
    )


def tell_of_model(runtime: Runtime, before: DataSet, status: DataSetStatus) -> None:
    """Tell by event when the model begins to decide, or the floors instead of it."""
    kind = ConditionType.MODEL_USABLE
    after = find_condition(status.conditions, kind)
    known = find_condition(before.status.conditions, kind)
    if after is not None and (known is None or known.reason != after.reason):
        runtime.event(before, after.reason, after.message)
