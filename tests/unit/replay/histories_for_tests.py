"""Small traces, and a simulator that is slow and plain: one object, one day at a time."""

import numpy as np

from cloudflux.brain.prices import load_table
from cloudflux.brain.replay.trace import RawReads, Trace, build_trace

CLASSES = ["STANDARD", "INTELLIGENT_TIERING", "STANDARD_IA", "GLACIER_IR"]
TABLE = load_table("s3", "us-east-1")
MONTH = 30.4375
GB = 2**30


def trace_of(rows, *, sizes, first_days=None, train_from=0, decide_from=100, until=300) -> Trace:
    """Rows are (object number, day, reads[, day of ingest])."""
    table = np.array(
        [(*row, np.nan)[:4] if len(row) == 3 else row for row in rows], dtype=float
    ).reshape(-1, 4)
    nothing = np.full(len(table), np.nan)
    count = len(sizes)
    return build_trace(
        [f"data/part-{number:05d}" for number in range(count)],
        np.array(sizes, dtype=float),
        np.zeros(count) if first_days is None else np.array(first_days, dtype=float),
        RawReads(
            table[:, 0].astype(np.int32), table[:, 1], table[:, 2], table[:, 3], nothing, nothing
        ),
        train_from=train_from,
        decide_from=decide_from,
        until=until,
    )


def random_trace(seed, *, objects=40, until=300, decide_from=100) -> Trace:
    """Objects of very different sizes, births and rates; some die, some wake."""
    random = np.random.default_rng(seed)
    rate = random.gamma(0.3, 0.3, objects)
    dies = random.integers(0, 2 * until, objects)
    rows = [
        (number, day, int(count))
        for number in range(objects)
        for day, count in enumerate(random.poisson(rate[number], until + 1))
        if count and day < dies[number]
    ]
    born = np.where(random.random(objects) < 0.5, 0, random.integers(0, until, objects))
    rows = [row for row in rows if row[1] >= born[row[0]]]
    sizes = np.exp(random.uniform(np.log(1e3), np.log(5e9), objects))
    sizes[:3] = 0, 127 * 1024, 5 * 2**40
    return trace_of(rows, sizes=sizes, first_days=born, until=until, decide_from=decide_from)


RENT = {"STANDARD": 0.023, "STANDARD_IA": 0.0125, "GLACIER_IR": 0.004}
READ = {
    "STANDARD": (0.0000004, 0.0),
    "INTELLIGENT_TIERING": (0.0000004, 0.0),
    "STANDARD_IA": (0.000001, 0.01),
    "GLACIER_IR": (0.00001, 0.03),
}
PUT = {
    "STANDARD": 0.000005,
    "INTELLIGENT_TIERING": 0.000005,
    "STANDARD_IA": 0.00001,
    "GLACIER_IR": 0.00002,
}
TRANSITION = {"INTELLIGENT_TIERING": 0.00001, "STANDARD_IA": 0.00001, "GLACIER_IR": 0.00002}
MIN_DAYS = {"STANDARD_IA": 30, "GLACIER_IR": 90}
RANK = {name: rank for rank, name in enumerate(CLASSES)}


def rent_a_day(name, size, idle):
    if name == "INTELLIGENT_TIERING":
        watched = size >= 128 * 1024
        rate = 0.023
        if watched and idle >= 30:
            rate = 0.0125
        if watched and idle >= 90:
            rate = 0.004
        return (size / GB * rate + watched * 0.0000025) / MONTH
    smallest = 128 * 1024 if name != "STANDARD" else 0
    return max(size, smallest) / GB * RENT[name] / MONTH


def move_fee(source, target, size, held):
    if RANK[target] > RANK[source]:
        fee = TRANSITION[target]
    else:
        request, per_gb = READ[source]
        fee = request + per_gb * size / GB + PUT[target]
    missing = max(MIN_DAYS.get(source, 0) - held, 0)
    return fee + missing * (rent_a_day(source, size, 0) if missing else 0.0)


def plain_cost(size, start, until, reads, moves):
    """Price one object. `reads` and `moves` map days to counts and to class names."""
    total, klass, since, clock = 0.0, "STANDARD", start, start
    for day in range(start, until + 1):
        count = reads.get(day, 0)
        if count:
            request, per_gb = READ[klass]
            total += count * (request + per_gb * size / GB)
            clock = day
        total += rent_a_day(klass, size, day - clock)
        target = moves.get(day, klass)
        if target != klass and day < until:
            total += move_fee(klass, target, size, day + 1 - since)
            klass, since, clock = target, day + 1, day + 1
    return total
