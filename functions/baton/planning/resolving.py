"""A step's arguments with references replaced: those to the task when the plan is given, the others when the step runs.

Invariant: what stands in a result or in a task is data: nothing in it is taken for a reference. Must not: read the
store.
"""

from collections.abc import Callable, Mapping
from typing import Any

from baton.planning.reference import KEY, TASK, InvalidReference, Place, ResultOf, read

_SHOWN_KEYS = 10


class UnresolvedReference(ValueError):  # noqa: N818 - the name says what happened; it is shown to the planner
    """A reference leads nowhere: for good, since recorded results do not change."""


def resolved(
    arguments: dict[str, Any], after: Mapping[str, str], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The arguments that the tool is called with.

    Args:
        arguments: as they are recorded.
        after: the steps that come before this one, and the ids of their calls.
        results: what is stored under those ids: `{"ok": …}`, or `{"error": {"type", "message"}}`, which is referred to
            as it is.

    Raises:
        UnresolvedReference: there is no such result, or nothing at such a path in it; says step and path.
    """
    return _replaced(arguments, lambda reference: _referred(reference, after, results))


def filled(arguments: dict[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with what they take from the task: `{"text": …, "data": {…}}`; other references stay.

    Raises:
        UnresolvedReference: there is nothing at such a path in the task, or what is there looks like a reference.
    """
    stored = {"ok": {"text": task.get("text", ""), "data": task.get("data") or {}}}

    def fill(reference: ResultOf) -> Any:
        if reference.step != TASK:
            return reference.as_json()
        value = _referred(reference, {TASK: TASK}, {TASK: stored})
        if _has_key(value):
            raise UnresolvedReference(f"{reference!r}: an object may not have the key {KEY!r}")
        return value

    return _replaced(arguments, fill)


def _replaced(arguments: dict[str, Any], refer: Callable[[ResultOf], Any]) -> dict[str, Any]:
    try:
        return {name: _value(item, refer) for name, item in arguments.items()}
    except InvalidReference as error:
        raise UnresolvedReference(str(error)) from error


def _value(value: Any, refer: Callable[[ResultOf], Any]) -> Any:
    if isinstance(value, dict):
        reference = read(value)
        return {key: _value(item, refer) for key, item in value.items()} if reference is None else refer(reference)
    return [_value(item, refer) for item in value] if isinstance(value, list) else value


def _has_key(value: Any) -> bool:
    if isinstance(value, dict):
        return KEY in value or any(map(_has_key, value.values()))
    return isinstance(value, list) and any(map(_has_key, value))


def _referred(reference: ResultOf, after: Mapping[str, str], results: Mapping[str, Mapping[str, Any]]) -> Any:
    if reference.step not in after:
        raise UnresolvedReference(f"{reference!r}: the step does not depend on {reference.step!r}")
    stored = results.get(after[reference.step])
    if stored is None:
        raise UnresolvedReference(f"{reference!r}: no result of step {reference.step!r} is recorded")
    value = stored["ok"] if "ok" in stored else {"error": stored["error"]}
    for position, part in enumerate(reference.path):
        value = _inside(value, part, reference, reference.path[:position], stored)
    return value


def _inside(value: Any, part: str | int, reference: ResultOf, path: Place, stored: Mapping[str, Any]) -> Any:
    if isinstance(part, str) and isinstance(value, dict) and part in value:
        return value[part]
    if isinstance(part, int) and isinstance(value, list) and -len(value) <= part < len(value):
        return value[part]
    at = ResultOf(reference.step, path)
    if "error" in stored and "ok" not in stored:
        failed = f"step {reference.step!r} failed ({stored['error'].get('message', 'no message')})"
        raise UnresolvedReference(f"{reference!r}: {failed}, so its result is {{'error': {{'type', 'message'}}}}")
    raise UnresolvedReference(f"{reference!r}: {at!r} is {_described(value)}, which has no {part!r}")


def _described(value: Any) -> str:
    match value:
        case dict():
            keys = ", ".join(repr(key) for key in sorted(value)[:_SHOWN_KEYS])
            return f"an object with {keys or 'nothing in it'}"
        case list():
            return f"a list of {len(value)}"
        case str():
            return "a text"
        case None:
            return "null"
        case _:
            return f"a {type(value).__name__}"
