"""The kubectl plugin: what it says, what it asks of kubectl, and what its report leaves out."""

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudflux.api.dataset import AccessStatus, DataSetStatus, ForecastStatus, TrendStatus
from cloudflux.cli import kubectl_say
from cloudflux.cli.kubectl import app
from cloudflux.cli.kubectl_report import redacted, redacted_text

META = {"namespace": "team", "name": "logs"}
DATA_SET: dict[str, Any] = {
    "apiVersion": "cloudflux.io/v1alpha1", "kind": "DataSet", "metadata": META,
    "spec": {"location": {"uri": "s3://bucket/logs"}},
    "status": {
        "temperature": "Cold", "confidencePercent": 90, "monthlyCost": "12.00",
        "savingsPerMonth": "9.50", "inventory": {"objects": 1200, "bytes": 2**30},
        "access": {"reads7D": 0, "reads30D": 3, "observedDays": 60},
        "tiers": [
            {"objects": 1200, "bytes": 2**30, "storageClass": "STANDARD", "monthlyCost": "12.00"}
        ],
        "recommendations": [{
            "id": "r1", "objects": 1000, "bytes": 2**29, "from": "STANDARD", "to": "GLACIER_IR",
            "savingsPerMonth": "9.50", "oneOffCost": "0.20", "confidencePercent": 90,
            "reason": "Not read for 57 days.",
        }],
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Scanned"},
            {"type": "AccessHistoryFresh", "status": "True", "reason": "AccessLogsFresh",
             "message": "60 days are complete."},
        ],
    },
}  # fmt: skip
JOB: dict[str, Any] = {
    "apiVersion": "cloudflux.io/v1alpha1", "kind": "MigrationJob",
    "metadata": {"namespace": "team", "name": "cool"},
    "spec": {"dataSetRef": {"name": "logs"}, "target": {"tier": "Cold"}, "cancel": True,
             "approval": "abc"},
    "status": {
        "phase": "AwaitingApproval", "reason": "AwaitingApproval", "message": "Approve abc.",
        "plan": {"hash": "abc", "objects": 1000, "bytes": 2**29, "oneOffCost": "0.20",
                 "savingsPerMonth": "9.50", "currency": "USD", "durationSeconds": 90,
                 "paybackDays": 1, "expiresAt": "2026-01-02T00:00:00Z", "warnings": ["Slow."]},
        "pin": {"source": {"uri": "s3://bucket/logs"}, "targetClass": "GLACIER_IR"},
    },
}  # fmt: skip


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that answers from files and writes down what it is asked."""
    program = tmp_path / "kubectl"
    program.write_text(
        f"""#!/bin/sh
