"""A parsed filter: frozen records, one for each form of the grammar, and paths into metadata (vector-rest.md 7).

A path is `a.b.c`, `a[0]`, or `a[#-1]` (the last element).
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from baton_local.vector.core.filter.glob import GlobPattern

_FIRST = re.compile(r"[A-Za-z_][A-Za-z_0-9-]*")
_NEXT = re.compile(r"\.([A-Za-z_0-9-]+)|\[(?:(\d{1,9})|#-(\d{1,9}))\]")


class Missing(Enum):
    """There is no such field; a value of its own, since a field may hold null."""

    MISSING = "missing"


MISSING = Missing.MISSING


@dataclass(frozen=True, slots=True)
class FromEnd:
    """The element at this distance from the array's length."""

    distance: int


Step = str | int | FromEnd


@dataclass(frozen=True, slots=True)
class Path:
    """Names into objects, numbers into arrays."""

    steps: tuple[Step, ...]

    def value_in(self, metadata: Any) -> Any:
        """Return what is there, or MISSING."""
        value = metadata
        for step in self.steps:
            if isinstance(step, str):
                value = value.get(step, MISSING) if isinstance(value, dict) else MISSING
            else:
                value = _element(value, step)
            if value is MISSING:
                return MISSING
        return value


def _element(value: Any, step: int | FromEnd) -> Any:
    if not isinstance(value, list):
        return MISSING
    position = len(value) - step.distance if isinstance(step, FromEnd) else step
    return value[position] if 0 <= position < len(value) else MISSING


def parse_path(text: str) -> Path | None:
    """Return the path that an identifier writes; None if it is none."""
    first = _FIRST.match(text)
    if first is None:
        return None
    steps: list[Step] = [first.group()]
    position = first.end()
    while position < len(text):
        found = _NEXT.match(text, position)
        if found is None:
            return None
        name, index, from_end = found.groups()
        steps.append(name if name is not None else int(index) if index is not None else FromEnd(int(from_end)))
        position = found.end()
    return Path(tuple(steps))


Literal: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`a OR b OR …`."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """`a AND b AND …`."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field = literal` and its kin."""

    path: Path
    operator: str
    literal: Literal


@dataclass(frozen=True, slots=True)
class In:
    """`field [NOT] IN (literal, …)`."""

    path: Path
    literals: tuple[Literal, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Glob:
    """`field [NOT] GLOB 'pattern'`."""

    path: Path
    pattern: GlobPattern
    negated: bool


@dataclass(frozen=True, slots=True)
class Contains:
    """`field [NOT] CONTAINS literal`."""

    path: Path
    literal: Literal
    negated: bool


@dataclass(frozen=True, slots=True)
class HasField:
    """`HAS [NOT] FIELD field`."""

    path: Path
    negated: bool


Filter: TypeAlias = AnyOf | AllOf | Comparison | In | Glob | Contains | HasField
