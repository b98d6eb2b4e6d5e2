"""Learning from a recorded history, and deciding by what was learnt."""

import contextlib
import datetime as dt
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.brain.builders import NOW
from tests.unit.brain.recorded import UID, Context, count_rows, record, weekly_and_dead

from cloudflux.access.store import open_access_store
from cloudflux.api.brain_tasks import EvaluateRequest, StudyRequest
from cloudflux.api.tieringpolicy import Strategy, TieringPolicySpec, TierTarget
from cloudflux.brain.prices import regions
from cloudflux.brain.replay.fees import build_fees
from cloudflux.brain.replay.histories import Histories
from cloudflux.brain.replay.learning import train
from cloudflux.brain.replay.study import Placing, Replayed, Study
from cloudflux.errors import PriceUnknown
from cloudflux.work.brain import OPERATIONS
from cloudflux.work.history import objects_of, trace_of
from cloudflux.work.study import market
from cloudflux.work.study_store import Kept, save_study

DAYS = 300


def policy(strategy=Strategy.PREDICTIVE, cold="GLACIER_IR"):
    return TieringPolicySpec(
        tiers=[
            TierTarget(name="Hot", s3_storage_class="STANDARD"),
            TierTarget(name="Cold", s3_storage_class=cold),
        ],
        strategy=strategy,
    )


def place(**changes):
    return {
        "data_set_uid": UID, "uri": "s3://data", "region": "us-east-1", "policy": policy(),
        "now": NOW, **changes,
    }  # fmt: skip


def study(state, **changes):
    operation = OPERATIONS["brain.study"]
    assert operation.gives_way
    return operation.serve(StudyRequest(**place(**changes)), Context(state))


