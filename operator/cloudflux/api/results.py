"""What deciding was worth: replayed over the past, and since moves were made or only advised."""

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, computed_field

from cloudflux.api.common import Money, StatusPart
from cloudflux.api.strategy import Strategy

Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", max_length=10)]


class SavingsMethod(StrEnum):
    """Where a saving is known from."""

    PLANNED = "Planned"
    MODELLED = "Modelled"
    BILLED = "Billed"


class ReplayStatus(StatusPart):
    """What the recent past would have cost, all fees of all moves included."""

    made_at: dt.datetime = Field(description="When the replay was made.")
    first_day: Day = Field(description="First day that was replayed.")
    last_day: Day = Field(description="Last day that was replayed.")
    objects: int = Field(ge=0, description="Objects replayed; of a large data set a part.")
    of_objects: int = Field(ge=0, description="Objects that there were.")
    strategy: Strategy = Field(description="The strategy replayed, which decides now.")
    cost: Money = Field(description="Under the strategy.")
    always_hot_cost: Money = Field(description="With everything in the base class.")
    automatic_class_cost: Money | None = Field(
        default=None,
        description="In the provider's automatic class; absent: the policy does not name one.",
    )
    optimum_cost: Money = Field(
        description="With every read known in advance: no policy can cost less."
    )

    @computed_field(description="The same in words.")  # type: ignore[prop-decorator]
    @property
    def summary(self) -> Annotated[str, Field(max_length=256)]:
        """The same in words."""
        said = [f"{self.strategy} cost {_times(self.cost, self.always_hot_cost)} of always-hot"]
        if self.automatic_class_cost is not None:
            said.append(f"{_times(self.cost, self.automatic_class_cost)} of the automatic class")
        said.append(f"{_times(self.cost, self.optimum_cost)} of the optimum")
        return f"{', '.join(said)}; {self.first_day} to {self.last_day}"


class OutcomeStatus(StatusPart):
    """What advice was worth by the reads that really came: replayed with the moves and without."""

    method: SavingsMethod = Field(
        default=SavingsMethod.MODELLED,
        description="Modelled: by replay at present prices, not by the provider's bill.",
    )
    since: Day = Field(description="The first move that is counted, or the oldest open advice.")
    until: Day = Field(description="The last day that is counted.")
    objects: int = Field(ge=0, description="Objects that were moved as advised.")
    objects_gone: int = Field(
        default=0, ge=0, description="Of them deleted since; their savings are not counted."
    )
    objects_open: int = Field(default=0, ge=0, description="Objects whose move is advised.")
    promised: Money = Field(
        description="What the moves were to save from `since` to `until`, fees aside."
    )
    realised: Money = Field(description="What they saved in that time, fees aside.")
    fees: Money = Field(description="What the moves themselves cost.")
    promised_per_month: Money = Field(
        description="What the moves were to save a month, over the 180 days from each."
    )
    realised_per_month: Money = Field(
        description="The same in the proportion in which the promise was kept so far."
    )
    missed: Money = Field(
        description=(
            "What open advice would have saved by now, had it been followed at once; below 0 it "
            "was as well that it was not."
        )
    )


class BilledStatus(StatusPart):
    """What an imported bill says: the same amounts in the base class, less what was billed."""

    savings_per_month: Money = Field(description="Saved a month, over the days of the bill.")
    currency: str = Field(max_length=3, description="Currency of the bill.")
    since: Day = Field(description="First day of the bill.")
    until: Day = Field(description="Last day of the bill.")


def _times(cost: str, other: str) -> str:
    return f"{Decimal(cost) / Decimal(other):.2f}" if Decimal(other) else "1.00"
