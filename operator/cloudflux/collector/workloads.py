"""SYNTHETIC access to objects: who would read what, and when. Pure; the same seed, the same events.

Six kinds of source, each with objects of its own and a habit of reading them. Every operation is
labelled synthetic; it is for load tests and demonstrations, and no evidence of anything.
"""

import datetime as dt
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

PRINCIPAL = "synthetic"


class Kind(StrEnum):
    """The kinds of source."""

    IOT = "iot"
    WEB = "web"
    LOGS = "logs"
    TRAINING = "training"
    BACKUPS = "backups"
    ANALYTICS = "analytics"


@dataclass(frozen=True, slots=True)
class Habit:
    """How a kind of source is read and written."""

    meaning: str
    write_percent: int
    """Share of operations that are writes."""
    skew: float
    """0: all objects alike; 1: a few take most of the reads (Zipf's exponent)."""
    newest_first: bool
    """The popular objects are the newest ones."""
    hours: tuple[int, int]
    """Hours of the day (UTC) in which it is busy; outside it a tenth as much happens."""
    mean_bytes: int
    name: str
    """How its objects are called, by number."""


HABITS: dict[Kind, Habit] = {
    Kind.IOT: Habit(
        "telemetry: written all day, the newest read by dashboards, the rest hardly ever",
        60, 1.2, True, (0, 24), 64 << 10, "telemetry/device-{n:05d}/part.avro",
    ),
    Kind.WEB: Habit(
        "web assets: read by day, a few of them nearly always",
        1, 1.1, False, (7, 23), 180 << 10, "assets/{n:05d}.webp",
    ),
    Kind.LOGS: Habit(
        "log archive: written once, read when something broke",
        90, 0.4, True, (0, 24), 8 << 20, "logs/{n:05d}.log.gz",
    ),
    Kind.TRAINING: Habit(
        "training set: every object once an epoch, then nothing for long",
        0, 0.0, False, (18, 24), 2 << 20, "shards/{n:05d}.tar",
    ),
    Kind.BACKUPS: Habit(
        "backups: written at night, read by a restore once in a while",
        97, 0.0, True, (1, 5), 512 << 20, "backup/{n:05d}.bak",
    ),
    Kind.ANALYTICS: Habit(
        "analytics tables: recent partitions read in office hours, all at the month's end",
        10, 0.9, True, (8, 18), 32 << 20, "table/part-{n:05d}.parquet",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """One object that is read or written."""

    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One synthetic read or write."""

    id: str
    time: dt.datetime
    op: str
    key: str
    bytes: int
    latency_ms: float


def objects_of(kind: Kind, count: int, seed: int) -> list[Target]:
    """Make up the objects of a kind."""
    habit, rng = HABITS[kind], random.Random(f"{seed}-{kind}-objects")  # noqa: S311
    return [
        Target(habit.name.format(n=n), max(1, int(rng.lognormvariate(0, 0.7) * habit.mean_bytes)))
        for n in range(count)
    ]


def operations(
    kind: Kind,
    objects: Sequence[Target],
    *,
    start: dt.datetime,
    duration_seconds: float,
    rate_per_second: float,
    seed: int,
) -> Iterator[Operation]:
    """Yield operations in order of time, at about the rate; raises ValueError without objects."""
    if not objects:
        raise ValueError(f"{kind.value}: no objects to read")
    habit, rng = HABITS[kind], random.Random(f"{seed}-{kind}-operations")  # noqa: S311
    ordered = list(reversed(objects)) if habit.newest_first else list(objects)
    weights = list(accumulate((n + 1) ** -habit.skew for n in range(len(ordered))))
    epoch = list(ordered)
    rng.shuffle(epoch)
    offset, number = 0.0, 0
    while True:
        offset += rng.expovariate(rate_per_second)
        if offset >= duration_seconds:
            return
        time = start + dt.timedelta(seconds=offset)
        if not _busy(habit, time) and rng.random() > 0.1:
            continue
        if kind is Kind.TRAINING:
            chosen = epoch[number % len(epoch)]
        else:
            [chosen] = rng.choices(ordered, cum_weights=weights)
        op = "write" if rng.randrange(100) < habit.write_percent else "read"
        latency_ms = round(math.exp(rng.gauss(3.0, 0.6)), 2)
        identity = f"synthetic-{seed}-{kind.value}-{int(start.timestamp())}-{number}"
        yield Operation(identity, time, op, chosen.key, chosen.size_bytes, latency_ms)
        number += 1


def _busy(habit: Habit, time: dt.datetime) -> bool:
    first, last = habit.hours
    return first <= time.hour < last
