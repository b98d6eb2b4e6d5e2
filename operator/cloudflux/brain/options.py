"""Every option of every object priced: staying, and each candidate class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.brain import cost
from cloudflux.brain.demand import DAILY_CAP, Demand
from cloudflux.brain.inputs import Objects
from cloudflux.brain.plan import HORIZON_DAYS, running_cost
from cloudflux.brain.policy import Candidate, same_class
from cloudflux.brain.prices import PriceTable

Array = npt.NDArray[np.float64]

MOST_CERTAIN_PERCENT = 99.0
"""A distribution of twenty parts knows no more, and no history proves the future."""
_ROWS_AT_A_TIME = 20_000


@dataclass(frozen=True, slots=True)
class Options:
    """Money over the horizon; rows of the matrices are candidates, columns objects."""

    stay: Array
    running: Array
    one_off: Array
    win_percent: Array
    """How likely it is that the true rate of reads makes the candidate cheaper than staying."""
    reads_per_day: Array
    """Expected by object, the forecast included."""
    possible: npt.NDArray[np.bool_]
    """False where the candidate is where the object already is."""

    @property
    def total(self) -> Array:
        """Running cost and the cost of getting there."""
        return self.running + self.one_off


def price_options(
    table: PriceTable,
    candidates: Sequence[Candidate],
    objects: Objects,
    demand: Demand,
    forecast: Array | None,
    forecast_days: int = 7,
) -> Options:
    """Price every object in every candidate class. Raises PriceUnknown.

    `forecast` are the reads of the first `forecast_days`, by object.
    """
    shape = (len(candidates), len(objects))
    options = Options(
        stay=np.zeros(len(objects)),
        running=np.zeros(shape),
        one_off=np.zeros(shape),
        win_percent=np.zeros(shape),
        reads_per_day=np.zeros(len(objects)),
        possible=np.zeros(shape, dtype=np.bool_),
    )
    for name, of_class in cost.by_class(objects.storage_class).items():
        for start in range(0, len(of_class), _ROWS_AT_A_TIME):
            rows = of_class[start : start + _ROWS_AT_A_TIME]
            ahead = None if forecast is None else forecast[rows]
            rates, chance = demand.rates(rows)
            likely = _with_forecast(rates, ahead, forecast_days)
            options.reads_per_day[rows] = (likely * chance).sum(axis=0)
            _price_rows(table, candidates, name, rows, objects, demand, likely, chance, options)
    return options


def _price_rows(
    table: PriceTable,
    candidates: Sequence[Candidate],
    name: str,
    rows: npt.NDArray[np.intp],
    objects: Objects,
    demand: Demand,
    rates: Array,
    chances: Array,
    options: Options,
) -> None:
    size, held = objects.size_bytes[rows], objects.days_in_class[rows]
    idle = np.minimum(demand.idle_days[rows], held)
    stay = running_cost(table, name, size, rates, idle)
    options.stay[rows] = (stay * chances).sum(axis=0)
    for position, candidate in enumerate(candidates):
        if same_class(candidate.name, name):
            options.running[position, rows] = options.stay[rows]
            continue
        one_off = cost.class_change(table, name, candidate.name, size, held)
        running = running_cost(table, candidate.name, size, rates, np.zeros_like(size))
        options.running[position, rows] = (running * chances).sum(axis=0)
        options.one_off[position, rows] = one_off
        cheaper = running + one_off < stay
        sure = 100.0 * (cheaper * chances).sum(axis=0)
        options.win_percent[position, rows] = np.minimum(sure, MOST_CERTAIN_PERCENT)
        options.possible[position, rows] = True


def _with_forecast(rates: Array, forecast: Array | None, days: int) -> Array:
    """Let the forecast speak for the start of the horizon, the long-run rate for the rest."""
    if forecast is None:
        return rates
    start = np.minimum(forecast, DAILY_CAP * days)
    return (start + rates * (HORIZON_DAYS - days)) / HORIZON_DAYS
