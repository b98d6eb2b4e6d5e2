"""Charts as SVG, drawn here: no script, and each says in words and in a table what it shows."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup, escape

from cloudflux.api.display import display_bytes
from cloudflux.console import rows

WIDTH = 640
_TOP = 26
"""Room for the largest value above what is drawn."""
Writer = Callable[[float], str]
"""Writes a value with its unit."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing, its legend, and the same figures as a table."""

    drawing: Markup
    legend: tuple[tuple[str, str, str], ...] = ()
    """Class, name and value."""
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def stacked(values: Mapping[str, Mapping[str, int]], order: Sequence[str], title: str) -> Chart:
    """Draw bars of bytes by row, cut into parts; `order` names the parts and their colours."""
    colours = {"Hot": "t-hot", "Warm": "t-warm", "Cold": "t-cold"}
    biggest = max((sum(parts.values()) for parts in values.values()), default=0) or 1
    row_height, left = 46, 0
    pieces: list[str] = []
    for index, (name, parts) in enumerate(values.items()):
        y = index * row_height
        total = sum(parts.values())
        pieces.append(
            f'<text class="strong" x="{left}" y="{y + 12}">{escape(name)}</text>'
            f'<text x="{WIDTH}" y="{y + 12}" text-anchor="end">{display_bytes(total)}</text>'
        )
        x = float(left)
        for part in order:
            width = (WIDTH - left) * parts.get(part, 0) / biggest
            if width <= 0:
                continue
            shown = max(width - 1, 0.8)
            pieces.append(
                f'<rect class="{colours.get(part, "k6")}" x="{x:.1f}" y="{y + 18}" '
                f'width="{shown:.1f}" height="16" rx="2"/>'
            )
            x += width
    totals = {p: sum(parts.get(p, 0) for parts in values.values()) for p in order}
    said = "; ".join(
        f"{name}: " + ", ".join(f"{p} {display_bytes(parts[p])}" for p in order if parts.get(p))
        for name, parts in values.items()
    )
    used = [part for part in order if totals[part]]
    return Chart(
        _svg(pieces, row_height * max(len(values), 1) - 6, f"{title}. {said}"),
        tuple((colours.get(p, "k6"), p, display_bytes(totals[p])) for p in used),
        ("", *used),
        tuple(
            (name, *(display_bytes(parts.get(p, 0)) for p in used))
            for name, parts in values.items()
        ),
    )


