"""The shapes of values that pass the border of the interpreter, and the Python text that makes such values inside.

A shape is plain data, written into the program: `None` for JSON as it is, else a kind with its parts. Invariant: a
value is JSON outside, and has its annotated type inside; a model is a data class there, with fields alone. Must not:
start an interpreter.
"""

import dataclasses
import re
import typing
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, StrEnum
from math import isfinite
from types import FunctionType, NoneType, UnionType
from typing import Any, TypeGuard, Union

import pydantic
from pydantic import AliasChoices, BaseModel, RootModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, PydanticUndefined, to_jsonable_python

from baton.sdk.workflows.subset import unheard

Shape = Any
_KINDS = (datetime, date, time, timedelta, Decimal, bytes)
_SIMPLE: dict[Any, Shape] = {NoneType: ("none",), **{kind: (kind.__name__.lower(),) for kind in _KINDS}}
_AT = (pydantic.AwareDatetime, pydantic.NaiveDatetime, pydantic.PastDatetime, pydantic.FutureDatetime)
_SIMPLE |= dict.fromkeys(_AT, ("datetime",)) | dict.fromkeys((pydantic.PastDate, pydantic.FutureDate), ("date",))
# Names of an object in JSON are texts.
_NAMES: dict[Any, Shape] = {**_SIMPLE, int: ("int",), float: ("float",)}
_CONTAINERS: tuple[tuple[str, type], ...] = (
    *(("tuples", tuple), ("frozenset", frozenset), ("set", AbstractSet)),
    *(("dict", Mapping), ("list", Collection)),
)
_OWN_KINDS = ("tuples", "frozenset", "set")


# Python calls these by itself; without them a model's fields alone would be another program, and nobody would see it.
_UNNOTICED = frozenset({"__bool__", "__len__", "__ne__", "__new__", "__setattr__"})


def _unwrapped(hint: Any) -> Any:
    """Return an annotation without `Annotated` and the names that `NewType` and `type X = …` give it."""
    while (inner := getattr(hint, "__supertype__", getattr(hint, "__value__", None))) is not None or (
        typing.get_origin(hint) is typing.Annotated
    ):
        hint = typing.get_args(hint)[0] if inner is None else inner
    return hint


class NoLiteralError(ValueError):
    """A value that no text of the program can make."""


def is_model(value: object) -> TypeGuard[type[Any]]:
    """Return whether it is a class of pydantic models or a data class."""
    return isinstance(value, type) and (issubclass(value, BaseModel) or dataclasses.is_dataclass(value))


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


