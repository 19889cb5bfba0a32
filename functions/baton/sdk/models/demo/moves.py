"""The demo model's next steps: calls of unknown tools, steps of a plan, an answer in a given form.

- A tool that needs a `task` (another agent) is given the question; several share a question of several sentences.
- A tool that needs nothing is called once.
- A tool that needs a choice (`Literal["lamp", "lens"]`) is called for each choice that the question names.
- A structured answer gets the text, lists of texts its sources, everything else the smallest value of its type.

Invariant: pure, and deterministic. Must not: guess how to use any other tool, or decide which calls are useful.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from baton.sdk.models.demo.relevance import stem, words_of
from baton.sdk.models.model import Call, Message, ModelMessage, PastCall, ToolMessage, ToolSpec


class Step(Struct, frozen=True):
    """One turn of the demo model."""

    text: str
    calls: tuple[Call, ...] = ()


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def plan_by_form(question: str, tools: Sequence[ToolSpec]) -> Step:
    """Use all of these tools at once; a step without calls means that none fits."""
    tasks = _tasks(question, [spec.name for spec in tools if _needed(spec) == "task"])
    chosen = [(spec, value) for spec in tools for value in _choices(question, spec)]
    bare = [spec.name for spec in tools if not spec.parameters.get("required")]
    calls = (
        *map(Call, bare),
        *(Call(name, {"task": task}) for name, task in tasks.items()),
        *(Call(spec.name, {_needed(spec): value}) for spec, value in chosen),
    )
    texts = [f"I use {', '.join(bare)}."] if bare else []
    texts += [f"I give a task to {', '.join(tasks)}."] if tasks else []
    texts += [f"I ask {spec.name} about {value}." for spec, value in chosen]
    return Step(" ".join(texts), calls)


def _needed(spec: ToolSpec) -> str:
    """Return the one argument that the tool needs; empty: it needs none, or several."""
    required = spec.parameters.get("required", [])
    return required[0] if len(required) == 1 else ""


def _tasks(question: str, names: Sequence[str]) -> Mapping[str, str]:
    """Divide the question's sentences among the names; give each the whole question where there are too few."""
    sentences = [part for part in _SENTENCE_END.split(question.strip()) if part]
    if not sentences:
        return {}
    if len(sentences) < len(names):
        return dict.fromkeys(names, question.strip())
    return {name: " ".join(sentences[position :: len(names)]) for position, name in enumerate(names)}


def _choices(question: str, spec: ToolSpec) -> list[Any]:
    """Return the tool's choices that the question names, in the tool's order."""
    needed = spec.parameters.get("properties", {}).get(_needed(spec), {})
    requested = {stem(word) for word in words_of(question)}
    choices = needed.get("enum", []) if isinstance(needed, Mapping) else []
    return [value for value in choices if isinstance(value, str) and _names(requested, value)]


def _names(requested: set[str], value: str) -> bool:
    words = {stem(word) for word in words_of(value)}
    return bool(words) and words <= requested


_MAX_DEPTH = 8


class Filling(Struct, frozen=True):
    """The content of a structured answer, and the definitions that the schema refers to."""

    answer: str
    sources: Sequence[str]
    definitions: Mapping[str, Any]

    def value(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        """Return a value for one place of the schema."""
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        kind = schema.get("type")
        if kind == "object" and depth < _MAX_DEPTH:
            known, required = schema.get("properties", {}), schema.get("required", [])
            return {name: self.value(known[name], depth + 1) for name in required if name in known}
        if kind == "array":
            return list(self.sources) if self._resolved(schema.get("items", {})).get("type") == "string" else []
        simple = {"string": self.answer, "boolean": False, "integer": 0, "number": 0, "object": {}}
        return schema.get("minimum", simple[kind]) if kind in simple else None

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow a reference, and take the first of several choices that is not null."""
        for _ in range(_MAX_DEPTH):
            if "$ref" in schema:
                schema = self.definitions.get(schema["$ref"].rsplit("/", 1)[-1], {})
            elif choices := schema.get("anyOf") or schema.get("oneOf"):
                schema = next((choice for choice in choices if choice.get("type") != "null"), {})
            else:
                break
        return schema


def output_arguments(schema: Mapping[str, Any], answer: str, sources: Sequence[str]) -> dict[str, Any]:
    """Build the answer as the arguments of the final tool, whose parameters have that schema."""
    filled = Filling(answer, sources, schema.get("$defs", {})).value(schema)
    return filled if isinstance(filled, dict) else {}


# It ends a plan: the steps that it reports on must have run.
_LAST_TOOL = "write_report"
_NAME_CHARS = 64


def plan_call(plan_tool: str, calls: Sequence[Call]) -> Call:
    """Build the plan that makes these calls, all at once, except for the final report; no failure ends the job."""
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
    """Yield the conversation with the steps of its plans as calls of their own; a refused plan stays as it is."""
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
