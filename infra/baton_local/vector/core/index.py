"""The index in memory: its namespaces, and what a change does to them.

Invariant: the default namespace, the empty name, always exists (vector-rest.md 1). Only `apply` changes anything.
"""

from typing import Any, assert_never

from baton_local.vector.core.changes import (
    Change,
    NamespaceDropped,
    NamespaceEmptied,
    NamespaceMade,
    NamespaceRenamed,
    RecordDropped,
    RecordPut,
)
from baton_local.vector.core.namespace import Namespace

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
                self.namespaces[name].clear()
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
        """What `/info` answers (vector-rest.md 4)."""
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
