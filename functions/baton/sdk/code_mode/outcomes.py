"""The outcome of a call as its script gets it: a value, or an exception that the interpreter has.

Must not: be imported before a stretch runs, as the interpreter.
"""

import ast
import builtins
from collections.abc import Mapping
from typing import Any, get_args

import pydantic_monty as monty

_KNOWN = frozenset(get_args(monty.ExcType))
# Above other exceptions comes `Exception`, which would catch too much.
_KEPT_BASES = frozenset({"ArithmeticError", "OSError", "ValueError"})


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
