"""Which objects a job takes, and with how many reads they are priced."""

import datetime as dt
import json
from decimal import Decimal

import pytest

from cloudflux.api.move_tasks import PlanRequest
from cloudflux.api.task import StoreRef
from cloudflux.brain.plan import MovePrice, payback_days
from cloudflux.migration.plan_price import sum_prices
from cloudflux.migration.selection import Reads, Selector
from cloudflux.storage.interface import ObjectInfo

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
READS = Reads(known=True, last_30d={"listed": 4, "other": 2}, read_since_idle=frozenset({"other"}))


def selector(state_dir, **selection):
    store = StoreRef(uri="s3://b/p")
    request = PlanRequest(
        job_uid="job", job_name="job", namespace="ns", data_set_uid="data-set",
        source_generation=0, source=store, target=store, target_class="GLACIER_IR",
        now=NOW, **selection,
    )  # fmt: skip
    return Selector(request, state_dir, READS)


def info(key, version="1", days_old=100):
    return ObjectInfo(
        key=key, size_bytes=2**20, version=version, storage_class="STANDARD",
        last_modified=NOW - dt.timedelta(days=days_old),
    )  # fmt: skip


@pytest.fixture
def recommended(tmp_path):
    path = tmp_path / "recommendations" / "data-set" / "abc.jsonl"
    path.parent.mkdir(parents=True)
    line = {"key": "listed", "version": "1", "size_bytes": 2**20, "from": "STANDARD"}
    path.write_text(json.dumps({**line, "reads_30d": 0.25}) + "\n")
    return selector(tmp_path, recommendation="abc")


def test_a_recommended_object_is_priced_with_the_reads_that_it_was_recommended_for(recommended):
    assert recommended.wants(info("listed"))
    assert recommended.reads_30d("listed") == 0.25


def test_only_what_is_recommended_is_taken_and_only_in_that_version(recommended):
    assert not recommended.wants(info("other"))
    assert not recommended.wants(info("listed", version="2"))
    assert list(recommended.warnings()) == [
        "1 object changed since the recommendation and left out"
    ]


def test_without_a_recommendation_the_reads_seen_count(tmp_path):
    idle = selector(tmp_path, idle_days=30)
    assert idle.wants(info("listed"))
    assert not idle.wants(info("other"))
    assert idle.reads_30d("listed") == 4
    assert idle.reads_30d("unknown") == 0


def test_moves_to_several_classes_pay_back_by_the_same_formula_as_one():
    def price(one_off, saved):
        return MovePrice(Decimal(one_off), Decimal(saved), None, "USD", "2026-11-21", ())

    both = sum_prices([price("1.5", "1"), price("0.5", "2")])
    assert both.payback_days == payback_days(2.0, 3.0) == 21
    assert sum_prices([price("1", "0"), price("1", "-1")]).payback_days is None
