"""The index in memory: its namespaces, their records, and what a change does to them.

With an index delay, a written record is fetched at once but queried only later; until then queries see what they saw
before, as with the hosted service's asynchronous indexing (vector-rest.md 6). Deleting shows at once. Invariants: the
default namespace, the empty name, always exists (vector-rest.md 1). Only `apply` changes anything. `records` is in
order of insertion, since a replaced record keeps its place.
"""

from dataclasses import dataclass
from typing import Any, assert_never

from baton_local.vector.core.record import (
    Change,
    NamespaceDropped,
    NamespaceEmptied,
    NamespaceMade,
    NamespaceRenamed,
    Record,
    RecordDropped,
    RecordPut,
)


@dataclass(frozen=True, slots=True)
class _Pending:
    """A record that queries do not see yet; `shown` is what they see in its place."""

    due_ms: int
    shown: Record | None


class Namespace:
    """One namespace in memory."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self._pending: dict[str, _Pending] = {}

    def put(self, record: Record, now_ms: int, delay_ms: int) -> None:
        """Store a record; queries see it after the delay."""
        if delay_ms > 0:
            shown = self._shown(record.id, now_ms)
            self._pending[record.id] = _Pending(now_ms + delay_ms, shown)
        self.records[record.id] = record

    def drop(self, record_id: str) -> None:
        """Forget a record."""
        self.records.pop(record_id, None)
        self._pending.pop(record_id, None)

    def reset(self) -> None:
        """Forget all records."""
        self.records.clear()
        self._pending.clear()

    def queryable(self, now_ms: int) -> list[Record]:
        """Return what a query sees, in order of insertion."""
        self._settle(now_ms)
        if not self._pending:
            return list(self.records.values())
        shown = (self._shown(record_id, now_ms) for record_id in self.records)
        return [record for record in shown if record is not None]

    def counts(self, now_ms: int) -> tuple[int, int]:
        """Return how many records queries see, and how many wait for that."""
        self._settle(now_ms)
        unseen = sum(pending.shown is None for pending in self._pending.values())
        return len(self.records) - unseen, len(self._pending)

    def _shown(self, record_id: str, now_ms: int) -> Record | None:
        pending = self._pending.get(record_id)
        if pending is not None and pending.due_ms > now_ms:
            return pending.shown
        return self.records.get(record_id)

    def _settle(self, now_ms: int) -> None:
        due = [record_id for record_id, pending in self._pending.items() if pending.due_ms <= now_ms]
        for record_id in due:
            del self._pending[record_id]


DEFAULT_NAMESPACE = ""
_BYTES_PER_NUMBER = 4  # as the hosted service counts


class Index:
    """Everything that is stored."""

    def __init__(self, dimension: int, model_name: str) -> None:
        self.dimension = dimension
        self.model_name = model_name
        self.last_seq = 0
        self.namespaces: dict[str, Namespace] = {DEFAULT_NAMESPACE: Namespace()}

    def apply(self, change: Change, now_ms: int = 0, delay_ms: int = 0) -> None:
        """Let a change happen; queries see a written record only after the delay."""
        match change:
            case NamespaceMade(name):
                self.namespaces.setdefault(name, Namespace())
            case NamespaceEmptied(name):
                self.namespaces[name].reset()
            case NamespaceDropped(name):
                del self.namespaces[name]
            case NamespaceRenamed(name, new_name):
                self.namespaces[new_name] = self.namespaces.pop(name)
            case RecordPut(namespace, record):
                self.last_seq = max(self.last_seq, record.seq)
                self.namespaces[namespace].put(record, now_ms, delay_ms)
            case RecordDropped(namespace, record):
                self.namespaces[namespace].drop(record.id)
            case _:
                assert_never(change)

    def info(self, now_ms: int) -> dict[str, Any]:
        """Return what `/info` answers (vector-rest.md 4)."""
        counts = {name: namespace.counts(now_ms) for name, namespace in self.namespaces.items()}
        stored = sum(len(namespace.records) for namespace in self.namespaces.values())
        dense = {
            "dimension": self.dimension,
            "similarityFunction": "COSINE",
            "embeddingModel": self.model_name,
        }
        return {
            "vectorCount": sum(seen for seen, _ in counts.values()),
            "pendingVectorCount": sum(pending for _, pending in counts.values()),
            "indexSize": stored * self.dimension * _BYTES_PER_NUMBER,
            "dimension": self.dimension,
            "similarityFunction": "COSINE",
            "indexType": "DENSE",
            "denseIndex": dense,
            "namespaces": {
                name: {"vectorCount": seen, "pendingVectorCount": pending} for name, (seen, pending) in counts.items()
            },
        }
