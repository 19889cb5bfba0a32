"""Exact search: every record that a query sees is compared.

Invariant: the most similar come first, and of equally similar ones the older (vector-rest.md 5). Pure, and works on
the records that it is given, so a search may run in a thread while others write.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from baton_local.vector.core.filter.matching import matches
from baton_local.vector.core.filter.syntax import Filter
from baton_local.vector.core.record import Include, Record, as_json
from baton_local.vector.core.similarity import scorer
from baton_local.vector.core.vector import Vector


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, and what is shown of it."""

    vector: Vector
    top_k: int
    include: Include
    filter: Filter | None = None


class Hit(NamedTuple):
    """A record and how similar it is; a tuple, since one is made for every record of a search."""

    score: float
    record: Record


def ranked(records: Sequence[Record], query: Query) -> list[Hit]:
    """All matching records, best first; `records` are in order of insertion."""
    score = scorer(query.vector)
    hits = [
        Hit(score(record.vector), record)
        for record in records
        if query.filter is None or matches(query.filter, record.metadata)
    ]
    hits.sort(key=lambda hit: -hit.score)  # stable, so ties stay in order of insertion
    return hits


def hits_as_json(hits: Sequence[Hit], include: Include) -> list[dict[str, Any]]:
    """The hits as answered."""
    shown = []
    for hit in hits:
        entry = as_json(hit.record, include)
        shown.append({"id": entry.pop("id"), "score": hit.score, **entry})
    return shown
