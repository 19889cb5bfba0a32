"""A plan as recorded: its steps, and what their order says. Pure."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, cast, get_args

from msgspec import Struct

from baton.core.state import OnFailure
from baton.core.step_results import Wanted
from baton.planning.reference import references
from baton.tools.tool import Tool

# What a planner calls to make a plan.
PLAN_TOOL = "make_plan"
ON_FAILURE: tuple[OnFailure, ...] = tuple(policy for policy in get_args(OnFailure) if policy)


class PlannedStep(Struct, frozen=True):
    """One step; `arguments` are JSON with recorded references."""

    name: str
    tool: str
    arguments: dict[str, Any]
    depends_on: tuple[str, ...] = ()
    on_failure: OnFailure = "fail"


def wanted_of(steps: Sequence[PlannedStep], tools: Mapping[str, Tool]) -> tuple[Wanted, ...]:
    """The calls of a plan without faults; arguments with references stay as they are until the step runs."""
    return tuple(_wanted(step, tools[step.tool]) for step in steps)


def _wanted(step: PlannedStep, tool: Tool) -> Wanted:
    refers = any(True for _ in references(step.arguments))
    return Wanted(
        tool.name,
        step.arguments if refers else tool.check(step.arguments),
        None,
        tool.retries,
        tool.retry_delay_seconds,
        step=step.name,
        depends_on=step.depends_on,
        on_failure=step.on_failure,
        isolated=tool.isolated,
    )


def cycle_of(steps: Sequence[PlannedStep]) -> tuple[str, ...]:
    """The names on a way that leads from a step back to it; empty: there is none."""
    try:
        TopologicalSorter(_graph(steps)).prepare()
    except CycleError as error:
        names = cast("list[str]", error.args[1])
        return tuple(reversed(names))  # in the order in which each depends on the next
    return ()


def depth_of(steps: Sequence[PlannedStep]) -> int:
    """How many steps the longest way through the plan has; there must be no cycle."""
    graph, depths = _graph(steps), dict[str, int]()
    for name in TopologicalSorter(graph).static_order():
        depths[name] = 1 + max((depths[before] for before in graph.get(name, ())), default=0)
    return max(depths.values(), default=0)


def _graph(steps: Sequence[PlannedStep]) -> dict[str, set[str]]:
    names = {step.name for step in steps}
    return {step.name: names.intersection(step.depends_on) for step in steps}
