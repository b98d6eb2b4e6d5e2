"""Data sets for the tests of the deciding, from named behaviours and a seed."""

import datetime as dt

import numpy as np

from cloudflux.brain.inputs import HISTORY_DAYS, DataSet, History, Objects

TODAY = dt.date(2026, 11, 21)
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def objects_of(
    sizes, *, storage_class="STANDARD", age_days=200.0, held_days=200.0, last_access_days=np.nan
) -> Objects:
    sizes = np.asarray(sizes, dtype=np.float64)
    count = len(sizes)
    classes = [storage_class] * count if isinstance(storage_class, str) else storage_class
    return Objects(
        keys=[f"data/part-{i:06d}" for i in range(count)],
        versions=[f"v{i}" for i in range(count)],
        storage_class=classes,
        size_bytes=sizes,
        age_days=np.full(count, age_days),
        days_in_class=np.full(count, held_days),
        last_access_days=np.full(count, last_access_days),
    )


def history_of(reads_by_day, *, observed_days=120, holes=()) -> History:
    """Reads: (objects, days) of the last days before today; today itself is still running."""
    recent = np.asarray(reads_by_day)
    reads = np.zeros((recent.shape[0], HISTORY_DAYS), dtype=np.uint16)
    reads[:, HISTORY_DAYS - 1 - recent.shape[1] : -1] = recent
    complete = np.zeros(HISTORY_DAYS, dtype=np.bool_)
    complete[HISTORY_DAYS - 1 - observed_days : -1] = True
    for days_ago in holes:
        complete[HISTORY_DAYS - 1 - days_ago] = False
    return History(TODAY, reads, complete)


def half_dead(count=300, seed=7, *, days=120, fresh=True, holes=(), **object_options) -> DataSet:
    """A realistic bucket: sizes 10 KB to 200 MB, every second object never read."""
    random = np.random.default_rng(seed)
    sizes = np.exp(random.uniform(np.log(10e3), np.log(200e6), count))
    rate = np.where(np.arange(count) % 2 == 0, 0.0, random.gamma(0.6, 2.0, count))
    reads = random.poisson(rate[:, None], (count, days))
    return DataSet(
        uri="s3://bucket/data",
        region="us-east-1",
        objects=objects_of(sizes, **object_options),
        history=history_of(reads, observed_days=days, holes=holes),
        fresh=fresh,
        fresh_message="" if fresh else "the newest log is 5 days old",
    )
