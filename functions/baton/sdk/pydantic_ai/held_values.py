"""What an object of a run holds, as JSON and back: data by its kind, other objects by what they are made anew with.

Data are JSON types, bytes, times, decimals, UUIDs, paths, enums, tuples, sets, mappings with any keys, dataclasses and
pydantic models. An object that is neither is only filled again, in place. Invariant: reading builds classes of the
given modules alone, and runs no code that a store could have written. Must not: know pydantic-ai's runs.
"""

import asyncio
import base64
import dataclasses
import io
import logging
import math
import re
import socket
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePosixPath, PureWindowsPath
from threading import Lock
from typing import Any, cast
from uuid import UUID
from weakref import WeakKeyDictionary, WeakSet

from pydantic import BaseModel, TypeAdapter

from baton_events.ids import canonical_json

Json = Any
# What is made anew with its object, and holds nothing of a run.
ANEW = {"anew": ""}
# A weak collection knows objects of its process alone: the next piece has others.
_WEAK = {kind.__module__ for kind in (WeakKeyDictionary, WeakSet, weakref.ref)}
_ANEW_MODULES = ("threading", type(Lock()).__module__, "asyncio.locks", "functools", *_WEAK)
_ANEW_OF_ANYIO = frozenset({"Lock", "Event", "Semaphore", "CapacityLimiter", "Condition"})
_OF_THE_SYSTEM = frozenset(
    kind.__module__ for kind in (object, asyncio.Task, asyncio.Server, io.BytesIO, socket.socket)
)
_ANEW_TYPES = (types.ModuleType, type, re.Pattern, logging.Logger, TypeAdapter, ContextVar, property)
_TEXTS: Mapping[type[Any], tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    datetime: (datetime.isoformat, datetime.fromisoformat),
    date: (date.isoformat, date.fromisoformat),
    time: (time.isoformat, time.fromisoformat),
    Decimal: (str, Decimal),
    UUID: (str, UUID),
    PurePosixPath: (str, Path),
    PureWindowsPath: (str, PureWindowsPath),
    bytes: (lambda given: base64.b64encode(given).decode(), base64.b64decode),
    complex: (str, complex),
    float: (repr, float),  # only those that JSON has no word for
    int: (hex, lambda text: int(text, 16)),  # only those too long for a reader of JSON
}
_COLLECTIONS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in (list, tuple, set, frozenset, deque)}
_NAMES = {kind.__name__: kind for kind in _TEXTS}
_LONGEST_BITS = 1_000


class CannotBeHeldError(Exception):
    """A value cannot be kept between two pieces of a run; the message says where it is, and what."""


