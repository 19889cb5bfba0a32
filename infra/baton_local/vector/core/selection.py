"""Which records a caller means, by ids, by a prefix of the id or by a metadata filter; and what is read of them.

An unknown namespace reads as an empty one, and is not made by reading (vector-rest.md 3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from baton_local.vector.core.filter.matching import matches
from baton_local.vector.core.filter.syntax import Filter
from baton_local.vector.core.index import Index
from baton_local.vector.core.record import EVERYTHING, Include, Record, as_json


@dataclass(frozen=True, slots=True)
class ByIds:
    """The records of these ids."""

    ids: tuple[str, ...]

    def of(self, records: Mapping[str, Record]) -> list[Record | None]:
        """Return one entry for each id, in their order; None where there is no such record."""
        return [records.get(record_id) for record_id in self.ids]


@dataclass(frozen=True, slots=True)
class ByPrefix:
    """The records whose id begins so."""

    prefix: str

    def of(self, records: Mapping[str, Record]) -> list[Record | None]:
        """Return all records, in order of insertion."""
        return [record for record in records.values() if record.id.startswith(self.prefix)]


@dataclass(frozen=True, slots=True)
class ByFilter:
    """The records whose metadata match."""

    filter: Filter

    def of(self, records: Mapping[str, Record]) -> list[Record | None]:
        """Return all records, in order of insertion."""
        return [record for record in records.values() if matches(self.filter, record.metadata)]


Selection: TypeAlias = ByIds | ByPrefix | ByFilter


def records_of(index: Index, namespace: str) -> Mapping[str, Record]:
    """Return the stored records of a namespace."""
    space = index.namespaces.get(namespace)
    return {} if space is None else space.records


def fetch(
    index: Index, namespace: str, selection: ByIds | ByPrefix, include: Include, max_by_prefix: int
) -> list[dict[str, Any] | None]:
    """Return the selected records; by prefix at most so many, by ids one entry for each."""
    found = selection.of(records_of(index, namespace))
    if isinstance(selection, ByPrefix):
        found = found[:max_by_prefix]
    return [None if record is None else as_json(record, include) for record in found]


def scan(index: Index, namespace: str, *, after_seq: int, limit: int, prefix: str, include: Include) -> dict[str, Any]:
    """Return one page of records inserted after a place, and where the next page begins.

    The cursor is a place in the order of insertion, so inserting and deleting between pages neither skips nor repeats
    a record that was there throughout.
    """
    records = records_of(index, namespace).values()
    following = (record for record in records if record.seq > after_seq and record.id.startswith(prefix))
    page = list(islice(following, limit))
    is_last = next(following, None) is None
    return {
        "nextCursor": "" if is_last else str(page[-1].seq),
        "vectors": [as_json(record, include) for record in page],
    }


def at_position(index: Index, namespace: str, position: float) -> dict[str, Any] | None:
    """Return the whole record at this share of the namespace (0 the first, below 1 the last); None if it is empty."""
    records = records_of(index, namespace)
    if not records:
        return None
    chosen = next(islice(records.values(), int(position * len(records)), None))
    return as_json(chosen, EVERYTHING)
