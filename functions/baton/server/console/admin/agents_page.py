"""The agents and tools of this deployment, and two versions of one of them side by side."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.responses import Response

from baton.engine.all_jobs.ends import AgentCounters
from baton.sdk.agents.version import model_names, tool_names, version_of
from baton.server.api.admin.control import tool_counters
from baton.server.api.admin.versions import FEW_RUNS, MOST_RUNS, USUAL_RUNS, VersionsQuery, compared_versions
from baton.server.api.jobs.query import lack_of
from baton.server.api.problem import ApiError
from baton.server.console.admin.overview_page import failed_lately, named_errors
from baton.server.console.form import whole_number
from baton.server.console.gate import Visit
from baton.server.console.shown import lasted, number, usd
from baton_events.ids import is_child

_MOST_LIVE = 1_000
_Side = dict[str, Any]


class Measure(NamedTuple):
    """A row of the comparison. `verdict`: `better`, `worse`, `other`, or empty where both are the same."""

    name: str
    left: str
    right: str
    difference: str
    verdict: str


async def show(visit: Visit) -> Response:
    registry, ends = visit.container.registry, await visit.container.ports.admission_control.ends()
    rows: dict[str, dict[str, Any]] = {
        agent.name: {
            "model": model_names(agent),
            "tools": tool_names(registry, agent),
            "limits": agent.limits,
            "version": version_of(registry, agent),
        }
        for agent in registry.agents
    }
    rows |= {each.name: {"model": f"handler of {each.event}"} for each in registry.handlers if each.function}
    rows |= {name: {"is_gone": True} for name in sorted(set(ends) - set(rows))}
    lacking = {"tools": (), **dict.fromkeys(("model", "limits", "version", "is_gone"), "")}
    shown = [lacking | {"name": name} | row | {"ends": ends.get(name) or AgentCounters()} for name, row in rows.items()]
    tools, unended = await tool_counters(visit.context), await _unended(visit)
    return visit.page("agents.html", rows=shown, tools=tools, unended=unended)


async def _unended(visit: Visit, agent: str = "") -> list[tuple[str, str, int, str]]:
    """Count the jobs that have not ended by agent, and version when submitted, each with the agent's present one."""
    live, registry = await visit.container.ports.admission_control.live(), visit.container.registry
    names = [name for name, one in live.items() if (not one.agent or agent in ("", one.agent)) and not is_child(name)]
    jobs = await visit.container.ports.reader.records(names[:_MOST_LIVE])
    counts = Counter((job.agent, job.agent_version) for job in jobs if agent in ("", job.agent) and not job.ended)
    return [
        (*of, count, "" if lack_of(registry, of[0]) else version_of(registry, registry.agent(of[0])))
        for of, count in sorted(counts.items())
    ]


async def versions(visit: Visit) -> Response:
    agent, limit = visit.request.path_params["agent"], visit.query("limit") or str(USUAL_RUNS)
    runs = whole_number(limit)
    if not isinstance(runs, int) or not 1 <= runs <= MOST_RUNS:
        raise ApiError(422, f"limit {limit!r} is no number of runs from 1 to {MOST_RUNS}")
    query = VersionsQuery(left=visit.query("left"), right=visit.query("right"), limit=runs)
    found = await compared_versions(visit.context, agent, query)
    left, right = found["left"], found["right"]
    rows = list(measures(left, right)) if left and right else []
    few = bool(left and right) and min(left["runs"], right["runs"]) < FEW_RUNS
    failed = await named_errors(visit, (await failed_lately(visit, agent))[0])
    sides = {"left": left, "right": right, "unended": await _unended(visit, agent)}
    return visit.page("versions.html", found=found, rows=rows, few=few, limit=limit, failed=failed, **sides)


def measures(left: _Side, right: _Side) -> list[Measure]:
    """Compare two sides, as text; a difference is that of the right side from the left one."""
    sides = (left, right)

    def shares(part: str, whole: str = "runs") -> list[float | None]:
        return [side[part] / side[whole] if side[whole] else None for side in sides]

    def values(name: str) -> list[float | None]:
        return [side[name] for side in sides]

    rows = [
        _row("completed", shares("completed"), _per_cent, better=1),
        _row("failed", shares("failed"), _per_cent, better=-1),
        _row("stopped by a limit", shares("stopped"), _per_cent, better=-1),
        _row("duration, half of them at most", values("p50Ms"), lambda ms: lasted(round(ms)), better=-1),
        _row("duration, 95 % of them at most", values("p95Ms"), lambda ms: lasted(round(ms)), better=-1),
        _row("turns", values("turns"), _rounded),
        _row("failed tool calls", shares("toolFailures", "toolCalls"), _per_cent, better=-1),
        _row("tokens", values("tokens"), lambda value: number(round(value)), better=-1),
        _row("cost", values("costUsd"), usd, better=-1),
    ]
    for name in sorted({*left["scores"], *right["scores"]}):
        scores = [side["scores"].get(name) for side in sides]
        scored = ", ".join(str(score["runs"] if score else 0) for score in scores)
        rows.append(_row(f"score {name} ({scored} runs)", [score and score["mean"] for score in scores], _rounded))
    return rows


def _row(name: str, values: list[float | None], shown: Callable[[float], str], better: int = 0) -> Measure:
    left, right = values
    texts = ["\N{EN DASH}" if value is None else shown(value) for value in values]
    if left is None or right is None or texts[0] == texts[1]:
        return Measure(name, texts[0], texts[1], "", "")
    change = right - left
    verdict = "other" if not better else "better" if change * better > 0 else "worse"
    return Measure(name, texts[0], texts[1], f"{'+' if change > 0 else '-'}{shown(abs(change))}", verdict)


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _rounded(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
