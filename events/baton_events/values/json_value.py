"""Canonical JSON of any value: finite numbers, storable text, text as names, within named limits.

`recorded_json` takes what foreign code returns: JSON data, and whatever pydantic can serialize (models, dataclasses,
dates, sets). `plain` takes data that is JSON already, `read_value` what was just read of a text. Invariant: the text
that `recorded_json` returns is read by every reader of JSON, and says what the value said: no number is rounded or
nulled, no entry lost. All that fails is an `Unrecordable`, which names the place in the value and the way out. Must
not: cut a value to make it fit.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import islice
from math import isfinite
from typing import Any

from pydantic_core import from_json, to_json, to_jsonable_python

from baton_events.errors import BatonError
from baton_events.values.text import cut, storable, text_of

# Readers of JSON stop at 200 levels (pydantic), and Baton's own records put some around a value.
DEPTH_LIMIT = 100
# Python's `json` reads whole numbers of up to 4,300 digits.
DIGITS_LIMIT = 4_300
_NUMBER_LIMIT = 10**DIGITS_LIMIT
_SHOWN_CHARS = 200
_ITEMS_LIMIT = 1_000_000
# An encoder for each text, as `json` makes it: its marks find a circle, at whatever depth this process allows.
_encoder: Callable[..., Callable[[Any, int], Sequence[str]]] = json.encoder.c_make_encoder  # type: ignore[attr-defined]
_FORM = (json.JSONEncoder().default, json.encoder.encode_basestring, None, ":", ",", False, False, False)
# Around a text these stop a reader of 200 levels where the text has more than DEPTH_LIMIT.
_BEFORE, _AFTER = b"[" * (200 - DEPTH_LIMIT), b"]" * (200 - DEPTH_LIMIT)
# How pydantic writes what is no number in JSON; a text may hold such a word, too.
_NO_NUMBERS = (b"NaN", b"Infinity")
_BARE = (bool, type(None))
_LISTS = (list, tuple, set, frozenset)
_ERRORS = (TypeError, ValueError, RecursionError, UnicodeError)


class Unrecordable(BatonError, ValueError):  # noqa: N818 - the name says what happened; it is shown to the model
    """A value that no JSON can hold.

    `place`: where in the value, such as `result.items[3].price`. `problem`: what stands there, and the way out.
    """

    status = 422

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place, self.problem = place, problem


class TooLarge(Unrecordable):
    """A value over a size limit; `size_bytes`, `limit_bytes`."""

    status = 413

    def __init__(self, place: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(place, f"{size_bytes} bytes, over the limit of {limit_bytes}: give less, or a reference")
        self.size_bytes, self.limit_bytes = size_bytes, limit_bytes


def recorded_json(value: Any, at: str, limit_bytes: int | None = None) -> str:
    """Return the value's JSON text. `at`: the value's name in an error.

    Raises Unrecordable: JSON cannot hold it. TooLarge: its text has over `limit_bytes` in UTF-8.
    """
    body = _faithful_body(value)
    body = "".join(_encoder({}, *_FORM)(_Walk(at).plain(value), 0)).encode() if body is None else body
    if limit_bytes is not None and len(body) > limit_bytes:
        raise TooLarge(at, len(body), limit_bytes)
    return body.decode()


def plain(value: Any, at: str) -> Any:
    """Return the value as JSON data: Python's own types, and nothing that is shared with the value.

    Raises Unrecordable: JSON cannot hold it.
    """
    if value.__class__ in _BARE:
        return value
    found = _faithful(value)
    return _Walk(at).plain(value) if found is None else found[0]


def read_value(value: Any, at: str) -> Any:
    """Return what a reader of JSON has made of a text; the value is the caller's own, and no copy is made of it.

    Pydantic reads NaN, Infinity, half characters and 200 levels, which other readers do not. Raises Unrecordable: JSON
    cannot hold it.
    """
    try:
        body = to_json(value, inf_nan_mode="constants")
        if not any(name in body for name in _NO_NUMBERS):
            _refuse_deep(body)
            return value
    except _ERRORS:
        pass
    return plain(value, at)


def _faithful(value: Any) -> tuple[Any] | None:
    """Return what is read of a value's JSON text; None: it does not equal the value."""
    try:
        body = "".join(_encoder({}, *_FORM)(value, 0)).encode()
        read = from_json(body, allow_inf_nan=False)
        _refuse_deep(body)
    except _ERRORS:
        return None
    return (read,) if read == value else None


def _faithful_body(value: Any) -> bytes | None:
    """Return the text alone, in UTF-8. Of a large value, two copies are in memory at a time."""
    try:
        body = "".join(_encoder({}, *_FORM)(value, 0)).encode()
        if from_json(body, allow_inf_nan=False) != value:
            return None
        _refuse_deep(body)
    except _ERRORS:
        return None
    return body


