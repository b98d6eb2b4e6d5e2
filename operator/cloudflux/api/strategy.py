"""How a tier is chosen."""

from enum import StrEnum


class Strategy(StrEnum):
    """How a tier is chosen."""

    RULES = "Rules"
    COST_OPTIMAL = "CostOptimal"
    PREDICTIVE = "Predictive"
