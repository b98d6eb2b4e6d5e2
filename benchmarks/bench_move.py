"""`make bench-move`: our command line against rclone and s5cmd, on the same servers, in one run.

Each case runs both programs by turns, CLOUDFLUX_BENCH_RUNS times (5), on fresh targets, and
compares medians. Our side keeps its proof on: checksums that the server computed, or bytes
read back. CLOUDFLUX_BENCH_SCALE (1.0) makes the cases smaller; CLOUDFLUX_BENCH_CASES names
those to run (all). Memory is the peak of the resident sets of our processes, summed.
"""

import concurrent.futures
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Figure, print_figures
from cloudflux_dev import parts
from cloudflux_dev.s3servers import S3Server, start_minio, start_moto

ROOT = Path(__file__).resolve().parents[1]
SCALE = float(os.environ.get("CLOUDFLUX_BENCH_SCALE", "1"))
RUNS = int(os.environ.get("CLOUDFLUX_BENCH_RUNS", "5"))
CHOSEN = os.environ.get("CLOUDFLUX_BENCH_CASES", "").split()
SMALL, LARGE = 16 << 10, 256 << 20
MEMORY_AIM_MIB = 256
MIB = 1 << 20


@dataclass(slots=True)
class Case:
    """One row of the table."""

    name: str
    aim: float
    unit: str
    amount: float
    """Objects, or MiB, of one run."""
    ours: Callable[[], list[str]]
    peers: dict[str, Callable[[], list[str]]]
    prepare: Callable[[], None] = lambda: None
    """Before each run of either side."""
    found: dict[str, list[float]] = field(default_factory=dict)
    memory_mib: float = 0.0


