"""Bars of a chart: stacked by series over days or months, or one for each minute of the last hours. Pure.

Invariant: a chart draws exactly the values of the table below it. Must not: know markup.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from baton.engine.all_jobs.samples import KEPT_MS, MINUTE_MS, Sample
from baton.server.console.shown import clock

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
    """Return the series to draw: the largest ones, and the others as one."""
    names = sorted(totals, key=lambda name: (-totals[name], name))
    return names if len(names) <= MOST_SERIES + 1 else [*names[:MOST_SERIES], REST]


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
                    Bar(kind, _round(at * width), _round(width * (1 - _GAP)), _round(top), _round(height), text)
                )
    total = shown(sum(sums.values()))
    summary = f"{title}: {total} in all, at most {shown(most if any(sums.values()) else 0)} in one"
    return Chart(title, shown(most) if any(sums.values()) else "", tuple(bars), _ticks(periods, width), summary)


def _ticks(periods: Sequence[str], width: float) -> tuple[tuple[float, str], ...]:
    places = sorted({0, len(periods) // 2, len(periods) - 1}) if periods else []
    return tuple((_round(at * width), periods[at]) for at in places)


def history_chart(samples: Iterable[Sample], now_ms: int) -> Chart:
    """Draw running jobs and jobs in line, a bar for each minute with a sample."""
    known = list(samples)
    most = max((each.active + each.pending for each in known), default=0) or 1
    first_ms, width = now_ms - KEPT_MS, 100 * MINUTE_MS / KEPT_MS
    bars: list[Bar] = []
    for each in known:
        top, x = float(HEIGHT), _round(100 * (each.at_ms - first_ms) / KEPT_MS)
        for kind, number, what in ((0, each.active, "at work"), (1, each.pending, "in line")):
            height = HEIGHT * number / most
            if height:
                top -= height
                text = f"{clock(each.at_ms)}: {number} {what}"
                bars.append(Bar(kind, min(x, 100 - width), _round(width), _round(top), _round(height), text))
    ticks = tuple((_round(100 * part / 3), clock(first_ms + part * KEPT_MS // 3)[:5]) for part in range(3))
    busiest = max((each.pending for each in known), default=0)
    summary = f"Jobs at work and in line in the last six hours: at most {most} together, {busiest} in line"
    return Chart("Jobs at work and in line", str(most), tuple(bars), ticks, summary)


def _round(value: float) -> float:
    return round(value, 2)
