"""`make demo`: watch the operator find data that nobody reads and move it, with proof.

Everything runs on 127.0.0.1 and keeps its files in `.demo/`: a real Kubernetes API, an
S3-compatible server, the operator. The user's own kubeconfig is neither read nor written.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from cloudflux_dev import assets, demo_data, demo_show
from cloudflux_dev.cluster import ClusterError, ControlPlane
from cloudflux_dev.processes import Interrupts, Recorded
from cloudflux_dev.s3servers import S3Server, start_moto

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("CLOUDFLUX_DEMO_DIRECTORY") or ROOT / ".demo").absolute()
DEADLINE_SECONDS = 300
MARK = HOME / "made-by-cloudflux-demo"


class DemoError(RuntimeError):
    """The demo can't go on; the message says why and what to do."""


class Deadline:
    """One clock for the whole demo."""

    def __init__(self, seconds: float) -> None:
        self.started = time.monotonic()
        self.seconds = seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def poll(self, what: str) -> Iterator[None]:
        """Yield a few times a second until the deadline. Raises DemoError that names `what`."""
        while self.elapsed < self.seconds:
            yield
            time.sleep(0.25)
        raise DemoError(f"gave up after {self.seconds:.0f} s waiting for {what}")


class Demo:
    """One run of the demo."""

    def __init__(self) -> None:
        self.deadline = Deadline(float(os.environ.get("CLOUDFLUX_DEMO_SECONDS", DEADLINE_SECONDS)))
        self.control_plane = ControlPlane(HOME / "cluster", "demo", kubeconfig=HOME / "kubeconfig")
        self.processes = Recorded(HOME / "processes.json")
        self.interrupts = Interrupts()
        self.operator: subprocess.Popen[bytes] | None = None

    def say(self, text: str) -> None:
        """Print one step with the time that has passed."""
        print(f"\n[{self.deadline.elapsed:4.0f} s] {text}", flush=True)

    def run(self) -> None:
        """Everything up to the summary."""
        self.say("Starting etcd and kube-apiserver, and making the data (about 15 s) …")
        with ThreadPoolExecutor(3) as pool:
            cluster = pool.submit(self._start_cluster)
            try:
                files = pool.submit(demo_data.make_files, HOME / "files")
                server = self._start_s3()
                bucket = demo_data.make_bucket(server)
                for line in (*bucket, *files.result()):
                    print(f"  {line}", flush=True)
                cluster.result()
            except BaseException:
                self._give_up(cluster)
                raise
        print("  Kubernetes API: " + self.control_plane.kubectl("version").splitlines()[-1])
        self.say("Starting the operator …")
        self._start_operator(server)
        print(f"  log: {_short(HOME / 'operator.log')}")
        self.say(
            "Applying examples/ (endpoint, keys, directories and writers set for this machine):"
        )
        self._apply(server)
        before = self._wait_for_decisions()
        with self.interrupts.held():
            watch = demo_show.watch_jobs(self.control_plane.kubeconfig)
            self.processes.add("watch", watch.pid)
        try:
            self._wait_for_moves()
        finally:
            demo_show.end_watch(watch)
        self.say("All jobs are completed. The operator looks at the data again (a few seconds) …")
        after = self._wait_for_rescan()
        demo_show.show_resources(self.control_plane)
        demo_show.summary(before, after, self._jobs(), self.deadline.elapsed)

    def _start_cluster(self) -> None:
        self.control_plane.start(lambda text: print(f"  {text}", flush=True))
        self.control_plane.install_crds()

    def _give_up(self, cluster: "Future[None]") -> None:
        """End a control plane that another thread may just be starting."""
        self.interrupts.ignore()
        print("\nStopping what was begun …", file=sys.stderr, flush=True)
        while not wait([cluster], timeout=0.2).done:
            self.control_plane.stop()

    def _start_s3(self) -> S3Server:
        with self.interrupts.held(), start_moto(log=HOME / "s3.log", outlives=True) as server:
            self.processes.add("s3", server.process_id)
        return server

    def _start_operator(self, server: S3Server) -> None:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CLOUDFLUX_"))},
            "PYTHONPATH": str(ROOT / "operator"),
            "CLOUDFLUX_KUBECONFIG": str(self.control_plane.kubeconfig),
            "CLOUDFLUX_STATE_DIR": str(HOME / "state"),
            "CLOUDFLUX_FILE_ROOTS": json.dumps({"default": [str(HOME / "files")]}),
            "CLOUDFLUX_ALLOWED_ENDPOINTS": json.dumps([server.endpoint]),
            # so that what you do to the data by hand is seen soon
            "CLOUDFLUX_SCAN_INTERVAL_SECONDS": "60",
        }
        (HOME / "state").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "cloudflux.cli.main", "operator"]
        log = HOME / "operator.log"
        with self.interrupts.held():
            self.operator = self.processes.start("operator", command, log, environment)

    def _apply(self, server: S3Server) -> None:
        for name in ("bucket.yaml", "directory.yaml"):
            text = demo_data.for_this_machine(ROOT / "examples" / name, server, HOME / "files")
            path = HOME / "manifests" / name
            path.parent.mkdir(exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(text)
            print(f"$ kubectl apply -f {_short(path)}")
            print(self.control_plane.kubectl("apply", "-f", str(path)), end="", flush=True)

    def _items(self, plural: str) -> list[dict[str, Any]]:
        if self.operator is not None and self.operator.poll() is not None:
            raise DemoError(f"the operator ended with status {self.operator.returncode}")
        text = self.control_plane.kubectl("get", plural, "-o", "json")
        items: list[dict[str, Any]] = json.loads(text)["items"]
        return items

    def _jobs(self) -> list[dict[str, Any]]:
        return self._items("migrationjobs.cloudflux.io")

    def _wait_for_decisions(self) -> dict[str, dict[str, Any]]:
        """Wait until both data sets are priced; return their status as it is before any move."""
        before: dict[str, dict[str, Any]] = {}
        for _ in self.deadline.poll("the operator to list, price and decide"):
            for item in self._items("datasets.cloudflux.io"):
                status = item.get("status", {})
                name = item["metadata"]["name"]
                if status.get("evaluatedAt") and status.get("monthlyCost") and name not in before:
                    before[name] = status
            if len(before) == 2 and self._jobs():
                break
        self.say("The operator has listed the data, read the access history and decided:")
        demo_show.show_resources(self.control_plane)
        demo_show.reasons(before)
        self.say("The moves, live (a job of the policy in mode Approve waits for a person):")
        return before

    def _wait_for_moves(self) -> None:
        """Approve what asks for it, until every policy's jobs are there and Completed."""
        approved: set[str] = set()
        done_since: float | None = None
        for _ in self.deadline.poll("all migration jobs to be Completed"):
            jobs = self._jobs()
            for job in jobs:
                name, status = job["metadata"]["name"], job.get("status", {})
                if status.get("phase") in ("Failed", "Cancelled"):
                    raise DemoError(f"job {name} {status['phase']}: {status.get('message')}")
                plan = status.get("plan")
                if status.get("phase") == "AwaitingApproval" and plan and name not in approved:
                    approved.add(name)
                    demo_show.approve(self.control_plane, name, plan)
            moved = {job["spec"]["dataSetRef"]["name"] for job in jobs}
            finished = len(moved) == 2 and all(
                job.get("status", {}).get("phase") == "Completed" for job in jobs
            )
            done_since = (done_since or time.monotonic()) if finished else None
            # a moment longer: a policy makes its jobs one after the other
            if done_since is not None and time.monotonic() - done_since > 1.5:
                return

    def _wait_for_rescan(self) -> dict[str, dict[str, Any]]:
        """Wait until each data set was listed and priced after its last job."""
        ended: dict[str, str] = {}
        for job in self._jobs():
            name = job["spec"]["dataSetRef"]["name"]
            ended[name] = max(ended.get(name, ""), job["status"]["completedAt"])
        for name in ended:
            token = f"cloudflux.io/scan-now=demo-{time.time_ns()}"
            self.control_plane.kubectl("annotate", "--overwrite", "dataset", name, token)
        for _ in self.deadline.poll("the data sets to be listed again"):
            found = {i["metadata"]["name"]: i.get("status", {}) for i in self._items("datasets")}
            if all(
                found[name].get("inventory", {}).get("scannedAt", "") > at
                and found[name].get("evaluatedAt", "") > at
                for name, at in ended.items()
            ):
                return found
        raise AssertionError("the deadline raises")

    def explain_failure(self, error: BaseException) -> None:
        """Say what went wrong, with the operator's last words."""
        print(f"\nerror: {error or type(error).__name__}", file=sys.stderr)
        log = HOME / "operator.log"
        if log.exists():
            tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-15:])
            print(f"The operator's last lines:\n  {tail}", file=sys.stderr)
        kept = HOME.with_name(f"{HOME.name}-failed")
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        for path in (*HOME.glob("*.log"), *(HOME / "cluster").glob("*.log")):
            shutil.copy(path, kept)
        print(f"Logs are kept in {_short(kept)}/.", file=sys.stderr)


