"""What is stored under an id, its vector, and everything that can happen to the stored index, as a closed union.

A change is written to disk first and then applied in memory, the same record by both. Invariant: a vector's `values`
come back exactly as sent (vector-rest.md 2); `unit` has length 1 and is None for the zero vector. Single precision is
enough for directions, is what the hosted service keeps, and halves the memory.
"""

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Vector:
    """Numbers and direction."""

    values: "array[float]"
    unit: "array[float] | None"

    @classmethod
    def of(cls, numbers: Iterable[float]) -> "Vector":
        """Return the vector of these numbers, which must be finite."""
        values = numbers if isinstance(numbers, array) else array("d", numbers)
        length = math.hypot(*values)
        return cls(values, array("f", [value / length for value in values]) if length else None)


Metadata = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """A record as a caller sends it."""

    id: str
    vector: Vector
    metadata: Metadata | None = None
    data: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A record in its place; `seq` grows in the order of first insertion and never changes (vector-rest.md 2)."""

    seq: int
    id: str
    vector: Vector
    metadata: Metadata | None = None
    data: str | None = None


@dataclass(frozen=True, slots=True)
class Include:
    """Which parts of a record an answer shows."""

    vectors: bool = False
    metadata: bool = False
    data: bool = False


EVERYTHING = Include(vectors=True, metadata=True, data=True)


def as_json(record: Record, include: Include) -> dict[str, Any]:
    """Return the record as answered: what is absent is left out, not null (vector-rest.md 3)."""
    shown: dict[str, Any] = {"id": record.id}
    if include.vectors:
        shown["vector"] = record.vector.values.tolist()
    if include.metadata and record.metadata is not None:
        shown["metadata"] = record.metadata
    if include.data and record.data is not None:
        shown["data"] = record.data
    return shown


@dataclass(frozen=True, slots=True)
class NamespaceMade:
    """A namespace begins to exist, empty."""

    name: str


@dataclass(frozen=True, slots=True)
class NamespaceEmptied:
    """All records of a namespace go; it stays."""

    name: str


@dataclass(frozen=True, slots=True)
class NamespaceDropped:
    """A namespace goes, with its records."""

    name: str


@dataclass(frozen=True, slots=True)
class NamespaceRenamed:
    """A namespace, with its records, gets a name that no other has."""

    name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class RecordPut:
    """A record is stored, or replaces the one of the same `seq` and id."""

    namespace: str
    record: Record


@dataclass(frozen=True, slots=True)
class RecordDropped:
    """A record goes."""

    namespace: str
    record: Record


Change = NamespaceMade | NamespaceEmptied | NamespaceDropped | NamespaceRenamed | RecordPut | RecordDropped
