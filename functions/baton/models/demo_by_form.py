"""Tools that the demo model does not know by name, but knows how to use by the form of their arguments.

- One that needs a `task` (another agent): it is given the question; several share a question of several sentences.
- One that needs a choice (`Literal["lamp", "lens"]`): it is called for each choice that the question names.

Must not: guess: any other tool is left alone.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from baton.models.call import Call
from baton.models.demo_step import Step
from baton.models.model import ToolSpec
from baton.models.question import stem, words_of

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def plan_by_form(question: str, tools: Sequence[ToolSpec]) -> Step:
    """Use them all at once; a step without calls: there is no cause to."""
    tasks = _tasks(question, [spec.name for spec in tools if _needed(spec) == "task"])
    chosen = [(spec, value) for spec in tools for value in _choices(question, spec)]
    calls = (
        *(Call(name, {"task": task}) for name, task in tasks.items()),
        *(Call(spec.name, {_needed(spec): value}) for spec, value in chosen),
    )
    said = [f"I give a task to {', '.join(tasks)}."] if tasks else []
    said += [f"I ask {spec.name} about {value}." for spec, value in chosen]
    return Step(" ".join(said), calls)


def _needed(spec: ToolSpec) -> str:
    """The one argument that the tool needs; empty: it needs none, or several."""
    required = spec.parameters.get("required", [])
    return required[0] if len(required) == 1 else ""


def _tasks(question: str, names: Sequence[str]) -> Mapping[str, str]:
    """Who is given what: everyone a share of the sentences, or everyone all, where there are too few to share."""
    sentences = [part for part in _SENTENCE_END.split(question.strip()) if part]
    if not sentences:
        return {}
    if len(sentences) < len(names):
        return dict.fromkeys(names, question.strip())
    return {name: " ".join(sentences[position :: len(names)]) for position, name in enumerate(names)}


def _choices(question: str, spec: ToolSpec) -> list[Any]:
    """The tool's choices that the question names, in the tool's order."""
    needed = spec.parameters.get("properties", {}).get(_needed(spec), {})
    asked = {stem(word) for word in words_of(question)}
    choices = needed.get("enum", []) if isinstance(needed, Mapping) else []
    return [value for value in choices if isinstance(value, str) and _names(asked, value)]


def _names(asked: set[str], value: str) -> bool:
    words = {stem(word) for word in words_of(value)}
    return bool(words) and words <= asked
