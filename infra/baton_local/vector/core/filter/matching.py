"""Whether a record's metadata match a filter.

Invariant: a missing field, or a value of the wrong type, makes every predicate false, the negative ones too; only
`HAS NOT FIELD` holds for a missing field (vector-rest.md 7).
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from baton_local.vector.core.filter.syntax import (
    MISSING,
    AllOf,
    AnyOf,
    Comparison,
    Contains,
    Filter,
    Glob,
    HasField,
    In,
    Literal,
)

_ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(wanted: Filter, metadata: Mapping[str, Any] | None) -> bool:
    """Return whether these metadata match; a record without metadata has no fields."""
    return _matches(wanted, {} if metadata is None else metadata)


def _matches(wanted: Filter, metadata: Mapping[str, Any]) -> bool:
    match wanted:
        case AnyOf(parts):
            return any(_matches(part, metadata) for part in parts)
        case AllOf(parts):
            return all(_matches(part, metadata) for part in parts)
        case HasField(path, negated):
            return (path.value_in(metadata) is MISSING) is negated
        case _:
            return _holds_for(wanted.path.value_in(metadata), wanted)


def _holds_for(value: Any, predicate: Comparison | In | Glob | Contains) -> bool:
    match predicate:
        case Comparison(_, sign, literal):
            return _compares(value, sign, literal)
        case In(_, literals, True):
            return all(_compares(value, "!=", literal) for literal in literals)
        case In(_, literals, _):
            return any(_compares(value, "=", literal) for literal in literals)
        case Glob(_, pattern, negated):
            return isinstance(value, str) and pattern.matches(value) is not negated
        case Contains(_, literal, negated):
            return isinstance(value, list) and any(_compares(item, "=", literal) for item in value) is not negated
        case _:
            assert_never(predicate)


def _compares(value: Any, sign: str, literal: Literal) -> bool:
    if sign in _ORDERINGS:
        return _is_number(value) and _is_number(literal) and _ORDERINGS[sign](value, literal)
    return _is_comparable(value, literal) and (value == literal) is (sign == "=")


def _is_comparable(value: Any, literal: Literal) -> bool:
    """Return whether both are strings, numbers or booleans; a boolean compares with the numbers that stand for it, too.

    A stored boolean equals 1 or 0; a stored number never equals `true` or `false`.
    """
    if isinstance(value, str):
        return isinstance(literal, str)
    if isinstance(value, bool):
        return not isinstance(literal, str)
    return _is_number(value) and _is_number(literal)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