printf '%s\\n' "$*" >> {tmp_path}/asked
case "$*" in
*"get datasets.cloudflux.io logs"*) cat {tmp_path}/dataset ;;
*"get datasets"*) printf '{{"items":['; cat {tmp_path}/dataset; printf ']}}' ;;
*"get migrationjobs.cloudflux.io cool"*) cat {tmp_path}/job ;;
*"get migrationjobs"*) printf '{{"items":['; cat {tmp_path}/job; printf ']}}' ;;
*create*) cat > {tmp_path}/created ;;
*logs*--previous*) echo "previous terminated container not found" >&2; exit 1 ;;
*logs*) echo 'copied s3://bucket/logs from https://k:s@host/x?sig=1' ;;
*) echo '{{"items":[]}}' ;;
esac
"""
    )
    program.chmod(0o755)
    (tmp_path / "dataset").write_text(json.dumps(DATA_SET))
    (tmp_path / "job").write_text(json.dumps(JOB))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_status_shows_cost_savings_and_what_waits(kubectl: Path) -> None:
    said = run("--context", "prod", "-n", "team", "status").output
    assert said.splitlines()[1].split() == [
        "team/logs", "Cold", "1,200", "1.00", "GiB", "12.00", "9.50", "True", "Scanned",
    ]  # fmt: skip
    assert "team/cool   logs      AwaitingApproval          Approve abc." in said
    assert "\x1b" not in said
    assert "--namespace=team --context=prod get" in (kubectl / "asked").read_text()


def test_status_is_json_and_yaml_for_programs(kubectl: Path) -> None:
    found = json.loads(run("status", "-o", "json").output)
    assert found["moves"][0]["phase"] == "AwaitingApproval"
    assert "temperature: Cold" in run("status", "-o", "yaml").output


def test_a_terminal_sees_phases_in_colour() -> None:
    found = kubectl_say.overview([DATA_SET], [JOB])
    assert "\x1b[33mAwaitingApproval\x1b[0m" in kubectl_say.overview_text(found, colour=True)


def test_a_plan_says_what_it_costs_and_how_to_approve_it(kubectl: Path) -> None:
    said = run("plan", "cool").output
    for words in ("1000 objects", "GLACIER_IR", "0.20 USD once", "9.50 USD a month", "Slow."):
        assert words in said
    assert "kubectl cloudflux approve cool --hash abc" in said


def test_explain_reads_a_status_as_the_operator_writes_it() -> None:
    """Names of fields are those that the API has, not those that Python has."""
    status = DataSetStatus(
        access=AccessStatus(reads7d=4, reads30d=9, observed_days=60, coverage_percent=100),
        forecast=ForecastStatus(
            reads7d=5, reads30d=11, low=2, high=8, model="m",
            trend=[TrendStatus(days=7, reads=5, reads_low=2, reads_high=8, bytes=1024,
                               bytes_low=0, bytes_high=4096)],
        ),
    )  # fmt: skip
    written = {**DATA_SET, "status": status.model_dump(mode="json", by_alias=True)}
    said = kubectl_say.explain_text(written)
    assert "reads     4 in 7 days, 9 in 30, of 60 observed days" in said
    assert "forecast  5 reads in 7 days (2 to 8), by m" in said
    assert "ahead     5 reads in 7 days (2 to 8), 1.00 KiB" in said


def test_explain_tells_signal_cost_and_advice(kubectl: Path) -> None:
    said = run("explain", "logs").output
    for words in ("Cold (90 % sure)", "60 days are complete.", "STANDARD: 12.00", "57 days"):
        assert words in said


def test_only_the_plan_that_was_read_is_approved(kubectl: Path) -> None:
    assert run("approve", "cool", "--hash", "older").exit_code == 1
    assert "patch" not in (kubectl / "asked").read_text()
    assert run("approve", "cool").exit_code == 1  # nobody to ask
    assert run("approve", "cool", "--hash", "abc").exit_code == 0
    assert '{"spec": {"approval": "abc"}}' in (kubectl / "asked").read_text()


def test_cancel_and_retry(kubectl: Path) -> None:
    assert run("cancel", "cool").exit_code == 0
    assert '{"spec": {"cancel": true}}' in (kubectl / "asked").read_text()
    assert run("retry", "cool").exit_code == 1  # it has not ended
    failed = {**JOB, "status": {"phase": "Failed"}}
    (kubectl / "job").write_text(json.dumps(failed))
    assert run("retry", "cool").exit_code == 0
    made = json.loads((kubectl / "created").read_text())
    assert made["metadata"] == {"name": "cool-retry-1", "namespace": "team"}
    assert made["spec"] == {"dataSetRef": {"name": "logs"}, "target": {"tier": "Cold"}}
    assert kubectl_say.again(made)["metadata"]["name"] == "cool-retry-2"


def test_a_watch_ends_with_its_job() -> None:
    lines = [*json.dumps({"object": JOB}, indent=1).splitlines(keepends=True), "\n"] * 2
    assert [event["object"] for event in kubectl_say.stream(lines)] == [JOB, JOB]
    assert not kubectl_say.over(JOB)
    assert kubectl_say.over({"status": {"phase": "Completed"}})


def test_kubectls_own_words_are_shown_when_it_refuses(kubectl: Path) -> None:
    (kubectl / "kubectl").write_text("#!/bin/sh\necho 'Forbidden: no' >&2\nexit 1\n")
    done = run("status")
    assert done.exit_code == 1
    assert "Forbidden: no" in done.output


def test_a_report_holds_no_secret_and_no_name_of_a_bucket(kubectl: Path) -> None:
    target = kubectl / "report.tar.gz"
    done = run("report", "--file", str(target))
    assert done.exit_code == 0, done.output
    with tarfile.open(target) as tar:
        text = "".join(tar.extractfile(one).read().decode() for one in tar.getmembers())  # type: ignore[union-attr]
    assert "AccessLogsFresh" in text
    assert "not to be had with your rights" in text
    for word in ("bucket", "k:s@", "sig=1"):
        assert word not in text


def test_redaction_keeps_what_is_equal_equal() -> None:
    given = {"uri": "s3://b/x", "other": ["see s3://b/x, please"], "token": "t", "managedFields": 1}
    made = redacted(given)
    digest = made["uri"].removeprefix("s3://")
    assert made == {"uri": f"s3://{digest}", "other": [f"see s3://{digest}, please"],
                    "token": "(removed)"}  # fmt: skip
    assert redacted_text("https://u:p@h/x?q=1", keep_names=True) == "https://h/x"
