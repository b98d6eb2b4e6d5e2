"""Events of operators become history: each once, also what is told twice, late or wrongly."""

import datetime as dt
import json
from decimal import Decimal
from types import SimpleNamespace as Fake
from typing import Any

import pytest

from cloudflux.access.history import History, Wanted, open_history
from cloudflux.api.event_data import EventData
from cloudflux.api.event_examples import EXAMPLES
from cloudflux.api.events import EVENTS, EventType
from cloudflux.collector.counting import Pending, PositionMoved, application
from cloudflux.collector.fleet import MAX_CLUSTERS, Fleet
from cloudflux.collector.historian import HistoryBook, parse_events
from cloudflux.collector.metrics import FleetCollector
from cloudflux.collector.reader import Totals
from cloudflux.events.envelope import headers, make_event

NOW = dt.datetime(2026, 3, 14, 12, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
P0, P1 = application("t1", 0), application("t1", 1)
ALL = Wanted()


def message(
    kind: EventType, *, n: int = 0, at: dt.datetime = NOW, cluster: str = "east", **data: Any
) -> Any:
    found: EventData = EVENTS[kind].model.model_validate({**EXAMPLES[kind], **data})
    event = make_event(
        kind, found, uid=f"u{n}-{found.data_set_uid}", generation=1,
        transition=f"{kind.value}@{at}", source=f"/clusters/{cluster}/namespaces/team-a/x/y",
        subject="s", time=at,
    )  # fmt: skip
    return Fake(key=event.key.encode(), value=event.data, headers=headers(event))


def cost(amount: str, *, at: dt.datetime = NOW, name: str = "telemetry", **more: Any) -> Any:
    usage = {"tier": "Hot", "storageClass": "STANDARD", "objects": 3, "bytes": 30}
    tiers = [{**usage, "monthlyCost": amount}]
    data = {"dataSet": name, "dataSetUid": name, "monthlyCost": amount, "tiers": tiers}
    return message(EventType.COST_MEASURED, at=at, **data, **more)


def completed(n: int, saved: str, at: dt.datetime = NOW, **more: Any) -> Any:
    data = {"jobUid": f"job-{n}", "savingsPerMonth": saved, **more}
    return message(EventType.MIGRATION_COMPLETED, n=n, at=at, **data)


class Rig:
    """One collector's book on a directory."""

    def __init__(self, path: Any, names: list[str] | None = None) -> None:
        self.fleet = Fleet()
        self.book = HistoryBook(
            open_history(path), self.fleet, history_days=400, event_days=90, clock=lambda: NOW
        )
        self.at = {n: p or 0 for n, p in self.book.positions(names or [P0]).items()}

    def tell(self, *messages: Any, name: str = P0) -> Any:
        parsed = parse_events(messages, name, NOW, NOW - 400 * DAY)
        first = self.at[name]
        self.at[name] += len(messages)
        pending = Pending(first, self.at[name], [parsed.table], len(messages))
        return self.book.commit({name: pending}, NOW)

    def metrics(self, limit: int = 10, now: dt.datetime = NOW) -> dict[tuple[str, ...], float]:
        collector = FleetCollector(Totals(), self.fleet, limit, lambda: now)
        return {
            (sample.name.removeprefix("cloudflux_fleet_"), *sample.labels.values()): sample.value
            for metric in collector.collect()
            for sample in metric.samples
        }


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


@pytest.fixture
def history(tmp_path) -> History:
    return open_history(tmp_path)


def test_every_type_is_kept_as_it_was_told(rig, history):
    rig.tell(*(message(kind) for kind in EventType))
    found = history.events(ALL, NOW - DAY, NOW + DAY, progress=True)
    assert {one.type for one in found} == set(EventType)
    by_type = {one.type: one for one in found}
    failed = by_type[EventType.MIGRATION_FAILED]
    assert failed.data["failures"][0]["reason"] == "TargetFull"
    assert (failed.cluster, failed.namespace, failed.severity) == ("east", "team-a", "warning")
    assert failed.reason == "RetriesExhausted"


def test_what_is_told_again_is_kept_once_also_after_a_restart_and_in_a_topic_made_anew(
    tmp_path, history
):
    first = Rig(tmp_path)
    counted = first.tell(completed(1, "2"), completed(1, "2"), completed(2, "3"))
    assert (counted.reads, counted.duplicates) == (2, 1)
    assert first.tell(completed(2, "3")).duplicates == 1
    anew = application("t2", 0)
    second = Rig(tmp_path, [anew])
    assert second.tell(completed(1, "2"), name=anew).duplicates == 1
    second.tell(cost("1", name="telemetry"), name=anew)
    [point] = history.savings(ALL, NOW.date(), NOW.date())
    assert point.realised == Decimal(5)
    realised = ("dataset_savings_realised_per_month", "east", "team-a", "telemetry", "USD")
    assert second.metrics()[realised] == 5


def test_the_same_id_in_another_cluster_is_another_event(rig, history):
    rig.tell(completed(1, "2"), message(EventType.MIGRATION_STARTED, cluster="west"))
    rig.tell(message(EventType.MIGRATION_STARTED, cluster="east"))
    assert len(history.events(ALL, NOW - DAY, NOW + DAY)) == 3
    assert len(history.events(Wanted(cluster="west"), NOW - DAY, NOW + DAY)) == 1


def test_two_that_believe_a_partition_is_theirs_keep_nothing_twice(tmp_path, history):
    one, other = Rig(tmp_path), Rig(tmp_path)
    one.tell(completed(1, "2"))
    with pytest.raises(PositionMoved):
        other.tell(completed(1, "2"), completed(2, "2"))
    assert len(history.events(ALL, NOW - DAY, NOW + DAY)) == 1
    assert Rig(tmp_path).at == {P0: 1}


def test_costs_over_time_are_each_day_s_last_and_last_two_days(rig, history):
    rig.tell(
        cost("1", at=NOW - 6 * DAY),
        cost("3", at=NOW - 5 * DAY),
        cost("2", at=NOW - 5 * DAY - dt.timedelta(hours=1)),
        cost("7", at=NOW, name="other"),
    )
    found = history.costs(ALL, (NOW - 7 * DAY).date(), NOW.date())
    days = [(one.day.day, one.data_set, int(one.monthly_cost)) for one in found]
    assert days == [(8, "telemetry", 1), *((d, "telemetry", 3) for d in (9, 10, 11)),
                    (14, "other", 7)]  # fmt: skip
    assert (found[0].tier, found[0].storage_class, found[0].bytes) == ("Hot", "STANDARD", 30)
    assert history.costs(Wanted(namespaces=["team-b"]), NOW.date(), NOW.date()) == []
    assert history.costs(Wanted(namespaces=[]), NOW.date(), NOW.date()) == []


def test_savings_are_possible_and_realised_from_the_day_of_completion(rig, history):
    rig.tell(
        cost("1", at=NOW - DAY, savingsPerMonth="9"),
        cost("1", savingsPerMonth="4"),
        completed(1, "5"),
        completed(2, "0.25"),
        completed(3, "8", dataSet="gone"),
    )
    before, after = history.savings(ALL, (NOW - DAY).date(), NOW.date())
    assert (before.possible, before.realised) == (Decimal(9), Decimal(0))
    assert (after.possible, after.realised) == (Decimal(4), Decimal("5.25"))


def test_metrics_follow_the_events_and_survive_a_restart(tmp_path):
    first = Rig(tmp_path)
    started = message(EventType.MIGRATION_STARTED, n=7, jobUid="job-7")
    first.tell(cost("2.5", savingsPerMonth="1"), started, completed(1, "3"))
    shown = first.metrics()
    name = ("east", "team-a", "telemetry")
    assert shown["dataset_cost_per_month", *name, "Hot", "USD"] == 2.5
    assert shown["dataset_bytes", *name, "Hot"] == 30
    assert shown["dataset_bytes", *name, "Cold"] == 0
    assert shown["dataset_savings_realised_per_month", *name, "USD"] == 3
    assert shown["migrations_in_progress", "east"] == 1
    assert shown["migrations_total", "east", "completed"] == 1
    assert shown["migrations_total", "east", "failed"] == 0
    assert shown["events_total", "east", EventType.MIGRATION_STARTED.value] == 1
    assert shown["events_total", "east", EventType.CLOUD_DELETE.value] == 0
    again = Rig(tmp_path).metrics()
    gauges = {key: value for key, value in shown.items() if not key[0].endswith("_total")}
    assert {key: again[key] for key in gauges} == gauges
    assert again["migrations_total", "east", "completed"] == 0


def test_a_job_that_ended_is_not_moving_whatever_is_told_late(rig):
    rig.tell(completed(7, "1"), message(EventType.MIGRATION_STARTED, n=7, jobUid="job-7"))
    assert rig.metrics()["migrations_in_progress", "east"] == 0


def test_series_go_with_the_partition_and_with_the_data_set(tmp_path):
    rig = Rig(tmp_path, [P0, P1])
    rig.tell(cost("1", name="a"))
    rig.tell(cost("1", name="b"), name=P1)

    def shown(now: dt.datetime = NOW) -> set[str]:
        return {key[3] for key in rig.metrics(now=now) if key[0] == "dataset_cost_per_month"}

    assert shown() == {"a", "b"}
    rig.fleet.keep([P1])
    assert shown() == {"b"}
    assert shown(NOW + 3 * DAY) == set()


def test_labels_are_bounded(rig):
    rig.tell(*(cost("1", name=f"d{n}", n=n) for n in range(5)))
    rig.tell(*(cost("1", cluster=f"c{n}", n=n) for n in range(MAX_CLUSTERS + 5)))
    shown = rig.metrics(limit=2)
    assert len({key[1] for key in shown if key[0] == "events_total"}) == MAX_CLUSTERS + 1
    named = {key[1:4] for key in shown if key[0] == "dataset_cost_per_month"}
    assert len([key for key in named if key[2] != "other"]) == 2
    assert (
        sum(v for k, v in shown.items() if k[0] == "dataset_cost_per_month") == 5 + MAX_CLUSTERS + 5
    )


def test_history_is_kept_as_long_as_said(rig, history):
    rig.tell(*(cost("1", at=NOW - n * DAY) for n in (399, 100, 0)))
    rig.tell(message(EventType.MIGRATION_PROGRESS, at=NOW - 8 * DAY))
    rig.tell(message(EventType.MIGRATION_PROGRESS))
    history.maintain_if_due(NOW + 2 * DAY, 400, 90)  # kept: the mark is minutes old
    (history.path / "maintained").unlink()
    history.maintain_if_due(NOW + 2 * DAY, 400, 90)
    left = history.events(ALL, NOW - 900 * DAY, NOW + DAY, progress=True)
    assert sorted((NOW - one.at).days for one in left) == [0, 0]
    days = history.costs(ALL, (NOW - 100 * DAY).date(), (NOW - 100 * DAY).date())
    assert [int(one.monthly_cost) for one in days] == [1]
    assert history.costs(ALL, (NOW - 399 * DAY).date(), (NOW - 399 * DAY).date()) == []


def test_a_clock_that_jumps_ahead_deletes_no_history(rig, history):
    rig.tell(cost("1", at=NOW - DAY), cost("2"))
    (history.path / "maintained").unlink()
    history.maintain_if_due(NOW + 4000 * DAY, 400, 90)
    assert len(history.events(ALL, NOW - 9 * DAY, NOW + DAY)) == 2
    (history.path / "maintained").unlink()
    history.maintain_if_due(NOW - 4000 * DAY, 400, 90)
    assert len(history.costs(ALL, NOW.date(), NOW.date())) == 1


def bad(**changes: Any) -> Any:
    good = cost("1")
    names = {name: value for name, value in good.headers if name not in changes}
    added = {name: value for name, value in changes.items() if name.startswith("ce_")}
    value = changes.get("value", good.value)
    return Fake(key=good.key, value=value, headers=[*names.items(), *added.items()])


def with_data(**changes: Any) -> bytes:
    return json.dumps({**json.loads(cost("1").value), **changes}).encode()


@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        (Fake(key=None, value=b"{}", headers=[]), "NoCloudEvent", "ce_id"),
        (bad(ce_type=b"\xff"), "NoCloudEvent", "UTF-8"),
        (bad(value=b"{"), "InvalidJson", "no JSON"),
        (bad(value=b"[" * 100_000), "InvalidJson", "no JSON"),
        (bad(value=b"\xff"), "InvalidJson", "no JSON"),
        (bad(value=b"[1]"), "InvalidField", "object"),
        (bad(value=None), "InvalidField", "object"),
        (bad(value=b" " * 10_485_760), "TooLarge", "larger"),
        (bad(ce_time=b"soon"), "InvalidField", "RFC 3339"),
        (bad(ce_time=b"2026-03-14T10:00:00"), "InvalidField", "time zone"),
        (bad(ce_time=b"0001-01-01T00:00:00+14:00"), "InvalidField", "calendar"),
        (bad(ce_time=b"2026-03-14T14:00:00Z"), "Future", "clock"),
        (bad(ce_time=b"2024-03-14T14:00:00Z"), "TooOld", "keeps"),
        (bad(ce_source=b"/elsewhere"), "InvalidField", "cluster"),
        (bad(value=with_data(monthlyCost="much", tiers=[])), "InvalidField", "monthlyCost"),
        (bad(value=with_data(tiers=[{"storageClass": "S"}])), "InvalidField", "monthlyCost"),
        (bad(value=with_data(tiers=[7])), "InvalidField", "tiers"),
        (bad(value=with_data(tiers=7)), "InvalidField", "tiers"),
        (bad(value=with_data(savingsPerMonth="NaN")), "InvalidField", "savingsPerMonth"),
        (bad(value=with_data(more=float("nan"))), "InvalidField", "number"),
        (bad(value=with_data(dataSet="\ud800")), "InvalidField", "character"),
        (bad(value=with_data(dataSet="x" * 600)), "InvalidField", "longer"),
        (bad(value=with_data(dataSet=7)), "InvalidField", "dataSet"),
    ],
)
def test_what_can_not_be_kept_is_named_and_leaves_the_others_alone(found, reason, words):
    parsed = parse_events([found, cost("1")], P0, NOW, NOW - 400 * DAY)
    [refused] = parsed.rejected
    assert (refused.row, refused.reason) == (0, reason)
    assert words in refused.message
    assert parsed.table["kind"].to_pylist() == ["event", "cost", "possible"]
