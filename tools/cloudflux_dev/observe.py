"""`make observe`: the operator, Kafka, Prometheus and Alertmanager at work, to look at.

Everything runs on 127.0.0.1 on ports that are free, under load from `cloudflux simulate`, keeps its
files in `.observe/` and ends with this program: nothing is touched that it did not start.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cloudflux_dev import assets
from cloudflux_dev.cluster import ClusterError, ControlPlane, die_with_parent
from cloudflux_dev.kafka_server import running_kafka
from cloudflux_dev.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("CLOUDFLUX_OBSERVE_DIRECTORY") or ROOT / ".observe").absolute()
MARK = HOME / "made-by-cloudflux-observe"
RULES = ROOT / "charts" / "cloudflux" / "files" / "rules.yaml"
ALERTMANAGERS = ("alertmanager", "prometheus-alertmanager")
SERVED = ("operator", "collector", "prometheus", "alerts")
START_SECONDS, STOP_SECONDS = 90, 15
FILES, FILE_BYTES = 200, 4096


class ObserveError(RuntimeError):
    """It can't go on; the message says why and what to do."""


class Observed:
    """What was started, each ended when this is left."""

    def __init__(self, stack: contextlib.ExitStack, ports: Mapping[str, int]) -> None:
        self._stack, self.ports = stack, ports
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a process that ends with us; its output goes to a file of its name."""
        with (HOME / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                list(command),
                env=dict(environment) if environment else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone, and we end it in order
                preexec_fn=die_with_parent,
            )
        self._stack.callback(_end, process)
        self.running[name] = process

    def ended(self) -> str | None:
        """Say which process ended by itself, and where to look."""
        for name, process in self.running.items():
            if process.poll() is not None:
                log = HOME / f"{name}.log"
                last = log.read_text(errors="replace").splitlines()[-5:]
                return f"{name} ended with {process.returncode}:\n" + "\n".join(last)
        return None


def run(ports: Mapping[str, int], seconds: float | None, stopped: Callable[[], bool]) -> None:
    """Start everything, say what to open, and wait. Raises ObserveError and ClusterError."""
    if shutil.which("prometheus") is None:
        raise ObserveError("prometheus is not installed: on Debian and Ubuntu, apt install it")
    with contextlib.ExitStack() as stack:
        print("Starting etcd, kube-apiserver and Kafka (about 20 s) …", flush=True)
        plane = ControlPlane(HOME / "cluster", "observe", kubeconfig=HOME / "kubeconfig")
        stack.callback(plane.stop)
        plane.start()
        plane.install_crds()
        kafka = stack.enter_context(running_kafka(HOME / "kafka"))
        observed = Observed(stack, ports)
        _start_ours(observed, plane, kafka.bootstrap)
        _start_watchers(observed)
        _apply(plane)
        _wait_for_metrics(observed)
        _say(observed, plane, kafka.bootstrap)
        end = time.monotonic() + seconds if seconds is not None else None
        while not stopped() and (end is None or time.monotonic() < end):
            if problem := observed.ended():
                raise ObserveError(problem)
            time.sleep(0.2)
        print("Taking everything down …", flush=True)


def _start_ours(observed: Observed, plane: ControlPlane, brokers: str) -> None:
    files = HOME / "files"
    files.mkdir()
    for number in range(FILES):
        (files / f"part-{number:04d}").write_bytes(bytes(FILE_BYTES))
    (HOME / "moved" / "here").mkdir(parents=True)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CLOUDFLUX_"))},
        "PYTHONPATH": str(ROOT / "operator"),
        "CLOUDFLUX_KUBECONFIG": str(plane.kubeconfig),
        "CLOUDFLUX_STATE_DIR": str(HOME / "state"),
        "CLOUDFLUX_FILE_ROOTS": json.dumps({"default": [str(files), str(HOME / "moved")]}),
        "CLOUDFLUX_SCAN_INTERVAL_SECONDS": "30",
        "CLOUDFLUX_CLUSTER": "observe",
        "CLOUDFLUX_KAFKA__BROKERS": brokers,
        "CLOUDFLUX_PROBE_PORT": str(observed.ports["operator"]),
    }
    (HOME / "state").mkdir()
    command = [sys.executable, "-m", "cloudflux.cli.main"]
    observed.start("operator", [*command, "operator"], environment)
    metrics = f"--metrics-port={observed.ports['collector']}"
    observed.start("collector", [*command, "collector", metrics], environment)
    load = [
        "simulate", files.as_uri(), "--kafka", "--real-objects", "--rate=50", "--speed=1",
        "--duration=1000000000",
    ]  # fmt: skip
    observed.start("simulate", [*command, *load], environment)


def _start_watchers(observed: Observed) -> None:
    ports = observed.ports
    targets = [f"127.0.0.1:{ports[name]}" for name in ("operator", "collector")]
    configuration: dict[str, object] = {
        "global": {"scrape_interval": "5s", "evaluation_interval": "5s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "cloudflux", "static_configs": [{"targets": targets}]}],
    }
    alertmanager = next(filter(None, map(shutil.which, ALERTMANAGERS)), None)
    if alertmanager is not None:
        at = f"127.0.0.1:{ports['alerts']}"
        configuration["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [at]}]}]}
        (HOME / "alertmanager.yaml").write_text(
            json.dumps({"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]})
        )
        observed.start("alertmanager", [
            alertmanager, f"--config.file={HOME / 'alertmanager.yaml'}",
            f"--storage.path={HOME / 'alerts'}", f"--web.listen-address={at}",
            "--cluster.listen-address=",
        ])  # fmt: skip
    (HOME / "prometheus.yaml").write_text(json.dumps(configuration))
    observed.start("prometheus", [
        "prometheus", f"--config.file={HOME / 'prometheus.yaml'}",
        f"--storage.tsdb.path={HOME / 'series'}",
        f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
    ])  # fmt: skip


def _apply(plane: ControlPlane) -> None:
    """A data set that is read, a policy that recommends, and one move."""
    files, moved = (HOME / "files").as_uri(), (HOME / "moved").as_uri()
    specs: list[tuple[str, str, dict[str, object]]] = [
        ("DataSet", "telemetry", {
            "location": {"uri": files}, "writers": "Quiesced",
            "access": {"sources": [{"type": "Kafka"}, {"type": "FileAtime"}]},
        }),
        ("TieringPolicy", "tiers", {
            "mode": "Recommend", "selector": {}, "tiers": [{"name": "Hot", "fileRoot": files}],
        }),
        ("MigrationJob", "move", {
            "dataSetRef": {"name": "telemetry"}, "target": {"location": {"uri": f"{moved}/here"}},
        }),
    ]  # fmt: skip
    for kind, name, spec in specs:
        document = {
            "apiVersion": "cloudflux.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "namespace": "default"},
            "spec": spec,
        }
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(document))


def _wait_for_metrics(observed: Observed) -> None:
    """Wait until what is going to be named answers."""
    deadline = time.monotonic() + START_SECONDS
    for name in ("operator", "collector"):
        address = f"http://127.0.0.1:{observed.ports[name]}/metrics"
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError as error:
                if problem := observed.ended():
                    raise ObserveError(problem) from error
                if time.monotonic() > deadline:
                    raise ObserveError(f"{name} does not answer at {address}: {error}") from error
                time.sleep(0.2)


def _say(observed: Observed, plane: ControlPlane, brokers: str) -> None:
    ports = observed.ports
    alerts = (
        f"http://127.0.0.1:{ports['alerts']}"
        if "alertmanager" in observed.running
        else "not installed (prometheus-alertmanager); firing alerts are in Prometheus"
    )
    print(f"""
