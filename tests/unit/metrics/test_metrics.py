"""What is declared is served, and what is served is declared; counts are right and bounded."""

import re
from collections import Counter
from types import SimpleNamespace as Fake
from typing import Any

import pytest
from tests.unit.metrics.worlds import AT, World, condition

from cloudflux.api.metrics import METRICS, MetricKind
from cloudflux.api.scan_tasks import ScanResult
from cloudflux.api.vocabulary import METRIC_LABELS
from cloudflux.collector.fleet import Fleet
from cloudflux.collector.metrics import FleetCollector, TotalsCollector
from cloudflux.collector.reader import Totals
from cloudflux.console.metrics import ConsoleCollector
from cloudflux.events.families import family
from cloudflux.events.metrics import OutboxCollector
from cloudflux.handlers.metrics import RuntimeCollector
from cloudflux.handlers.probe import Vitals, VitalsCollector


def served() -> set[str]:
    """Every metric that any process yields, in the declaration's words."""
    counts: Any = Fake(writes={("get", "leases"): 1}, reads={"leases": 1}, statuses={})
    lease = Fake(age_seconds=0.0, seconds=10, held=True)
    queue = Fake(depth=0, in_hand=0, oldest_age=0.0, longest_run=0.0)
    children = Fake(children=[Fake(name="mover", outstanding=0, restarts=0, sent=Counter())])
    vitals = Vitals(counts, lease, queue, children=children)  # type: ignore[arg-type]
    numbers = dict.fromkeys(("produced", "dropped", "failures"))
    outbox: Any = Fake(
        depth=0,
        oldest_age_seconds=0.0,
        filled=0.0,
        **{name: World().tally.lines for name in numbers},
    )
    source = Fake(state=Fake(connected=True))
    shown: Any = Fake(clients=0, dropped_clients=0, hub=Fake(published=Counter()), source=source)
    collectors = (
        VitalsCollector(vitals),
        RuntimeCollector(World().runtime),
        OutboxCollector(outbox),
        TotalsCollector(Totals()),
        FleetCollector(Totals(), Fleet(), 10),
        ConsoleCollector(shown),
    )
    return {
        metric.name + ("_total" if metric.type == "counter" else "")
        for collector in collectors
        for metric in collector.collect()
    }


def test_what_is_declared_is_served_and_nothing_else() -> None:
    assert served() == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_a_declaration_follows_the_rules(name: str) -> None:
    info = METRICS[name]
    assert re.fullmatch(r"cloudflux_[a-z_]+", name)
    assert name.endswith("_total") == (info.kind is MetricKind.COUNTER)
    assert bool(info.buckets) == (info.kind is MetricKind.HISTOGRAM)
    assert info.meaning.endswith(".")
    assert set(info.labels) <= set(METRIC_LABELS)


def test_every_label_of_the_vocabulary_is_used() -> None:
    used = {label for info in METRICS.values() for label in info.labels}
    assert set(METRIC_LABELS) == used


def test_a_series_with_other_labels_than_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="labels"):
        family("migration_retries_total", {("team",): 1.0})


def series(world: World) -> dict[tuple[str, tuple[str, ...]], float]:
    return world.sample(RuntimeCollector(world.runtime))


