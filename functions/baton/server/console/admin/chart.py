"""Bars of a chart: stacked by series, over the hours of the last day, over days or months. Pure.

Invariant: a chart draws exactly the values of the table below it. Must not: know markup.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from baton.server.console.shown import HOUR_MS, clock

HEIGHT = 96
MOST_SERIES = 5
REST = "all others"
_GAP = 0.15


class Bar(NamedTuple):
    """A piece of a bar: its place in per cent of the width and in pixels from the top. `kind`: of its series."""

    kind: int
    x: float
    width: float
    y: float
    height: float
    text: str


class Chart(NamedTuple):
    """A chart. `most`: the value of its full height; `ticks`: places with a text below."""

    title: str
    most: str
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    summary: str


Values = Mapping[tuple[str, str], float]  # by period and series


def largest(totals: Mapping[str, float]) -> list[str]:
    """Return the series to draw: the largest ones by name, which keeps their colours, and the others as one."""
    names = sorted(totals, key=lambda name: (-totals[name], name))
    return sorted(names) if len(names) <= MOST_SERIES + 1 else [*sorted(names[:MOST_SERIES]), REST]


def stacked(
    title: str, periods: Sequence[str], series: Sequence[str], values: Values, shown: Callable[[float], str]
) -> Chart:
    """Draw a bar for each period, made of its series. `shown`: formats a value."""
    sums = {period: sum(values.get((period, name), 0) for name in series) for period in periods}
    most, width = max(sums.values(), default=0) or 1, 100 / max(1, len(periods))
    bars: list[Bar] = []
    for at, period in enumerate(periods):
        top = float(HEIGHT)
        for kind, name in enumerate(series):
            height = HEIGHT * values.get((period, name), 0) / most
            if height:
                top -= height
                text = f"{period}, {name}: {shown(values[period, name])}"
                bars.append(
                    Bar(kind, round(at * width, 2), round(width * (1 - _GAP), 2), round(top, 2), round(height, 2), text)
                )
    total, places = shown(sum(sums.values())), sorted({0, len(periods) // 2, len(periods) - 1}) if periods else []
    ticks = tuple((round(at * width, 2), periods[at]) for at in places)
    summary = f"{title}: {total} in all, at most {shown(most if any(sums.values()) else 0)} in one"
    return Chart(title, shown(most) if any(sums.values()) else "", tuple(bars), ticks, summary)


def day_chart(came: Mapping[str, Mapping[int, int]], now_ms: int) -> Chart:
    """Draw the last 24 hours: of each status how many jobs have it, by when they `came`."""
    hours = [clock(now_ms - ago * HOUR_MS)[:2] + ":00" for ago in reversed(range(24))]
    values = Counter[tuple[str, str]]()
    for name, counts in came.items():
        for at_ms, count in counts.items():
            values[clock(at_ms)[:2] + ":00", name] += count
    return stacked("Jobs by the hour in which they came, UTC", hours, list(came), values, lambda value: f"{value:,.0f}")
