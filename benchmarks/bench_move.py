"""`make bench-move`: our command line against rclone and s5cmd, on the same servers, in one run.

Each case tries the peers' settings once, then runs both sides by turns, CLOUDFLUX_BENCH_RUNS
times (5), on fresh targets, and compares medians. Our side keeps its proof on: checksums that the
server computed, or bytes read back. CLOUDFLUX_BENCH_SCALE (1.0) makes the cases smaller;
CLOUDFLUX_BENCH_CASES names those to run (all). Memory is the peak of the resident sets of all
our processes, summed.
"""

import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.figures import Figure, print_figures
from benchmarks.move_cases import cases
from benchmarks.move_growth import growth
from benchmarks.move_rig import Bench, Case
from cloudflux_dev import parts

SCALE = float(os.environ.get("CLOUDFLUX_BENCH_SCALE", "1"))
RUNS = int(os.environ.get("CLOUDFLUX_BENCH_RUNS", "5"))
CHOSEN = os.environ.get("CLOUDFLUX_BENCH_CASES", "").split()
MEMORY_AIM_MIB = 256


def measure(bench: Bench, case: Case) -> list[Figure]:
    """Run both sides by turns; the ratio is of the medians, against the fastest peer."""

    def run(side: str, command: Callable[[], list[str]]) -> float:
        case.prepare()
        found = bench.run(command())
        case.runs.setdefault(side, []).append(found)
        return found.seconds

    tried = {side: run(side, command) for side, command in case.peers.items()}
    case.runs.clear()
    peer = min(tried, key=lambda side: tried[side])
    for _ in range(RUNS):
        run("ours", case.ours)
        run(peer, case.peers[peer])
    rates = {
        side: statistics.median(case.amount / one.seconds for one in runs)
        for side, runs in case.runs.items()
    }
    cpu = {
        side: statistics.median(one.cpu_seconds for one in runs) for side, runs in case.runs.items()
    }
    tries = {side: round(case.amount / seconds, 1) for side, seconds in tried.items()}
    print(json.dumps({"case": case.name, "unit": case.unit, "rates": rates,
                      "cpu_seconds": cpu, "tried": tries}), flush=True)  # fmt: skip
    memory_mib = max(one.memory_mib for one in case.runs["ours"])
    return [
        Figure(
            f"{case.name} (against {peer})", rates["ours"], case.unit,
            aim=case.aim, peer=rates[peer], least=True,
        ),
        Figure(f"{case.name}: memory", memory_mib, "MiB", aim=MEMORY_AIM_MIB),
    ]  # fmt: skip


def main() -> None:
    """Run the chosen cases."""
    needed = ("minio", "rclone", "s5cmd", "azurite-blob", "fake-gcs-server")
    missing = [name for name in needed if parts.find(name) is None]
    if missing:
        raise SystemExit("\n".join(parts.why_missing(name) for name in missing))
    home = Path(tempfile.mkdtemp(prefix="cloudflux-bench-move-"))
    figures: list[Figure] = []
    try:
        with ExitStack() as stack:
            bench = Bench(home, stack)
            for name, make in cases(bench, SCALE).items():
                if not CHOSEN or name in CHOSEN:
                    figures += measure(bench, make())
            if not CHOSEN or "growth" in CHOSEN:
                figures += growth(bench, SCALE)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print_figures(figures)


if __name__ == "__main__":
    main()
