"""A plan as recorded: its steps, their order, and the results of one that was carried out. Pure.

Invariant: it is read from the records alone, so a change of the code never changes the plan of a running job.
"""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from operator import methodcaller
from typing import Any, cast, get_args

from msgspec import Struct

from baton.sdk.models.model import ModelMessage, PastCall, ToolMessage
from baton.sdk.records.transcript import OnFailure, Wanted
from baton.sdk.tools.tool import Tool
from baton_events.ids import canonical_json

# The tool that a planner calls to make a plan.
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
    """Return the calls of a plan without faults; arguments stay as they are until the step runs."""
    return tuple(_wanted(step, tools[step.tool]) for step in steps)


def _wanted(step: PlannedStep, tool: Tool) -> Wanted:
    return Wanted(
        tool.name,
        step.arguments,
        None,
        tool.recorded_retries,
        tool.retry_delay_seconds,
        step=step.name,
        depends_on=step.depends_on,
        on_failure=step.on_failure,
        isolated=tool.isolated,
    )


def cycle_of(steps: Sequence[PlannedStep]) -> tuple[str, ...]:
    """Return the names on a path from a step back to it; empty: there is none."""
    try:
        TopologicalSorter(_graph(steps)).prepare()
    except CycleError as error:
        names = cast("list[str]", error.args[1])
        return tuple(reversed(names))  # in the order in which each depends on the next
    return ()


def depth_of(steps: Sequence[PlannedStep]) -> int:
    """Return the number of steps on the longest path through the plan, which must have no cycle."""
    graph, depths = _graph(steps), dict[str, int]()
    for name in TopologicalSorter(graph).static_order():
        depths[name] = 1 + max((depths[before] for before in graph.get(name, ())), default=0)
    return max(depths.values(), default=0)


def _graph(steps: Sequence[PlannedStep]) -> dict[str, set[str]]:
    names = {step.name for step in steps}
    return {step.name: names.intersection(step.depends_on) for step in steps}


_step_of = methodcaller("get", "step")  # read for every call made, in every turn
_LOST = {"error": {"type": "unknown", "message": "the result is not recorded"}}

Entry = Mapping[str, Any]
Results = Mapping[str, Mapping[str, Any]]


def is_plan(entry: Entry) -> bool:
    return entry["role"] == "model" and any(map(_step_of, entry["calls"]))


def plans_in(transcript: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the plans made so far."""
    return tuple(entry for entry in transcript if is_plan(entry))


def rounds_in(transcript: Sequence[Entry]) -> int:
    """Return the number of plans made so far, with those that a summary stands for."""
    counted = [entry for entry in transcript if entry["role"] == "summary" and "plans" in entry]
    if not counted:
        return len(plans_in(transcript))
    newest = max(counted, key=lambda entry: int(entry["upTo"]))
    later = [entry for entry in plans_in(transcript) if entry["turn"] > newest["upTo"]]
    return int(newest["plans"]) + len(later)


def answer_of(entry: Entry, results: Results) -> tuple[str, Any]:
    """Return the answer and the output of a plan alone: the results of the steps that no other depends on.

    Returns:
        Of one such step, its result: the answer is its text, or else its JSON, which then is the output as well.
        Of several, an object with a result for each step's name. A step that failed has `{"error": …}`.
    """
    needed = {name for call in entry["calls"] for name in call.get("dependsOn", ())}
    ended = {call["step"]: results.get(call["id"]) or _LOST for call in entry["calls"] if call["step"] not in needed}
    last = {step: stored["ok"] if "ok" in stored else dict(stored) for step, stored in ended.items()}
    value = next(iter(last.values())) if len(last) == 1 else last
    if isinstance(value, str):
        return value, None
    return canonical_json(value), value


def plan_prompt(entry: Entry, results: Results) -> tuple[ModelMessage, ToolMessage]:
    """Convert a plan for its planner: one call, whose result contains each step's result by its name."""
    call_id = f"{entry['calls'][0]['id']}-plan"
    steps = [
        {
            "name": call["step"],
            "tool": call["tool"],
            "arguments": call["arguments"],
            "depends_on": list(call.get("dependsOn", ())),
        }
        for call in entry["calls"]
    ]
    made = PastCall(call_id, PLAN_TOOL, {"steps": steps})
    ended = {call["step"]: dict(results.get(call["id"]) or _LOST) for call in entry["calls"]}
    return ModelMessage(entry["text"], (made,), entry.get("provider")), ToolMessage(call_id, PLAN_TOOL, ended)
