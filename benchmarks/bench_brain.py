"""The deciding, measured: `make bench-brain`, or one part by its name.

Parts: `speed` (decisions and memory), `optimum` (the dynamic programme), `kinds` (money on a
synthetic history of each kind), `trace` (money on the recorded trace; skipped, with the reason,
where `CLOUDFLUX_TRACES` names no directory with it).
"""

import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.figures import Figure, print_figures
from cloudflux.brain.prices import load_table
from cloudflux.brain.replay.backtest import PREDICTIVE, replay_all
from cloudflux.brain.replay.behaviours import BEHAVIOURS, generate
from cloudflux.brain.replay.fees import build_fees
from cloudflux.brain.replay.histories import Histories
from cloudflux.brain.replay.learning import train
from cloudflux.brain.replay.ledger import State
from cloudflux.brain.replay.optimum import offline_optimum
from cloudflux.brain.replay.rule import Scores, ThresholdRule, Thresholds
from cloudflux.brain.replay.trace import NEVER, RawReads, Trace, build_trace

CLASSES = ["STANDARD", "INTELLIGENT_TIERING", "STANDARD_IA", "GLACIER_IR"]
SEED = 20200401
_AT_A_TIME = 100_000


def synthetic(objects: int, days: int, decide_from: int) -> Trace:
    """Objects with rates from a gamma distribution: most are hardly ever read."""
    random = np.random.default_rng(SEED)
    rate = random.gamma(0.2, 0.05, objects)
    count = random.poisson(rate * days)
    row = np.repeat(np.arange(objects, dtype=np.int32), count)
    day = random.integers(0, days, len(row)).astype(np.float64)
    none = np.full(len(row), np.nan)
    return build_trace(
        [f"data/{n:07d}" for n in range(objects)],
        np.full(objects, 1e8),
        np.zeros(objects),
        RawReads(row, day, np.ones(len(row)), none, none, none),
        train_from=0,
        decide_from=decide_from,
        until=days - 1,
    )


def speed() -> list[Figure]:
    """Decide once for every object, from rows of reads to reasons in words.

    Making the rows up and cleaning them is timed, too; reading them from a store is not.
    """
    objects, days = 1_000_000, 365
    table = load_table("s3", "us-east-1")
    model = train(synthetic(20_000, days, days - 1), days - 1, seed=0)
    if model is None:
        raise RuntimeError("the synthetic history must be enough to learn from")
    started = time.perf_counter()
    trace = synthetic(objects, days, days - 1)
    walk = Histories(trace)
    walk.advance(days - 1)
    expected = np.empty(objects, dtype=np.float32)
    for first in range(0, objects, _AT_A_TIME):
        part = np.arange(first, min(first + _AT_A_TIME, objects))
        expected[part] = model.expected_reads(walk.features(part))
    scores = Scores()
    scores.put(days - 1, expected)
    fees = build_fees(table, CLASSES, trace.known_size_bytes)
    rule = ThresholdRule(fees, scores, trace.known_size_bytes, Thresholds(3, 0.5, 2.0))
    moves = rule(
        State(
            day=days - 1,
            klass=np.zeros(objects, dtype=np.int8),
            since=trace.first_day,
            born=np.ones(objects, dtype=np.bool_),
            first_day=trace.first_day,
            last_read=np.where(walk.last_read > NEVER, walk.last_read, NEVER).astype(np.int32),
        )
    )
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{0 if moves is None else len(moves)} moves of {objects} objects, {len(trace.row)} rows")
    return [
        Figure("deciding 1M objects from 365 days", seconds, "s", aim=20.0),
        Figure("memory of deciding 1M objects", memory, "GiB", aim=2.0),
    ]


def optimum() -> list[Figure]:
    """The exact optimum of 50,000 objects over 730 days."""
    trace = synthetic(50_000, 730, 0)
    fees = build_fees(load_table("s3", "us-east-1"), CLASSES, trace.size_bytes)
    started = time.perf_counter()
    offline_optimum(trace, fees)
    seconds = time.perf_counter() - started
    return [Figure("offline optimum of 50,000 objects x 730 days", seconds, "s", aim=120.0)]


