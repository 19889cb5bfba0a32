"""Values of the interpreter as its host has them.

Must not: be imported before a stretch runs, as the interpreter.
"""

import ast
import builtins
import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, get_args

import pydantic_monty as monty

from baton_events.values.json_value import plain

_KNOWN = frozenset(get_args(monty.ExcType))
# Above other exceptions comes `Exception`, which would catch too much.
_KEPT_BASES = frozenset({"ArithmeticError", "OSError", "ValueError"})
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
    """Return an instance of a data class as an object. Raises TypeError."""
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


def settled(outcome: Mapping[str, Any]) -> Any:
    """Return a call's outcome as the code gets it: a built-in exception keeps its class, all others are tool errors."""
    if "error" not in outcome:
        return {"return_value": outcome.get("ok")}
    kind, message = outcome["error"]["type"], outcome["error"]["message"]
    kind, message = _raised_inside("TimeoutError" if kind == "timeout" else kind, message)
    if kind in _KNOWN:
        return {"exc_type": kind, "message": message}
    return {"exc_type": "RuntimeError", "message": message if kind == "ToolError" else f"{kind}: {message}"}


def _raised_inside(kind: str, message: str) -> tuple[str, str]:
    """Return the class and the text of a call's failure; of one that the interpreter lacks, the next above it."""
    known = getattr(builtins, kind, None)
    if kind not in _KNOWN and isinstance(known, type) and issubclass(known, BaseException):
        base = next(each.__name__ for each in known.__mro__ if each.__name__ in _KNOWN)
        return (base, f"{kind}: {message}") if base in _KEPT_BASES else (kind, message)
    return kind, _key(message) if kind == "KeyError" else message


def _key(message: str) -> str:
    """Return the key that a `KeyError` was raised with, if it is a text: the error's own text is the key's repr."""
    try:
        key = ast.literal_eval(message)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return message
    return key if isinstance(key, str) else message
