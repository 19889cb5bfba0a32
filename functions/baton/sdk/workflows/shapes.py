"""The shapes of values that pass the border of the interpreter, and the Python text that makes such values inside.

A shape is plain data, written into the program: `None` for JSON as it is, else a kind with its parts. Invariant: a
value is JSON outside, and has its annotated type inside; a model is a data class there, with fields alone. Must not:
start an interpreter.
"""

import itertools
import re
import typing
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union

import pydantic
from pydantic import BaseModel, RootModel
from pydantic_core import PydanticSerializationError, PydanticUndefined, to_jsonable_python
from typing_extensions import get_type_hints, is_typeddict

from baton.sdk.workflows.model_classes import (
    defaults_of,
    fields_of,
    inside_order,
    is_model,
    is_ordered,
    is_plain_enum,
    named_by,
    names_of,
    own_methods,
    shown_and_compared,
    unrecorded,
    unwrapped,
)
from baton.sdk.workflows.subset import unheard

Shape = Any
_KINDS = (datetime, date, time, timedelta, Decimal, bytes)
_SIMPLE: dict[Any, Shape] = {NoneType: ("none",), **{kind: (kind.__name__.lower(),) for kind in _KINDS}}
_AT = (pydantic.AwareDatetime, pydantic.NaiveDatetime, pydantic.PastDatetime, pydantic.FutureDatetime)
_SIMPLE |= dict.fromkeys(_AT, ("datetime",)) | dict.fromkeys((pydantic.PastDate, pydantic.FutureDate), ("date",))
# Names of an object in JSON are texts.
_NAMES: dict[Any, Shape] = {**_SIMPLE, bool: ("flag",), int: ("int",), float: ("float",)}
_CONTAINERS: tuple[tuple[str, type], ...] = (
    *(("tuples", tuple), ("frozenset", frozenset), ("set", AbstractSet)),
    *(("dict", Mapping), ("list", Collection), ("list", Iterable)),
)
_SECRETS = (pydantic.Secret, pydantic.SecretBytes, pydantic.SecretStr)
_LESS = (Counter, defaultdict, deque)  # what JSON and pydantic make of them is less inside
_OWN_KINDS = ("tuples", "frozenset", "set")
# What JSON makes of a type, by the name of its class inside. A whole float may come back as an int.
_NUMBER, _TEXT = frozenset({"int", "float"}), frozenset({"str"})
_JSON_KINDS = {bool: frozenset({"bool"}), int: _NUMBER, float: _NUMBER, str: _TEXT}
_JSON_KINDS |= dict.fromkeys((kind for kind in _SIMPLE if kind is not NoneType), _TEXT)
_ANY_JSON = frozenset({"bool", "int", "float", "str", "list", "dict"})


# Python calls these by itself; without them a model's fields alone would be another program, and nobody would see it.
_UNNOTICED = frozenset({"__bool__", "__len__", "__ne__", "__new__", "__setattr__"})


_Tag = tuple[tuple[str, ...], list[Any]]


class _Arm(NamedTuple):
    """One type of a union. `kinds`: what JSON makes of it; `tags`: its fields that have literals alone."""

    shape: Shape
    kinds: frozenset[str]
    tags: list[_Tag]
    shown: str

    def is_distinct(self, other: "_Arm") -> bool:
        """Return whether no JSON may be of both, or both are the same inside."""
        is_tagged = any(
            set(names) & set(others) and set(values).isdisjoint(known)
            for (names, values), (others, known) in itertools.product(self.tags, other.tags)
        )
        return self.shape == other.shape or is_tagged or self.kinds.isdisjoint(other.kinds)


def _arms_of(hint: Any) -> Iterator[Any]:
    """Yield the types of a union, and of those in it, without `None`."""
    hint = unwrapped(hint)
    if typing.get_origin(hint) not in (Union, UnionType):
        yield from () if hint in (None, NoneType) else (hint,)
        return
    for each in typing.get_args(hint):
        yield from _arms_of(each)