class Shapes:
    """The shapes of a program; `models`: the classes that occur in them, by name."""

    def __init__(self) -> None:
        self.models: dict[str, type] = {}
        self.enums: dict[str, type[Enum]] = {}
        self.clashes: list[str] = []

    def of(self, hint: Any) -> Shape:
        """Return the shape of an annotation."""
        hint = _unwrapped(hint)
        if hint in (Any, None) or isinstance(hint, str):
            return None
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (Union, UnionType):
            chosen = [each for each in arguments if each is not NoneType]
            return self.of(chosen[0]) if len(chosen) == 1 else None
        if isinstance(hint, type) and hint in _SIMPLE:
            return _SIMPLE[hint]
        if is_model(hint):
            return ("model", self.known(hint))
        is_enum = isinstance(hint, type) and issubclass(hint, Enum)
        return ("enum", self.enum(hint)) if is_enum else self._container(origin or hint, arguments)

    def enum(self, kind: type[Enum]) -> str:
        """Note an enum; return its name."""
        name = kind.__name__
        if self.enums.setdefault(name, kind) is not kind or name in self.models:
            self.clashes.append(f"two classes are named {name!r} ({kind.__module__}); rename one")
        return name

    def declared_enums(self) -> Iterator[str]:
        """Yield the declarations of the enums: the names and values of their members, and what they are besides."""
        for name, kind in self.enums.items():
            style = "text" if issubclass(kind, StrEnum) else "mixed" if issubclass(kind, str) else ""
            yield f"_baton_Enum({name!r}, {[(each, one.value) for each, one in kind.__members__.items()]!r}, {style!r})"

    def _container(self, origin: Any, arguments: tuple[Any, ...]) -> Shape:
        """Return the shape of a container; one of JSON's own is JSON as it is, unless its items are not."""
        if not isinstance(origin, type) or issubclass(origin, str | bytes):
            return None
        if issubclass(origin, tuple) and arguments and arguments[-1] is not ...:
            return ("tuple", [self.of(each) for each in arguments])
        inner = self.of(arguments[issubclass(origin, Mapping)]) if arguments else None
        kind = next((kind for kind, base in _CONTAINERS if issubclass(origin, base)), None)
        if kind == "dict":
            name = self._name(arguments[0]) if arguments else None
            return (kind, inner, name) if (inner, name) != (None, None) else None
        return (kind, inner) if kind in _OWN_KINDS or (kind and inner is not None) else None

    def _name(self, hint: Any) -> Shape:
        """Return the shape of an object's names, which are texts in JSON."""
        hint = _unwrapped(hint)
        if not isinstance(hint, type) or not issubclass(hint, Enum):
            return _NAMES.get(hint)
        found = self.of(hint)
        return found if all(isinstance(each.value, str) for each in hint) else None

    def known(self, model: type) -> str:
        """Note a model, and those in its fields; return its name."""
        name = _name_of(model)
        if issubclass(model, RootModel):
            self.clashes.append(f"class {name} is a RootModel, which has no fields inside; annotate what is in it")
        if name not in self.models:
            self.clashes += [unheard(name, method) for method in sorted(_UNNOTICED.intersection(_own_methods(model)))]
        if self.models.setdefault(name, model) is not model:
            self.clashes.append(f"two classes are named {name!r} ({model.__module__}); rename one")
        return name

    def fields(self) -> dict[str, list[tuple[str, str, str, Shape]]]:
        """Return for each model its fields: the name, those that it is shown and read by in JSON, and the shape."""
        found = dict[str, list[tuple[str, str, str, Shape]]]()
        while missing := [name for name in self.models if name not in found]:
            for name in missing:
                fields = _fields_of(self.models[name])
                found[name] = [(field, shown, read, self.of(hint)) for field, shown, read, hint in fields]
        return found

    def open_models(self) -> list[str]:
        """Return the models whose objects in JSON may have more than their fields, and keep it."""
        found = [(name, getattr(model, "model_config", {})) for name, model in self.models.items()]
        return [name for name, config in found if config.get("extra") == "allow"]

    def checked(self) -> list[str]:
        """Return the models that are made by their own code, outside."""
        return [name for name, model in self.models.items() if issubclass(model, BaseModel)]

    def literal(self, value: Any) -> str:
        """Return the text that makes this value.

        Raises:
            NoLiteralError: there is none.
        """
        if isinstance(value, Enum) and is_plain_enum(type(value)):
            return f"_baton_ENUMS[{self.enum(type(value))!r}]({self.literal(value.value)})"
        if value is None or type(value) in (bool, str, bytes, int, float):
            return f"float('{value}')" if type(value) is float and not isfinite(value) else repr(value)
        if type(value) in (list, tuple, set, frozenset) or isinstance(value, Mapping):
            return self._items(value)
        if text := _call_of(value):
            return text
        kind = next((kind for kind in _SIMPLE if type(value) is kind), None)
        if kind is not None:
            return f"_baton_as({_SIMPLE[kind]!r}, {to_jsonable_python(value)!r})"
        if is_model(type(value)):
            return f"_baton_as(('model', {self.known(type(value))!r}), {self.literal(to_jsonable_python(value))})"
        raise NoLiteralError(type(value).__name__)

    def _items(self, value: Any) -> str:
        if hasattr(type(value), "__missing__"):  # a text has no default of it
            raise NoLiteralError(type(value).__name__)
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{self.literal(key)}: {self.literal(item)}" for key, item in value.items()) + "}"
        items = "".join(f"{self.literal(item)}, " for item in value)
        match value:
            case list():
                return f"[{items}]"
            case tuple():
                return f"({items})"
            case _:
                return f"{type(value).__name__}([{items}])"

    def declared(self, model: type) -> str:
        """Return the declaration of a model as a data class with its fields alone."""
        frozen = getattr(getattr(model, "__dataclass_params__", None), "frozen", False)
        lines, taken = [f"@_baton_dataclass(frozen={frozen})", f"class {_name_of(model)}:"], list[str]()
        # A model takes fields by their other names, too, and passes over unknown ones.
        extra = model.model_config.get("extra") or "ignore" if issubclass(model, BaseModel) else ""
        for name, default in _defaults_of(model):
            text = "" if default is PydanticUndefined else self._default(default)
            lines.append(f"    {name}: object{' = None' if extra else _assigned(default, text)}")
            taken.append(f"({name!r}, {names_of(model, name)!r}, {f'lambda: {text}' if text else None}), ")
        if extra:
            lines.append(
                f"    def __init__(self, *args, **given): _baton_init(self, args, given, ({''.join(taken)}), {extra!r})"
            )
        return "\n".join([*lines, *_special_methods(model), "    pass", ""])

    def _default(self, default: Any) -> str:
        """Return the text of a field's default; of a type that is JSON inside, that of its JSON."""
        with suppress(NoLiteralError):
            return self.literal(default)
        with suppress(NoLiteralError, PydanticSerializationError):
            return self.literal(to_jsonable_python(default))
        return "None"


