"""The matrix: which fault can meet which step of a move, at which store; and cases drawn from it.

A case follows from its seed alone. What it must end as, and what it must say, follows from the
faults that really happened in it.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.chaos.dialects import (
    BEGIN,
    COMPLETE,
    DELETE,
    HEAD,
    LIST,
    PART,
    PLACE,
    READ,
    refuses,
)
from tests.chaos.disk import APPEND, FLUSH
from tests.chaos.places import DIALECTS, KINDS

from cloudflux.migration.steps import STOP_POINTS

SOURCE, TARGET, STATE = "source", "target", "state"
ANY_OPERATION = frozenset({LIST, HEAD, READ, PLACE, DELETE, COMPLETE})

BROKEN = ("reset", "half answer", "wire reset", "wire cut")
REFUSING = ("error", "unavailable", "throttled")
KILLS = ("kill before", "kill after")
HARMLESS = ("latency", "wire latency", "server clock", "skewed files")
FATAL = ("expired", "denied", "full", "skewed")
FLIPS = ("flip", "flip answer", "flip request")
WRITING = ("lost", "half request")
ANYWHERE = (*BROKEN, *REFUSING, *KILLS, "latency", "wire latency", "server clock",
            "expired", "denied", "skewed")  # fmt: skip
ON_DISK = ("error", "stale", "denied", "latency", *KILLS)

SURELY_FATAL = frozenset({"reset", "stale", *REFUSING, *FATAL})
"""What fails a job when it never stops. A lost answer or a kill may yet let it get through."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A step of the matrix: where in a job, and at which requests."""

    name: str
    operations: frozenset[str]
    steps: tuple[str, ...]
    faults: tuple[str, ...]
    marks: bool = False


def _spot(name: str, operations: set[str], steps: str, *faults: str, marks: bool = False) -> Spot:
    return Spot(name, frozenset(operations), tuple(steps.split()), faults, marks)