def line(
    points: Sequence[tuple[dt.datetime, float]], title: str, unit: str, *, height: int = 150
) -> Chart:
    """Draw a value over time."""
    if len(points) < 2:
        return Chart(Markup(""))
    begin, end = points[0][0], points[-1][0]
    span = max((end - begin).total_seconds(), 1.0)
    top = max(value for _, value in points) or 1.0
    plot = height - 34

    def at(moment: dt.datetime, value: float) -> str:
        x = WIDTH * (moment - begin).total_seconds() / span
        return f"{x:.1f},{14 + plot * (1 - value / top):.1f}"

    path = "M" + " L".join(at(moment, value) for moment, value in points)
    area = f"{path} L{WIDTH},{14 + plot} L0,{14 + plot} Z"
    pieces = [
        f'<path class="band" d="{area}"/><path class="line" d="{path}"/>',
        f'<line class="axis" x1="0" x2="{WIDTH}" y1="{14 + plot}" y2="{14 + plot}"/>',
        f'<text x="0" y="10">{escape(_short(top))} {escape(unit)}</text>',
        f'<text x="0" y="{height - 4}">{_moment(begin, span)}</text>',
        f'<text x="{WIDTH}" y="{height - 4}" text-anchor="end">{_moment(end, span)}</text>',
    ]
    first, last = points[0][1], points[-1][1]
    said = f"{title}: from {_short(first)} to {_short(last)} {unit}, at most {_short(top)}"
    step = max(1, len(points) // 12)
    rows = tuple((_moment(m, span), f"{_short(v)} {unit}") for m, v in points[::step])
    return Chart(_svg(pieces, height, said), head=("Time", unit), rows=rows)


@dataclass(frozen=True, slots=True)
class Series:
    """One line of several."""

    name: str
    colour: str
    """A class of the style sheet."""
    values: Sequence[float]


def over_time(
    times: Sequence[dt.datetime], series: Sequence[Series], title: str, write: Writer,
    *, stacked: bool = False,
) -> Chart:  # fmt: skip
    """Draw several values over time: as lines, or as areas upon each other. `write`: a value."""
    shown = [one for one in series if any(one.values)]
    if len(times) < 2 or not shown:
        return Chart(Markup(""))
    span = max((times[-1] - times[0]).total_seconds(), 1.0)
    xs = [WIDTH * (moment - times[0]).total_seconds() / span for moment in times]
    floors = [0.0] * len(times)
    tops: list[list[float]] = []
    for one in shown:
        raised = [f + v for f, v in zip(floors, one.values, strict=True)]
        tops.append(raised)
        floors = raised if stacked else floors
    most = max(max(one) for one in tops) or 1.0
    height, plot = 182, 136

    def path(values: Sequence[float]) -> str:
        return " L".join(
            f"{x:.1f},{_TOP + plot * (1 - v / most):.1f}" for x, v in zip(xs, values, strict=True)
        )

    pieces = []
    below = path([0.0] * len(xs))
    for one, top in zip(shown, tops, strict=True):
        line_ = path(top)
        if stacked:
            back = " L".join(reversed(below.split(" L")))
            pieces.append(f'<path class="area {one.colour}" d="M{line_} L{back} Z"/>')
            below = line_
        else:
            pieces.append(f'<path class="stroke {one.colour}" d="M{line_}"/>')
    pieces += [
        f'<line class="axis" x1="0" x2="{WIDTH}" y1="{_TOP + plot}" y2="{_TOP + plot}"/>',
        f'<text x="0" y="14">{escape(write(most))}</text>',
        f'<text x="0" y="{height - 4}">{_moment(times[0], span)}</text>',
        f'<text x="{WIDTH}" y="{height - 4}" text-anchor="end">{_moment(times[-1], span)}</text>',
    ]
    said = "; ".join(
        f"{one.name}: from {write(one.values[0])} to {write(one.values[-1])}" for one in shown
    )
    step = max(1, len(times) // 12)
    return Chart(
        _svg(pieces, height, f"{title}. {said}"),
        tuple((one.colour, one.name, write(one.values[-1])) for one in shown),
        ("Time", *(one.name for one in shown)),
        tuple(
            (_moment(times[n], span), *(write(one.values[n]) for one in shown))
            for n in range(0, len(times), step)
        ),
    )


def compared(values: Sequence[tuple[str, float]], title: str, unit: str) -> Chart:
    """Draw a few amounts beside each other; the first is ours."""
    top = max((value for _, value in values), default=0.0) or 1.0
    write = amount(unit)
    pieces = []
    for index, (name, value) in enumerate(values):
        y = index * 42
        pieces.append(
            f'<text class="strong" x="0" y="{y + 12}">{escape(name)}</text>'
            f'<text x="{WIDTH}" y="{y + 12}" text-anchor="end">{escape(write(value))}</text>'
            f'<rect class="{"k1" if index == 0 else "k6"}" x="0" y="{y + 18}" '
            f'width="{max(WIDTH * value / top, 1):.1f}" height="14" rx="2"/>'
        )
    said = "; ".join(f"{name} {write(value)}" for name, value in values)
    rows = tuple((name, write(value)) for name, value in values)
    return Chart(_svg(pieces, 42 * max(len(values), 1) - 6, f"{title}. {said}"),
                 head=("", unit), rows=rows)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reads:
    """Reads that were seen, a week, and what is expected."""

    month_a_week: float
    week: int
    expected: int
    low: int
    high: int


def forecast(reads: Reads) -> Chart:
    """Draw reads a week: seen and expected, with the interval of 80 %."""
    top = max(reads.month_a_week, reads.week, reads.high, reads.expected, 1)
    height, plot, wide = 190, 130, 92
    bars = (
        ("a week, last 30 days", reads.month_a_week, "k6"),
        ("last 7 days", float(reads.week), "k1"),
        ("next 7 days, expected", float(reads.expected), "k3"),
    )
    pieces = [f'<line class="axis" x1="0" x2="{WIDTH}" y1="{plot + 20}" y2="{plot + 20}"/>']
    for index, (name, value, colour) in enumerate(bars):
        x = 60 + index * 210
        size = plot * value / top
        pieces.append(
            f'<rect class="{colour}" x="{x}" y="{plot + 20 - size:.1f}" width="{wide}" '
            f'height="{max(size, 1):.1f}" rx="3"/>'
            f'<text x="{x + wide / 2}" y="{plot + 38}" text-anchor="middle">{name}</text>'
            f'<text class="strong" x="{x - 8}" y="{max(plot + 24 - size, 30):.1f}" '
            f'text-anchor="end">{value:,.0f}</text>'
        )
    middle = 60 + 2 * 210 + wide / 2
    y1, y2 = (plot + 20 - plot * v / top for v in (reads.low, reads.high))
    ends = "".join(f" M{middle - 9} {y:.1f} L{middle + 9} {y:.1f}" for y in (y1, y2))
    pieces.append(f'<path class="whisker" d="M{middle} {y1:.1f} L{middle} {y2:.1f}{ends}"/>')
    aside = middle + wide / 2 + 8
    pieces.append(f'<text x="{aside}" y="{y2 + 4:.1f}">{reads.high:,}</text>')
    pieces.append(f'<text x="{aside}" y="{max(y1 + 4, y2 + 17):.1f}">{reads.low:,}</text>')
    said = (
        f"Reads a week. Last 30 days: {reads.month_a_week:,.0f} a week. Last 7 days: "
        f"{reads.week:,}. Expected in the next 7 days: {reads.expected:,}, in eight of ten cases "
        f"between {reads.low:,} and {reads.high:,}."
    )
    rows = (
        ("A week of the last 30 days", f"{reads.month_a_week:,.0f}"),
        ("Last 7 days", f"{reads.week:,}"),
        ("Next 7 days, expected", f"{reads.expected:,} ({reads.low:,} to {reads.high:,})"),
    )
    return Chart(_svg(pieces, height, said), head=("Span", "Reads"), rows=rows)


def daily(days: Sequence[tuple[dt.date, int]], title: str) -> Chart:
    """Draw reads by day as bars."""
    if not days:
        return Chart(Markup(""))
    top = max(value for _, value in days) or 1
    height, plot = 150, 110
    step = WIDTH / len(days)
    pieces = [
        f'<rect class="k1" x="{index * step:.2f}" y="{14 + plot * (1 - value / top):.1f}" '
        f'width="{max(step - 0.8, 0.6):.2f}" height="{plot * value / top:.1f}"/>'
        for index, (_, value) in enumerate(days)
        if value
    ]
    pieces += [
        f'<line class="axis" x1="0" x2="{WIDTH}" y1="{14 + plot}" y2="{14 + plot}"/>',
        f'<text x="0" y="10">{top:,} reads</text>',
        f'<text x="0" y="{height - 8}">{days[0][0]}</text>',
        f'<text x="{WIDTH}" y="{height - 8}" text-anchor="end">{days[-1][0]}</text>',
    ]
    total = sum(value for _, value in days)
    said = f"{title}: {total:,} reads from {days[0][0]} to {days[-1][0]}, at most {top:,} a day"
    rows = tuple((str(day), f"{value:,}") for day, value in days if value)[-31:]
    return Chart(_svg(pieces, height, said), head=("Day", "Reads"), rows=rows)


def _svg(pieces: Sequence[str], height: float, label: str) -> Markup:
    body = "".join(pieces)  # names were escaped where they were put in
    head = f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(label)}">'
    return Markup(f"{head}{body}</svg>")  # noqa: S704


def amount(unit: str) -> Writer:
    """Return what writes amounts of a currency."""
    return lambda value: f"{rows.amount(value)} {unit}"


def size(value: float) -> str:
    """Write bytes."""
    return display_bytes(round(value))


def _short(value: float) -> str:
    if value and abs(value) < 0.1:
        return f"{Decimal(value):.3g}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _moment(moment: dt.datetime, span_seconds: float) -> str:
    return f"{moment:%H:%M}" if span_seconds < 86_400 else f"{moment:%d %b}"
