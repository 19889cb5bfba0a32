"""What the class of a model or an enum says of its fields and members, and what of its own code it has.

Must not: make a value, or text of a program.
"""

import ast
import dataclasses
import sys
import typing
from collections.abc import Iterator
from enum import Enum, Flag
from types import FunctionType
from typing import Any, TypeGuard

from pydantic import AliasChoices, BaseModel, PlainSerializer, WrapSerializer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typing_extensions import get_type_hints

from baton.sdk.workflows.subset import unheard

# Options by which the JSON of a value is no longer the one that is read inside.
_OTHER_JSON = frozenset({"json_encoders", "ser_json_bytes", "ser_json_temporal", "ser_json_timedelta"})


def unwrapped(hint: Any) -> Any:
    """Return an annotation without `Annotated` and the names that `NewType` and `type X = …` give it."""
    while (inner := getattr(hint, "__supertype__", named_by(hint))) is not None or (
        typing.get_origin(hint) is typing.Annotated
    ):
        hint = typing.get_args(hint)[0] if inner is None else inner
    return hint


def named_by(hint: Any) -> Any:
    """Return the type that `type X = …` names, also as a text, read in its module; None: it is no such name."""
    if not isinstance(value := getattr(hint, "__value__", None), str):
        return value
    module = vars(sys.modules.get(hint.__module__, typing))
    try:
        return get_type_hints(type(hint.__name__, (), {"__annotations__": {"it": value}}), module, include_extras=True)[
            "it"
        ]
    except (NameError, TypeError, AttributeError, SyntaxError):
        return value


def is_model(value: object) -> TypeGuard[type[Any]]:
    """Return whether it is a class of pydantic models or a data class."""
    return isinstance(value, type) and (issubclass(value, BaseModel) or dataclasses.is_dataclass(value))


def is_ordered(model: type) -> bool:
    """Return whether it is a data class with `order=True`."""
    return bool(getattr(getattr(model, "__dataclass_params__", None), "order", False))


def is_plain_enum(value: object) -> TypeGuard[type[Enum]]:
    """Return whether it is an enum of names for texts and numbers, without methods of its own."""
    if not isinstance(value, type) or not issubclass(value, Enum) or issubclass(value, int | float | Flag):
        return False
    made = (getattr(each, "__func__", getattr(each, "fget", each)) for each in vars(value).values())
    has_own = any(isinstance(each, FunctionType) and each.__module__ == value.__module__ for each in made)
    return not has_own and all(type(one.value) in (str, int, float, bool) for one in value)


def no_plain(kind: type[Enum]) -> str:
    """Return the fault of an enum that is more than that."""
    what = f"enum {kind.__name__} is more than names for values, which is not possible in a workflow"
    return f"{what}; write its values as constants, and what it does as functions"


def names_of(model: type, field: str) -> tuple[str, ...]:
    """Return the names by which a model takes a field."""
    return next(tuple(dict.fromkeys((read, name))) for name, _, read, _ in fields_of(model) if name == field)


def own_methods(model: type) -> list[str]:
    """Return the names of the functions that users wrote into a model's classes, not those that a library made."""
    found = [
        (name, each.__module__, getattr(value, "__func__", value))  # `__new__` is a static method
        for each in model.__mro__
        if not each.__module__.startswith("pydantic.")
        for name, value in vars(each).items()
    ]
    return [
        name
        for name, module, function in found
        if isinstance(function, FunctionType)
        and function.__globals__.get("__name__") == module
        and function.__code__.co_filename != "<string>"
    ]


def annotated_in(model: type) -> set[str]:
    """Return the names that a model's classes annotate."""
    return {name for each in model.__mro__ for name in vars(each).get("__annotations__", ())}


def methods_of(model: type) -> set[str]:
    """Return the names of what users wrote into a model's classes that is no field, and does not run inside."""
    return {
        name
        for each in model.__mro__
        if not each.__module__.startswith(("pydantic.", "builtins"))
        for name, value in vars(each).items()
        if isinstance(value, FunctionType | property | classmethod | staticmethod) and not name.startswith("__")
    }


def unmade(model: type, call: ast.Call) -> str:
    """Return the fault of a data class that is made by this call, whose own code or options are not there inside."""
    given = [each.arg for each in call.keywords]
    if call.args and not _is_placed(model, call.args):
        return (
            f"{model.__name__} takes these fields by their names alone in a workflow; write {model.__name__}(field=…)"
        )
    if "__post_init__" in own_methods(model):
        return unheard(model.__name__, "__post_init__")
    for field in dataclasses.fields(model) if dataclasses.is_dataclass(model) else ():
        factory = field.default_factory
        if factory is not dataclasses.MISSING and field.name not in given and factory() != factory():
            what = f"the default_factory of {model.__name__}.{field.name} is not called in a workflow"
            return f"{what}; give {field.name}=… where you make one"
    return ""


