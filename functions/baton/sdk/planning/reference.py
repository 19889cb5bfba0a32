"""References from a step's arguments to results of earlier steps: written, recorded, and replaced by values.

Recorded, a reference is JSON: `{"$resultOf": {"step": "a", "path": ["field", 0]}}`; `path` may be left out. A fixed
plan refers to the job's task in the same way, under a name that no step can have. References to the task are replaced
when the plan is recorded for a job, the others when the step runs. Invariant: an object that has the key and is no such
reference is refused, so a literal is never taken for a reference, nor the reverse. The content of a result or a task is
data: nothing in it is taken for a reference. An object of a task that has the key is recorded as
`{"$resultOf": {"literal": {…}}}`. Must not: read the store.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from baton.sdk.records.record import Record
from baton.sdk.records.redaction import own_value

KEY = "$resultOf"
TASK = "$task"
_LITERAL = "literal"
Place = tuple[str | int, ...]


class InvalidReference(ValueError):  # noqa: N818 - the name says what happened; it is shown to the planner
    """An object looks like a reference to a step's result and is none."""


class ResultOf(Record, frozen=True):
    """A placeholder in a step's arguments for the result of another step, or for the value at `path` in it."""

    step: str
    path: Place = ()

    def __getitem__(self, part: str | int) -> "ResultOf":
        """Refer to the value under this name, or at this position, in the result."""
        if not isinstance(part, str | int) or isinstance(part, bool):
            raise TypeError(f"{self!r}[{part!r}]: a name or a position, as in result_of('a')['rows'][0]")
        return ResultOf(self.step, (*self.path, part))

    def __iter__(self) -> NoReturn:
        """Refuse: Python would count through positions without an end."""
        raise TypeError(f"{self!r} is not there yet, so it cannot be looped over; let a tool do that")

    def __format__(self, spec: str) -> NoReturn:
        """Refuse: a text with a reference inside is no reference."""
        raise TypeError(f"{self!r} cannot be put into a text; give it to the step as an argument of its own")

    def __repr__(self) -> str:
        if self.step == TASK and self.path:
            return f"task_{self.path[0]}" + "".join(f"[{part!r}]" for part in self.path[1:])
        return f"result_of({self.step!r})" + "".join(f"[{part!r}]" for part in self.path)

    def as_json(self) -> dict[str, Any]:
        return {KEY: {"step": self.step, "path": list(self.path)}}


def result_of(step: str) -> ResultOf:
    """Refer to the result of an earlier step in the arguments of a later one.

    Args:
        step: the earlier step's name; the later one must name it in `depends_on`.

    Returns:
        The reference; `result_of("a")["rows"][0]` refers to a value inside the result.
    """
    if not isinstance(step, str) or not step:
        raise TypeError(f"result_of({step!r}): give the step's name")
    return ResultOf(step)


# The parts of a job's task for a step of a fixed plan: its text, and its data (`inputData`): `task_data["path"]`.
task_text = ResultOf(TASK, ("text",))
task_data = ResultOf(TASK, ("data",))


