"""`make bench-watch`: kopf's `worker_limit` and `idle_timeout`, for which we have no better reason.

kopf keeps a task for each object that it hears of until nothing came for `idle_timeout`, and at
most `worker_limit` of them at a time: a low limit with a long time holds a first listing back,
no limit makes a task for every object of the cluster at once. On a real API server with many data
sets: (a) the first listing until the last object was heard, with memory and processor time;
(b) changes to a part of them at once, from the API's answer to the handler.
CLOUDFLUX_BENCH_WATCHED and CLOUDFLUX_BENCH_CHANGED make it smaller than 10,000 and 2,000.
"""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import kopf

from benchmarks.figures import Figure, print_figures
from cloudflux.api.common import GROUP, VERSION
from cloudflux.handlers.kube import load_configuration
from cloudflux.handlers.watch import connection_info, kopf_settings
from cloudflux.settings import Settings
from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import KubeApi

ROOT = Path(__file__).resolve().parents[1]
WATCHED = int(os.environ.get("CLOUDFLUX_BENCH_WATCHED", "10000"))
CHANGED = int(os.environ.get("CLOUDFLUX_BENCH_CHANGED", "2000"))
CHOICES: list[tuple[int | None, float]] = [
    (None, 5.0),  # kopf's own
    (None, 0.1),
    (1000, 0.1),
    (100, 0.02),
    (100, 0.1),
    (100, 1.0),
    (20, 0.1),
]
STAMP = f"{GROUP}/bench-stamp"
PATIENCE_SECONDS = 240


class Heard:
    """What one watcher heard: names at first, then how late each change came."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.delays_seconds: list[float] = []

    def take(self, raw: dict[str, Any]) -> None:
        """Take one event in, as cheaply as the operator's own handler does."""
        metadata = raw["object"]["metadata"]
        self.names.add(metadata["name"])
        stamp = metadata.get("annotations", {}).get(STAMP)
        if raw["type"] == "MODIFIED" and stamp:
            self.delays_seconds.append(time.time() - float(stamp))


async def until(holds: Callable[[], bool], what: str) -> None:
    """Poll until it holds. Raises TimeoutError after four minutes."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():
                await asyncio.sleep(0.01)
    except TimeoutError as error:
        raise TimeoutError(f"{what}: not in {PATIENCE_SECONDS} s") from error


async def watch_once(kubeconfig: Path, limit: int | None, idle_seconds: float) -> dict[str, float]:
    """Watch with these settings; what the listing and the changes took."""
    heard, stop, registry = Heard(), asyncio.Event(), kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return connection_info(await load_configuration(Settings(kubeconfig=kubeconfig)))

    @kopf.on.event(GROUP, VERSION, "datasets", registry=registry)
    async def hear(event: kopf.RawEvent, **_: Any) -> None:
        heard.take({"type": event["type"], "object": event["object"]})

    settings = kopf_settings()
    settings.queueing.worker_limit, settings.queueing.idle_timeout = limit, idle_seconds
    older, began, cpu_before = asyncio.all_tasks(), time.monotonic(), time.process_time()
    tasks = await kopf.spawn_tasks(
        registry=registry, settings=settings, standalone=True, clusterwide=True, stop_flag=stop
    )
    running = asyncio.create_task(kopf.run_tasks(tasks, ignored=older))
    await until(lambda: len(heard.names) >= WATCHED, "the listing")
    listed = {
        "listing": time.monotonic() - began,
        "listing_cpu": time.process_time() - cpu_before,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print("listed", flush=True)
    await until(lambda: len(heard.delays_seconds) >= CHANGED, "the changes")
    stop.set()
    await running
    delays = sorted(heard.delays_seconds)
    return {
        **listed,
        "median_ms": 1000 * statistics.median(delays),
        "p99_ms": 1000 * delays[len(delays) * 99 // 100],
    }


def change_some(api: KubeApi) -> None:
    """Stamp a part of the data sets with the time, four requests at a time."""

    def stamp(number: int) -> None:
        body = {"metadata": {"annotations": {STAMP: repr(time.time())}}}
        api.patch(f"{GROUP}/{VERSION}", "datasets", f"d-{number:05}", body, "default")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(stamp, range(CHANGED)))


def measure(kubeconfig: Path, api: KubeApi, choice: tuple[int | None, float]) -> dict[str, float]:
    """Run one watcher in a process of its own, so that its peak memory is its own."""
    command = [sys.executable, "-m", "benchmarks.bench_watch", str(kubeconfig), json.dumps(choice)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tools'}"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        if child.stdout.readline() != "listed\n":
            raise RuntimeError(f"the watcher with {choice} ended before it had listed all")
        change_some(api)
        found: dict[str, float] = json.loads(child.stdout.readline())
    return found


def forget_stamps(api: KubeApi) -> None:
    """Take the stamps away, so that the next watcher hears new ones only."""

    def clear(number: int) -> None:
        body = {"metadata": {"annotations": None}}
        api.patch(f"{GROUP}/{VERSION}", "datasets", f"d-{number:05}", body, "default")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(clear, range(CHANGED)))


def create_all(api: KubeApi) -> None:
    """Create the data sets; nobody reconciles them."""

    def one(number: int) -> None:
        metadata = {"name": f"d-{number:05}", "namespace": "default"}
        spec = {"location": {"uri": f"s3://bench-{number:05}/data"}, "suspend": True}
        api.create(
            {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": "DataSet",
                "metadata": metadata,
                "spec": spec,
            }
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(WATCHED)))


def main() -> int:
    """Measure each choice and print the table."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="cloudflux-bench-") as directory:
        control_plane = ControlPlane(Path(directory) / "cluster", "bench", tied=True)
        print(f"Starting a control plane and creating {WATCHED} data sets …", flush=True)
        control_plane.start()
        try:
            control_plane.install_crds()
            with closing(KubeApi(control_plane.kubeconfig)) as api:
                create_all(api)
                for choice in CHOICES:
                    limit, idle_seconds = choice
                    found = measure(control_plane.kubeconfig, api, choice)
                    forget_stamps(api)
                    name = f"worker_limit {limit}, idle_timeout {idle_seconds:g} s"
                    print(f"{name}: {found}", flush=True)
                    figures += [
                        Figure(f"{name}: {WATCHED} heard", found["listing"], "s"),
                        Figure(f"{name}: CPU for it", found["listing_cpu"], "s"),
                        Figure(f"{name}: peak memory", found["peak_mib"], "MiB"),
                        Figure(f"{name}: change to handler, median", found["median_ms"], "ms"),
                        Figure(f"{name}: change to handler, p99", found["p99_ms"], "ms"),
                    ]
        finally:
            control_plane.stop()
    print_figures(figures)
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        limit, idle_seconds = json.loads(sys.argv[2])
        print(json.dumps(asyncio.run(watch_once(Path(sys.argv[1]), limit, idle_seconds))))
        sys.exit(0)
    sys.exit(main())
