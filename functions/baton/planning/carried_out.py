"""A plan that was carried out: what is recorded of it and of its steps' results. Pure.

Invariant: read from the records alone, so that a change of the code never changes what a running job's plan was.
"""

from collections.abc import Mapping, Sequence
from operator import methodcaller
from typing import Any

from baton.models.model import ModelMessage, PastCall, ToolMessage
from baton.planning.plan import PLAN_TOOL
from baton_events.ids import canonical_json

_step_of = methodcaller("get", "step")  # asked of every call that was made, in every turn
_LOST = {"error": {"type": "unknown", "message": "the result is not recorded"}}

Entry = Mapping[str, Any]
Results = Mapping[str, Mapping[str, Any]]


def is_plan(entry: Entry) -> bool:
    """Whether this entry of a transcript is a plan."""
    return entry["role"] == "model" and any(map(_step_of, entry["calls"]))


def plans_in(transcript: Sequence[Entry]) -> tuple[Entry, ...]:
    """The plans that were made so far."""
    return tuple(entry for entry in transcript if is_plan(entry))


def answer_of(entry: Entry, results: Results) -> tuple[str, Any]:
    """The answer and the output that follow from a plan alone: the results of the steps that no other depends on.

    Returns:
        Of one such step, its result: the answer is its text, or else its JSON, which then is the output as well.
        Of several, an object with a result for each step's name. A step that failed has `{"error": …}`.
    """
    needed = {name for call in entry["calls"] for name in call.get("dependsOn", ())}
    last = {call["step"]: _value(results.get(call["id"])) for call in entry["calls"] if call["step"] not in needed}
    value = next(iter(last.values())) if len(last) == 1 else last
    if isinstance(value, str):
        return value, None
    return canonical_json(value), value


def told_plan(entry: Entry, results: Results) -> tuple[ModelMessage, ToolMessage]:
    """A plan as its planner is told it: one call, whose result has that of each step by its name."""
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


def _value(stored: Mapping[str, Any] | None) -> Any:
    stored = stored or _LOST
    return stored["ok"] if "ok" in stored else dict(stored)