def _json_kinds(hint: Any) -> frozenset[str]:
    """Return what JSON may make of a type that is no union."""
    values = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
    kind = typing.get_origin(hint) or hint
    if isinstance(kind, type) and issubclass(kind, Enum):
        values = tuple(each.value for each in kind)
    if values:
        found = [_JSON_KINDS.get(type(getattr(each, "value", each)), _ANY_JSON) for each in values if each is not None]
        return frozenset[str]().union(*found)
    if not isinstance(kind, type):
        return _ANY_JSON
    if known := next((_JSON_KINDS[each] for each in kind.__mro__ if each in _JSON_KINDS), None):
        return known
    if is_model(kind) or issubclass(kind, Mapping):
        return frozenset({"dict"})
    return frozenset({"list"}) if issubclass(kind, Collection) or kind in (Iterable, Iterator) else _ANY_JSON


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).removeprefix("typing.")


def _tags_of(hint: Any) -> list[_Tag]:
    """Return the fields of a model that have literals alone: their names, and these."""
    if not is_model(hint):
        return []
    fields = [(tuple(dict.fromkeys(names)), unwrapped(kind)) for *names, kind in fields_of(hint)]
    found = [(names, list(typing.get_args(kind))) for names, kind in fields if typing.get_origin(kind) is Literal]
    return [(names, values) for names, values in found if all(type(each) in (str, int) for each in values)]


class NoLiteralError(ValueError):
    """A value that no text of the program can make."""


