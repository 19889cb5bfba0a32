"""Comparison of runs: values without the ids, times and names that differ in each world."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from baton_events.ids import child_of, digest

# Of a message: its time, and ids that a framework made, and the state of an interpreter.
_OWN = frozenset(
    [
        "timestamp",
        "run_id",
        "runId",
        "tool_call_id",
        "toolCallId",
        "conversation_id",
        "provider_response_id",
        "createdAt",
        "workflowStretch",
    ]
)


def messages_of(transcript: Sequence[Mapping[str, Any]], results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the model's input: the transcript, with the results of each turn's calls behind it."""
    messages = list[dict[str, Any]]()
    for entry in transcript:
        messages.append(dict(entry))
        for call in entry.get("calls", ()):
            if call.get("id") in results:
                messages.append({"role": "tool", "callId": call["id"], **results[call["id"]]})
    return messages


def names_of(root: Mapping[str, str], calls: Iterable[str]) -> dict[str, str]:
    """Return the names that differ in each world: `root`, and jobs below, each after the call that started it."""
    names = dict(root)
    for call in calls:
        below = child_of(call).rpartition(".")[2]
        if below not in names:
            names[below] = digest(comparable(call, names))
    return names


def comparable(value: Any, names: Mapping[str, str]) -> Any:
    """Remove from a value everything that differs between two worlds."""
    text = json.dumps(value)
    for name, word in names.items():
        text = text.replace(name, word)
    return _without_own(json.loads(text))


def _without_own(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_own(one) for name, one in value.items() if name not in _OWN}
    if isinstance(value, list):
        return [_without_own(one) for one in value]
    return value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value without parts, with the path to it."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from leaves(one, f"{path}.{name}")
    elif isinstance(value, list) and value:
        for place, one in enumerate(value):
            yield from leaves(one, f"{path}[{place}]")
    else:
        yield path.removeprefix("."), value