def evaluate(state, **changes):
    return OPERATIONS["brain.evaluate"].serve(
        EvaluateRequest(fresh=True, **place(**changes)), Context(state)
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A store of 300 days, of which nothing was learnt yet."""
    state = tmp_path_factory.mktemp("recorded")
    objects, reads = weekly_and_dead(60, DAYS)
    record(state, objects, reads, days=DAYS)
    return state


@pytest.fixture(scope="module")
def studied(recorded, tmp_path_factory):
    """The same with a model and a rule; without the replays that choose them, which take long."""
    state = tmp_path_factory.mktemp("studied") / "state"
    shutil.copytree(recorded, state)
    store = open_access_store(state)
    objects = objects_of(store.inventory(UID), NOW)
    trace = trace_of(store, UID, NOW, objects).trace
    rule = Placing("GLACIER_IR", 0.5, 1.5)
    replayed = Replayed(0, 99, 60, 1.0, None, 0.5, {Strategy.PREDICTIVE: 0.6}, "USD")
    forecaster = train(trace, trace.until, seed=1)
    walk = Histories(trace)
    walk.advance(trace.until)
    expected = forecaster.expected_reads(walk.features(np.arange(len(trace))))
    found = Study(
        trace.until, Strategy.PREDICTIVE, "it cost less", replayed, forecaster, rule, rule,
        float(expected.sum()),
    )  # fmt: skip
    kept = Kept(found, NOW, Strategy.PREDICTIVE, ("STANDARD", "GLACIER_IR"), 60, 1)
    save_study(state / "models" / UID, kept)
    evaluate(state)  # leaves the model of the week ahead, which every test would else learn
    return state


@pytest.fixture(scope="module")
def by_floors(studied, tmp_path_factory):
    """What is decided of it without a model."""
    state = tmp_path_factory.mktemp("floors") / "state"
    shutil.copytree(studied, state)
    return evaluate(state, policy=policy(Strategy.COST_OPTIMAL))


@pytest.fixture
def state(studied, tmp_path):
    shutil.copytree(studied, tmp_path / "state")
    return tmp_path / "state"


def test_until_a_study_is_made_the_floors_decide_and_one_is_asked_for(recorded):
    before = evaluate(recorded)
    assert before.study_due == "none was made yet"
    assert before.model.used is False
    assert before.model.why == "the floors decide until a model is learnt"


def test_what_was_learnt_decides(state):
    after = evaluate(state)
    assert after.study_due is None
    assert after.model.used
    assert after.model.why == "learnt until 2026-11-20; it cost less"
    dead = {(each.source, each.target, each.objects) for each in after.recommendations}
    assert dead == {("STANDARD", "GLACIER_IR", 30)}


def test_a_class_that_the_rule_does_not_know_is_left_to_the_floors(state):
    """Half of the objects are where no rule was learnt for: they are decided on all the same."""
    store = open_access_store(state)
    objects, _ = weekly_and_dead(60, DAYS)
    moved = [replace(one, storage_class="STANDARD_IA") for one in objects[:20]]
    store.write_inventory(UID, iter([*moved, *objects[20:]]), now=NOW)
    found = evaluate(state)
    assert found.model.used
    by_source = {each.source: each.objects for each in found.recommendations}
    assert by_source == {"STANDARD": 20, "STANDARD_IA": 10}


def test_a_study_says_what_the_past_would_have_cost(recorded, tmp_path):
    shutil.copytree(recorded, tmp_path / "state")
    by_rules = policy(Strategy.RULES)
    found = study(tmp_path / "state", policy=by_rules)
    assert found.decided_by is Strategy.RULES
    replay = found.replay
    assert (replay.objects, replay.of_objects) == (60, 60)
    assert (replay.last_day - replay.first_day).days == DAYS // 3 - 1
    assert str(replay.last_day) == "2026-11-20"
    assert replay.automatic is None
    assert 0 < float(replay.optimum) <= float(replay.cost) < float(replay.always_hot)
    assert study(tmp_path / "state", policy=by_rules) == found
    assert evaluate(tmp_path / "state", policy=by_rules).study_due is None


@pytest.mark.exhaustive
def test_a_whole_study_learns_and_the_same_history_gives_the_same(recorded, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for state in (one, other):
        shutil.copytree(recorded, state)
    found = study(one)
    assert found.decided_by in (Strategy.PREDICTIVE, Strategy.COST_OPTIMAL)
    assert study(other) == found
    file = "models", UID, "study.json"
    assert one.joinpath(*file).read_text() == other.joinpath(*file).read_text()
    assert evaluate(one).model.used is (found.decided_by is Strategy.PREDICTIVE)


def spoil_description(state, **changes):
    path = state / "models" / UID / "placing.zip"
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    held["description.json"] = json.dumps({**json.loads(held["description.json"]), **changes})
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)


def decided(result):
    """The recommendations, wherever their lists lie."""
    assert result.recommendations
    return [each.model_dump(exclude={"list_path"}) for each in result.recommendations]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda s: spoil_description(s, features_version=99), "other features"),
        (lambda s: spoil_description(s, sklearn_version="0.1"), "scikit-learn 0.1"),
        (lambda s: spoil_description(s, trained_until="2027-01-01"), "has seen"),
        (lambda s: (s / "models" / UID / "placing.zip").write_bytes(b"junk"), "is no model"),
        (lambda s: (s / "models" / UID / "study.json").write_text("{"), "can't be read"),
        (lambda s: (s / "models" / UID / "study.json").write_text('{"version": 9}'), "version 9"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_and_the_floors_decide(state, by_floors, spoil, said):
    spoil(state)
    result = evaluate(state)
    assert result.model.used is False
    assert result.model.why.startswith("the model is refused")
    assert said in result.model.why
    assert result.study_due == "the last one is refused"
    assert decided(result) == decided(by_floors)


def test_a_study_is_made_anew_when_it_is_old_or_the_policy_asks_for_something_else(state):
    later = NOW + dt.timedelta(days=8)
    assert "8 days old" in evaluate(state, now=later).study_due
    other = evaluate(state, policy=policy(cold="STANDARD_IA"))
    assert other.study_due == "the last one is refused"
    assert "GLACIER_IR, which the policy does not name" in other.model.why
    assert "another strategy" in evaluate(state, policy=policy(Strategy.RULES)).study_due


def test_too_little_history_is_said_and_no_study_asked_for(tmp_path):
    objects, reads = weekly_and_dead(20, 50)
    record(tmp_path, objects, reads, days=50)
    result = evaluate(tmp_path)
    assert result.study_due is None
    assert result.model.used is False
    assert "50 days of history, 84 are needed" in result.model.why


def test_history_begins_after_a_gap(tmp_path):
    objects, reads = weekly_and_dead(20, 120)
    record(tmp_path, objects, reads, days=120, gap=range(40, 60))
    assert "39 days of history" in evaluate(tmp_path).model.why


def test_directories_have_nothing_to_forecast_for(tmp_path):
    objects, reads = weekly_and_dead(20, 120)
    record(tmp_path, objects, reads, days=120)
    roots = TieringPolicySpec(
        strategy=Strategy.PREDICTIVE,
        tiers=[TierTarget(name="Hot", file_root="file:///srv/data")],
    )
    result = evaluate(tmp_path, uri="file:///srv/data", policy=roots)
    assert result.model.used is False
    assert "directories only" in result.model.why
    assert result.study_due is None


def test_reads_that_come_unforeseen_are_drift(state):
    store = open_access_store(state)
    later = NOW + dt.timedelta(days=15)
    days = [(NOW + dt.timedelta(days=back)).date() for back in range(16)]
    keys = [f"lib/v{number % 7}/part-{number:04d}.bin" for number in range(60)]
    count_rows(store, [("ledger", f"log-{day}", day, 1) for day in days[1:]])
    count_rows(store, [("reads", key, day, 3) for key in keys for day in days[:-1]])
    result = evaluate(state, now=later)
    assert result.model.used is False
    assert "drifted" in result.model.why
    assert "were foreseen" in result.study_due


def test_files_that_nobody_read_in_their_one_day_are_not_expected_to_be_read(tmp_path):
    """The month is no sum of what each of a thousand objects might do, told apart by nothing."""
    objects, _ = weekly_and_dead(200, 30)
    record(tmp_path, [replace(one, last_modified=NOW) for one in objects], {}, days=1)
    found = evaluate(tmp_path)
    assert (found.forecast_7d, found.forecast_30d) == (0, 0)


def test_the_days_ahead_of_the_whole_data_set_are_told(state):
    week, month, quarter = evaluate(state).trend
    assert (week.days, month.days, quarter.days) == (7, 30, 90)
    for one in (week, month, quarter):
        assert 0 <= one.reads_low <= one.reads <= one.reads_high
        assert one.reads == pytest.approx(30 * 0.3 * 2 * one.days, rel=0.3)
        assert one.size_bytes == pytest.approx(one.reads * 40_000_030, rel=0.02)


@pytest.mark.parametrize(
    ("uri", "endpoint", "provider"),
    [
        ("s3://b", None, "s3"),
        ("s3://b", "https://a.r2.cloudflarestorage.com", "r2"),
        ("az://a/b", None, "azure"),
        ("gs://b", None, "gcs"),
    ],
)
def test_whatever_a_region_does_not_list_is_left_out_of_what_is_replayed(uri, endpoint, provider):
    """Without a policy nobody asked for a class: one without a price must not fail the study."""
    found = {}
    for region in regions(provider):
        with contextlib.suppress(PriceUnknown):  # of the base class: no decision either
            found[region] = market(uri, endpoint, region, None, None)
    for place in filter(None, found.values()):
        build_fees(place.table, place.classes, np.array([1e6, 1e9]))
    if provider == "s3":
        assert "INTELLIGENT_TIERING" in found["us-east-1"].classes
        assert "INTELLIGENT_TIERING" not in found["eu-central-1"].classes
