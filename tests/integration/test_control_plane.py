"""The control plane of tests and demo, with what a directory of programs holds beside it."""

import os
import sys
import time
from pathlib import Path

import pytest

from cloudflux_dev import assets
from cloudflux_dev.cluster import ControlPlane

pytestmark = pytest.mark.cluster

MANAGER = f"""#!{sys.executable}
import pathlib, sys, time
pathlib.Path("started-with").write_text("\\n".join(sys.argv[1:]))
time.sleep(600)
"""


def test_a_controller_manager_is_started_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = assets.find()
    directory = tmp_path / "programs"
    directory.mkdir()
    for program in (programs.etcd, programs.kube_apiserver, programs.kubectl):
        (directory / program.name).symlink_to(program)
    manager = directory / "kube-controller-manager"
    manager.write_text(MANAGER)
    manager.chmod(0o755)
    monkeypatch.setenv("CLOUDFLUX_TEST_ASSETS", str(directory))
    control_plane = ControlPlane(tmp_path / "plane", "test", tied=True)
    control_plane.start(lambda _line: None)
    try:
        said = control_plane.directory / "started-with"
        deadline = time.monotonic() + 30
        while not said.exists() or not said.read_text():
            assert time.monotonic() < deadline, "the controller manager was not started"
            time.sleep(0.05)
        assert str(control_plane.kubeconfig) in said.read_text().splitlines()
        pid = control_plane._children[-1].pid
        assert control_plane.running()
    finally:
        control_plane.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
