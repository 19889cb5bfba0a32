"""Filters by metadata: `field = literal` and its kin, and `field [NOT] IN (…)`, joined by AND; paths are `a.b.c`.

The rest of the service's grammar (vector-rest.md 7) is answered 501 by its name. Invariant: every character is read,
else the text is refused with the place named. A missing field, or a value of another type, makes every predicate
false, the negative ones too.
"""

import operator
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from baton_local.stand_in.api_error import ApiError

Filter = Callable[[Mapping[str, Any] | None], bool]
Literal = str | int | float | bool

_STRING = r"""'(?:[^']|'')*'|"(?:[^"]|"")*\""""
_LITERAL = rf"(?:{_STRING}|[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?(?![\w.])|true\b|false\b)"
_ITEMS = re.compile(_LITERAL, re.IGNORECASE)
_PREDICATE = re.compile(
    rf"""\s*(?P<field>[a-z_][\w.-]*)\s*
    (?: (?P<sign>!=|<=|>=|=|<|>)\s*(?P<literal>{_LITERAL})
      | (?P<negated>not\s+)?in\s*\(\s*(?P<list>{_LITERAL}(?:\s*,\s*{_LITERAL})*)\s*\) )
    \s*(?P<more>and\b|$)""",
    re.IGNORECASE | re.VERBOSE,
)
_LEFT_OUT = re.compile(r"\b(?:OR|GLOB|CONTAINS|HAS)\b|\[|\(", re.IGNORECASE)
_SHOWN_CHARACTERS = 60
_ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def parse_filter(text: str | None) -> Filter | None:
    """Return the filter that a text writes; None for an empty one. ApiError (400, 501) for any other text."""
    if text is None or not text.strip():
        return None
    predicates, position, more = [], 0, True
    while more:
        found = _PREDICATE.match(text, position)
        if found is None:
            raise _unreadable(text[position:].strip())
        predicates.append(_predicate(found))
        position, more = found.end(), bool(found["more"])
    return lambda metadata: all(holds(metadata or {}) for holds in predicates)


def _unreadable(rest: str) -> ApiError:
    left_out = _LEFT_OUT.search(re.sub(_STRING, "", rest))
    if left_out is not None:
        return ApiError(
            HTTPStatus.NOT_IMPLEMENTED, f"filter: {left_out[0]} is not emulated locally; join predicates by AND"
        )
    shown = repr(rest[:_SHOWN_CHARACTERS]) if rest else "the end"
    return ApiError(
        HTTPStatus.BAD_REQUEST, f"filter: cannot be read from {shown} on; write it as `a = 'x' AND b IN (1, 2)`"
    )


def _predicate(found: re.Match[str]) -> Callable[[Mapping[str, Any]], bool]:
    names = found["field"].split(".")
    if found["sign"]:
        sign, literal = found["sign"], _literal(found["literal"])
        return lambda metadata: _compares(_value_in(metadata, names), sign, literal)
    literals = [_literal(each) for each in _ITEMS.findall(found["list"])]
    if found["negated"]:
        return lambda metadata: all(_compares(_value_in(metadata, names), "!=", each) for each in literals)
    return lambda metadata: any(_compares(_value_in(metadata, names), "=", each) for each in literals)


def _literal(text: str) -> Literal:
    if text[0] in "'\"":
        return text[1:-1].replace(text[0] * 2, text[0])
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return int(text)
    except ValueError:
        return float(text)


def _value_in(metadata: Mapping[str, Any], names: list[str]) -> Any:
    """Return the field's value; None, as for a field that is null, where there is none."""
    value: Any = metadata
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _compares(value: Any, sign: str, literal: Literal) -> bool:
    """Compare values of a kind. A stored boolean equals 1 or 0; a stored number never equals `true` or `false`."""
    kinds = (float if type(value) is int else type(value), float if type(literal) is int else type(literal))
    if sign in _ORDERINGS:
        return kinds == (float, float) and bool(_ORDERINGS[sign](value, literal))
    alike = kinds in {(float, float), (str, str), (bool, bool), (bool, float)}
    return alike and (value == literal) is (sign == "=")
