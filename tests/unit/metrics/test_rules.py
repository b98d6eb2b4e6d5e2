"""Every alert fires when it should and not when it should not, as Prometheus itself evaluates."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudflux.api.metrics import METRICS, MetricKind
from cloudflux_dev import parts

ROOT = Path(__file__).resolve().parents[3]
RULES = ROOT / "charts" / "cloudflux" / "files" / "rules.yaml"
RUNBOOKS = ROOT / "docs" / "how-to" / "runbooks"


@dataclass(frozen=True)
class Case:
    """Series (in promtool's notation) under which the alert fires, and under which it does not."""

    fires: dict[str, str]
    quiet: dict[str, str]
    at: str = "2h"
    interval: str = "1m"


BOOKS = 'namespace="n",dataset="d"'
POLICY = 'namespace="n",policy="p",currency="USD"'
# 12 data sets: enough to say something of calibration
MANY = [f'namespace="n",dataset="d{number}"' for number in range(12)]


def forecast(reads: int) -> dict[str, str]:
    return {
        series: f"{value}x250"
        for labels in MANY
        for series, value in (
            (f'cloudflux_dataset_forecast_bound_reads{{{labels},bound="low"}}', "5"),
            (f'cloudflux_dataset_forecast_bound_reads{{{labels},bound="high"}}', "15"),
            (f'cloudflux_dataset_reads{{{labels},window="7d"}}', str(reads)),
        )
    }


ENDED = 'cloudflux_migrations_total{source_backend="s3",target_backend="s3",result='
VISITS = 'cloudflux_reconciliations_total{kind="DataSet",result='
COPIED = 'cloudflux_migration_bytes_total{target_backend="s3",stage="copied"}'
CASES = {
    "CloudFluxDown": Case({"other": "1x200"}, {"cloudflux_build_info": "1x200"}),
    "CloudFluxIntegrityFailure": Case(
        {'cloudflux_integrity_failures_total{target_backend="s3"}': "0x100 1x20"},
        {'cloudflux_integrity_failures_total{target_backend="s3"}': "3x200"},
    ),
    "CloudFluxMigrationFailing": Case(
        {f'{ENDED}"failed"}}': "0x90 4x60", f'{ENDED}"completed"}}': "0x90 10x60"},
        {f'{ENDED}"failed"}}': "0x90 4x60", f'{ENDED}"completed"}}': "0x90 90x60"},
    ),
    "CloudFluxMigrationStalled": Case(
        {'cloudflux_migrations{phase="Copying"}': "1x200", COPIED: "7x200"},
        {'cloudflux_migrations{phase="Copying"}': "1x200", COPIED: "7+10x200",
         "cloudflux_migrations_stalled": "0x200"},
    ),
    "CloudFluxMigrationsWaiting": Case(
        {"cloudflux_migration_oldest_pending_timestamp_seconds": "60x600"},
        {"cloudflux_migration_oldest_pending_timestamp_seconds": "0x600"},
        at="7h",
    ),
    "CloudFluxReconcileErrors": Case(
        {f'{VISITS}"error"}}': "0+1x200", f'{VISITS}"success"}}': "0+2x200"},
        {f'{VISITS}"error"}}': "0+1x200", f'{VISITS}"success"}}': "0+9x200"},
    ),
    "CloudFluxWatchDeaf": Case(
        {"cloudflux_watch_echo_age_seconds": "0+60x200"},
        {"cloudflux_watch_echo_age_seconds": "3x200"},
    ),
    "CloudFluxBackendUnavailable": Case(
        {'cloudflux_resources_not_ready{kind="DataSet",reason="EndpointUnreachable"}': "2x200"},
        {'cloudflux_resources_not_ready{kind="DataSet",reason="Suspended"}': "2x200"},
    ),
    "CloudFluxScanStale": Case(
        {f"cloudflux_dataset_last_scan_timestamp_seconds{{{BOOKS}}}": "60x600"},
        {f"cloudflux_dataset_last_scan_timestamp_seconds{{{BOOKS}}}": "60+60x600"},
        at="8h",
    ),
    "CloudFluxAccessHistoryStale": Case(
        {f"cloudflux_dataset_access_fresh{{{BOOKS}}}": "1x5 0x20"},
        {f"cloudflux_dataset_access_fresh{{{BOOKS}}}": "0x25"},
        at="20h",
        interval="1h",
    ),
    "CloudFluxEventsBacklog": Case(
        {"cloudflux_outbox_oldest_age_seconds": "0+60x200"},
        {"cloudflux_outbox_oldest_age_seconds": "120x200"},
    ),
    "CloudFluxOutboxFilling": Case(
        {'cloudflux_events_dropped_total{type="x"}': "0+5x200"},
        {'cloudflux_events_dropped_total{type="x"}': "5x200",
         "cloudflux_outbox_filled_ratio": "0.5x200"},
    ),
    "CloudFluxMonthlyCostAboveLimit": Case(
        {f"cloudflux_policy_cost_per_month{{{POLICY}}}": "12x200",
         f"cloudflux_policy_cost_limit_per_month{{{POLICY}}}": "10x200"},
        {f"cloudflux_policy_cost_per_month{{{POLICY}}}": "10x200",
         f"cloudflux_policy_cost_limit_per_month{{{POLICY}}}": "10x200"},
    ),
    "CloudFluxFirstByteLatencyBreach": Case(
        {f"cloudflux_policy_first_byte_seconds{{{POLICY}}}": "0.861x200",
         f"cloudflux_policy_first_byte_limit_seconds{{{POLICY}}}": "0.2x200"},
        {f"cloudflux_policy_first_byte_seconds{{{POLICY}}}": "0.2x200",
         f"cloudflux_policy_first_byte_limit_seconds{{{POLICY}}}": "0.2x200"},
    ),
    "CloudFluxForecastOutOfCalibration": Case(
        forecast(reads=50), forecast(reads=9), at="9d", interval="1h"
    ),
    "CloudFluxModelStale": Case(
        {f"cloudflux_dataset_model_usable{{{BOOKS}}}": "0x60"},
        {f"cloudflux_dataset_model_usable{{{BOOKS}}}": "1x60",
         f"cloudflux_dataset_model_trained_timestamp_seconds{{{BOOKS}}}": "86400x60"},
        at="40h",
        interval="1h",
    ),
    "CloudFluxPolicyMissed": Case(
        {'cloudflux_policy_next_evaluation_timestamp_seconds{namespace="n",policy="p"}': "60x200"},
        {'cloudflux_policy_next_evaluation_timestamp_seconds{namespace="n",policy="p"}': "9000x99"},
    ),
    "CloudFluxAccessEventsLost": Case(
        {"cloudflux_access_events_lost_total": "0x90 5x60"},
        {"cloudflux_access_events_lost_total": "5x200"},
    ),
}  # fmt: skip


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def promtool(*arguments: str) -> None:
    if missing := parts.why_system_missing("promtool"):
        pytest.skip(missing)
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", str(RULES))


def test_every_alert_has_a_case() -> None:
    assert set(CASES) == set(ALERTS)


@pytest.mark.parametrize("interval", ["1m", "1h"])
def test_alerts_fire_when_they_should_and_only_then(interval: str, tmp_path: Path) -> None:
    tests = []
    for alert, case in CASES.items():
        if case.interval != interval:
            continue
        for series, found in ((case.fires, True), (case.quiet, False)):
            firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0'
            tests.append(
                {
                    "name": f"{alert} {'fires' if found else 'is quiet'}",
                    "interval": case.interval,
                    "input_series": [
                        {"series": name, "values": values} for name, values in series.items()
                    ],
                    "promql_expr_test": [
                        {
                            "expr": firing,
                            "eval_time": case.at,
                            "exp_samples": [{"labels": "{}", "value": 1}] if found else [],
                        }
                    ],
                }
            )
    path = tmp_path / "tests.yaml"
    content = {
        "rule_files": [str(RULES)],
        "evaluation_interval": interval,
        # else the alerts may be evaluated before what they read was recorded, an interval ago
        "group_eval_order": [
            group["name"] for group in yaml.safe_load(RULES.read_text())["groups"]
        ],
        "tests": tests,
    }
    path.write_text(yaml.safe_dump(content))
    promtool("test", "rules", str(path))


def test_rules_use_metrics_that_exist() -> None:
    known = set(METRICS)
    for name, info in METRICS.items():
        if info.kind is MetricKind.HISTOGRAM:
            known |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    used = {
        word for rule in rules() for word in re.findall(r"(?<![:\w])cloudflux_\w+", rule["expr"])
    }
    assert used - known == set()
    assert len(used) > 10


@pytest.mark.parametrize("alert", list(ALERTS))
def test_an_alert_says_what_it_is_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert "{{" not in rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"].endswith(f"/runbooks/{alert}")
    page = (RUNBOOKS / f"{alert}.md").read_text()
    heads = re.findall(r"^## (.*)$", page, flags=re.MULTILINE)
    assert heads == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert f"({alert}.md)" in (RUNBOOKS / "README.md").read_text()


def test_no_runbook_is_left_of_an_alert_that_went() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(ALERTS)
