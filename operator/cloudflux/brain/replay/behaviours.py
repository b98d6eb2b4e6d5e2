"""Synthetic histories of named behaviours, from a seed: for tests, notebooks and try-outs.

Each behaviour is a kind of data as it is met: what it shows is the shape, not a measurement.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.errors import ConfigurationError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class History:
    """Objects and their reads by day; days count from 0."""

    ids: list[str]
    size_bytes: Ints
    first_day: Ints
    row: Ints
    day: Ints
    reads: Ints


Rate = npt.NDArray[np.float64]
"""Mean reads by object and day; a number below 0 is not a mean but exactly so many."""
EXACTLY_ONCE = -1.0
Make = Callable[[np.random.Generator, int, int], tuple[list[str], Ints, Rate]]


def generate(behaviour: str, *, objects: int, days: int, seed: int) -> History:
    """Make a history. Raises ConfigurationError for a behaviour that there is not."""
    if behaviour not in BEHAVIOURS:
        raise ConfigurationError(
            f"no behaviour {behaviour!r}; there are {', '.join(sorted(BEHAVIOURS))}"
        )
    if objects < 1 or days < 1:
        raise ConfigurationError("at least one object and one day are needed")
    random = np.random.default_rng([seed, *behaviour.encode()])
    ids, born, rate = BEHAVIOURS[behaviour](random, objects, days)
    rate = np.where(np.arange(days) >= born[:, None], rate, 0.0)
    counts = np.where(rate < 0, -rate, random.poisson(np.maximum(rate, 0.0))).astype(np.int64)
    row, day = np.nonzero(counts)
    size = np.exp(random.normal(np.log(20e6), 2.0, objects)).astype(np.int64)
    return History(ids, size, born, row.astype(np.int64), day.astype(np.int64), counts[row, day])


def _births(random: np.random.Generator, objects: int, days: int, old: float = 0.5) -> Ints:
    late = random.integers(0, days, objects)
    return np.where(random.random(objects) < old, 0, late).astype(np.int64)


def _steady(random: np.random.Generator, objects: int, days: int) -> tuple[list[str], Ints, Rate]:
    rate = random.gamma(0.7, 0.3, objects)[:, None] * np.ones(days)
    return [f"pkg/{n:05d}" for n in range(objects)], _births(random, objects, days), rate


def _superseded(
    random: np.random.Generator, objects: int, days: int
) -> tuple[list[str], Ints, Rate]:
    """Versions: read until a newer one is there, then hardly ever."""
    ids: list[str] = []
    born = np.zeros(objects, dtype=np.int64)
    rate = np.zeros((objects, days))
    day = np.arange(days)
    number = 0
    while number < objects:
        name, versions = len(ids), min(int(random.integers(2, 12)), objects - number)
        starts = np.sort(random.integers(-200, days, versions))
        popular = random.lognormal(-1.0, 1.2)
        for version in range(versions):
            start = int(max(starts[version], 0))
            end = starts[version + 1] if version + 1 < versions else days + 1
            tail = 0.05 * np.exp(-np.maximum(day - end, 0) / 40.0) + 0.002 * random.random()
            rate[number] = popular * np.where(day < end, 1.0, tail)
            born[number] = start
            ids.append(f"plugins/plugin-{name:04d}/plugin-{name:04d}-1.{version}.0.hpi")
            number += 1
    return ids, born, rate


def _long_tail(
    random: np.random.Generator, objects: int, days: int
) -> tuple[list[str], Ints, Rate]:
    """Releases: a wave at birth, then a tail of late reads of very different weight."""
    born = _births(random, objects, days, old=0.3)
    age = np.maximum(np.arange(days) - born[:, None], 0)
    first = random.lognormal(-0.5, 1.0, objects)[:, None]
    half = random.lognormal(3.0, 0.8, objects)[:, None]
    late = (random.gamma(0.25, 0.06, objects))[:, None]
    rate = first * np.exp(-age / half) + late
    return [f"releases/app-{n // 4:04d}-v{n % 4}.zip" for n in range(objects)], born, rate


def _bursts(random: np.random.Generator, objects: int, days: int) -> tuple[list[str], Ints, Rate]:
    """Whole data sets read for some days, with long pauses; now and then a scan of all."""
    sets = max(objects // 20, 1)
    member = np.arange(objects) % sets
    rate = np.zeros((sets, days))
    for each in range(sets):
        day = float(random.exponential(60))
        pause = random.lognormal(4.2, 0.8)
        while day < days:
            length = int(random.integers(1, 12))
            rate[each, int(day) : int(day) + length] = random.lognormal(0.0, 1.0)
            day += length + random.exponential(pause)
    spread = rate[member] * random.uniform(0.3, 1.0, objects)[:, None]
    for scan in random.integers(0, days, max(days // 400, 1)):
        spread[:, scan] += 1.0
    ids = [f"set-{member[n]:03d}/part-{n:05d}.nc" for n in range(objects)]
    return ids, _births(random, sets, days, 0.6)[member], spread


def _campaigns(
    random: np.random.Generator, objects: int, days: int
) -> tuple[list[str], Ints, Rate]:
    """Nearly all never read, some read thousands of times in weekly campaigns."""
    weeks = days // 7 + 1
    alive = random.random(objects) < 0.09
    start = random.integers(0, weeks, objects)
    active = (np.arange(weeks) >= start[:, None]) & (
        random.random((objects, weeks)) < random.uniform(0.1, 0.8, objects)[:, None]
    )
    weekly = active * alive[:, None] * random.lognormal(2.5, 1.5, (objects, weeks))
    rate = np.repeat(weekly, 7, axis=1)[:, :days]
    ids = [f"data/run{n % 40:03d}/block-{n:05d}" for n in range(objects)]
    return ids, _births(random, objects, days, 0.7), rate


def _periodic(every: int) -> Make:
    def make(random: np.random.Generator, objects: int, days: int) -> tuple[list[str], Ints, Rate]:
        phase = random.integers(0, every, objects)[:, None]
        due = (np.arange(days)[None, :] - phase) % every == 0
        rate = due * random.uniform(0.5, 3.0, objects)[:, None]
        return [f"report-{n:05d}.csv" for n in range(objects)], _births(random, objects, days), rate

    return make


def _mass_scan(
    random: np.random.Generator, objects: int, days: int
) -> tuple[list[str], Ints, Rate]:
    """Dead archives, all of it read once on one day late in the history."""
    rate = np.zeros((objects, days))
    rate[:, : days // 8] = random.gamma(0.5, 0.2, objects)[:, None]
    rate[:, int(days * 0.85)] = EXACTLY_ONCE
    return (
        [f"archive/{n % 30:02d}/{n:05d}" for n in range(objects)],
        _births(random, objects, days, 0.9),
        rate,
    )


def _hot(random: np.random.Generator, objects: int, days: int) -> tuple[list[str], Ints, Rate]:
    """Everything is read every day, most of it often."""
    rate = random.uniform(1.0, 20.0, objects)[:, None] * np.ones(days)
    return [f"serving/{n:05d}.bin" for n in range(objects)], _births(random, objects, days), rate


def _decaying(random: np.random.Generator, objects: int, days: int) -> tuple[list[str], Ints, Rate]:
    """Read less and less from birth on, each object at its own pace."""
    born = _births(random, objects, days, old=0.2)
    age = np.maximum(np.arange(days) - born[:, None], 0)
    half = random.lognormal(3.2, 0.6, objects)[:, None]
    rate = random.lognormal(0.0, 0.8, objects)[:, None] * 0.5 ** (age / half)
    return [f"news/{n:05d}.jpg" for n in range(objects)], born, rate


def _dead(random: np.random.Generator, objects: int, days: int) -> tuple[list[str], Ints, Rate]:
    """Written, looked at for a week or two, and never again."""
    born = _births(random, objects, days, old=0.6)
    length = random.integers(1, 15, objects)[:, None]
    age = np.arange(days) - born[:, None]
    rate = np.where(age < length, random.gamma(0.5, 1.0, objects)[:, None], 0.0)
    return [f"backup/{n:05d}.tar" for n in range(objects)], born, rate


def _surprise(random: np.random.Generator, objects: int, days: int) -> tuple[list[str], Ints, Rate]:
    """Dead objects, one in two hundred of which is read 10,000 times on one late day."""
    ids, born, rate = _dead(random, objects, days)
    for number in range(0, objects, 200):
        late = max(int(born[number]) + 1, int(days * 0.8))
        rate[number, min(late, days - 1)] = -10_000.0
    return ids, born, rate


BEHAVIOURS: Mapping[str, Make] = {
    "hot": _hot,
    "steady": _steady,
    "decaying": _decaying,
    "dead": _dead,
    "surprise": _surprise,
    "superseded": _superseded,
    "long-tail": _long_tail,
    "bursts": _bursts,
    "campaigns": _campaigns,
    "weekly": _periodic(7),
    "monthly": _periodic(30),
    "yearly": _periodic(365),
    "mass-scan": _mass_scan,
}