@dataclasses.dataclass(frozen=True, slots=True)
class HeldValues:
    """Converts values of one run.

    Attributes:
        settings: by their places, the objects of the agent itself, which are there in each piece.
        places: of the settings, by their ids.
        modules: names of the modules, and first words of names, of which classes may be built.
        shared: classes whose objects are made anew in each piece, besides those of every run.
        lasting: classes whose objects `for_run` must have made: one that is not among `met` is refused.
        met: by their ids, the objects that are made anew, as far as they were written.
    """

    settings: Mapping[str, Any]
    modules: Collection[str]
    shared: tuple[type[Any], ...] = ()
    lasting: tuple[type[Any], ...] = ()
    met: dict[int, object] = dataclasses.field(default_factory=dict[int, object])
    places: dict[int, str] = dataclasses.field(init=False, default_factory=dict[int, str])

    def __post_init__(self) -> None:
        """Know the settings by their ids."""
        self.places.update((id(one), place) for place, one in self.settings.items())

    def written(self, value: Any, place: str) -> Json:
        """Convert a value to JSON. Raises CannotBeHeldError: it is neither data, nor a plain object, nor made anew."""
        if id(value) in self.places and not isinstance(value, str | bytes | int | float | Enum | None):
            return {"own": self.places[id(value)]}
        match value:
            case Enum():
                kept: Json = {"enum": [self._name_of(type(value), place), value.name]}
            case None | bool():
                kept = value
            case str():
                kept = str(value)
            case int():
                kept = self._number(value)
            case float() if math.isfinite(value):
                kept = value
            case list() | tuple() | set() | frozenset() | deque():
                kept = self._collection(cast("Collection[Any]", value), place)
            case Mapping() if type(value).__module__ in ("builtins", "collections", "types"):
                names = [f"{key[:40]!r}" if isinstance(key, str) else type(key).__name__ for key in value]
                rows = [(key, one, f"{place}[{name}]") for (key, one), name in zip(value.items(), names, strict=True)]
                kept = {"map": [[self.written(key, place), self.written(one, at)] for key, one, at in rows]}
            case timedelta():
                kept = {"timedelta": [value.days, value.seconds, value.microseconds]}
            case _:
                kept = self._text(value) or self._object(value, place)
        return kept

    def read(self, kept: Json, now: Any, place: str = "") -> Any:
        """Convert JSON back. `now`: the value that is there, filled in place if it can be.

        Raises CannotBeHeldError: it was written by another version of the code.
        """
        if not isinstance(kept, list | dict):
            return kept
        kind, data = cast("tuple[str, Any]", ("list", kept) if isinstance(kept, list) else next(iter(kept.items())))
        match kind:
            case "anew":
                read = now
            case "own" | "id":
                read = self._setting(kind, data, place)
            case "list" | "tuple" | "set" | "frozenset" | "deque":
                read = _filled(now, [self.read(one, None, place) for one in data], _COLLECTIONS[kind])
            case "map":
                pairs = [(self.read(key, None), item) for key, item in data]
                old = now if isinstance(now, Mapping) else {}
                read = _filled(now, {key: self.read(item, old.get(key), place) for key, item in pairs}, dict)
            case "timedelta":
                read = timedelta(*data)
            case "enum":
                read = self._class_of(data[0], place)[data[1]]
            case "data" | "object":
                read = self._filled_object(kind, data, now, place)
            case _:
                read = _TEXTS[_NAMES[kind]][1](data)
        return read

    def _number(self, value: int) -> Json:
        own = self.places.get(value)  # a count by `id()` of a setting: another number in each process
        if own is not None:
            return {"id": own}
        return int(value) if value.bit_length() <= _LONGEST_BITS else {"int": hex(value)}

    def _setting(self, kind: str, place: str, where: str) -> Any:
        if place not in self.settings:
            raise CannotBeHeldError(f"{where}: the agent has no {place} any more")
        return self.settings[place] if kind == "own" else id(self.settings[place])

    def _collection(self, value: Collection[Any], place: str) -> Json:
        rows = [self.written(one, f"{place}[{at}]") for at, one in enumerate(value)]
        if isinstance(value, set | frozenset):
            rows.sort(key=canonical_json)  # a set has another order in each process
        kind: type[Any] = next(kind for kind in _COLLECTIONS.values() if isinstance(value, kind))
        if type(value) is not kind:
            raise CannotBeHeldError(f"{place} is a {type(value).__name__}")
        return rows if kind is list else {kind.__name__: rows}

    @staticmethod
    def _text(value: Any) -> Json:
        for kind in type(value).__mro__:  # virtual time has classes of its own
            if kind in _TEXTS:
                return {kind.__name__: _TEXTS[kind][0](value)}
        return None

    def _object(self, value: Any, place: str) -> Json:
        kind: type[Any] = type(value)
        if isinstance(value, (*_ANEW_TYPES, *self.shared)) or callable(value) or _is_anew(kind):
            if isinstance(value, self.lasting) and id(value) not in self.met:
                raise CannotBeHeldError(f"{place} is a {kind.__name__}, made during the run")
            self.met[id(value)] = value
            return ANEW
        data = isinstance(value, BaseModel) or dataclasses.is_dataclass(value)
        fields = _fields_of(value)
        if fields is None or kind.__module__ in _OF_THE_SYSTEM:
            raise CannotBeHeldError(f"{place} is a {kind.__name__}")
        named = self._name_of(kind, place)
        if not data and not _is_plain(kind):
            raise CannotBeHeldError(f"{place} is a {kind.__name__}")
        kept = {name: self.written(one, f"{place}.{name}") for name, one in fields.items()}
        return {"data" if data else "object": [named, kept]}

    def _filled_object(self, kind: str, data: Any, now: Any, place: str) -> Any:
        named, fields = data
        wanted = self._class_of(named, place)
        filled = now if type(now) is wanted else None
        if filled is None and kind == "object":
            raise CannotBeHeldError(f"{place} is a {wanted.__name__}, which is not there when a piece begins")
        if filled is None or _is_frozen(wanted):
            filled = cast("Any", wanted.__new__(wanted))
        for name, one in fields.items():
            object.__setattr__(filled, name, self.read(one, getattr(now, name, None), f"{place}.{name}"))
        return filled

    def _name_of(self, kind: type[Any], place: str) -> str:
        if "<locals>" in kind.__qualname__:
            raise CannotBeHeldError(f"{place} is a {kind.__name__}, a class inside a function; move it to a module")
        if not self._may_be_built(kind.__module__):
            raise CannotBeHeldError(f"{place} is a {kind.__name__} of {kind.__module__}")
        return f"{kind.__module__}:{kind.__qualname__}"

    def _class_of(self, named: str, place: str) -> Any:
        module, _, name = named.partition(":")
        if not self._may_be_built(module) or module not in sys.modules:
            raise CannotBeHeldError(f"{place}: the class {named} is none of the agent's")
        found: Any = sys.modules[module]
        for part in name.split("."):
            found = getattr(found, part, None)
        if not isinstance(found, type):
            raise CannotBeHeldError(f"{place}: the class {named} is not there any more")
        return found

    def _may_be_built(self, module: str) -> bool:
        return module in self.modules or module.partition(".")[0] in self.modules