Prometheus     http://127.0.0.1:{ports["prometheus"]}/graph?g0.expr=cloudflux%3Acost_per_month%3Asum
  alerts       http://127.0.0.1:{ports["prometheus"]}/alerts
Alertmanager   {alerts}
operator       http://127.0.0.1:{ports["operator"]}/metrics
collector      http://127.0.0.1:{ports["collector"]}/metrics
Kafka          {brokers}, topics cloudflux.events.v1 and cloudflux.access-events
Kubernetes     kubectl --kubeconfig {plane.kubeconfig} get cfds,cftp,cfmj
dashboards     charts/cloudflux/dashboards/*.json, to import where you have a Grafana
logs           {HOME}/*.log

The load is SYNTHETIC: 50 reads and writes a second. Ctrl-C takes everything down.
""", flush=True)  # fmt: skip


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ports(given: Sequence[str]) -> dict[str, int]:
    ports = dict(zip(SERVED, free_ports(len(SERVED)), strict=True))
    for text in given:
        name, _, number = text.partition("=")
        if name not in ports or not number.isdigit():
            raise ObserveError(f"--port takes one of {', '.join(SERVED)}, as in prometheus=9090")
        ports[name] = int(number)
    return ports


def _prepare() -> int:
    """Make our directory anew and hold it; what a kill left running is ended first."""
    if HOME.exists():
        if not MARK.exists():
            raise ObserveError(f"{HOME} was not made by this program; it is left alone")
        before = os.open(HOME, os.O_RDONLY)
        try:
            fcntl.flock(before, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ObserveError(f"it is running already, in {HOME}; Ctrl-C there ends it") from None
        finally:
            os.close(before)
        ControlPlane(HOME / "cluster", "observe", kubeconfig=HOME / "kubeconfig").stop()
        shutil.rmtree(HOME)
    HOME.mkdir(mode=0o700, parents=True)
    MARK.touch()
    held = os.open(HOME, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return held


def main() -> int:
    """Run until Ctrl-C, SIGTERM or the given time."""
    parser = argparse.ArgumentParser(prog="python -m cloudflux_dev.observe", description=__doc__)
    parser.add_argument("--seconds", type=float, help="end by itself after so long")
    parser.add_argument(
        "--port", action="append", default=[], metavar="NAME=NUMBER",
        help=f"a port of {', '.join(SERVED)}; else one that is free",
    )  # fmt: skip
    arguments = parser.parse_args()
    try:
        ports = _ports(arguments.port)
        held = _prepare()
    except ObserveError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    came: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: came.append(got))
    try:
        run(ports, arguments.seconds, lambda: bool(came))
    except (ObserveError, ClusterError, assets.AssetsError, OSError, RuntimeError) as error:
        print(f"error: {error}\nLogs are kept in {HOME}.", file=sys.stderr)
        return 1
    shutil.rmtree(HOME, ignore_errors=True)
    os.close(held)
    print("Everything is down; its files are removed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
