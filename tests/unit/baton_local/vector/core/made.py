"""Short ways to make what the tests of the index are about."""

from typing import Any

from baton_local.vector.core.index import Index
from baton_local.vector.core.record import Draft, Record, Vector
from baton_local.vector.core.writing import Plan, upsert


def draft(name: str, *numbers: float, metadata: dict[str, Any] | None = None, data: str | None = None) -> Draft:
    """A record as sent, pointing right if nothing else is said."""
    return Draft(name, Vector.of(numbers or (1.0, 0.0)), metadata, data)


def record(seq: int, name: str, *numbers: float, metadata: dict[str, Any] | None = None) -> Record:
    return Record(seq, name, Vector.of(numbers or (1.0, 0.0)), metadata)


def execute(index: Index, plan: Plan, now_ms: int = 0, delay_ms: int = 0) -> Any:
    for change in plan.changes:
        index.apply(change, now_ms, delay_ms)
    return plan.result


def index_with(*names: str, namespace: str = "") -> Index:
    index = Index(2, "")
    execute(index, upsert(index, namespace, [draft(name) for name in names]))
    return index
