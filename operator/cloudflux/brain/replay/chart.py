"""The chart of a backtest: money spent so far by day, and each policy against the optimum."""

from pathlib import Path

import numpy as np

from cloudflux.brain.replay.backtest import Result
from cloudflux.errors import ConfigurationError

FORMATS = (".png", ".svg")
_LOSING = 3.0
"""Policies dearer than so many optima would hide the others; they are named instead."""


def write_chart(path: Path, result: Result) -> None:
    """Draw the result as PNG or SVG, by the file's ending. Raises ConfigurationError."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"--chart {path}: the file must end in {' or '.join(FORMATS)}")
    try:  # heavy, and needed by few: an extra of its own, which the image has not
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigurationError(
            "--chart needs matplotlib, which is not installed here: pip install "
            "'cloudflux-operator[charts]', or leave --chart out and draw what --json writes"
        ) from error

    figure = Figure(figsize=(11, 5), layout="constrained")
    FigureCanvasAgg(figure)
    spent, bars = figure.subplots(1, 2, width_ratios=(3, 2))
    shown = [line for line in result.lines if 0 < line.ratio_to_optimum <= _LOSING]
    days = np.datetime64(result.trace.decide_from, "D") + np.arange(
        result.trace.until - result.trace.decide_from + 1
    )
    for line in shown:
        bill = result.bills.get(line.policy)
        if bill is not None:
            width = 2.5 if line.policy == result.strategy else 1.0
            spent.plot(days, np.cumsum(bill.by_day), label=line.policy, linewidth=width)
    spent.set_title("Spent so far")
    spent.set_ylabel(result.fees.currency)
    spent.legend(fontsize=8)
    spent.tick_params(axis="x", rotation=30)
    names = [line.policy for line in shown]
    colours = ["tab:blue" if name == result.strategy else "lightgrey" for name in names]
    drawn = bars.barh(names, [line.ratio_to_optimum for line in shown], color=colours)
    bars.bar_label(drawn, fmt="%.3f", fontsize=8)
    bars.set_xlim(left=0.9)
    bars.invert_yaxis()
    bars.set_title("Cost ÷ offline optimum")
    left_out = [line.policy for line in result.lines if line.ratio_to_optimum > _LOSING]
    if left_out:
        bars.set_xlabel(f"over {_LOSING:g}, not shown: {', '.join(left_out)}", fontsize=7)
    figure.suptitle(f"Prices as of {result.fees.as_of}")
    figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)
