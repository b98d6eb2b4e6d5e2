"""Pauses between reads, against a day-by-day count."""

import dataclasses

import numpy as np
import pytest
from tests.unit.brain.builders import TODAY, objects_of

from cloudflux.brain.inputs import History
from cloudflux.brain.pauses import DAILY_CAP, LONG_PAUSE_DAYS, pauses


def counted(reads, complete, age_days):
    """The same figures of one object, one day after the other."""
    days = len(reads)
    born = max(days - int(np.ceil(age_days)), 0)
    silent = longest = returns = 0
    waiting, since_read = 0.0, None
    spells = []
    for day in range(days):
        silent += int(complete[day]) if day >= born else 0
        if reads[day]:
            spells.append(silent)
            longest, silent, since_read = max(longest, silent), 0, day
            returns += spells[-1] > LONG_PAUSE_DAYS
    for spell in (*spells, silent):
        waiting += np.log((1 + max(spell, LONG_PAUSE_DAYS)) / (1 + LONG_PAUSE_DAYS))
    observed = int(complete[born:].sum())
    return {
        "read_days": int((reads > 0).sum()),
        "capped_reads": np.minimum(reads, DAILY_CAP).sum(),
        "observed": observed,
        "open": silent,
        "longest_ended": longest,
        "returns": returns,
        "waiting": waiting,
        "idle_days": observed if since_read is None else days - 1 - since_read,
    }


@pytest.mark.parametrize("seed", range(4))
def test_pauses_are_those_that_counting_day_by_day_finds(seed):
    random = np.random.default_rng(seed)
    count, days = 120, 200
    rate = random.choice([0.0, 0.005, 0.03, 0.5], count)
    ages = random.uniform(1, 300, count)
    reads = random.poisson(rate[:, None], (count, days)).astype(np.uint16)
    for row, age in enumerate(ages):
        reads[row, : max(days - int(np.ceil(age)), 0)] = 0
    complete = random.random(days) < 0.8
    objects = dataclasses.replace(objects_of([1e6] * count), age_days=ages)
    found = pauses(objects, History(TODAY, reads, complete))
    for row in range(count):
        for name, value in counted(reads[row], complete, ages[row]).items():
            assert getattr(found, name)[row] == pytest.approx(value), (row, name)


def test_no_objects_and_no_reads_are_no_error():
    nothing = pauses(objects_of([]), History(TODAY, np.zeros((0, 9), np.uint16), np.ones(9, bool)))
    assert nothing.open.shape == (0,)
    quiet = pauses(objects_of([1.0]), History(TODAY, np.zeros((1, 9), np.uint16), np.ones(9, bool)))
    assert quiet.open.tolist() == quiet.idle_days.tolist() == [9]