def test_a_move_is_counted_stage_by_stage_once() -> None:
    world = World()
    world.job("move")
    progress = {"objectsTotal": 4, "bytesTotal": 400}
    copying = {**progress, "objectsDone": 3, "bytesDone": 300, "percent": 75}
    world.job("move", phase="Copying", progress=copying)
    found = series(world)
    assert found["cloudflux_migration_bytes_total", ("file", "copied")] == 300
    assert found["cloudflux_migrations_in_progress", ()] == 1
    running = ("team", "books", "move", "Copying")
    assert found["cloudflux_migration_progress_ratio", running] == 0.75
    copied = [condition("Copied")]
    world.job("move", phase="Verifying", progress=progress, conditions=copied, attempts=1)
    verified = [*copied, condition("Verified"), condition("Switched")]
    proof = {"matched": 4, "mismatched": 0}
    end = {
        "phase": "Completed", "progress": progress, "conditions": verified, "verification": proof,
        "startedAt": AT, "completedAt": "2026-11-21T10:10:00Z",
        "plan": {"savingsPerMonth": "3.5", "currency": "USD"},
    }  # fmt: skip
    world.job("move", **end)
    world.job("move", **end)
    found = series(world)
    for stage, size_bytes in (
        ("copied", 400),
        ("verified", 400),
        ("switched", 400),
        ("deleted", 0),
    ):
        assert found["cloudflux_migration_bytes_total", ("file", stage)] == size_bytes
    assert found["cloudflux_migration_objects_total", ("file", "verified")] == 4
    assert found["cloudflux_migrations_total", ("s3", "file", "completed")] == 1
    assert found["cloudflux_migration_retries_total", ()] == 1
    assert found["cloudflux_migration_duration_seconds_bucket", ("file", "300.0")] == 0
    assert found["cloudflux_migration_duration_seconds_bucket", ("file", "900.0")] == 1
    assert found["cloudflux_migrations", ("Completed",)] == 1
    saved = ("cloudflux_dataset_savings_realised_per_month", ("", "other", "USD"))
    assert found[saved] == 3.5, "the data set is not known"
    assert not [key for key in found if "progress_ratio" in key[0]], "gone with the phase"


def test_what_was_there_before_is_not_counted_again_by_the_next_leader() -> None:
    world = World()
    proof = {"matched": 4, "mismatched": 1}
    conditions = [condition("Copied"), condition("Verified")]
    world.job("old", phase="Failed", reason="VerificationFailed", verification=proof,
              conditions=conditions, progress={"objectsTotal": 4, "bytesTotal": 4})  # fmt: skip
    found = series(world)
    assert found["cloudflux_migrations_total", ("s3", "file", "failed")] == 0
    assert found["cloudflux_migration_objects_total", ("file", "verified")] == 0
    assert found["cloudflux_integrity_failures_total", ("file",)] == 0
    assert found["cloudflux_migrations", ("Failed",)] == 1


def test_a_failure_is_counted_by_its_class() -> None:
    world = World()
    world.job("move", phase="Verifying")
    world.job("move", phase="Failed", reason="VerificationFailed", verification={"mismatched": 2})
    world.job("other", phase="Copying")
    world.job("other", phase="Failed", reason="NobodyKnows")
    found = series(world)
    assert found["cloudflux_migration_failures_total", ("integrity",)] == 1
    assert found["cloudflux_migration_failures_total", ("other",)] == 1
    assert found["cloudflux_integrity_failures_total", ("file",)] == 2


def test_the_oldest_that_waits_for_no_person_is_told() -> None:
    world = World()
    name = ("cloudflux_migration_oldest_pending_timestamp_seconds", ())
    world.job("asks", phase="AwaitingApproval")
    assert series(world)[name] == 0
    world.job("waits", phase="Queued", conditions=[condition("Stalled")])
    found = series(world)
    assert found[name] == 1795255200
    assert found["cloudflux_migrations_stalled", ()] == 1


def test_a_data_set_is_told_with_everything_known_and_goes_with_its_resource() -> None:
    world = World()
    world.data_set("books", lastReadAt=AT)
    found = series(world)
    me = ("team", "books")
    assert found["cloudflux_dataset_bytes", (*me, "Hot")] == 10
    assert found["cloudflux_dataset_bytes", (*me, "Cold")] == 0
    assert found["cloudflux_dataset_cost_per_month", (*me, "Hot", "USD")] == 2.5
    assert found["cloudflux_dataset_savings_possible_per_month", (*me, "USD")] == 1.25
    assert found["cloudflux_dataset_temperature", (*me, "Cold")] == 1
    assert found["cloudflux_dataset_temperature", (*me, "Hot")] == 0
    assert found["cloudflux_dataset_reads", (*me, "30d")] == 30
    assert found["cloudflux_dataset_forecast_reads", (*me, "7d")] == 8
    assert found["cloudflux_dataset_forecast_bound_reads", (*me, "high")] == 12
    assert found["cloudflux_dataset_access_fresh", me] == 1
    assert found["cloudflux_dataset_access_coverage_ratio", me] == 0.98
    assert found["cloudflux_forecast_datasets", ("random-forest-40",)] == 1
    assert found["cloudflux_resources", ("DataSet", "true")] == 1
    world.cache.remove("DataSet", world.cache.get("DataSet", *me) or {})
    assert not [key for key in series(world) if key[1][:2] == me]


