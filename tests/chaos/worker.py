"""What each process of `make chaos` does: run cases on a bench of its own."""

import os
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos import faults as f
from tests.chaos.job import Bench, Run


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one run came to, as it crosses the process's border."""

    number: int
    case: str
    phase: str
    happened: tuple[tuple[str, str], ...]
    """(store, fault) of everything that really happened."""
    problems: tuple[str, ...]
    lost: int = 0
    different: int = 0
    twice: int = 0


_BENCH: list[Bench] = []


def begin(found: Mapping[str, Any], toxiproxy: Any, directory: Path) -> None:
    """Make fronts of this process's own before the shared servers."""
    bench = Bench(found, directory, toxiproxy, name=f"chaos-{os.getpid()}")
    bench.start()
    _BENCH.append(bench)


def run(number: int, seed: str, cell: f.Cell, kinds: Sequence[str]) -> Verdict:
    """Run one case; one that breaks is one that ended wrongly."""
    case = f.draw(f"{seed}:{number}", cell, kinds)
    try:
        found = Run(_BENCH[0], case).execute()
    except Exception as error:  # noqa: BLE001
        where = "".join(traceback.format_exception(error, limit=-3))
        return Verdict(number, str(case), "broken", (), (where,))
    happened = tuple(
        (fault.cell.kind, fault.cell.fault)
        for at, fault in enumerate(case.faults)
        if found.happened(at)
    )
    return Verdict(
        number, str(case), found.phase.value, happened, tuple(found.problems),
        found.lost, found.different, len(found.twice),
    )  # fmt: skip