def up() -> int:
    """Run the demo; leave it running when it succeeds, clean up when it does not."""
    if HOME.exists():
        print("Taking down what an earlier demo left …", flush=True)
        if down() != 0:
            return 1
    HOME.mkdir(mode=0o700)
    MARK.touch()
    demo = Demo()
    try:
        demo.run()
    except KeyboardInterrupt:
        print("\nInterrupted; taking everything down …", file=sys.stderr, flush=True)
        _finish(demo)
        return 130
    except (DemoError, ClusterError, assets.AssetsError, OSError, RuntimeError) as error:
        demo.explain_failure(error)
        _finish(demo)
        return 1
    except BaseException:
        _finish(demo)
        raise
    if os.environ.get("CI") == "true":
        print("\nCI=true: taking everything down.", flush=True)
        _finish(demo)
    return 0


def down() -> int:
    """End what a demo left running and remove its files."""
    if not HOME.exists():
        print("No demo is running.")
        return 0
    if not MARK.exists():
        print(f"error: {HOME} was not made by the demo; it is left alone.", file=sys.stderr)
        return 1
    _finish(Demo())
    print("The demo is down; .demo/ is removed.")
    return 0


def _finish(demo: Demo) -> None:
    demo.interrupts.ignore()
    demo.processes.stop()
    demo.control_plane.stop()
    # the operator's children end with it, but may write a last file meanwhile
    for _ in range(20):
        shutil.rmtree(HOME, ignore_errors=True)
        if not HOME.exists():
            return
        time.sleep(0.1)
    print(f"error: {HOME} can't be removed; remove it by hand.", file=sys.stderr)


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m cloudflux_dev.demo", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    return up() if parser.parse_args().command == "up" else down()


if __name__ == "__main__":
    sys.exit(main())