class Shapes:
    """The shapes of a program; `models`: the classes that occur in them, by name."""

    def __init__(self) -> None:
        self.models: dict[str, type] = {}
        self.enums: dict[str, type[Enum]] = {}
        self.clashes: list[str] = []
        self._place = ""  # of the annotation that is read
        self._again: list[Any] = []  # those that do
        self._open: list[Any] = []  # names of types that are read, which may have themselves inside

    def of(self, hint: Any, place: str = "") -> Shape:
        """Return the shape of an annotation. `place`: where it stands, which its faults name."""
        self._place = place or self._place
        if not hasattr(hint, "__value__") and not is_typeddict(hint):
            return self._of_type(unwrapped(hint))
        if hint in self._open:
            self._again.append(hint)
            return None
        self._open.append(hint)
        found = self._typed_dict(hint) if is_typeddict(hint) else self._named(hint)
        self._open.pop()
        if found is not None and hint in self._again:
            self._clash(f"{self._place}: {hint.__name__} has itself inside, which no workflow reads; annotate a model")
        return found

    def _named(self, hint: Any) -> Shape:
        """Return the shape of what a name of a type stands for."""
        if isinstance(value := named_by(hint), str):
            what = f"{hint.__name__} is the text {value!r}, which names no type of {hint.__module__}"
            self._clash(f"{self._place}: {what}; write the type itself")
        return self.of(value)

    def _typed_dict(self, hint: Any) -> Shape:
        found = {name: self.of(each) for name, each in get_type_hints(hint).items()}
        return ("typed", found) if any(shape is not None for shape in found.values()) else None

    def _of_type(self, hint: Any) -> Shape:
        if hint in (Any, None) or isinstance(hint, str):
            return None
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (Union, UnionType):
            return self._union(list(_arms_of(hint)))
        if isinstance(hint, type) and hint in _SIMPLE:
            return _SIMPLE[hint]
        if issubclass(origin or hint if isinstance(origin or hint, type) else object, _SECRETS):
            what = f"{self._place}: a {_shown(hint)} is stars in the records of a job, so a workflow has no value of it"
            self._clash(f"{what}; read the secret in the tool that needs it")
        if is_model(hint):
            return ("model", self.known(hint))
        is_enum = isinstance(hint, type) and issubclass(hint, Enum)
        return ("enum", self.enum(hint)) if is_enum else self._container(origin or hint, arguments)

    def _union(self, chosen: list[Any]) -> Shape:
        """Return the shape of one of several types, which its JSON tells; one of JSON's own is JSON as it is."""
        if len(chosen) == 1:
            return self.of(chosen[0])
        arms = [_Arm(self.of(each), _json_kinds(each), _tags_of(each), _shown(each)) for each in chosen]
        for at, one in enumerate(arms):
            for other in arms[:at]:
                if not one.is_distinct(other):
                    what = f"{self._place}: JSON does not tell {other.shown} from {one.shown}, so a workflow cannot"
                    self._clash(f"{what}; annotate one of them, or give both models a field kind: Literal['…']")
        typed = [(arm.shape, sorted(arm.kinds), arm.tags) for arm in arms if arm.shape is not None]
        return ("union", typed) if typed else None

    def _clash(self, text: str) -> None:
        """Note a fault once."""
        if text not in self.clashes:
            self.clashes.append(text)

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
        if issubclass(origin, _LESS) or hasattr(origin, "_fields"):
            what = f"{self._place}: a {origin.__name__} has no methods or names of its own in a workflow"
            self._clash(f"{what}; annotate dict, list or a model")
            return None
        inner = self.of(arguments[issubclass(origin, Mapping)]) if arguments else None
        kind = next((kind for kind, base in _CONTAINERS if issubclass(origin, base)), None)
        if kind == "dict":
            name = self._name(arguments[0]) if arguments else None
            return (kind, inner, name) if (inner, name) != (None, None) else None
        return (kind, inner) if kind in _OWN_KINDS or (kind and inner is not None) else None

    def _name(self, hint: Any) -> Shape:
        """Return the shape of an object's names, which are texts in JSON."""
        hint, arms = unwrapped(hint), list(_arms_of(hint))
        if hint in _NAMES:
            return _NAMES[hint]
        found = self.of(hint)
        is_text = all(_json_kinds(each) in (_TEXT, _ANY_JSON) for each in arms) and NoneType not in typing.get_args(
            hint
        )
        if is_text and (found is None or found[0] == "enum"):
            return found
        what = f"{self._place}: names of an object are texts in JSON, of which a workflow cannot make {_shown(hint)}"
        self._clash(f"{what}; annotate str, int or another single type")
        return None

    def known(self, model: type) -> str:
        """Note a model, and those in its fields; return its name."""
        name = _name_of(model)
        if issubclass(model, RootModel):
            self.clashes.append(f"class {name} is a RootModel, which has no fields inside; annotate what is in it")
        if name not in self.models:
            self.clashes += [unheard(name, method) for method in sorted(_UNNOTICED.intersection(own_methods(model)))]
            self.clashes += unrecorded(model)
        if self.models.setdefault(name, model) is not model:
            self.clashes.append(f"two classes are named {name!r} ({model.__module__}); rename one")
        return name

    def fields(self) -> dict[str, list[tuple[str, str, str, Shape]]]:
        """Return for each model its fields: the name, those that it is shown and read by in JSON, and the shape."""
        found = dict[str, list[tuple[str, str, str, Shape]]]()
        while missing := [name for name in self.models if name not in found]:
            for name in missing:
                fields = fields_of(self.models[name])
                found[name] = [
                    (field, shown, read, self.of(hint, f"{name}.{field}")) for field, shown, read, hint in fields
                ]
        return found

    def open_models(self) -> list[str]:
        """Return the models whose objects in JSON may have more than their fields, and keep it."""
        return [name for name, each in self.models.items() if getattr(each, "model_config", {}).get("extra") == "allow"]

    def checked(self) -> list[str]:
        """Return the models that are made by their own code, outside."""
        return [name for name, model in self.models.items() if issubclass(model, BaseModel)]

    def ordered(self) -> dict[str, list[str]]:
        """Return for each data class that has an order the fields by which it goes."""
        found = [model for model in self.models.values() if is_ordered(model)]
        return {_name_of(model): [name for name, _, counts in shown_and_compared(model) if counts] for model in found}

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
        for name, default in defaults_of(model):
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


def _special_methods(model: type) -> Iterator[str]:
    """Yield what a data class would do in another way than the model: a text, a comparison; or that it cannot do it."""
    inside, own, fields = _name_of(model), own_methods(model), shown_and_compared(model)
    shown, compared = [name for name, is_shown, _ in fields if is_shown], [name for name, _, counts in fields if counts]
    pairs = [f"{name}={{self.{name}!r}}" for name in shown]
    if "__repr__" not in own and shown != inside_order(model):  # hidden ones, or another order
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
