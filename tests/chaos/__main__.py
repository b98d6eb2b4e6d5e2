"""`make chaos`: many seeded runs of the fault matrix, side by side, judged and counted."""

import os
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from benchmarks.figures import Figure, print_figures
from tests.chaos import faults as f
from tests.chaos.bench import servers, toxiproxy_if_any
from tests.chaos.places import KINDS
from tests.chaos.worker import Verdict, begin, run

VARIABLE = "CLOUDFLUX_CHAOS"
RUNS_VARIABLE = "CLOUDFLUX_CHAOS_RUNS"
LEAST_RUNS = 500
DEFAULT_RUNS = 600
SHOWN_EVERY_SECONDS = 10.0
GROUPS: Mapping[str, tuple[str, ...]] = {
    "reset": ("reset", "lost", "wire reset", "wire cut"),
    "latency": ("latency", "wire latency"),
    "5xx": ("error", "unavailable", "stale"),
    "throttled": ("throttled",),
    "half body": ("half answer", "half request", "half"),
    "wrong bit": ("flip", "flip answer", "flip request"),
    "clock": ("server clock", "skewed", "skewed files"),
    "denied": ("expired", "denied"),
    "full": ("full", "full disk"),
    "killed": ("kill", "kill before", "kill after"),
}
"""Columns of the table."""


def numbered_cells(seed: str, kinds: Sequence[str]) -> list[f.Cell]:
    """Every cell once, in the seed's order; runs beyond go round again."""
    found = [cell for cell in f.cells() if cell.kind in (*kinds, "state")]
    random.Random(seed).shuffle(found)
    return found


def main() -> int:
    """Run them; 0 when every run ended as it must."""
    asked = os.environ.get(VARIABLE) or secrets.token_hex(3)
    seed, _, only = asked.partition(":")
    runs = int(os.environ.get(RUNS_VARIABLE, DEFAULT_RUNS))
    numbers = [int(only)] if only else list(range(runs))
    print(f"chaos: seed {seed}, {len(numbers)} runs; the same again: {VARIABLE}={seed} make chaos")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cloudflux-chaos-") as home:
        verdicts = _side_by_side(seed, numbers, Path(home))
    if only:
        print(verdicts[0])
    _table(verdicts)
    wrong = [one for one in verdicts if one.problems]
    print_figures([
        Figure("chaos: runs", len(verdicts), "runs", 1 if only else LEAST_RUNS, floor=True),
        Figure("chaos: runs that ended wrongly", len(wrong), "runs", 0),
        Figure("chaos: objects lost", sum(one.lost for one in verdicts), "objects", 0),
        Figure("chaos: silently different", sum(one.different for one in verdicts), "objects", 0),
        Figure("chaos: verified, copied twice", sum(one.twice for one in verdicts), "objects", 0),
        Figure("chaos: time", time.monotonic() - began, "s"),
    ])  # fmt: skip
    return 1 if wrong else 0


def _side_by_side(seed: str, numbers: list[int], home: Path) -> list[Verdict]:
    workers = max(2, (os.cpu_count() or 2) + 1)
    verdicts: list[Verdict] = []
    with servers(home / "servers") as found, toxiproxy_if_any() as toxiproxy:
        kinds = [kind for kind in KINDS if kind in found or kind == "file"]
        missing = sorted(set(KINDS) - set(kinds))
        if missing:
            print(f"not to be had, so left out: {', '.join(missing)}")
        cells = numbered_cells(seed, kinds)
        print(f"{len(cells)} cells of {len(kinds)} stores, {workers} runs at a time", flush=True)
        with ProcessPoolExecutor(
            workers,
            get_context("spawn"),
            initializer=begin,
            initargs=(found, toxiproxy, home / "runs"),
        ) as pool:
            futures = [
                pool.submit(run, number, seed, cells[number % len(cells)], kinds)
                for number in numbers
            ]
            shown_at = time.monotonic()
            for future in as_completed(futures):
                verdicts.append(future.result())
                _tell(seed, verdicts[-1])
                if time.monotonic() - shown_at > SHOWN_EVERY_SECONDS:
                    shown_at = time.monotonic()
                    wrong = sum(1 for one in verdicts if one.problems)
                    print(f"  {len(verdicts)} of {len(numbers)} runs, {wrong} wrong", flush=True)
    return verdicts


def _tell(seed: str, verdict: Verdict) -> None:
    if not verdict.problems:
        return
    print(f"WRONG {verdict.case} ended as {verdict.phase}")
    for problem in verdict.problems:
        print(f"      {problem}")
    print(f"      again: {VARIABLE}={seed}:{verdict.number} make chaos", flush=True)


def _table(verdicts: Sequence[Verdict]) -> None:
    """How often each fault really happened at each store."""
    counts: Counter[tuple[str, str]] = Counter()
    for verdict in verdicts:
        for kind, fault in verdict.happened:
            group = next(name for name, faults in GROUPS.items() if fault in faults)
            counts[kind, group] += 1
    print("\nruns in which the fault happened, by store")
    print(f"{'':10}" + "".join(f"{name:>10}" for name in GROUPS))
    for kind in (*KINDS, "state"):
        print(f"{kind:10}" + "".join(f"{counts[kind, group] or '-':>10}" for group in GROUPS))
    phases = Counter(verdict.phase for verdict in verdicts)
    print("\n" + ", ".join(f"{count} {phase}" for phase, count in phases.most_common()) + "\n")


if __name__ == "__main__":
    sys.exit(main())
