"""SIGTERM at any moment after the start, and what the probe says while the operator waits."""

import http.server
import json
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator_rig import Operator, World, alive, fill, read_all, wait_for

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import KubeApi
from cloudflux_dev.ports import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("operator-stop")]
LEASES = "coordination.k8s.io/v1"
HOLDER = "another-operator-of-another-host"
END_SECONDS = 15
"""It takes about three; kopf, where it hears a signal first, kills the process after twenty."""
Start = Callable[..., Operator]


class NothingInstalled(http.server.BaseHTTPRequestHandler):
    """A Kubernetes API that holds nothing."""

    def do_GET(self) -> None:
        body = json.dumps({"kind": "Status", "code": 404, "message": "not found"}).encode()
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def empty_api(tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of a Kubernetes API without our CRDs."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NothingInstalled)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = tmp_path / "empty.kubeconfig"
    context = {"name": "empty", "context": {"cluster": "empty", "user": "nobody"}}
    where = {"server": f"http://127.0.0.1:{server.server_port}"}
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "empty",
                "contexts": [context], "users": [{"name": "nobody", "user": {}}],
                "clusters": [{"name": "empty", "cluster": where}],
            }
        )
    )  # fmt: skip
    yield path
    server.shutdown()
    server.server_close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Operator] = []

    def start(kubeconfig: Path, namespace: str, **settings: Any) -> Operator:
        operator = Operator(kubeconfig, namespace, tmp_path, **settings)
        started.append(operator)
        return operator.start()

    yield start
    for operator in started:
        operator.stop(signal.SIGKILL)


def says(operator: Operator, text: str) -> None:
    wait_for(f"the log to say {text!r}", lambda: text in operator.log())


def ends_cleanly(operator: Operator) -> None:
    """SIGTERM, and it ends with 0, soon, with all its children."""
    process, children = operator.process, operator.children()
    assert process is not None
    process.send_signal(signal.SIGTERM)
    wait_for("the end", lambda: process.poll() is not None, END_SECONDS)
    assert process.returncode == 0, operator.log()
    assert '"ended"' in operator.log()
    assert [pid for pid in children if alive(pid)] == []


def holder(api: KubeApi, namespace: str) -> str:
    lease = api.get(LEASES, "leases", "cloudflux-operator", namespace)
    return str(lease["spec"].get("holderIdentity", ""))


def held_by_another(api: KubeApi, namespace: str) -> None:
    """A Lease whose holder renewed it a moment ago, for an hour."""
    spec = {"holderIdentity": HOLDER, "leaseDurationSeconds": 3600, "leaseTransitions": 1}
    metadata = {"namespace": namespace, "name": "cloudflux-operator"}
    api.create({"apiVersion": LEASES, "kind": "Lease", "metadata": metadata, "spec": spec})


def answer(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Status and body of a probe; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as got:
            return got.status, json.load(got)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except OSError:
        return 0, {}


def waits_for(port: int, what: str) -> None:
    """The process is well and not ready, and says what it waits for."""
    wait_for(f"waiting for {what}", lambda: what in answer(port, "/readyz")[1].get("message", ""))
    code, body = answer(port, "/readyz")
    assert (code, body["ok"], body["failed"]) == (503, False, ["Waiting"])
    assert body["message"].startswith("waiting for ")
    code, body = answer(port, "/healthz")
    assert (code, body["ok"]) == (200, True)


def test_it_is_healthy_and_not_ready_while_the_crds_are_missing_and_ends_when_told(
    start: Start, empty_api: Path
) -> None:
    port = free_port()
    operator = start(empty_api, "nowhere", probe_port=port)
    says(operator, "CRD missing")
    waits_for(port, "the CRDs; install them: kubectl apply")
    ends_cleanly(operator)


def test_it_is_healthy_and_not_ready_while_another_leads_and_ends_when_told(
    start: Start, control_plane: ControlPlane, kube_api: KubeApi, namespace: str
) -> None:
    held_by_another(kube_api, namespace)
    port = free_port()
    operator = start(control_plane.kubeconfig, namespace, probe_port=port)
    says(operator, "waiting for the lease")
    waits_for(port, f"leader {HOLDER}")
    ends_cleanly(operator)
    assert holder(kube_api, namespace) == HOLDER


@pytest.mark.parametrize("moment", ["lease acquired", "listening", "at work"])
@pytest.mark.parametrize("moves", ["Run", "Stop"])
def test_a_leader_ends_its_children_and_gives_the_lease_up(
    start: Start, control_plane: ControlPlane, kube_api: KubeApi, namespace: str,
    tmp_path: Path, moves: str, moment: str,
) -> None:  # fmt: skip
    world, source, target = World(kube_api, namespace), tmp_path / "source", tmp_path / "target"
    content = fill(source, 20)
    target.mkdir()
    world.data_set("files", source.as_uri(), writers="Quiesced")
    slowly = {"parallelism": 1, "bandwidthBytesPerSecond": 1024}
    world.job("files", "files", {"location": {"uri": target.as_uri()}}, execution=slowly)
    port = free_port()
    operator = start(control_plane.kubeconfig, namespace, moves=moves, probe_port=port)
    says(operator, "lease acquired")
    if moment != "lease acquired":
        wait_for("it to listen", lambda: answer(port, "/readyz")[0] == 200)
    if moment == "at work":
        wait_for("a child", operator.children)
        if moves == "Run":
            wait_for("the first copy", lambda: read_all(target))
        else:
            reason = "MovesStopped"
            wait_for(reason, lambda: world.status("migrationjobs", "files").get("reason") == reason)
    ends_cleanly(operator)
    assert holder(kube_api, namespace) == ""
    assert read_all(source) == content


def test_a_second_signal_changes_nothing(
    start: Start, control_plane: ControlPlane, namespace: str
) -> None:
    port = free_port()
    operator = start(control_plane.kubeconfig, namespace, probe_port=port)
    wait_for("it to listen", lambda: answer(port, "/readyz")[0] == 200)
    assert operator.process is not None
    operator.process.send_signal(signal.SIGINT)
    ends_cleanly(operator)
