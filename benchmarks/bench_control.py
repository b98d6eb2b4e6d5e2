"""`make bench-control`: what the control process costs.

(a) many MigrationJobs over tiny directories that are listed already, from apply to all
Completed: wall time, API writes a job by verb and resource (from the API server's own
metrics), memory and CPU; how long the listing took stands beside it, and what the listings
afterwards, which give way to moves, add;
(b) one job from `kubectl apply` to Completed; (c) start-up with many idle resources.
CLOUDFLUX_BENCH_JOBS and CLOUDFLUX_BENCH_IDLE make it smaller than 1,000 and 10,000.
"""

import contextlib
import datetime as dt
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, print_figures
from benchmarks.readings import cpu_seconds, rss_bytes, settled_writes
from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import KubeApi
from cloudflux_dev.ports import free_ports
from cloudflux_dev.processes import Recorded

ROOT = Path(__file__).resolve().parents[1]
API = "cloudflux.io/v1alpha1"
JOBS = int(os.environ.get("CLOUDFLUX_BENCH_JOBS", "1000"))
IDLE = int(os.environ.get("CLOUDFLUX_BENCH_IDLE", "10000"))
DEADLINE_SECONDS = 900
STANDSTILL_SECONDS = 300
MAX_POLL_SECONDS = 3.0
MIB = 2**20


class Bench:
    """One control plane, one directory of data, one operator at a time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / "data"
        self.log = home / "operator.log"
        self.control_plane = ControlPlane(home / "cluster", "bench", tied=True)
        self.processes = Recorded(home / "processes.json")
        self.pid = 0
        self.probe = ""

    @contextmanager
    def operator(self) -> Iterator[None]:
        """Run the operator for the length of the block."""
        port = free_ports(1)[0]
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CLOUDFLUX_"))},
            "PYTHONPATH": str(ROOT / "operator"),
            "CLOUDFLUX_KUBECONFIG": str(self.control_plane.kubeconfig),
            "CLOUDFLUX_STATE_DIR": str(self.home / "state"),
            "CLOUDFLUX_FILE_ROOTS": json.dumps({"*": [str(self.data)]}),
            "CLOUDFLUX_PROBE_PORT": str(port),
            "CLOUDFLUX_MAX_RUNNING_JOBS": "8",
        }
        (self.home / "state").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "cloudflux.cli.main", "operator"]
        self.pid = self.processes.start("operator", command, self.log, environment).pid
        self.probe = f"http://127.0.0.1:{port}/readyz"
        try:
            yield
        finally:
            self.processes.stop()

    def wait_ready(self) -> None:
        """Wait until the operator says that it has listed everything and works."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(self.probe, timeout=5):
                return
            time.sleep(0.05)
        raise TimeoutError("the operator did not become ready")

    def completions(self) -> int:
        """How many jobs the operator's log says are Completed."""
        return self.log.read_text(errors="replace").count('"reason": "Completed"')

    def problems(self) -> list[str]:
        """Warnings and errors in the operator's log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line[:500] for line in lines if '"level": "info"' not in line]

    def children(self) -> dict[str, int]:
        """Process ids of the operator's children by name."""
        found = {}
        for path in Path(f"/proc/{self.pid}/task").glob("*/children"):
            for pid in path.read_text().split():
                words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                found[words[3] if len(words) > 3 else pid] = int(pid)
        return found


def all_cpu_seconds(bench: Bench) -> dict[str, float]:
    """CPU time by process: the control process, its children, etcd and the API server."""
    pids = json.loads((bench.control_plane.directory / "pids.json").read_text())
    named = {"control process": bench.pid, "etcd": pids[0], "kube-apiserver": pids[1]}
    named |= {f"child {name}": pid for name, pid in bench.children().items()}
    return {name: cpu_seconds(pid) for name, pid in named.items()}