def made_later(kept: Json, new: Json) -> str:
    """Return the class of a plain object that a next piece has none of, so that it cannot be filled; empty: none."""
    if not isinstance(kept, list | dict):
        return ""
    [(kind, data)] = [("list", kept)] if isinstance(kept, list) else cast("dict[str, Any]", kept).items()
    if kind in _COLLECTIONS:
        return next(filter(None, (made_later(one, None) for one in data)), "")
    if kind not in ("map", "data", "object"):
        return ""
    before = new.get(kind, []) if isinstance(new, dict) else []
    fits = kind == "map" or before[:1] == data[:1]
    if kind == "object" and not fits:
        return str(data[0])
    after = data if kind == "map" else list(data[1].items())
    old = (before if kind == "map" else before[1].items()) if fits and before else ()
    rows = [(item, next((one for known, one in old if known == key), None)) for key, item in after]
    return next(filter(None, (made_later(*row) for row in rows)), "")


def merged(now: Json, before: Json, after: Json) -> Json:
    """Add to a value what one of several calls beside each other has made of it, from `before` to `after`.

    Numbers add, lists append, sets unite, mappings and objects merge by field; else the later call's value stands.
    """
    if before in (now, after):
        return after if now == before else now
    kinds = {_kind(one) for one in (now, before, after) if one is not _GONE}
    [kind] = kinds if len(kinds) == 1 else [""]
    match kind:
        case "number":
            return now + after - (0 if before is _GONE else before)
        case "list":
            old = [] if before is _GONE else before
            return now + after[len(old) :] if after[: len(old)] == old else after
        case "set" | "map" | "data" | "object" if _GONE not in (now, before, after):
            return _MERGED[kind](now, before, after)
        case _:
            return after


def _kind(kept: Json) -> str:
    if isinstance(kept, int | float) and not isinstance(kept, bool):
        return "number"
    return "list" if isinstance(kept, list) else next(iter(kept)) if isinstance(kept, dict) else ""


def _merged_sets(now: Json, before: Json, after: Json) -> Json:
    one, old, new = now["set"], before["set"], after["set"]
    more = [row for row in new if row not in one and row not in old]
    return {"set": sorted([row for row in one if row in new or row not in old] + more, key=canonical_json)}


def _merged_maps(now: Json, before: Json, after: Json) -> Json:
    return {"map": _merged_rows(now["map"], before["map"], after["map"])}


def _merged_fields(now: Json, before: Json, after: Json) -> Json:
    kind = _kind(now)
    (named, *_), rows = now[kind], [list(one[kind][1].items()) for one in (now, before, after)]
    if {now[kind][0], before[kind][0], after[kind][0]} != {named}:
        return after
    return {kind: [named, dict(_merged_rows(*rows))]}


def _merged_rows(now: list[Any], before: list[Any], after: list[Any]) -> list[Any]:
    found: list[Any] = []
    for key, _ in [*now, *after]:
        if any(key == known for known, _ in found):
            continue
        one, old, new = (next((item for name, item in rows if name == key), _GONE) for rows in (now, before, after))
        gone = _GONE in (one, new) and old is not _GONE  # one of the calls has removed it
        value = _GONE if gone else new if one is _GONE else one if new is _GONE else merged(one, old, new)
        if value is not _GONE:
            found.append([key, value])
    return found


_MERGED = {"set": _merged_sets, "map": _merged_maps, "data": _merged_fields, "object": _merged_fields}
_GONE = object()


def _filled(now: Any, items: Any, kind: Callable[[Any], Any]) -> Any:
    """Fill the container that is there, which others may hold, too; else make one."""
    match now:
        case list() | deque() if isinstance(items, list):
            now.clear()
            now.extend(items)
        case set() if kind is set:
            now.clear()
            now.update(items)
        case dict() if kind is dict:
            now.clear()
            now.update(items)
        case _:
            return kind(items)
    return cast("Any", now)


def _fields_of(value: Any) -> dict[str, Any] | None:
    if isinstance(value, BaseModel):
        own = ("__pydantic_fields_set__", "__pydantic_private__", "__pydantic_extra__")
        return {**vars(value), **{name: getattr(value, name) for name in own}}
    if dataclasses.is_dataclass(value) and not hasattr(value, "__dict__"):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value) if hasattr(value, one.name)}
    return vars(value) if hasattr(value, "__dict__") else None


def _is_anew(kind: type[Any]) -> bool:
    module = kind.__module__
    if module.partition(".")[0] == "anyio":  # a stream or a group of tasks ends with its piece
        return not _ANEW_OF_ANYIO.isdisjoint(one.__name__ for one in kind.__mro__)
    return any(module == one or module.startswith(f"{one}.") for one in _ANEW_MODULES) and kind.__name__ != "Thread"


def _is_plain(kind: type[Any]) -> bool:
    """Return whether its attributes are all that an object holds: it extends no type of C, and no iterator."""
    return all(one is object or one.__flags__ & (1 << 9) for one in kind.__mro__) and not hasattr(kind, "__next__")


def _is_frozen(kind: type[Any]) -> bool:
    if dataclasses.is_dataclass(kind):
        return bool(getattr(kind, "__dataclass_params__").frozen)  # noqa: B009 - typeshed does not know it
    return issubclass(kind, BaseModel) and bool(kind.model_config.get("frozen"))
