"""Arguments that a model sends: what is wrong with them, and how that is said.

Must not: load what only a program that declares tools needs (argument_schema.py).
"""

from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

from pydantic_core import ErrorDetails

from baton.sdk.records.redaction import is_secret_name, redacted
from baton_events.values.text import cut, storable

if TYPE_CHECKING:
    from pydantic import ValidationError

ARGUMENTS_LIMIT_BYTES = 256 * 1024


Place = tuple[str | int, ...]

_SHOWN_CHARS = 80
_PROBLEMS = {"missing": "is required", "extra_forbidden": "is not an argument of this tool"}


class InvalidArguments(ValueError):  # noqa: N818 - the name says what happened; it is shown to the model
    """The arguments do not fit the tool; one readable line for each fault, in `faults`.

    `places`: where in the arguments each fault is, as the names and positions that lead there.
    """

    def __init__(self, tool: str, faults: list[str], places: list[Place]) -> None:
        self.faults = tuple(map(storable, faults))
        super().__init__("\n".join([f"invalid arguments for tool {tool!r}:", *self.faults]))
        self.tool = tool
        self.places = tuple(places)


def misfit(tool: str, error: "ValidationError", arguments: Any, known: list[str]) -> InvalidArguments:
    """Convert pydantic's errors to `InvalidArguments`. `known`: the names of the tool's arguments."""
    details = error.errors(include_url=False)
    faults = [_fault(detail, known) for detail in details]
    return InvalidArguments(tool, faults, [_place(detail, arguments) for detail in details])


def _fault(detail: ErrorDetails, known: list[str]) -> str:
    """Format one fault in a line: the field, the problem, and the value shortened."""
    where = reduce(
        lambda path, part: f"{path}[{part}]" if isinstance(part, int) else f"{path}.{part}", detail["loc"], ""
    )
    problem = _PROBLEMS.get(detail["type"], detail["msg"][:1].lower() + detail["msg"][1:])
    line = f"{where.lstrip('.')}: {problem}"
    if detail["type"] == "missing":
        return line
    if detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1:
        line += f" (it has: {', '.join(known) or 'none'})"
    # The message is stored and shown, unlike the arguments themselves.
    named_so = any(is_secret_name(str(part)) for part in detail["loc"])
    return line if named_so else f"{line}, got {shortened(detail['input'])}"


def _place(detail: ErrorDetails, arguments: Any) -> Place:
    """Return the fault's place, without pydantic's own steps in between (the union member that did not fit)."""
    value, place = arguments, list[str | int]()
    for part in detail["loc"]:
        inside: Any = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(inside, Mapping) and part in inside:
            value = inside[part]
            place.append(part)
    if detail["type"] == "missing":
        place.append(detail["loc"][-1])
    return tuple(place)


def shortened(value: Any) -> str:
    """Show the beginning of a value, without secrets."""
    try:
        text = repr(redacted(value))
    except Exception:  # noqa: BLE001 - a value that a validator has made is foreign code
        text = f"a {type(value).__name__}"
    return cut(text, _SHOWN_CHARS)
