"""Whether what is expected comes true: on generated behaviours, and on recorded reads.

The recorded reads are daily downloads of software packages; CLOUDFLUX_TRACES names the
directory that holds them (ksp-ckan/reads.parquet, objects.parquet). They are thinned, as behind
a cache: semi-synthetic, with a fixed seed.
"""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.unit.brain.builders import history_of, objects_of

from cloudflux.brain.demand import demand
from cloudflux.brain.inputs import HISTORY_DAYS
from cloudflux_dev import tracegen

TRACES = Path(os.environ.get("CLOUDFLUX_TRACES", "/nonexistent"))
FIRST = np.datetime64("2020-04-01")
DAYS = 2191
AHEAD_DAYS = 60
DAILY_CAP = 3


def expectations(reads, first, at):
    """What was expected after day `at`, and what came: (idle days, E60, silent 30) and both."""
    born = np.flatnonzero(first < at - 30)
    past = reads[born, max(0, at - HISTORY_DAYS + 1) : at]
    objects = objects_of(np.full(len(born), 1e8))
    ages = (at - first[born]).astype(np.float64)
    objects.age_days[:] = ages
    wanted = demand(objects, history_of(past, observed_days=past.shape[1]))
    ahead = reads[born, at : at + AHEAD_DAYS]
    return (
        wanted.idle_days,
        wanted.rate * AHEAD_DAYS,
        wanted.probability_silent(30),
        np.minimum(ahead, DAILY_CAP).sum(axis=1),
        ahead[:, :30].sum(axis=1) == 0,
    )


def assert_calibrated(samples, idle_bands, *, within, floor):
    idle, expected, silent, came, was_silent = (
        np.concatenate(c) for c in zip(*samples, strict=True)
    )
    for low, high in idle_bands:
        band = (idle >= low) & (idle < high)
        assert band.sum() > 50, f"no objects idle for {low} to {high} days"
        difference = abs(expected[band].mean() - came[band].mean())
        assert difference < max(within * came[band].mean(), floor), (low, high)
    brier = np.mean((silent - was_silent) ** 2)
    base = np.mean(was_silent) * (1 - np.mean(was_silent))
    assert brier < 0.7 * base


def test_generated_behaviours_are_foreseen():
    sizes = {f"{i:03}": 2**20 for i in range(400)}
    drawn = tracegen.assign(sizes, seed=4, days=300)
    reads = np.array(tracegen.daily_reads(drawn, days=300, seed=3))
    first = np.array([300 - o.written_days_ago for o in drawn])
    samples = [expectations(reads, first, at) for at in (150, 180, 210, 240)]
    assert_calibrated(samples, [(0, 7), (60, 180)], within=0.3, floor=0.1)


@pytest.mark.skipif(
    not (TRACES / "ksp-ckan").exists(), reason="CLOUDFLUX_TRACES names no directory of traces"
)
@pytest.mark.parametrize("kept", [0.01, 0.002])
def test_recorded_reads_are_foreseen(kept):
    reads, first = thinned(kept)
    samples = [expectations(reads, first, at) for at in (400, 900, 1400, 1900)]
    bands = [(0, 7), (7, 20), (20, 45), (45, 90), (90, 180)]
    assert_calibrated(samples, bands, within=0.4, floor=0.1)


def thinned(kept, count=1500):
    home = TRACES / "ksp-ckan"
    about = pq.read_table(home / "objects.parquet")
    # objects that live to the end: what comes is then known of every one of them
    good = pc.and_(
        pc.and_(pc.less(about["longest_zero_run"], 60), pc.greater_equal(about["life_days"], 180)),
        pc.and_(
            pc.invert(about["counter_frozen"]),
            pc.greater_equal(pc.cast(about["last_day"], pa.string()), "2026-01-01"),
        ),
    )
    about = about.filter(good).slice(0, count)
    table = pq.read_table(home / "reads.parquet")
    rows = pc.index_in(table["object_id"], value_set=about["object_id"].combine_chunks())
    rows = rows.fill_null(-1).to_numpy()
    days = np.asarray(pc.cast(table["day"], pa.string()).to_pylist(), dtype="datetime64[D]")
    columns = (days - FIRST).astype(np.int64)
    inside = (rows >= 0) & (columns >= 0) & (columns < DAYS)
    counts = np.zeros((len(about), DAYS), dtype=np.int64)
    np.add.at(counts, (rows[inside], columns[inside]), table["reads"].to_numpy()[inside])
    seen = np.random.default_rng(1).binomial(np.maximum(counts, 0), kept)
    first = np.asarray(pc.cast(about["first_day"], pa.string()).to_pylist(), dtype="datetime64[D]")
    return seen, (first - FIRST).astype(np.int64)
