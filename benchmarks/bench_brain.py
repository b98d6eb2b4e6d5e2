"""The deciding, measured: `make bench-brain`, or one part by its name.

Parts: `speed` (decisions and memory), `optimum` (the dynamic programme), `kinds` (money on a
synthetic history of each kind), `trace` (money on the recorded trace) and `forecast` (the classes
of the next week on it); the last two are skipped, with the reason, where `CLOUDFLUX_TRACES` names
no directory with it.
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
from cloudflux.brain.replay.evaluation import as_text, evaluate
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


def made_up(objects: int, days: int) -> tuple[list[str], RawReads]:
    """Objects with rates from a gamma distribution: most are hardly ever read."""
    random = np.random.default_rng(SEED)
    rate = random.gamma(0.2, 0.05, objects)
    count = random.poisson(rate * days)
    row = np.repeat(np.arange(objects, dtype=np.int32), count)
    day = random.integers(0, days, len(row)).astype(np.float64)
    none = np.full(len(row), np.nan)
    names = [f"data/{n:07d}" for n in range(objects)]
    return names, RawReads(row, day, np.ones(len(row)), none, none, none)


def cleaned(rows: tuple[list[str], RawReads], days: int, decide_from: int) -> Trace:
    """Make a trace of rows, every object 0.1 GB and there from the first day on."""
    names, raw = rows
    return build_trace(
        names,
        np.full(len(names), 1e8),
        np.zeros(len(names)),
        raw,
        train_from=0,
        decide_from=decide_from,
        until=days - 1,
    )


def speed() -> list[Figure]:
    """Decide once for every object, from rows of reads to reasons in words.

    Cleaning the rows is timed, too; reading them from a store is not.
    """
    objects, days = 1_000_000, 365
    table = load_table("s3", "us-east-1")
    model = train(cleaned(made_up(20_000, days), days, days - 1), days - 1, seed=0)
    if model is None:
        raise RuntimeError("the synthetic history must be enough to learn from")
    rows = made_up(objects, days)
    started, worked = time.perf_counter(), time.process_time()
    trace = cleaned(rows, days, days - 1)
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
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{0 if moves is None else len(moves)} moves of {objects} objects, {len(trace.row)} rows")
    return [
        Figure("deciding 1M objects from 365 days", seconds, "s", aim=20.0),
        Figure("processor time of deciding 1M objects", worked, "s"),
        Figure("memory of deciding 1M objects", memory, "GiB", aim=2.0),
    ]


def optimum() -> list[Figure]:
    """The exact optimum of 50,000 objects over 730 days."""
    trace = cleaned(made_up(50_000, 730), 730, 0)
    fees = build_fees(load_table("s3", "us-east-1"), CLASSES, trace.size_bytes)
    started, worked = time.perf_counter(), time.process_time()
    offline_optimum(trace, fees)
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    return [
        Figure("offline optimum of 50,000 objects x 730 days", seconds, "s", aim=120.0),
        Figure("processor time of the offline optimum", worked, "s"),
    ]


def kinds() -> list[Figure]:
    """Money on synthetic histories of every kind: never much dearer than the automatic class."""
    table = load_table("s3", "us-east-1")
    found, ratios = [], []
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
        ratios.append([each.ratio_to_optimum for each in (ours, automatic, idle)])
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
    mean, of_automatic, of_idle = np.mean(ratios, axis=0).tolist()
    name = "cost / optimum, mean over the kinds"
    return [
        *found,
        Figure(name, mean, "x", 1.15, of_automatic),
        Figure(
            "gap of idle 30/90 closed",
            100 * (of_idle - mean) / (of_idle - 1),
            "%",
            50.0,
            floor=True,
        ),
    ]


def trace() -> list[Figure]:
    """Money on the recorded trace, thinned: the predictive policy beside the automatic class."""
    directory = _recorded_in("trace")
    if directory is None:
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


def forecast() -> list[Figure]:
    """The classes of the next week on the whole recorded trace, at four origins."""
    directory = _recorded_in("forecast")
    if directory is None:
        return []
    result = evaluate(recorded(directory, 1.0))
    print(as_text(result))
    forest = next(each for each in result.week if each.forecaster.startswith("random forest"))
    return [
        Figure("accuracy of next week's class, mean", forest.accuracy, "", 0.85, floor=True),
        Figure("accuracy, worst origin", forest.worst_accuracy, "", 0.8, floor=True),
        Figure("balanced accuracy", forest.balanced_accuracy, "", 0.79, floor=True),
    ]


def _recorded_in(part: str) -> Path | None:
    directory = Path(os.environ.get("CLOUDFLUX_TRACES", "/nowhere")) / "ksp-ckan"
    if (directory / "reads.parquet").exists():
        return directory
    print(f"{part}: skipped, CLOUDFLUX_TRACES names no directory with ksp-ckan/reads.parquet")
    return None


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


PARTS = {
    "speed": speed,
    "optimum": optimum,
    "kinds": kinds,
    "trace": trace,
    "forecast": forecast,
}


def main(names: list[str]) -> int:
    """Measure all parts, or those that are named."""
    figures = [figure for name in names or PARTS for figure in PARTS[name]()]
    print_figures(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
