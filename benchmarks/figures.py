"""A figure that was measured, with what it is held against."""

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `aim` is the most that it may be; a peer's value gives a ratio.

    With `least`, the aim is the least that the ratio to the peer may be; with `floor`, the least
    that the value itself may be.
    """

    name: str
    value: float
    unit: str
    aim: float | None = None
    peer: float | None = None
    least: bool = False
    floor: bool = False

    @property
    def ratio(self) -> float | None:
        """The value by the peer's; None without one."""
        return None if not self.peer else self.value / self.peer

    @property
    def holds(self) -> bool | None:
        """Whether the aim is reached; None without one."""
        if self.aim is None:
            return None
        if self.least:
            return self.ratio is not None and self.ratio >= self.aim
        return self.value >= self.aim if self.floor else self.value <= self.aim

    def as_json(self) -> str:
        """One line for programs."""
        ratio = None if self.ratio is None else round(self.ratio, 4)
        return json.dumps(
            {
                "figure": self.name.strip(),
                "value": round(self.value, 3),
                "unit": self.unit,
                "peer": self.peer,
                "ratio": ratio,
                "aim": self.aim,
                "holds": self.holds,
            }
        )


def print_figures(figures: Sequence[Figure]) -> None:
    """Print a table for people, then JSON lines."""
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        aim = "" if figure.aim is None else f"aim {figure.aim:g}"
        held = {None: "", True: "holds", False: "MISSED"}[figure.holds]
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} x"
        line = (
            f"{figure.name:{width}}  {figure.value:10.2f} {figure.unit:9} {ratio:8} {aim:10} {held}"
        )
        print(line.rstrip())
    print()
    for figure in figures:
        print(figure.as_json())