class Bench:
    """Servers, data, and the environment of the programs."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.home, self._stack = home, stack
        self.fresh = 0
        self.servers: dict[str, S3Server] = {}
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.environment |= {"PYTHONPATH": str(ROOT / "operator"), "RCLONE_CONFIG": "/dev/null"}
        self.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(home / "credentials")

    def minio(self, name: str) -> S3Server:
        """A MinIO of this name, started once."""
        if name not in self.servers:
            self._add(name, self._stack.enter_context(start_minio(self.home / name)))
        return self.servers[name]

    def moto(self) -> S3Server:
        """One moto."""
        if "moto" not in self.servers:
            self._add("moto", self._stack.enter_context(start_moto()))
        return self.servers["moto"]

    def _add(self, name: str, server: S3Server) -> None:
        self.servers[name] = server
        with (self.home / "credentials").open("a") as file:
            file.write(
                f"[{name}]\naws_access_key_id = {server.access_key_id}\n"
                f"aws_secret_access_key = {server.secret_access_key}\n"
            )
        remote = f"RCLONE_CONFIG_{name.upper()}_"
        provider = "AWS" if name == "moto" else "Minio"
        self.environment |= {
            f"{remote}TYPE": "s3",
            f"{remote}PROVIDER": provider,
            f"{remote}ENDPOINT": server.endpoint,
            f"{remote}REGION": server.region,
            f"{remote}FORCE_PATH_STYLE": "true",
            f"{remote}ACCESS_KEY_ID": server.access_key_id,
            f"{remote}SECRET_ACCESS_KEY": server.secret_access_key,
        }

    def bucket(self, server: str) -> str:
        """A new, empty bucket."""
        self.fresh += 1
        name = f"bench-{self.fresh}"
        self.servers[server].client().create_bucket(Bucket=name)
        return name

    def fill(self, server: str, count: int, size_bytes: int) -> str:
        """A new bucket with objects, as a plain client writes them."""
        bucket, client = self.bucket(server), self.servers[server].client()
        body = os.urandom(size_bytes)

        def put(number: int) -> None:
            content = number.to_bytes(8, "big") + body[8:]
            client.put_object(
                Bucket=bucket, Key=f"data/{number % 100:02}/{number:07}", Body=content
            )

        with concurrent.futures.ThreadPoolExecutor(16 if size_bytes < MIB else 2) as pool:
            list(pool.map(put, range(count)))
        return bucket

    def directory(self) -> Path:
        """A new, empty directory."""
        self.fresh += 1
        path = self.home / f"files-{self.fresh}"
        path.mkdir()
        return path

    def fill_directory(self, count: int, size_bytes: int) -> Path:
        """A new directory with files."""
        path, body = self.directory(), os.urandom(size_bytes)
        for number in range(count):
            file = path / f"data/{number % 100:02}/{number:07}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(number.to_bytes(8, "big") + body[8:])
        return path

    def ours(self, command: str, *words: str, state: str = "") -> list[str]:
        """Our command line; its state in a directory of its own unless one is named."""
        self.fresh += 1
        home = self.home / (state or f"state-{self.fresh}")
        return [
            sys.executable, "-m", "cloudflux.cli.main", command, *words,
            "--state-dir", str(home), "--json",
        ]  # fmt: skip

    def run(self, command: list[str], *, measured: bool = False) -> tuple[float, float]:
        """Run a program to its end; returns seconds and, when measured, MiB at the peak."""
        began = time.monotonic()
        process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        with watched(process.pid) if measured else _nothing() as peak:
            output, _ = process.communicate()
        seconds = time.monotonic() - began
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{output.decode()[-2000:]}")
        return seconds, peak[0] / MIB


@contextmanager
def _nothing() -> Iterator[list[float]]:
    yield [0.0]


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """The largest sum of resident sets of a process and its descendants, in bytes."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], resident_bytes(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def resident_bytes(pid: int) -> float:
    """The resident sets of a process and its descendants now."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident_bytes(int(one)) for one in children)


# -- the cases ------------------------------------------------------------------------------------


def cases(bench: Bench) -> Iterator[Callable[[], Case]]:
    """Makers of the cases, each with its servers and data."""
    small, large = round(10_000 * SCALE), max(1, round(8 * SCALE))
    yield lambda: between_minios(bench, "minio to minio, 16 KiB", small, SMALL, 1.2)
    yield lambda: between_minios(bench, "minio to minio, 256 MiB", large, LARGE, 1.0)
    yield lambda: from_files(bench, "file to minio, 16 KiB", small, SMALL)
    yield lambda: from_files(bench, "file to minio, 256 MiB", large, LARGE)
    yield lambda: to_files(bench, "minio to file, 16 KiB", small, SMALL)
    yield lambda: to_files(bench, "minio to file, 256 MiB", large, LARGE)
    yield lambda: change_class(bench, "class change on moto", small)
    yield lambda: nothing_to_do(bench, "nothing to do", round(100_000 * SCALE))


def _amount(count: int, size_bytes: int) -> tuple[str, float]:
    return ("objects/s", count) if size_bytes < MIB else ("MiB/s", count * size_bytes / MIB)


def _rclone(*words: str) -> list[str]:
    return [str(parts.find("rclone")), *words]


def _rclone_copy(source: str, target: str, size_bytes: int) -> list[str]:
    # settings that its documentation advises for many small and for few large objects: no listing
    # of an empty target for each directory, and no modification times, which S3 has to be asked
    # for object by object
    small = ["--transfers", "64", "--checkers", "64", "--fast-list", "--checksum", "--no-traverse"]
    large = ["--transfers", "4", "--s3-upload-concurrency", "4", "--s3-chunk-size", "16M"]
    return _rclone("copy", source, target, *(small if size_bytes < MIB else large))


def _s5cmd(bench: Bench, server: str, *words: str) -> list[str]:
    endpoint = bench.servers[server].endpoint
    return [
        str(parts.find("s5cmd")), "--endpoint-url", endpoint, "--profile", server,
        "--credentials-file", bench.environment["AWS_SHARED_CREDENTIALS_FILE"], *words,
    ]  # fmt: skip


def between_minios(bench: Bench, name: str, count: int, size_bytes: int, aim: float) -> Case:
    one, two = bench.minio("one"), bench.minio("two")
    source, place = bench.fill("one", count, size_bytes), {"target": ""}

    def prepare() -> None:
        place["target"] = bench.bucket("two")

    unit, amount = _amount(count, size_bytes)
    return Case(
        name, aim, unit, amount,
        lambda: bench.ours(
            "move", f"s3://{source}/data", f"s3://{place['target']}/data",
            "--source-endpoint", one.endpoint, "--target-endpoint", two.endpoint,
            "--source-profile", "one", "--target-profile", "two",
        ),
        {"rclone": lambda: _rclone_copy(
            f"one:{source}/data", f"two:{place['target']}/data", size_bytes)},
        prepare,
    )  # fmt: skip


def from_files(bench: Bench, name: str, count: int, size_bytes: int) -> Case:
    server = bench.minio("two")
    source, place = bench.fill_directory(count, size_bytes), {"target": ""}

    def prepare() -> None:
        place["target"] = bench.bucket("two")

    unit, amount = _amount(count, size_bytes)
    return Case(
        name, 1.0, unit, amount,
        lambda: bench.ours(
            "move", f"{source}/data", f"s3://{place['target']}/data",
            "--target-endpoint", server.endpoint, "--target-profile", "two",
        ),
        {
            "rclone": lambda: _rclone_copy(
                f"{source}/data", f"two:{place['target']}/data", size_bytes),
            "s5cmd": lambda: _s5cmd(
                bench, "two", "cp", f"{source}/data/*", f"s3://{place['target']}/data/"),
        },
        prepare,
    )  # fmt: skip


def to_files(bench: Bench, name: str, count: int, size_bytes: int) -> Case:
    server = bench.minio("one")
    source, place = bench.fill("one", count, size_bytes), {"target": ""}

    def prepare() -> None:
        place["target"] = str(bench.directory())

    unit, amount = _amount(count, size_bytes)
    return Case(
        name, 1.0, unit, amount,
        lambda: bench.ours(
            "move", f"s3://{source}/data", place["target"],
            "--source-endpoint", server.endpoint, "--source-profile", "one",
        ),
        {
            "rclone": lambda: _rclone_copy(f"one:{source}/data", place["target"], size_bytes),
            "s5cmd": lambda: _s5cmd(
                bench, "one", "cp", f"s3://{source}/data/*", f"{place['target']}/"),
        },
        prepare,
    )  # fmt: skip


def change_class(bench: Bench, name: str, count: int) -> Case:
    server = bench.moto()
    source, wanted = bench.fill("moto", count, 64), {"class": "STANDARD"}

    def prepare() -> None:
        # there and back: each run changes every object
        wanted["class"] = "STANDARD_IA" if wanted["class"] == "STANDARD" else "STANDARD"

    return Case(
        name, 1.0, "objects/s", count,
        lambda: bench.ours(
            "settier", f"s3://{source}/data", wanted["class"], "--quiesced",
            "--endpoint", server.endpoint, "--profile", "moto",
        ),
        {"rclone": lambda: _rclone("settier", wanted["class"], f"moto:{source}/data",
                                   "--checkers", "32", "--transfers", "32", "--fast-list")},
        prepare,
    )  # fmt: skip


def nothing_to_do(bench: Bench, name: str, count: int) -> Case:
    one, two = bench.minio("one"), bench.minio("two")
    source, target = bench.fill("one", count, 64), bench.bucket("two")
    command = bench.ours(
        "move", f"s3://{source}/data", f"s3://{target}/data",
        "--source-endpoint", one.endpoint, "--target-endpoint", two.endpoint,
        "--source-profile", "one", "--target-profile", "two", state="finished",
    )  # fmt: skip
    bench.run(command)
    peer = _rclone(
        "copy", f"one:{source}/data", f"two:{target}/data",
        "--checksum", "--fast-list", "--checkers", "64", "--transfers", "64",
    )  # fmt: skip
    return Case(name, 2.0, "objects/s", count, lambda: command, {"rclone": lambda: peer})


# -- running them ---------------------------------------------------------------------------------


def measure(bench: Bench, case: Case) -> list[Figure]:
    """Run both sides by turns; the ratio is of the medians, against the faster peer."""
    sides = {"ours": case.ours, **case.peers}
    for _ in range(RUNS):
        for side, command in sides.items():
            case.prepare()
            seconds, memory_mib = bench.run(command(), measured=side == "ours")
            case.found.setdefault(side, []).append(case.amount / seconds)
            case.memory_mib = max(case.memory_mib, memory_mib)
    medians = {side: statistics.median(values) for side, values in case.found.items()}
    peer = max((name for name in medians if name != "ours"), key=lambda name: medians[name])
    print(
        json.dumps({"case": case.name, **{k: round(v, 1) for k, v in medians.items()}}), flush=True
    )
    return [
        Figure(
            f"{case.name} (against {peer})", medians["ours"], case.unit,
            aim=case.aim, peer=medians[peer], least=True,
        ),
        Figure(f"{case.name}: memory", case.memory_mib, "MiB", aim=MEMORY_AIM_MIB),
    ]  # fmt: skip


def main() -> None:
    """Run the chosen cases."""
    missing = [name for name in ("minio", "rclone", "s5cmd") if parts.find(name) is None]
    if missing:
        raise SystemExit("\n".join(parts.why_missing(name) for name in missing))
    home = Path(tempfile.mkdtemp(prefix="cloudflux-bench-move-"))
    figures: list[Figure] = []
    try:
        with ExitStack() as stack:
            bench = Bench(home, stack)
            names = list(_NAMES)
            for name, make in zip(names, cases(bench), strict=True):
                if not CHOSEN or name in CHOSEN:
                    figures += measure(bench, make())
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print_figures(figures)


_NAMES = (
    "minio-small", "minio-large", "upload-small", "upload-large", "download-small",
    "download-large", "settier", "nothing",
)  # fmt: skip
"""Of the cases, for CLOUDFLUX_BENCH_CASES, in their order."""


if __name__ == "__main__":
    main()