SPOTS: dict[tuple[str, bool], tuple[Spot, ...]] = {
    (SOURCE, False): (
        _spot("list", {LIST}, "Plan Copy Switch Retire", *ANYWHERE),
        _spot("read", {READ, HEAD}, "Copy", *ANYWHERE, "flip answer"),
        _spot("marker", {READ, PLACE}, "Switch", *ANYWHERE, "lost", marks=True),
        _spot("delete", {DELETE}, "Retire", *ANYWHERE, "lost"),
    ),
    (TARGET, False): (
        _spot("list", {LIST}, "Plan Copy Verify Switch", *ANYWHERE),
        _spot("place", {PLACE}, "Copy", *ANYWHERE, *WRITING, "flip request", "full"),
        _spot("part", {BEGIN, PART}, "Copy", *ANYWHERE, *WRITING, "flip request", "full"),
        _spot("complete", {COMPLETE}, "Copy", *ANYWHERE, *WRITING, "full"),
        _spot("verify", {LIST, HEAD, READ}, "Verify", *ANYWHERE, "flip answer"),
        _spot("marker", {READ, PLACE}, "Switch", *ANYWHERE, "lost", "full", marks=True),
        _spot("delete", {DELETE, HEAD}, "Sweep", *ANYWHERE, "lost"),
    ),
    (SOURCE, True): (
        _spot("list", {LIST}, "Plan Copy Switch Retire", *ON_DISK),
        _spot("read", {READ}, "Copy", *ON_DISK, "half", "flip", "skewed files"),
        _spot("marker", {PLACE}, "Switch", *ON_DISK, "full", marks=True),
        _spot("delete", {DELETE}, "Retire", *ON_DISK),
    ),
    (TARGET, True): (
        _spot("list", {LIST}, "Plan Copy Verify Switch", *ON_DISK),
        _spot("place", {PLACE}, "Copy", *ON_DISK, "full", "full disk", "flip"),
        _spot("complete", {COMPLETE}, "Copy", *ON_DISK, "full"),
        _spot("verify", {READ}, "Verify", *ON_DISK, "half", "flip"),
        _spot("marker", {PLACE}, "Switch", *ON_DISK, "full", marks=True),
        _spot("delete", {DELETE}, "Sweep", *ON_DISK),
    ),
    (STATE, True): (
        _spot("plan", {FLUSH}, "Plan", "error", "full", *KILLS, "latency"),
        _spot("checkpoint", {APPEND}, "Copy", "error", "full", *KILLS, "full disk"),
        _spot("manifest", {FLUSH}, "Verify", "error", "full", *KILLS, "latency"),
    ),
}
"""By side, and whether it is a directory."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix."""

    kind: str
    side: str
    spot: str
    fault: str

    @property
    def large(self) -> bool:
        """Only large objects go through it."""
        return self.spot in ("part", "complete") and self.kind != "file"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one case."""

    cell: Cell
    step: str
    after: int = 0
    times: int = 1
    seconds: float = 0.0

    @property
    def endless(self) -> bool:
        return self.times > 100


@dataclass(frozen=True, slots=True)
class Case:
    """One run."""

    seed: str
    source: str
    target: str
    faults: tuple[Fault, ...]
    objects: int = 4
    large: bool = False
    bytes_proof: bool = False
    parallelism: int = 4
    troubled: bool = field(default=False)
    """The job is made to fail, so that its sweep runs."""

    def __str__(self) -> str:
        told = ", ".join(
            f"{f.cell.fault} at {f.cell.side}/{f.cell.spot} in {f.step}"
            + (" for ever" if f.endless else f" x{f.times} after {f.after}")
            for f in self.faults
        )
        return f"{self.seed}: {self.source} -> {self.target}: {told}"


def cells() -> Iterator[Cell]:
    """Every cell that makes sense."""
    for (side, directory), spots in SPOTS.items():
        kinds = ["file"] if directory else list(DIALECTS)
        for kind in kinds if side != STATE else ["state"]:
            for spot in spots:
                if kind == "azurite" and spot.name == "begin":
                    continue
                for fault in spot.faults:
                    if directory or refuses(DIALECTS[kind], fault):
                        yield Cell(kind, side, spot.name, fault)
    for kind in KINDS:
        for point in STOP_POINTS:
            yield Cell(kind, TARGET, point, "kill")


def draw(seed: str, main: Cell, kinds: Sequence[str] = KINDS) -> Case:
    """A case around one cell, with up to two faults more that go away by themselves."""
    chance = random.Random(seed)
    source = main.kind if main.side == SOURCE else chance.choice(kinds)
    target = main.kind if main.side == TARGET else chance.choice(kinds)
    faults = [_fault(chance, main, may_stay=True)]
    for _ in range(chance.choice((0, 0, 1, 2))):
        side = chance.choice((SOURCE, TARGET))
        kind = source if side == SOURCE else target
        others = [
            cell for cell in cells()
            if (cell.kind, cell.side) == (kind, side) and not _final(cell) and not cell.large
        ]  # fmt: skip
        faults.append(_fault(chance, chance.choice(others), may_stay=False))
    troubled = any(fault.step == "Sweep" for fault in faults)
    return Case(
        seed=seed,
        source=source,
        target=target,
        faults=tuple(faults),
        objects=chance.randint(3, 6),
        large=main.large or chance.random() < 0.08,
        bytes_proof=chance.random() < 0.4 or main.spot == "verify",
        parallelism=chance.choice((1, 2, 4)),
        troubled=troubled,
    )


def by_clock(cell: Cell) -> bool:
    """Whether the mover's clock is set wrong, and the server itself looks at it."""
    return cell.fault == "skewed" and DIALECTS.get(cell.kind) == "s3"


def cut_short(cell: Cell) -> bool:
    """Whether fake-gcs-server may take the question how far an upload is for the upload's end.

    Then what is there is not what was sent, which must be noticed (tests/contract proves both).
    """
    return cell.kind == "fakegcs" and cell.spot in ("part", "complete")


def spot_of(cell: Cell) -> Spot:
    found = SPOTS[cell.side, cell.kind in ("file", "state")]
    return next(spot for spot in found if spot.name == cell.spot)


def _final(cell: Cell) -> bool:
    return cell.fault in (*FATAL, *FLIPS, "full disk", "skewed files", "wire cut") or (
        cell.spot == "delete"
    )


def _fault(chance: random.Random, cell: Cell, *, may_stay: bool) -> Fault:
    if cell.fault == "kill":
        step = {"plan": "Plan", "copy": "Copy", "verify": "Verify", "switch": "Switch",
                "retire": "Retire", "sweep": "Sweep"}[cell.spot.partition(".")[0]]  # fmt: skip
        return Fault(cell, step, times=chance.randint(1, 3))
    step = "Plan" if by_clock(cell) else chance.choice(spot_of(cell).steps)
    times = chance.choice((1, 1, 2, 3, 5))
    if may_stay and (cell.fault in FATAL or chance.random() < 0.25):
        times = 1_000_000
    if cell.fault in KILLS and times > 3:
        times = 3
    seconds = {"latency": 0.15, "throttled": chance.choice((0, 1, 1, 30))}.get(cell.fault, 0.0)
    return Fault(cell, step, after=chance.choice((0, 0, 1, 2)), times=times, seconds=seconds)
