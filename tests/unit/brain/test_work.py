"""The brain's operation over a real access store, as the child process runs it."""

import datetime as dt
import json
from pathlib import Path

import pytest
from tests.unit.brain.builders import NOW

from cloudflux.access.freshness import ATIME_SIGNAL
from cloudflux.access.places import Place
from cloudflux.access.store import AccessStore, open_access_store
from cloudflux.api.brain_tasks import EvaluateRequest
from cloudflux.api.tieringpolicy import TieringPolicySpec, TierTarget
from cloudflux.errors import FencedOut
from cloudflux.storage.interface import ObjectInfo
from cloudflux.work.brain import OPERATIONS

UID = "0b5f7c1e-data-set"
HOME = "file:///srv/data"
POLICY = TieringPolicySpec(
    tiers=[
        TierTarget(name="Hot", file_root=HOME),
        TierTarget(name="Cold", file_root="file:///srv/cold"),
    ]
)


class Context:
    def __init__(self, state_dir, *, fenced=False):
        self.state_dir = state_dir
        self.fenced = fenced

    def progress(self, value):
        pass

    def check(self):
        if self.fenced:
            raise FencedOut("another leader took over")

    def stop_point(self, name):
        pass


def file_info(number, idle_days):
    return ObjectInfo(
        key=f"lib/part-{number:03d}.bin",
        size_bytes=10_000_000 + number,
        version=f"1:{number}",
        storage_class=HOME,
        last_modified=NOW - dt.timedelta(days=200),
        last_accessed=NOW - dt.timedelta(days=idle_days),
    )


@pytest.fixture
def state(tmp_path):
    """Forty files seen by access time: half of them unread for 150 days."""
    store = open_access_store(tmp_path)
    store.register(UID, Place(ATIME_SIGNAL + UID, "", ""), 400)
    files = [file_info(i, 150 if i % 2 else 0.5) for i in range(40)]
    store.write_inventory(UID, iter(files), uses_atime=True, now=NOW)
    store.note_scan(UID, NOW, recorded=True)
    return tmp_path


def evaluate(state, context=None, **changes):
    request = EvaluateRequest(
        data_set_uid=UID, uri=HOME, fresh=True, policy=POLICY, now=NOW, **changes
    )
    operation = OPERATIONS["brain.evaluate"]
    assert operation.request is EvaluateRequest
    return operation.serve(request, context or Context(state))


def test_unread_files_are_recommended_and_listed_with_their_versions(state):
    result = evaluate(state)
    assert [(r.source, r.target, r.objects) for r in result.recommendations] == [
        (HOME, "file:///srv/cold", 20)
    ]
    recommended = result.recommendations[0]
    assert recommended.list_path == str(state / "recommendations" / UID / f"{recommended.id}.jsonl")
    with Path(recommended.list_path).open() as file:
        lines = [json.loads(line) for line in file]
    assert {line["key"] for line in lines} == {f"lib/part-{i:03d}.bin" for i in range(1, 40, 2)}
    assert lines[0]["from"] == HOME
    assert lines[0]["version"] == "1:1"
    assert lines[0]["size_bytes"] == 10_000_001
    assert 0 < lines[0]["reads_30d"] < 1
    assert result.currency == "USD"
    assert float(result.savings_per_month) > 0
    assert result.why_not is None


def test_evaluating_again_changes_nothing(state):
    assert evaluate(state) == evaluate(state)
    assert len(list((state / "recommendations" / UID).iterdir())) == 1


def test_a_model_is_trained_once_a_day_and_an_altered_one_is_replaced(state):
    result = evaluate(state)
    assert result.forecast_model.startswith("random-forest-100")
    model = state / "models" / UID / "seven-day.skops"
    written = model.stat().st_mtime_ns
    evaluate(state)
    assert model.stat().st_mtime_ns == written
    model.write_bytes(b"something else")
    again = evaluate(state)
    assert again.forecast_7d == result.forecast_7d
    assert model.stat().st_size > 1000


def test_a_stale_signal_gives_unknown_and_no_list(state):
    request = {"fresh_message": "the newest scan is 4 days old"}
    operation = OPERATIONS["brain.evaluate"]
    result = operation.serve(
        EvaluateRequest(data_set_uid=UID, uri=HOME, fresh=False, policy=POLICY, now=NOW, **request),
        Context(state),
    )
    assert result.temperature == "Unknown"
    assert result.recommendations == ()
    assert "4 days old" in result.why_not


def test_a_data_set_that_was_never_scanned_is_no_error(tmp_path):
    AccessStore(tmp_path / "access")
    result = evaluate(tmp_path)
    assert (result.monthly_cost, result.tiers) == ("0", ())
    assert result.forecast_7d == 0


def test_a_fenced_out_child_writes_nothing(state):
    with pytest.raises(FencedOut):
        evaluate(state, Context(state, fenced=True))
    assert not (state / "recommendations").exists()