def recorded(value: Any) -> Any:
    """Convert an author's arguments with references to their recorded form.

    Raises InvalidReference: a literal object looks like a recorded reference.
    """
    if isinstance(value, ResultOf):
        return value.as_json()
    if isinstance(value, Mapping):
        if KEY in value:
            raise InvalidReference(f"{value!r}: an object may not have the key {KEY!r}; to refer, write result_of(...)")
        return {key: recorded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [recorded(item) for item in value]
    return value


def references(value: Any, place: Place = ()) -> Iterator[tuple[Place, ResultOf]]:
    """Yield all references in recorded arguments, with their places.

    Raises InvalidReference: an object looks like a reference and is none.
    """
    if isinstance(value, dict):
        found = None if _is_literal(value) else read(value)
        if found is not None:
            yield place, found
        if KEY in value:
            return
        for key, item in value.items():
            yield from references(item, (*place, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from references(item, (*place, position))


def read(value: Mapping[str, Any]) -> ResultOf | None:
    """Parse an object as a reference; None: it is a literal.

    Raises InvalidReference: it looks like a reference and is none.
    """
    if KEY not in value:
        return None
    inner = value[KEY]
    if len(value) == 1 and isinstance(inner, dict) and inner.keys() <= {"step", "path"}:
        step, path = inner.get("step"), inner.get("path", [])
        if isinstance(step, str) and isinstance(path, list) and all(type(part) in (str, int) for part in path):
            return ResultOf(step, tuple(path))
    raise InvalidReference(
        f'{value!r} is no reference; write {{"{KEY}": {{"step": "a", "path": ["rows", 0]}}}} and nothing beside it'
    )


def _is_literal(value: Mapping[str, Any]) -> bool:
    inner = value.get(KEY)
    return len(value) == 1 and isinstance(inner, dict) and inner.keys() == {_LITERAL}


def _as_literal(value: Any) -> Any:
    """Return foreign JSON in its recorded form, in which none of its objects looks like a reference."""
    if isinstance(value, dict):
        return {KEY: {_LITERAL: value}} if KEY in value else {key: _as_literal(item) for key, item in value.items()}
    return [_as_literal(item) for item in value] if isinstance(value, list) else value


_SHOWN_KEYS = 10


class UnresolvedReference(ValueError):  # noqa: N818 - the name says what happened; it is shown to the planner
    """A reference leads nowhere, and never will, since recorded results do not change."""


def resolved(
    arguments: dict[str, Any], after: Mapping[str, str], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Replace references by values, for the tool's call.

    Args:
        arguments: the recorded arguments.
        after: the steps before this one, and the ids of their calls.
        results: the stored results under those ids: `{"ok": …}`, or `{"error": {"type", "message"}}`, which is used
            as it is.

    Raises UnresolvedReference: there is no such result, or nothing at the path in it; it names step and path.
    """
    return _replaced(arguments, lambda reference: _referred(reference, after, results))


def filled(arguments: dict[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    """Replace references to the task (`{"text": …, "data": {…}}`) by its values; other references stay.

    Raises UnresolvedReference: there is nothing at the path in the task.
    """
    stored = {"ok": {"text": task.get("text", ""), "data": task.get("data") or {}}}

    def fill(reference: ResultOf) -> Any:
        if reference.step != TASK:
            return reference.as_json()
        return _as_literal(_referred(reference, {TASK: TASK}, {TASK: stored}))

    return _replaced(arguments, fill)


def known_so_far(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return recorded arguments with their literals as they are; references stay, as their results are not there."""
    return _replaced(arguments, ResultOf.as_json)


def _replaced(arguments: dict[str, Any], refer: Callable[[ResultOf], Any]) -> dict[str, Any]:
    try:
        return {name: _value(item, refer) for name, item in arguments.items()}
    except InvalidReference as error:
        raise UnresolvedReference(str(error)) from error


def _value(value: Any, refer: Callable[[ResultOf], Any]) -> Any:
    if isinstance(value, dict):
        if _is_literal(value):
            return value[KEY][_LITERAL]
        reference = read(value)
        return {key: _value(item, refer) for key, item in value.items()} if reference is None else refer(reference)
    return [_value(item, refer) for item in value] if isinstance(value, list) else value


def _referred(reference: ResultOf, after: Mapping[str, str], results: Mapping[str, Mapping[str, Any]]) -> Any:
    if reference.step not in after:
        raise UnresolvedReference(f"{reference!r}: the step does not depend on {reference.step!r}")
    stored = results.get(after[reference.step])
    if stored is None:
        raise UnresolvedReference(f"{reference!r}: no result of step {reference.step!r} is recorded")
    value = own_value(stored) if "ok" in stored else {"error": stored["error"]}
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