def manifests(bench: Bench, name: str) -> list[dict[str, Any]]:
    """Make one tiny directory; return a DataSet over it and a job that moves it."""
    directory = bench.data / "from" / name
    directory.mkdir(parents=True)
    # a missing target is refused: it may be a disk that is not mounted
    (bench.data / "to" / name).mkdir(parents=True)
    for number in range(2):
        (directory / f"file-{number}").write_bytes(f"{name} {number}\n".encode())
    data_set = {
        "apiVersion": API,
        "kind": "DataSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"location": {"uri": directory.as_uri()}, "writers": "Quiesced"},
    }
    job = {
        "apiVersion": API,
        "kind": "MigrationJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "dataSetRef": {"name": name},
            "target": {"location": {"uri": (bench.data / "to" / name).as_uri()}},
        },
    }
    return [data_set, job]


def wait_completed(bench: Bench, api: KubeApi, wanted: int) -> None:
    """Wait until so many jobs are Completed. Raises TimeoutError, or RuntimeError on a failure.

    Heard from the operator's log, and then looked at: to list a thousand jobs again and again
    would cost the API server, and this process, a part of what is measured.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    told, since = 0, time.monotonic()
    while told < wanted and time.monotonic() < deadline:
        time.sleep(0.25)
        now = bench.completions()
        if now != told:
            told, since = now, time.monotonic()
        elif time.monotonic() - since > STANDSTILL_SECONDS:
            break
    jobs = api.list(API, "migrationjobs")
    phases = Counter(job.get("status", {}).get("phase", "none") for job in jobs)
    if phases["Failed"]:
        failed = next(j for j in jobs if j.get("status", {}).get("phase") == "Failed")
        raise RuntimeError(f"a job failed: {failed['status'].get('message')}")
    if phases["Completed"] < wanted:
        raise TimeoutError(f"{told} jobs told of their end, and then none: {dict(phases)}")


def one_job(bench: Bench, api: KubeApi) -> list[Figure]:
    """(b) One job from apply to Completed."""
    data_set, job = manifests(bench, "one")
    api.create(data_set)
    wait_ready(api)
    started = time.monotonic()
    bench.control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(job))
    while True:
        status = api.get(API, "migrationjobs", "one", "default").get("status", {})
        if status.get("phase") == "Completed":
            break
        if time.monotonic() - started > 120:
            why = f"{status.get('phase')} {status.get('reason')}: {status.get('message')}"
            raise TimeoutError(f"the job is not Completed after 120 s: {why}")
        time.sleep(0.02)
    return [Figure("one job, apply to Completed", time.monotonic() - started, "s")]


def _settled(status: dict[str, Any]) -> bool:
    """Whether a data set was listed and judged after its last move."""
    if not (status.get("history") and status.get("inventory") and status.get("evaluatedAt")):
        return False
    texts = (
        status["history"][0]["completedAt"],
        status["inventory"]["scannedAt"],
        status["evaluatedAt"],
    )
    moved, listed, judged = (dt.datetime.fromisoformat(text) for text in texts)
    return moved < listed <= judged


def wait_scanned(api: KubeApi) -> None:
    """Wait until every data set was listed and judged again after its move."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if all(_settled(one.get("status", {})) for one in api.list(API, "datasets")):
            return
        time.sleep(min(MAX_POLL_SECONDS, max(0.1, JOBS / 300)))
    raise TimeoutError("not every data set was listed again")


def create_all(api: KubeApi, objects: list[dict[str, Any]]) -> None:
    """Create many objects, as fast as `kubectl apply` of one file does at best."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(api.create, objects))


def wait_ready(api: KubeApi) -> None:
    """Wait until every data set was listed once and judged."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if all(one.get("status", {}).get("evaluatedAt") for one in api.list(API, "datasets")):
            return
        time.sleep(min(MAX_POLL_SECONDS, max(0.1, JOBS / 300)))
    raise TimeoutError("not every data set was listed and judged")


