"""Decisions of a day must not change when what comes after it changes."""

import numpy as np
import pytest
from tests.unit.replay.histories_for_tests import CLASSES, TABLE

from cloudflux.brain.replay.backtest import strategy_policy
from cloudflux.brain.replay.fees import build_fees
from cloudflux.brain.replay.ledger import Replayer
from cloudflux.brain.replay.trace import RawReads, build_trace

TRAIN, DECIDE, UNTIL = 0, 420, 640


class World:
    """Plain columns, so that the future can be rewritten before anything is cleaned."""

    def __init__(self, seed=3, objects=100):
        random = np.random.default_rng(seed)
        self.ids = np.array([f"plug-{n // 5}-{n % 5}.zip" for n in range(objects)])
        self.born = np.where(random.random(objects) < 0.3, 0, random.integers(0, UNTIL, objects))
        self.size = np.where(random.random(objects) < 0.1, np.nan, 1e8)
        # what dies does so for good: clear enough a case for a rule to be let decide
        dies = self.born + random.exponential(40, objects)
        rate = random.gamma(2.0, 0.5, objects)
        reads = random.poisson(rate[:, None], (objects, UNTIL + 1))
        row, day = np.nonzero(reads)
        real = (day >= self.born[row]) & (day < dies[row])
        self.row, self.day = row[real], day[real]
        self.reads = reads[self.row, self.day]
        late = np.where(random.random(len(self.row)) < 0.1, random.integers(0, 9, len(self.row)), 0)
        self.seen = self.day + late

    def decisions(self, *, until=UNTIL, objects=None, rows=None, extra=()):
        keep = np.ones(len(self.ids), bool) if objects is None else objects
        place = np.cumsum(keep) - 1
        rows = np.ones(len(self.row), bool) if rows is None else rows
        rows = rows & keep[self.row]
        table = np.column_stack([place[self.row], self.day, self.reads, self.seen])[rows]
        more = [(place[o], d, c, d) for o, d, c in extra if keep[o]]
        table = np.vstack([table, np.array(more).reshape(-1, 4)]).astype(float)
        nothing = np.full(len(table), np.nan)
        trace = build_trace(
            self.ids[keep],
            self.size[keep],
            self.born[keep].astype(float),
            RawReads(table[:, 0].astype(np.int32), *table[:, 1:].T, nothing, nothing),
            train_from=TRAIN,
            decide_from=DECIDE,
            until=until,
        )
        fees = build_fees(TABLE, CLASSES, trace.known_size_bytes)
        policy = strategy_policy("predictive", trace, fees, 0)
        moves = Replayer(trace, fees).run(policy).moves
        listed = zip(
            trace.ids[moves.row].tolist(),
            moves.day.tolist(),
            moves.target.tolist(),
            moves.reason.tolist(),
            strict=True,
        )
        return set(listed), policy


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def whole(world):
    moves, policy = world.decisions()
    assert any(epoch.verdict.chosen for epoch in policy.epochs), "no rule ever decides here"
    assert len({target for _, _, target, _ in moves}) > 1
    return moves


def before(moves, day):
    return {move for move in moves if move[1] < day}


@pytest.mark.slow
@pytest.mark.parametrize("cut", [560])
def test_a_history_that_ends_earlier_gives_the_same_decisions(world, whole, cut):
    moves, _ = world.decisions(until=cut)
    assert before(moves, cut) == before(whole, cut)


@pytest.mark.slow
@pytest.mark.parametrize("cut", [470])
def test_another_future_gives_the_same_decisions(world, whole, cut):
    random = np.random.default_rng(cut)
    adversary = [
        (int(o), int(d), 10_000)
        for o in range(0, len(world.ids), 3)
        for d in random.integers(max(cut, world.born[o]), UNTIL + 1, 3)
    ]
    moves, _ = world.decisions(rows=world.seen < cut, extra=adversary)
    assert before(moves, cut) == before(whole, cut)
    assert moves != whole


@pytest.mark.slow
@pytest.mark.parametrize("cut", [500])
def test_objects_that_are_not_born_yet_change_nothing(world, whole, cut):
    moves, _ = world.decisions(objects=world.born < cut)
    assert before(moves, cut) == before(whole, cut)
