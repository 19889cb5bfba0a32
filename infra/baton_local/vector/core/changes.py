"""Everything that can happen to the stored index, as a closed union.

A change is written to disk first and then applied in memory, the same record by both.
"""

from dataclasses import dataclass

from baton_local.vector.core.record import Record


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
