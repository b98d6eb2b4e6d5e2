"""A figure that was measured, with what it is held against."""

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `aim` is the most that it may be; a peer's value gives a ratio."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    peer: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the aim is reached; None without one."""
        return None if self.aim is None else self.value <= self.aim

    def as_json(self) -> str:
        """One line for programs."""
        ratio = None if self.peer is None else round(self.value / self.peer, 4)
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
        line = f"{figure.name:{width}}  {figure.value:10.2f} {figure.unit:7} {aim:10} {held}"
        print(line.rstrip())
    print()
    for figure in figures:
        print(figure.as_json())