def _refuse_deep(body: bytes) -> None:
    """Raise ValueError for a text of more than DEPTH_LIMIT levels; most texts have fewer brackets."""
    if body.count(b"[") + body.count(b"{") > DEPTH_LIMIT:
        from_json(_BEFORE + body + _AFTER)


class _Walk:
    """Goes through a value that is no plain JSON, and makes such of it."""

    def __init__(self, at: str) -> None:
        self._at = at

    def plain(self, value: Any, place: str = "", depth: int = 0) -> Any:
        if depth > DEPTH_LIMIT:
            raise self._fault(place[:_SHOWN_CHARS], f"nested deeper than {DEPTH_LIMIT} levels; flatten it")
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return storable(value)
        if isinstance(value, int | float):
            return self._number(value, place)
        if isinstance(value, Mapping):
            return self._object(value, place, depth)
        if isinstance(value, list | tuple | set | frozenset | Iterator):
            return [self.plain(item, f"{place}[{at}]", depth + 1) for at, item in enumerate(self._items(value, place))]
        return self._foreign(value, place, depth)

    def _number(self, value: float, place: str) -> float:
        if isinstance(value, int):
            if abs(value) >= _NUMBER_LIMIT:
                raise self._fault(place, f"a whole number of more than {DIGITS_LIMIT} digits; return it as text")
            return int(value)
        if not isfinite(value):
            raise self._fault(place, f"{float(value)!r} is no number in JSON; return None or a text in its place")
        return float(value)

    def _object(self, value: Mapping[Any, Any], place: str, depth: int) -> dict[str, Any]:
        found = dict[str, Any]()
        for key, item in self._items(value.items(), place):
            name = storable(key) if isinstance(key, str) else self._name(key, place)
            inner = f"{place}.{cut(name, _SHOWN_CHARS)}"
            if name in found:
                raise self._fault(inner, "two names of the object are the same text; make them differ")
            found[name] = self.plain(item, inner, depth + 1)
        return found

    def _name(self, key: Any, place: str) -> str:
        if isinstance(key, tuple | frozenset) or (isinstance(key, float) and not isfinite(key)):
            problem = f"the key {cut(repr(key), _SHOWN_CHARS)} is no name in JSON; give a text, or a list of pairs"
            raise self._fault(place, problem)
        made = self._serialized({key: None}, f"{place}.{cut(text_of(key), _SHOWN_CHARS)}")
        return storable(str(next(iter(made))))

    def _items(self, value: Iterable[Any], place: str) -> Iterator[Any]:
        items = islice(value, _ITEMS_LIMIT + 1)
        at = 0
        while True:
            try:
                item = next(items)
            except StopIteration:
                return
            except Exception as error:
                raise self._fault(place, f"its items cannot be read: {_reason(error)}") from error
            if at == _ITEMS_LIMIT:
                raise self._fault(place, f"more than {_ITEMS_LIMIT} items; return less, or a reference")
            at += 1
            yield item

    def _foreign(self, value: Any, place: str, depth: int) -> Any:
        """Return what pydantic makes of the value; where it fails, the place inside that is at fault."""
        if _has_iterator(value, set()):  # which pydantic reads to its end, if it has one
            return {name: self.plain(item, f"{place}.{name}", depth + 1) for name, item in _inside(value).items()}
        try:
            made = self._serialized(value, place)
        except Unrecordable:
            for name, item in _inside(value).items():
                self.plain(item, f"{place}.{name}", depth + 1)
            raise
        return self.plain(made, place, depth + 1)

    def _serialized(self, value: Any, place: str) -> Any:
        try:
            # A model's own settings would make null of NaN, which is checked below.
            return to_jsonable_python(value, inf_nan_mode="constants")
        except Exception as error:
            problem = f"a {type(value).__name__} that JSON cannot hold ({_reason(error)}); return plain data"
            raise self._fault(place, problem) from error

    def _fault(self, place: str, problem: str) -> Unrecordable:
        return Unrecordable(f"{self._at}{place}", problem)


def _has_iterator(value: Any, seen: set[int], depth: int = 0) -> bool:
    if id(value) in seen or depth > DEPTH_LIMIT:
        return False
    seen.add(id(value))
    inner = value.values() if type(value) is dict else value if type(value) in _LISTS else _inside(value).values()
    return isinstance(value, Iterator) or any(_has_iterator(each, seen, depth + 1) for each in inner)


def _inside(value: Any) -> Mapping[str, Any]:
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name, None) for each in fields(value)}
    inside = getattr(value, "__dict__", None) if hasattr(type(value), "model_fields") else None
    return inside if isinstance(inside, dict) else {}


def _reason(error: Exception) -> str:
    reason = cut(text_of(error), _SHOWN_CHARS)
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__
