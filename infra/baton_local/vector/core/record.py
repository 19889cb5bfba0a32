"""What is stored under an id."""

from dataclasses import dataclass
from typing import Any

from baton_local.vector.core.vector import Vector

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
    """The record as answered: what is absent is left out, not null (vector-rest.md 3)."""
    shown: dict[str, Any] = {"id": record.id}
    if include.vectors:
        shown["vector"] = record.vector.values.tolist()
    if include.metadata and record.metadata is not None:
        shown["metadata"] = record.metadata
    if include.data and record.data is not None:
        shown["data"] = record.data
    return shown