def many_jobs(bench: Bench, api: KubeApi) -> list[Figure]:
    """(a) Many jobs at once."""
    idle = rss_bytes(bench.pid)
    objects = [manifests(bench, f"job-{number:05}") for number in range(JOBS)]
    began = time.monotonic()
    create_all(api, [data_set for data_set, _ in objects])
    wait_ready(api)
    ready_seconds = time.monotonic() - began
    before, cpu_before = settled_writes(api), all_cpu_seconds(bench)
    started = time.monotonic()
    create_all(api, [job for _, job in objects])
    wait_completed(bench, api, JOBS + 1)
    seconds = time.monotonic() - started
    cpu = {k: v - cpu_before.get(k, 0.0) for k, v in all_cpu_seconds(bench).items()}
    wait_scanned(api)
    settled_seconds = time.monotonic() - started
    after = {k: v - cpu_before.get(k, 0.0) for k, v in all_cpu_seconds(bench).items()}
    writes = settled_writes(api) - before
    writes["POST migrationjobs"] = max(0, writes["POST migrationjobs"] - JOBS)
    # renewing the Lease costs the same with and without jobs
    writes = Counter({k: v for k, v in writes.items() if v and not k.endswith(" leases")})
    events = sum(n for name, n in writes.items() if name.endswith(" events"))
    figures = [
        Figure(f"{JOBS} data sets, apply to all Ready", ready_seconds, "s"),
        Figure(f"{JOBS} jobs, apply to all Completed", seconds, "s", 90 * JOBS / 1000),
        Figure("API writes a job", writes.total() / JOBS, "writes", 24),
        *(Figure(f"  {name}", n / JOBS, "writes") for name, n in writes.most_common()),
        Figure("events among them", events / JOBS, "writes", 6),
        Figure("control process, idle", idle / MIB, "MiB", 150),
        Figure("control process, peak under load", rss_bytes(bench.pid, True) / MIB, "MiB", 250),
        Figure("CPU a job, all processes", 1000 * sum(cpu.values()) / JOBS, "ms", 180),
        *(Figure(f"  {name}, CPU a job", 1000 * n / JOBS, "ms") for name, n in cpu.items()),
        Figure("all data sets listed and judged again", settled_seconds, "s"),
        Figure("CPU a job until then, all processes", 1000 * sum(after.values()) / JOBS, "ms"),
    ]
    for name, pid in bench.children().items():
        figures.append(Figure(f"child {name}, peak", rss_bytes(pid, True) / MIB, "MiB"))
    reasons = Counter(
        e.get("reason", "") for e in api.list("events.k8s.io/v1", "events", "default")
    )
    print("Events by name:", dict(reasons.most_common()))
    for problem in bench.problems():
        print("The operator's log says:", problem)
    return figures


def start_up(bench: Bench, api: KubeApi) -> list[Figure]:
    """(c) Start with many idle resources: suspended data sets."""

    def idle(number: int) -> None:
        uri = (bench.data / "idle" / f"{number:05}").as_uri()
        spec = {"location": {"uri": uri}, "suspend": True}
        meta = {"name": f"idle-{number:05}", "namespace": "default"}
        api.create({"apiVersion": API, "kind": "DataSet", "metadata": meta, "spec": spec})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(idle, range(IDLE)))
    started = time.monotonic()
    with bench.operator():
        bench.wait_ready()
        ready_seconds = time.monotonic() - started
        while True:
            items = api.list(API, "datasets")
            if all(i.get("status", {}).get("conditions") for i in items):
                break
            if time.monotonic() - started > DEADLINE_SECONDS:
                raise TimeoutError("not every data set was visited")
            time.sleep(1)
        return [
            Figure(f"start with {IDLE} idle data sets, ready", ready_seconds, "s"),
            Figure(
                f"start with {IDLE} idle data sets, all visited", time.monotonic() - started, "s"
            ),
            Figure("control process then", rss_bytes(bench.pid) / MIB, "MiB"),
            Figure("control process then, CPU", cpu_seconds(bench.pid), "s"),
        ]


def main() -> int:
    """Run the three and print the table."""
    with tempfile.TemporaryDirectory(prefix="cloudflux-bench-") as directory:
        bench = Bench(Path(directory))
        print("Starting etcd (never flushed) and kube-apiserver (GOGC=400) …", flush=True)
        bench.control_plane.start()
        try:
            bench.control_plane.install_crds()
            with closing(KubeApi(bench.control_plane.kubeconfig)) as api:
                with bench.operator():
                    print("One job …", flush=True)
                    figures = one_job(bench, api)
                    print(f"{JOBS} jobs …", flush=True)
                    figures += many_jobs(bench, api)
                print(f"{IDLE} idle resources …", flush=True)
                figures += start_up(bench, api)
        finally:
            bench.processes.stop()
            bench.control_plane.stop()
    print_figures(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
