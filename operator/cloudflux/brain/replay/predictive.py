"""The predictive policy: forecast → threshold rule → gate by replay.

Every 120 days a model is trained on what is known, and the rule is chosen that would have been
cheapest over the last 400 days with the forecasts that were then possible. Unless a rule is
clearly better than leaving objects in their home class, they stay there.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.brain.replay.baselines import cheaper_classes
from cloudflux.brain.replay.fees import Fees
from cloudflux.brain.replay.gate import Gate, Verdict
from cloudflux.brain.replay.histories import Histories
from cloudflux.brain.replay.learning import Forecaster, train
from cloudflux.brain.replay.ledger import Moves, State
from cloudflux.brain.replay.rule import Scores, ThresholdRule, Thresholds
from cloudflux.brain.replay.trace import Trace

EPOCH_DAYS = 120
GATE_DAYS = 400
_OBJECTS_DAILY = 1_500
"""With more objects than this they are looked at less often than daily."""
_ROWS_AT_A_TIME = 100_000
ENTER = (0.125, 0.25, 0.35, 0.5, 0.9)
LEAVE = (1.5, 4.0)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What was decided at one retraining."""

    day: int
    trained: bool
    verdict: Verdict

    def in_words(self, names: tuple[str, ...]) -> str:
        """Say what was decided and why."""
        day = np.datetime64(self.day, "D")
        if not self.trained:
            return f"{day}: too little history to learn from; objects stay in their home class"
        if self.verdict.chosen is None:
            return (
                f"{day}: no rule was clearly cheaper in the {self.verdict.days} days replayed; "
                "objects stay in their home class"
            )
        rule = self.verdict.chosen
        return (
            f"{day}: {names[rule.cold]} below {rule.enter:g} x and home above {rule.leave:g} x the "
            f"break-even would have saved at least {100 * self.verdict.advantage:.2g} % in "
            f"{self.verdict.days} days"
        )


class Predictive:
    """Decides day by day, knowing nothing of later days."""

    def __init__(
        self, trace: Trace, fees: Fees, *, seed: int = 0, model: Forecaster | None = None
    ) -> None:
        self._trace, self._fees, self._seed = trace, fees, seed
        self._given = model
        self.class_names = fees.names
        self._scores = Scores()
        self._walk = Histories(trace)
        self._rule = ThresholdRule(fees, self._scores, trace.known_size_bytes)
        self._forecaster: Forecaster | None = None
        self.start = Verdict(None)
        """The rule of the first day, when everything is still in the base class."""
        self.epochs: list[Epoch] = []
        self._look_back()

    def __call__(self, state: State) -> Moves | None:
        """Decide at the end of a day."""
        if (state.day - self._trace.decide_from) % EPOCH_DAYS == 0:
            self._retrain(state.day)
            gate = Gate(self._trace, self._fees, self._scores, state.day, GATE_DAYS)
            verdict = gate.going_on(self._candidates())
            self._rule.thresholds = verdict.chosen
            if not self.epochs:
                self.start = gate.starting(self._candidates(), verdict.chosen)
            self.epochs.append(Epoch(state.day, self._forecaster is not None, verdict))
            self._scores.forget(state.day - GATE_DAYS)
        first_day = state.day == self._trace.decide_from
        self._rule.first = self.start.chosen if first_day else self._rule.thresholds
        return self._rule(state)

    def expected_on(self, day: int) -> npt.NDArray[np.float32] | None:
        """Return the reads that were expected on a day for the next 60; None without a model."""
        return self._scores.on(day)

    @property
    def forecaster(self) -> Forecaster | None:
        """The model in use now; None where there is too little to learn from."""
        return self._forecaster

    def in_words(self) -> tuple[str, ...]:
        """Say what was decided on the first day and at each retraining, and why."""
        first = self.start.chosen
        said = [epoch.in_words(self.class_names) for epoch in self.epochs]
        if first is not None:
            day = np.datetime64(self._trace.decide_from, "D")
            cold = self.class_names[first.cold]
            said.insert(
                0, f"{day}, the first day: {cold} below {first.enter:g} x the break-even, else home"
            )
        return tuple(said)

    def _candidates(self) -> list[Thresholds]:
        coldest = cheaper_classes(self._fees)[-1:]
        return [
            Thresholds(cold, enter, leave) for cold in coldest for enter in ENTER for leave in LEAVE
        ]

    def _look_back(self) -> None:
        """Forecast the time before the first decision as it could have been forecast then."""
        start = self._trace.decide_from
        epochs = range(-(GATE_DAYS // EPOCH_DAYS) - 1, 0)
        for number in epochs:
            begin = start + number * EPOCH_DAYS
            if begin <= self._trace.train_from:
                continue
            self._retrain(begin)

    def _retrain(self, day: int) -> None:
        """Train at the end of a day, and forecast each day until the next training.

        The forecast of a day takes in nothing that became known later.
        """
        born = int((self._trace.first_day <= day).sum())
        stride = min(max(born // _OBJECTS_DAILY, 1), 7)
        if self._given is not None and self._given.trained_until <= day:
            self._forecaster = self._given
        else:
            # the gate must not be shown forecasts by a model that has seen what came
            self._forecaster = train(self._trace, day, seed=self._seed) or self._forecaster
        if self._forecaster is None:
            return
        last = min(day + EPOCH_DAYS, self._trace.until + 1)
        days = [each for each in range(day, last) if each % stride == 0]
        at_a_time = max(_ROWS_AT_A_TIME // max(born, 1), 1)
        for first in range(0, len(days), at_a_time):
            self._score(days[first : first + at_a_time], self._forecaster)

    def _score(self, days: list[int], forecaster: Forecaster) -> None:
        found, rows = [], []
        for day in days:
            self._walk.advance(day)
            born = np.flatnonzero(self._trace.first_day <= day)
            found.append(born)
            rows.append(self._walk.features(born))
        expected = forecaster.expected_reads(np.concatenate(rows))
        begin = 0
        for day, born in zip(days, found, strict=True):
            column = np.full(len(self._trace), np.nan, dtype=np.float32)
            column[born] = expected[begin : begin + len(born)]
            begin += len(born)
            self._scores.put(day, column)
