"""Usage charts by day or month, filtered and stacked by agent, tenant or model; months, overhead, prices."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from starlette.responses import Response

from baton.engine.all_jobs.days import DAYS_KEPT, DayUsed, day_of, days_up_to
from baton.server.api.admin.usage import UsageQuery, monthly_usage, periods_of, usage_and_cost
from baton.server.console.admin.chart import REST, Chart, largest, stacked
from baton.server.console.gate import Visit
from baton.server.console.shown import number, usd
from baton.settings.service_prices import Prices

SERIES = ("agent", "tenant", "model")
WINDOWS = {"30": 30, "90": 90}
_MEASURES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("cost", "Cost", usd),
    ("tokens", "Tokens", lambda value: number(int(value))),
    ("jobs", "Jobs", lambda value: number(int(value))),
    ("failed", "Failures", lambda value: number(int(value))),
)


async def show(visit: Visit) -> Response:
    used = await monthly_usage(visit.container, UsageQuery())
    rows = sorted(used["tenants"], key=lambda row: (-row["cost"]["totalUsd"], row["tenant"]))
    rows.sort(key=lambda row: row["month"], reverse=True)
    over_time = await _over_time(visit)
    return visit.page("usage.html", rows=rows, overhead=used["overhead"], prices=used["prices"], **over_time)


async def _over_time(visit: Visit) -> dict[str, Any]:
    chosen = {name: visit.query(name) for name in SERIES}
    split = visit.query("split") if visit.query("split") in SERIES else "agent"
    window = visit.query("show") if visit.query("show") in (*WINDOWS, "month") else "30"
    every = await periods_of(visit.container, UsageQuery())
    names = days_up_to(day_of(visit.now_ms), WINDOWS.get(window, DAYS_KEPT))
    kept = [
        each
        for each in every
        if each.day >= names[0] and all(chosen[name] in ("", getattr(each, name)) for name in SERIES)
    ]
    if window == "month":
        names = list(dict.fromkeys(day[:7] for day in names))  # as 2026-11
        kept = [DayUsed(each.day[:7], each.agent, each.tenant, each.model, each.used) for each in kept]
    sums = _measured(kept, split, visit.container.settings.prices)
    series = largest({name: values["cost"] + values["jobs"] / 1e9 for name, values in sums.by_series.items()})
    charts = list[Chart]()
    for measure, title, shown in _MEASURES:
        values = Counter[tuple[str, str]]()
        for (period, name), counter in sums.by_both.items():
            values[period, name if name in series else REST] += counter[measure]
        charts.append(stacked(title, names, series, values, shown))
    return {
        "chosen": {**chosen, "split": split, "show": window},
        "choices": {name: sorted({getattr(each, name) for each in every} | {chosen[name]} - {""}) for name in SERIES},
        "series": series,
        "charts": charts,
        "by_period": [(name, sums.by_period[name]) for name in reversed(names) if name in sums.by_period],
        "by_series": [
            (name, sums.by_series[name])
            for name in sorted(sums.by_series, key=lambda name: (-sums.by_series[name]["cost"], name))
        ],
    }


class _Measured:
    def __init__(self) -> None:
        self.by_both: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.by_period: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.by_series: defaultdict[str, Counter[str]] = defaultdict(Counter)


def _measured(periods: Sequence[DayUsed], split: str, prices: Prices) -> _Measured:
    sums = _Measured()
    for each in periods:
        found, name = usage_and_cost(each.used, prices), getattr(each, split) or "none"
        values: dict[str, Any] = {
            "cost": found["cost"]["totalUsd"],
            "tokens": found["usage"]["inputTokens"] + found["usage"]["outputTokens"],
            "jobs": found["usage"]["jobs"],
            "failed": each.used.get("failed", 0),
        }
        for counter in (sums.by_both[each.day, name], sums.by_period[each.day], sums.by_series[name]):
            counter.update(values)
    return sums
