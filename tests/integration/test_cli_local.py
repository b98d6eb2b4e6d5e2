"""`doctor` and `plan` against directories and a real cluster, as a person would call them."""

import json
import os
import time
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cloudflux.cli.main import app
from cloudflux_dev.cluster import ControlPlane

DAY_SECONDS = 86_400


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """A hot directory with old and new files, and a cold one."""
    now = time.time()
    for tier in ("hot/data", "cold"):
        (tmp_path / tier).mkdir(parents=True)
    for number in range(6):
        path = tmp_path / "hot" / "data" / f"file-{number}"
        path.write_bytes(bytes(500_000))
        read = now - (150 * DAY_SECONDS if number < 4 else 3600)
        os.utime(path, (read, now - 300 * DAY_SECONDS))
    return tmp_path


def contents(directory: Path) -> dict[str, tuple[int, bool]]:
    return {
        str(path): (path.lstat().st_size, path.is_symlink())
        for path in directory.rglob("*")
        if not path.is_dir() or path.is_symlink()
    }


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == status, result.output
    return result.output


def test_plan_of_a_directory_recommends_and_changes_nothing(storage: Path) -> None:
    before = contents(storage)
    output = run(
        "plan", str(storage / "hot" / "data"), "--json",
        "--tier", f"hot={storage / 'hot'}", "--tier", f"cold={storage / 'cold'}",
    )  # fmt: skip
    plan = json.loads(output)
    assert plan["observed"]["objects"] == 6
    assert [r["objects"] for r in plan["decision"]["recommendations"]] == [4]
    assert plan["decision"]["recommendations"][0]["reason"]
    assert contents(storage) == before


def test_plan_without_tiers_says_why_nothing_should_move(storage: Path) -> None:
    output = run("plan", str(storage / "hot" / "data"))
    assert "6 objects" in output
    assert "Nothing should move: " in output


def test_plan_of_nothing_says_what_to_do(tmp_path: Path) -> None:
    assert "name one that exists" in run("plan", str(tmp_path / "absent"), status=1)
    assert "s3://bucket/prefix" in run("plan", "ftp://bucket", status=1)


def test_plan_with_an_unknown_tier_says_how_to_write_it(storage: Path) -> None:
    output = run("plan", str(storage / "hot"), "--tier", "lukewarm=/x", status=1)
    assert "write hot=, warm= or cold=" in output


def test_doctor_of_a_directory_names_prices_and_access_times(storage: Path) -> None:
    findings = {f["what"]: f for f in json.loads(run("doctor", str(storage / "hot"), "--json"))}
    assert findings["location"]["mark"] == "ok"
    assert "ssd" in findings["prices"]["message"]
    assert "records the last read" in findings["access times"]["message"]


def test_doctor_fails_when_the_location_is_not_there(tmp_path: Path) -> None:
    assert "failed" in run("doctor", str(tmp_path / "absent"), status=1)


@pytest.mark.cluster
def test_doctor_of_a_cluster(control_plane: ControlPlane) -> None:
    output = run("doctor", "--kubeconfig", str(control_plane.kubeconfig))
    assert "ok       Kubernetes: v1." in output
    assert "ok       CRDs: installed" in output
    assert "ok       rights: all that the operator needs" in output


@pytest.mark.cluster
def test_doctor_names_missing_rights(control_plane: ControlPlane, tmp_path: Path) -> None:
    control_plane.kubectl("create", "serviceaccount", "nobody", check=False)
    token = control_plane.kubectl("create", "token", "nobody").strip()
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    output = run("doctor", "--kubeconfig", str(path), status=1)
    assert "missing in all namespaces: get datasets.cloudflux.io" in output


def test_doctor_of_a_directory_tells_the_right_to_write_and_can_try_it(storage: Path) -> None:
    before = contents(storage)
    findings = {f["what"]: f for f in json.loads(run("doctor", str(storage / "hot"), "--json"))}
    assert "may write" in findings["write"]["message"]
    output = run("doctor", str(storage / "hot"), "--write-probe")
    assert "objects can be deleted" in output
    assert "conditions: enforced" in output
    assert contents(storage) == before
    assert not (storage / "hot" / ".cloudflux").exists()
