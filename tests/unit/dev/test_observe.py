"""`make observe` touches nothing that it did not start."""

import fcntl
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.integration.kafka_rig import need_kafka

from cloudflux_dev import observe, parts

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def home(tmp_path, monkeypatch):
    place = tmp_path / "observe"
    monkeypatch.setattr(observe, "HOME", place)
    monkeypatch.setattr(observe, "MARK", place / "made")
    return place


def test_a_directory_of_somebody_else_is_left_alone(home):
    home.mkdir()
    (home / "mine").write_text("x")
    with pytest.raises(observe.ObserveError, match="left alone"):
        observe._prepare()
    assert (home / "mine").read_text() == "x"


def test_a_second_one_leaves_the_first_alone(home):
    held = observe._prepare()
    (home / "log").write_text("x")
    with pytest.raises(observe.ObserveError, match="running already"):
        observe._prepare()
    assert (home / "log").exists()
    fcntl.flock(held, fcntl.LOCK_UN)
    os.close(held)
    os.close(observe._prepare())
    assert not (home / "log").exists()


def test_ports_are_free_ones_or_those_asked_for():
    found = observe._ports(["prometheus=9099"])
    assert found["prometheus"] == 9099
    assert len(set(found.values())) == 4
    with pytest.raises(observe.ObserveError, match="prometheus=9090"):
        observe._ports(["grafana=3000"])


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
def test_it_serves_what_it_names_and_leaves_nothing(tmp_path):
    need_kafka()
    if missing := parts.why_system_missing("prometheus"):
        pytest.skip(missing)
    place = tmp_path / "observe"
    environment = {
        **os.environ,
        "CLOUDFLUX_OBSERVE_DIRECTORY": str(place),
        "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tools'}",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "cloudflux_dev.observe"],
        env=environment, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        named = {}
        try:
            for line in process.stdout:
                if line.startswith(("Prometheus", "operator", "collector")):
                    named[line.split()[0]] = line.split()[1]
                if line.startswith("The load"):
                    break
            for name in ("operator", "collector"):
                with urllib.request.urlopen(named[name], timeout=10) as answer:
                    assert b"# HELP" in answer.read()
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0
    assert not place.exists()
