"""HOT, WARM or COLD by rules, with the probability that the class is the right one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.api.common import Tier
from cloudflux.api.dataset import Temperature
from cloudflux.api.tieringpolicy import Rules
from cloudflux.brain.demand import Demand

Array = npt.NDArray[np.float64]

TIERS = (Tier.HOT, Tier.WARM, Tier.COLD)
HOT, WARM, COLD = range(3)
_AHEAD_DAYS = 30


@dataclass(frozen=True, slots=True)
class Classes:
    """The class of every object, as an index into TIERS, and its confidence in percent."""

    tier: npt.NDArray[np.int8]
    confidence_percent: Array


def classify(demand: Demand, rules: Rules) -> Classes:
    """Apply the rules: reads in a week make hot, reads in a month or a short idle time warm.

    Cold is what was idle for long enough. The confidence is the probability, given what was
    seen, that the coming month fits the class.
    """
    hot = demand.reads_7d >= rules.hot_min_reads_per_week
    warm = (demand.reads_30d >= rules.warm_min_reads_per_month) | (
        demand.idle_days < rules.cold_min_idle_days
    )
    tier = np.where(hot, HOT, np.where(warm, WARM, COLD)).astype(np.int8)
    is_hot = demand.probability_rate_at_least(rules.hot_min_reads_per_week / 7)
    is_cold = demand.probability_silent(_AHEAD_DAYS)
    is_warm = np.maximum(1.0 - is_hot - is_cold, 0.0)
    total = is_hot + is_warm + is_cold
    chosen = np.choose(tier, [is_hot, is_warm, is_cold]) / total
    return Classes(tier, np.clip(100.0 * chosen, 0.0, 100.0))


def data_set_temperature(
    classes: Classes, size_bytes: Array, *, fresh: bool
) -> tuple[Temperature, int | None]:
    """Return the temperature of most bytes, and its confidence in percent.

    The confidence is the share of bytes in that class times how sure they are. Without a fresh
    signal, or without objects, it is Unknown and has no confidence: no signal is not coldness.
    """
    if not fresh or not size_bytes.size:
        return Temperature.UNKNOWN, None
    # An empty object weighs a byte, so that a data set of empty objects has a temperature too.
    weight = np.maximum(size_bytes, 1.0)
    shares = np.bincount(classes.tier, weights=weight, minlength=len(TIERS))
    main = int(np.argmax(shares))
    sure = float((weight * classes.confidence_percent)[classes.tier == main].sum())
    return Temperature(TIERS[main].value), round(sure / float(weight.sum()))