def test_beyond_the_limit_the_smaller_ones_are_summed() -> None:
    world = World(metrics_data_sets=2)
    for name, size_bytes in (("a", 5), ("b", 50), ("c", 7), ("d", 60)):
        world.data_set(name, size_bytes)
    found = series(world)
    shown = {key[1][1] for key in found if key[0] == "cloudflux_dataset_bytes"}
    assert shown == {"b", "d", "other"}
    assert found["cloudflux_dataset_bytes", ("", "other", "Hot")] == 12
    assert found["cloudflux_dataset_cost_per_month", ("", "other", "Hot", "USD")] == 5
    assert found["cloudflux_datasets_unshown", ()] == 2
    assert ("cloudflux_dataset_access_fresh", ("", "other")) not in found


def test_a_policy_tells_its_regret_and_whether_moves_keep_their_promise() -> None:
    world = World()
    replay = {"cost": "12", "alwaysHotCost": "30", "optimumCost": "10"}
    outcome = {"promised": "8", "realised": "6"}
    world.put("TieringPolicy", "p", {}, currency="USD", replay=replay, outcome=outcome)
    found, me = series(world), ("team", "p")
    assert found["cloudflux_policy_regret_ratio", me] == pytest.approx(0.2)
    assert found["cloudflux_policy_replay_cost", (*me, "always_hot", "USD")] == 30
    assert found["cloudflux_policy_promise_kept_ratio", me] == 0.75
    world.put("TieringPolicy", "p", {}, replay={**replay, "optimumCost": "0"})
    assert ("cloudflux_policy_regret_ratio", me) not in series(world)


def test_a_data_set_tells_how_old_its_model_is_and_whether_it_decides() -> None:
    world = World()
    world.data_set("books", conditions=[condition("ModelUsable", "False", "NoModel")])
    found, me = series(world), ("team", "books")
    assert found["cloudflux_dataset_model_usable", me] == 0
    assert found["cloudflux_dataset_model_trained_timestamp_seconds", me] == 1_795_132_800
    world.data_set("books", forecast=None)
    assert not [name for name, labels in series(world) if "dataset_model" in name]


def test_a_policy_counts_evaluations_and_failures() -> None:
    world = World()
    spec = {"alerts": {"monthlyCostAbove": "10"}}
    world.put("TieringPolicy", "p", spec)
    world.put("TieringPolicy", "p", spec, lastEvaluationTime=AT, monthlyCost="12.5", currency="USD",
              projectedSavingsPerMonth="2", realisedSavingsPerMonth="1", dataSetsMatched=3,
              conditions=[condition("Ready", "False", "PolicyConflict")])  # fmt: skip
    found, me = series(world), ("team", "p")
    assert found["cloudflux_policy_evaluations_total", me] == 1
    assert found["cloudflux_policy_failures_total", me] == 1
    assert found["cloudflux_policy_datasets", me] == 3
    assert found["cloudflux_policy_cost_per_month", (*me, "USD")] == 12.5
    assert found["cloudflux_policy_cost_limit_per_month", (*me, "USD")] == 10
    assert found["cloudflux_policy_savings_per_month", (*me, "projected", "USD")] == 2
    assert found["cloudflux_resources_not_ready", ("TieringPolicy", "PolicyConflict")] == 1


def test_scans_and_visits_are_counted() -> None:
    world = World()
    world.tally.scanned(
        ScanResult.model_validate(
            {"objects": 1, "size_bytes": 1, "classes": [], "scanned_at": AT,
             "lines_read": 10, "lines_malformed": 3}
        )
    )  # fmt: skip
    world.tally.visited("DataSet", "success", 0.02)
    found = series(world)
    assert found["cloudflux_access_lines_total", ("counted",)] == 7
    assert found["cloudflux_access_lines_total", ("malformed",)] == 3
    assert found["cloudflux_reconciliations_total", ("DataSet", "success")] == 1
    assert found["cloudflux_reconcile_duration_seconds_bucket", ("DataSet", "0.025")] == 1
    assert found["cloudflux_reconcile_duration_seconds_bucket", ("DataSet", "0.01")] == 0
    assert found["cloudflux_reconcile_duration_seconds_count", ("DataSet",)] == 1
