"""Values of the interpreter as its host has them.

Must not: be imported before a stretch runs, as the interpreter.
"""

import re
from datetime import date, timedelta
from typing import Any

import pydantic_monty as monty

from baton.sdk.workflows.substitutes import MEMBER
from baton_events.values.json_value import plain

# The text of a function or class, as it leaves the interpreter in an instance's field.
_FUNCTION = re.compile(r"<(function|class|coroutine object) .*>")


def json_of(value: Any) -> Any:
    """Return a value of the interpreter for JSON. Raises TypeError for a function, a class or bytes."""
    if isinstance(value, monty.MontyClassProxy):
        return _of_instance(value)
    if isinstance(value, dict):
        return {name: json_of(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_of(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((json_of(item) for item in value), key=repr)
    if value is None or isinstance(value, bool | int | float | str | date):
        return value.isoformat() if isinstance(value, date) else value
    return _text(value)


def _of_instance(value: Any) -> Any:
    """Return an instance of a data class as an object, and a member of an enum as its value. Raises TypeError."""
    if value.name == MEMBER:
        return json_of(value.attributes["value"])
    for name, text in value.attributes.items():
        if isinstance(text, str) and _FUNCTION.fullmatch(text):
            raise TypeError(f"the field {name} {text} is no data; leave it out")
    return {name: json_of(item) for name, item in value.attributes.items()}


def _text(value: Any) -> Any:
    """Return the text of what JSON has none for, as a tool's result has it. Raises TypeError, as above."""
    if type(value).__name__ in ("Decimal", "time"):
        return str(value)
    if isinstance(value, bytes | timedelta):
        return plain(value, "value")
    raise TypeError(f"a {getattr(value, 'kind', '') or type(value).__name__} has no JSON; return its data")
