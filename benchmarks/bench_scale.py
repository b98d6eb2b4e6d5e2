"""`make bench-scale`: one, two and four workers as processes, on one MinIO and on directories.

20,000 objects of 4 KiB to 64 KiB from one bucket to another. Each worker is a process of the
command that a pod runs; sharing out, taking back and the operator's own last pass are timed
beside it. On one machine the workers share its processors with the server: what is measured
is what sharing costs, and whether two workers get in each other's way.

CLOUDFLUX_BENCH_SCALE=0.1 takes a tenth of the objects.
"""

import datetime as dt
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from benchmarks.figures import Figure, print_figures
from cloudflux.api.dataset import Writers
from cloudflux.api.move_tasks import CopyRequest, PlanRequest, ShareRequest, WorkerTask
from cloudflux.api.task import Credentials, StoreRef, Task
from cloudflux.work.mover import OPERATIONS
from cloudflux_dev.s3servers import S3Server, start_minio

SCALE = float(os.environ.get("CLOUDFLUX_BENCH_SCALE", "1"))
OBJECTS = int(20_000 * SCALE)
WORKERS = (1, 2, 4)
PARALLELISM = 16
ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Here:
    """Serves the mover's operations in this process."""

    state_dir: Path

    def progress(self, value: Task) -> None:
        """Nobody looks."""

    def check(self) -> None:
        """Nothing stops it."""

    def stop_point(self, name: str) -> None:
        """Nothing stops it."""


def serve(context: Here, name: str, request: Task) -> Any:
    """One operation."""
    return OPERATIONS[name].serve(request, context)


class Buckets:
    """One MinIO; workers find its keys where a pod's Secret is mounted."""

    name = "MinIO"

    def __init__(self, server: S3Server, work: Path) -> None:
        self._server, self._client = server, server.client()
        secret = work / "secret"
        secret.mkdir()
        (secret / "accessKeyId").write_text(server.access_key_id)
        (secret / "secretAccessKey").write_text(server.secret_access_key)
        self.arguments = tuple(f"--{side}-credentials={secret}" for side in ("source", "target"))
        self._client.create_bucket(Bucket="from")

    def put(self, key: str, body: bytes) -> None:
        """Write one source object."""
        self._client.put_object(Bucket="from", Key=f"data/{key}", Body=body)

    def make(self, target: str) -> None:
        """Make an empty place."""
        self._client.create_bucket(Bucket=target)

    def ref(self, name: str, *, keys: bool) -> StoreRef:
        """A place, with keys for the operator."""
        server = self._server
        credentials = Credentials(
            access_key_id=server.access_key_id,
            secret_access_key=SecretStr(server.secret_access_key),
        )
        return StoreRef(
            uri=f"s3://{name}/data", endpoint=server.endpoint, region=server.region,
            credentials=credentials if keys else None,
        )  # fmt: skip


class Directories:
    """Directories of one disk, as pods have them by a claim."""

    name = "file"
    arguments: tuple[str, ...] = ()

    def __init__(self, work: Path) -> None:
        self._root = work / "disk"
        (self._root / "from").mkdir(parents=True)

    def put(self, key: str, body: bytes) -> None:
        """Write one source object."""
        path = self._root / "from" / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)

    def make(self, target: str) -> None:
        """Make an empty place."""
        (self._root / target).mkdir()

    def ref(self, name: str, *, keys: bool) -> StoreRef:  # noqa: ARG002
        """A place."""
        return StoreRef(uri=(self._root / name).as_uri(), file_roots=(str(self._root),))


Places = Buckets | Directories


def fill(places: Places) -> int:
    """Make the objects; return their bytes."""

    def put(number: int) -> int:
        body = os.urandom(1024) * (4 + number % 61)
        places.put(f"{number % 100}/{number:06d}", body)
        return len(body)

    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(put, range(OBJECTS)))


def run(places: Places, work: Path, workers: int) -> tuple[float, float]:
    """Move everything; return the seconds that the workers took, and those of all the rest."""
    target = f"to-{workers}"
    places.make(target)
    work = work / places.name
    context = Here(work / f"state-{workers}")
    base: dict[str, Any] = {
        "job_uid": f"job-{workers}", "job_name": "bench", "namespace": "n", "data_set_uid": "d",
        "source_generation": 0, "writers": Writers.QUIESCED, "parallelism": PARALLELISM,
    }  # fmt: skip
    ours = base | {
        "source": places.ref("from", keys=True), "target": places.ref(target, keys=True),
    }  # fmt: skip
    began = time.monotonic()
    serve(context, "mover.plan", PlanRequest(**ours, now=dt.datetime.now(dt.UTC)))
    planned = time.monotonic()
    share = serve(context, "mover.share", ShareRequest(**ours, workers=workers))
    theirs = base | {
        "source": places.ref("from", keys=False), "target": places.ref(target, keys=False),
    }  # fmt: skip
    task = WorkerTask(**theirs, run=share.run).model_dump_json()
    shared = time.monotonic()
    processes = [
        subprocess.Popen(
            [
                sys.executable, "-m", "cloudflux", "worker", "--index", str(index),
                *places.arguments, "--state-dir", str(work / f"pod-{workers}-{index}"),
            ],
            env={**os.environ, "CLOUDFLUX_WORK": task},
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for index in range(share.workers)
    ]  # fmt: skip
    codes = [process.wait() for process in processes]
    worked = time.monotonic()
    if any(codes):
        raise RuntimeError(f"workers ended with {codes}")
    result = serve(context, "mover.copy", CopyRequest(**ours, quiet_seconds=0))
    if result.objects_done != OBJECTS:
        raise RuntimeError(f"{result.objects_done} of {OBJECTS} objects are there")
    ended = time.monotonic()
    print(
        f"{places.name}, {workers} workers: plan {planned - began:.1f} s, "
        f"share {shared - planned:.1f} s, "
        f"work {worked - shared:.1f} s, take back and last pass {ended - worked:.1f} s",
        flush=True,
    )
    return worked - shared, (shared - planned) + (ended - worked)


def measure(places: Places, work: Path) -> list[Figure]:
    """Every number of workers at one kind of place."""
    size_bytes = fill(places)
    print(f"{places.name}: {OBJECTS} objects, {size_bytes / 1e6:.0f} MB", flush=True)
    alone, beside = run(places, work, 1)
    name = f"scale, {places.name}"
    figures = [
        Figure(f"{name}: 1 worker", OBJECTS / alone, "objects/s"),
        Figure(f"{name}: share and take back", OBJECTS / beside, "objects/s"),
    ]
    for workers in WORKERS[1:]:
        seconds, _ = run(places, work, workers)
        rate, peer = OBJECTS / seconds, OBJECTS / alone
        figures.append(Figure(f"{name}: {workers} workers", rate, "objects/s", peer=peer))
    return figures


def main() -> int:
    """Run all and print the figures."""
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        with start_minio(work / "minio") as server:
            figures = measure(Buckets(server, work), work)
        figures += measure(Directories(work), work)
    print_figures(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
