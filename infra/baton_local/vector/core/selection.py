"""Which records a caller means: by ids, by a prefix of the id, or by a metadata filter."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from baton_local.vector.core.filter.matching import matches
from baton_local.vector.core.filter.syntax import Filter
from baton_local.vector.core.record import Record


@dataclass(frozen=True, slots=True)
class ByIds:
    """The records of these ids."""

    ids: tuple[str, ...]

    def of(self, records: Mapping[str, Record]) -> list[Record | None]:
        """One entry for each id, in their order; None where there is no such record."""
        return [records.get(record_id) for record_id in self.ids]


@dataclass(frozen=True, slots=True)
class ByPrefix:
    """The records whose id begins so."""

    prefix: str

    def of(self, records: Mapping[str, Record]) -> list[Record | None]:
        """All of them, in order of insertion."""
        return [record for record in records.values() if record.id.startswith(self.prefix)]


@dataclass(frozen=True, slots=True)
class ByFilter:
    """The records whose metadata match."""

    filter: Filter

    def of(self, records: Mapping[str, Record]) -> list[Record | None]:
        """All of them, in order of insertion."""
        return [record for record in records.values() if matches(self.filter, record.metadata)]


Selection: TypeAlias = ByIds | ByPrefix | ByFilter
