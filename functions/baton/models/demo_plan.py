"""How the demo model plans: calls written as steps of a plan, and plans that are over read as the calls they were.

Invariant: pure, and deterministic. Must not: decide which calls are useful.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from baton.models.call import Call
from baton.models.model import Message, ModelMessage, PastCall, ToolMessage

# It ends a plan: what it reports on must have happened.
_LAST_TOOL = "write_report"
_NAME_CHARS = 64


def plan_call(plan_tool: str, calls: Sequence[Call]) -> Call:
    """The plan that makes these calls, all at once, but for the report, which comes last; no failure ends the job."""
    names = [f"{number}-{call.tool}"[:_NAME_CHARS] for number, call in enumerate(calls, start=1)]
    before = [name for name, call in zip(names, calls, strict=True) if call.tool != _LAST_TOOL]
    steps: list[dict[str, Any]] = [
        {
            "name": name,
            "tool": call.tool,
            "arguments": call.arguments,
            "depends_on": before if call.tool == _LAST_TOOL else [],
            "on_failure": "continue",
        }
        for name, call in zip(names, calls, strict=True)
    ]
    return Call(plan_tool, {"steps": steps})


def unfolded(messages: Sequence[Message], plan_tool: str) -> Iterator[Message]:
    """The conversation with the steps of its plans as calls of their own; a plan that was refused stays as it is."""
    done = {
        message.call_id
        for message in messages
        if isinstance(message, ToolMessage) and message.tool == plan_tool and not message.is_error
    }
    plans: dict[str, tuple[PastCall, ...]] = {}
    for message in messages:
        if isinstance(message, ModelMessage):
            plans |= {call.call_id: _steps(call) for call in message.calls if call.call_id in done}
            calls = (step for call in message.calls for step in plans.get(call.call_id, (call,)))
            yield ModelMessage(message.text, tuple(calls))
        elif isinstance(message, ToolMessage) and message.call_id in plans:
            yield from _results(plans[message.call_id], message)
        else:
            yield message


def _steps(call: PastCall) -> tuple[PastCall, ...]:
    steps = call.arguments.get("steps", ())
    return tuple(PastCall(f"{call.call_id}/{step['name']}", step["tool"], step["arguments"]) for step in steps)


def _results(steps: Sequence[PastCall], message: ToolMessage) -> Iterator[ToolMessage]:
    for step in steps:
        stored: Mapping[str, Any] = message.content.get(step.call_id.removeprefix(f"{message.call_id}/"), {})
        content = stored["ok"] if "ok" in stored else stored.get("error", {})
        yield ToolMessage(step.call_id, step.tool, content, is_error="ok" not in stored)
