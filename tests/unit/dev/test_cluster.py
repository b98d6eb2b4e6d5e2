"""The tools touch no cluster but their own."""

import copy
import json
import os
import subprocess
import sys
import threading

import pytest
import yaml

from cloudflux_dev.cluster import MADE_HERE, ClusterError, ControlPlane, refuse_foreign_context

OURS = {
    "clusters": [
        {
            "name": "cloudflux-dev",
            "cluster": {
                "server": "https://127.0.0.1:6443",
                "extensions": [{"name": MADE_HERE, "extension": {"directory": "/x"}}],
            },
        }
    ],
    "contexts": [{"name": "cloudflux-dev", "context": {"cluster": "cloudflux-dev"}}],
}


def written(tmp_path, content):
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path


def test_own_context_is_accepted(tmp_path):
    refuse_foreign_context(written(tmp_path, OURS), "cloudflux-dev")


@pytest.mark.parametrize("broken", ["server", "mark", "name", "absent"])
def test_foreign_contexts_are_refused(tmp_path, broken):
    content = copy.deepcopy(OURS)
    cluster = content["clusters"][0]["cluster"]
    name = "cloudflux-dev"
    if broken == "server":
        cluster["server"] = "https://prod.example.com:6443"
    elif broken == "mark":
        cluster["extensions"] = []
    elif broken == "name":
        name = content["contexts"][0]["name"] = "production"
    else:
        content["contexts"] = []
    with pytest.raises(ClusterError, match=name):
        refuse_foreign_context(written(tmp_path, content), name)


def test_kubeconfig_that_is_none_is_refused(tmp_path):
    with pytest.raises(ClusterError):
        refuse_foreign_context(tmp_path / "nothing", "cloudflux-dev")


def test_stop_ends_its_own_children_when_their_record_was_removed(tmp_path):
    control_plane = ControlPlane(tmp_path / "control-plane")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    control_plane._children.append(child)
    stopper = threading.Thread(target=control_plane.stop, daemon=True)
    stopper.start()
    try:
        stopper.join(20)
        assert not stopper.is_alive()
        assert child.poll() is not None
    finally:
        child.kill()


def test_stop_leaves_processes_that_are_not_ours(tmp_path):
    control_plane = ControlPlane(tmp_path / "control-plane")
    control_plane.directory.mkdir()
    record = control_plane.directory / "pids.json"
    record.write_text(json.dumps([os.getpid()]))  # the pid was used again
    assert not control_plane.running()
    control_plane.stop()
    assert not record.exists()
