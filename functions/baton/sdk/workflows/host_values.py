"""Values of the interpreter as its host has them.

Must not: be imported before a stretch runs, as the interpreter.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import pydantic_monty as monty
from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from baton.sdk.tools.arguments import shortened
from baton.sdk.workflows.model_classes import names_of
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


def made_of(
    classes: Mapping[str, type], kind: str, args: Sequence[Any], given: Mapping[str, Any]
) -> dict[str, tuple[str, Any]] | None:
    """Make a model as ordinary Python does; return its fields: the name of what stayed, and how; or JSON.

    None: this code has no such model any more, so the fields are what was given.
    """
    model = classes.get(kind)
    if model is None or not issubclass(model, BaseModel):
        return None
    real = {name: _real(value, classes) for name, value in given.items()}
    made = model(*[_real(value, classes) for value in args], **real)
    fields = {name: getattr(made, name) for name in model.model_fields} | (made.model_extra or {})
    found = dict[str, tuple[str, Any]]()
    for name, value in fields.items():
        names = names_of(model, name) if name in model.model_fields else (name,)
        kept = [each for each in names if each in real and _is_same(real[each], value)]
        as_json = ("", None if kept else to_jsonable_python(value, by_alias=True))
        found[name] = (kept[0], _kept_as(value, real[kept[0]])) if kept else as_json
    return found


def _kept_as(value: Any, given: Any) -> bool | int:
    """Return whether what is given is shared with the model; a number: so many of its levels are copied."""
    levels = _levels(value, given)
    return levels if levels > 1 else not levels


def _levels(value: Any, given: Any) -> int:
    if value is given or not isinstance(value, list | tuple | set | frozenset | dict):
        return 0
    pairs = zip(*((each.values() if isinstance(each, dict) else each) for each in (value, given)), strict=True)
    return 1 + max((_levels(item, each) for item, each in pairs), default=0)


def misfit_of(kind: str, error: ValidationError) -> str:
    """Return what is wrong with what a model was made of: a line for each field."""
    lines = list[str]()
    for one in error.errors(include_url=False, include_context=False):
        got = "" if one["type"] == "missing" else f", got {shortened(one['input'])}"
        text = one["msg"].removeprefix("Value error, ")
        lines.append(": ".join([kind, *filter(None, [".".join(map(str, one["loc"]))]), text]) + got)
    return "\n".join(lines)


def _is_same(given: Any, value: Any) -> bool:
    return given is value or (type(given) is type(value) and repr(given) == repr(value))


def _real(value: Any, classes: Mapping[str, type]) -> Any:
    """Return a value as ordinary Python has it; one of a class that is not known stays as it is."""
    if isinstance(value, monty.MontyClassProxy):
        return _instance(value, classes)
    if isinstance(value, dict):
        return {_real(name, classes): _real(item, classes) for name, item in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_real(item, classes) for item in value)
    match type(value).__name__:
        case "Decimal":
            return Decimal(str(value))
        case "time":
            return time.fromisoformat(str(value))
        case _:
            return value


def _instance(value: Any, classes: Mapping[str, type]) -> Any:
    attributes = value.attributes
    if value.name == MEMBER:
        enum = classes.get(attributes["_baton_kind"])
        return enum[attributes["name"]] if enum and issubclass(enum, Enum) else value
    if (kind := classes.get(value.name)) is None:
        return value
    fields = {name: _real(item, classes) for name, item in attributes.items()}
    if issubclass(kind, BaseModel):
        return kind.model_construct(**fields)  # it was checked as it was made
    made = object.__new__(kind)
    for name, item in fields.items():
        object.__setattr__(made, name, item)
    return made