def _is_placed(model: type, args: list[ast.expr]) -> bool:
    """Return whether the values of a call by place are those of the same fields inside; a pydantic model tells."""
    if issubclass(model, BaseModel):
        return True
    inside = inside_order(model)
    outside = [each.name for each in dataclasses.fields(typing.cast("Any", model)) if each.init and not each.kw_only]
    count = len(inside) if any(isinstance(each, ast.Starred) for each in args) else len(args)
    return len(outside) >= count and outside[:count] == inside[:count]


def inside_order(model: type) -> list[str]:
    """Return the fields in the order that a model has inside: of a data class, those without a default come first."""
    if issubclass(model, BaseModel):
        return list(model.model_fields)
    found, none = dataclasses.fields(typing.cast("Any", model)), dataclasses.MISSING
    is_needed = {each.name: each.default is none and each.default_factory is none for each in found}
    return sorted(is_needed, key=lambda name: not is_needed[name])


def unrecorded(model: type) -> Iterator[str]:
    """Yield the faults of a pydantic model whose JSON has less than its fields, or something else."""
    decorators, config = getattr(model, "__pydantic_decorators__", None), getattr(model, "__pydantic_config__", None)
    of_fields = getattr(decorators, "field_serializers", {}) | getattr(decorators, "model_serializers", {})
    own = [f"{model.__name__}.{name} is a serializer" for name in of_fields]
    for name, info in getattr(model, "__pydantic_fields__", {}).items():
        if info.exclude or getattr(info, "exclude_if", None):
            own.append(f"{model.__name__}.{name} has exclude=…")
        if any(
            isinstance(each, PlainSerializer | WrapSerializer) for each in [*info.metadata, *_extras(info.annotation)]
        ):
            own.append(f"{model.__name__}.{name} has a serializer")
    options = getattr(model, "model_config", config) or {}
    own += [f"{model.__name__} has the option {name}" for name in options if name in _OTHER_JSON]
    way = "leave it out of this model, and choose in a tool what leaves"
    yield from (f"{each}, so a job would not have the field's value in its records; {way}" for each in own)


def shut_in(model: type) -> dict[str, str]:
    """Return the fields of a pydantic model that nobody sets, or not as they are given, each with the reason."""
    if not issubclass(model, BaseModel):
        return {}
    config, fields = model.model_config, model.model_fields
    checked = "has validate_assignment" if config.get("validate_assignment") else ""
    found = {name: "is frozen" if config.get("frozen") or info.frozen else checked for name, info in fields.items()}
    return {name: reason for name, reason in found.items() if reason}


def _extras(hint: Any) -> Iterator[Any]:
    """Yield what `Annotated` says of the types inside of one."""
    for each in typing.get_args(hint):
        yield from getattr(each, "__metadata__", ())
        yield from _extras(each)


def shown_and_compared(model: type) -> list[tuple[str, bool, bool]]:
    """Return the fields, whether a text of the model has them, and whether they are compared."""
    if issubclass(model, BaseModel):
        return [(name, info.repr, True) for name, info in model.model_fields.items()]
    found = dataclasses.fields(typing.cast("Any", model))
    return [(field.name, field.repr, field.compare) for field in found]


def fields_of(model: type) -> list[tuple[str, str, str, Any]]:
    """Return the fields: the name, those that it is shown and read by in JSON, and the annotation."""
    if issubclass(model, BaseModel):
        by_name = model.model_config.get("validate_by_alias") is False
        return [
            (name, info.serialization_alias or name, name if by_name else _read_by(name, info), info.annotation)
            for name, info in model.model_fields.items()
        ]
    try:
        hints = typing.get_type_hints(model)
    except (NameError, TypeError):
        hints = {}
    found = dataclasses.fields(typing.cast("Any", model))
    return [(field.name, field.name, field.name, hints.get(field.name)) for field in found]


def _read_by(name: str, info: FieldInfo) -> str:
    """Return the name by which a field is read: its alias, or the first of several that is a name."""
    alias = info.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return next((choice for choice in choices if isinstance(choice, str)), name)


def defaults_of(model: type) -> list[tuple[str, Any]]:
    """Return fields with their defaults, those without one first: the order that a data class needs."""
    found = list[tuple[str, Any]]()
    if issubclass(model, BaseModel):
        for name, info in model.model_fields.items():
            factory: Any = info.default_factory
            found.append(
                (name, factory() if factory and not info.default_factory_takes_validated_data else info.default)
            )
    else:
        for field in dataclasses.fields(typing.cast("Any", model)):
            made = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
            found.append((field.name, PydanticUndefined if made is dataclasses.MISSING else made))
    return found if issubclass(model, BaseModel) else sorted(found, key=lambda each: each[1] is not PydanticUndefined)
