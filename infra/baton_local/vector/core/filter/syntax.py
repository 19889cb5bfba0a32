"""A parsed filter: frozen records, one for each form of the grammar (vector-rest.md 7)."""

from dataclasses import dataclass
from typing import TypeAlias

from baton_local.vector.core.filter.glob import GlobPattern
from baton_local.vector.core.filter.path import Path

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