def kinds() -> list[Figure]:
    """Money on synthetic histories of every kind: never much dearer than the automatic class."""
    table = load_table("s3", "us-east-1")
    found = []
    for behaviour in BEHAVIOURS:
        history = generate(behaviour, objects=400, days=1000, seed=SEED)
        none = np.full(len(history.row), np.nan)
        whole = build_trace(
            history.ids,
            np.full(len(history.ids), 1e8),
            history.first_day.astype(np.float64),
            RawReads(
                history.row.astype(np.int32),
                history.day.astype(np.float64),
                history.reads.astype(np.float64),
                none,
                none,
                none,
            ),
            train_from=0,
            decide_from=600,
            until=999,
        )
        result = replay_all(whole, table, CLASSES, PREDICTIVE)
        lines = {line.policy: line for line in result.lines}
        ours, automatic = lines[PREDICTIVE], lines["always INTELLIGENT_TIERING"]
        idle = lines["idle 30/90 with promotion"]
        found += [
            Figure(
                f"cost / cost in the automatic class, {behaviour}",
                ours.cost / automatic.cost,
                "x",
                1.005,
            ),
            Figure(
                f"cost / optimum, {behaviour}",
                ours.ratio_to_optimum,
                "x",
                peer=automatic.ratio_to_optimum,
            ),
            Figure(
                f"idle 30/90 / optimum, {behaviour}",
                idle.ratio_to_optimum,
                "x",
            ),
        ]
    return found


def trace() -> list[Figure]:
    """Money on the recorded trace, thinned: the predictive policy beside the automatic class."""
    directory = Path(os.environ.get("CLOUDFLUX_TRACES", "/nowhere")) / "ksp-ckan"
    if not (directory / "reads.parquet").exists():
        print("trace: skipped, CLOUDFLUX_TRACES names no directory with ksp-ckan/reads.parquet")
        return []
    found = []
    for kept, aim in ((0.01, 1.042), (0.002, 1.06)):
        table = load_table("s3", "us-east-1")
        result = replay_all(recorded(directory, kept), table, CLASSES, PREDICTIVE)
        print(f"\nthinned to {kept}, seed {SEED}, every object 0.1 GB\n{result.as_text()}")
        lines = {line.policy: line for line in result.lines}
        ours, automatic = lines[PREDICTIVE], lines["always INTELLIGENT_TIERING"]
        name = f"cost / optimum, trace thinned to {kept}"
        found += [
            Figure(name, ours.ratio_to_optimum, "x", aim, automatic.ratio_to_optimum),
            Figure(f"objects made dearer, {kept}", ours.dearer_percent, "%", 5.0),
            Figure(f"p99 of cost / optimum, {kept}", ours.p99_ratio, "x", automatic.p99_ratio),
        ]
    return found


def recorded(directory: Path, kept: float) -> Trace:
    """Read the trace, leave out what its page says, and thin it with the published seed."""
    objects = pq.read_table(directory / "objects.parquet")
    good = (
        (objects["longest_zero_run"].to_numpy() < 60)
        & (objects["life_days"].to_numpy() >= 180)
        & ~np.array(objects["counter_frozen"].to_pylist())
    )
    ids = np.array(objects["object_id"].to_pylist())[good]
    born = objects["first_day"].to_numpy()[good].astype("datetime64[D]").astype(np.float64)
    reads = pq.read_table(directory / "reads.parquet", columns=["object_id", "day", "reads"])
    coded = reads["object_id"].combine_chunks().dictionary_encode()
    place = {name: number for number, name in enumerate(ids.tolist())}
    known = np.array([place.get(name, -1) for name in coded.dictionary.to_pylist()])
    row = known[coded.indices.to_numpy()].astype(np.int32)
    counts = reads["reads"].to_numpy()
    thinned = np.random.default_rng(SEED).binomial(counts, kept)
    keep = (row >= 0) & (thinned > 0)
    day = reads["day"].to_numpy().astype("datetime64[D]").astype(np.float64)
    none = np.full(int(keep.sum()), np.nan)
    first, decide, last = (
        int(np.datetime64(text, "D").astype(np.int64))
        for text in ("2020-04-01", "2023-04-01", "2026-03-31")
    )
    return build_trace(
        ids,
        np.full(len(ids), 1e8),
        born,
        RawReads(row[keep], day[keep], thinned[keep].astype(np.float64), none, none, none),
        train_from=first,
        decide_from=decide,
        until=last,
    )


PARTS = {"speed": speed, "optimum": optimum, "kinds": kinds, "trace": trace}


def main(names: list[str]) -> int:
    """Measure all parts, or those that are named."""
    figures = [figure for name in names or PARTS for figure in PARTS[name]()]
    print_figures(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