def _assigned(default: Any, text: str) -> str:
    if not text:
        return ""
    is_made = isinstance(default, list | dict | set) or "_baton_" in text
    return f" = _baton_field(default_factory=lambda: {text})" if is_made else f" = {text}"


def names_of(model: type, field: str) -> tuple[str, ...]:
    """Return the names by which a model takes a field."""
    return next(tuple(dict.fromkeys((read, name))) for name, _, read, _ in _fields_of(model) if name == field)


def _name_of(model: type) -> str:
    """Return the name of a model's class inside; a generic one has its types in brackets outside."""
    return re.sub(r"\W", "_", model.__name__)


def _call_of(value: object) -> str:
    """Return the call that makes a value of the standard library; empty: there is none."""
    match value:
        case timedelta():
            return f"_baton_timedelta({value.days}, {value.seconds}, {value.microseconds})"
        case timezone():
            return f"_baton_timezone({_call_of(value.utcoffset(None))})"
        case time(tzinfo=None):
            return f"_baton_time({value.hour}, {value.minute}, {value.second}, {value.microsecond})"
        case re.Pattern():
            return f"_baton_re.compile({value.pattern!r}, {int(value.flags)})"
        case re.RegexFlag():
            return str(int(value))
        case _:
            return ""


def _own_methods(model: type) -> list[str]:
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


def methods_of(model: type) -> set[str]:
    """Return the names of what users wrote into a model's classes that is no field, and does not run inside."""
    return {
        name
        for each in model.__mro__
        if not each.__module__.startswith(("pydantic.", "builtins"))
        for name, value in vars(each).items()
        if isinstance(value, FunctionType | property | classmethod | staticmethod) and not name.startswith("__")
    }


def unmade(model: type, given: Collection[str | None]) -> str:
    """Return the fault of a data class's own code that would run as it is made of these; empty: there is none."""
    if "__post_init__" in _own_methods(model):
        return unheard(model.__name__, "__post_init__")
    for field in dataclasses.fields(model) if dataclasses.is_dataclass(model) else ():
        factory = field.default_factory
        if factory is not dataclasses.MISSING and field.name not in given and factory() != factory():
            what = f"the default_factory of {model.__name__}.{field.name} is not called in a workflow"
            return f"{what}; give {field.name}=… where you make one"
    return ""


def _special_methods(model: type) -> Iterator[str]:
    """Yield what a data class would do in another way than the model: a text, a comparison; or that it cannot do it."""
    inside, own, fields = _name_of(model), _own_methods(model), _shown_and_compared(model)
    shown, compared = [name for name, is_shown, _ in fields if is_shown], [name for name, _, counts in fields if counts]
    pairs = [f"{name}={{self.{name}!r}}" for name in shown]
    if "__repr__" not in own and len(shown) < len(fields):
        yield f'    def __repr__(self): return f"{inside}({", ".join(pairs)})"'
    if "__str__" not in own and issubclass(model, BaseModel) and "__repr__" not in own:
        yield f'    def __str__(self): return f"{" ".join(pairs)}"'
    if "__eq__" not in own and len(compared) < len(fields):
        same = " and ".join([f"type(other) is {inside}", *(f"self.{name} == other.{name}" for name in compared)])
        yield f"    def __eq__(self, other): return {same}"
    if issubclass(model, BaseModel) and model.model_config.get("frozen") and "__hash__" not in own:
        yield f"    def __hash__(self): return hash(({''.join(f'self.{name}, ' for name in compared)}))"
    for name in sorted({"__repr__", "__str__", "__eq__", "__hash__"}.intersection(own)):
        what = f"{inside}.{name} does not run in a workflow, which has the fields alone; write what you want"
        yield f"    def {name}(self, *_): raise TypeError({what!r})"


def _shown_and_compared(model: type) -> list[tuple[str, bool, bool]]:
    """Return the fields, whether a text of the model has them, and whether they are compared."""
    if issubclass(model, BaseModel):
        return [(name, info.repr, True) for name, info in model.model_fields.items()]
    found = dataclasses.fields(typing.cast("Any", model))
    return [(field.name, field.repr, field.compare) for field in found]


def _fields_of(model: type) -> list[tuple[str, str, str, Any]]:
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


def _defaults_of(model: type) -> list[tuple[str, Any]]:
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
