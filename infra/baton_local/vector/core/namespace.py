"""The records of one namespace: what is stored, and what a query may see of it.

With an index delay, a written record is fetched at once but queried only later; until then queries see what they saw
before, as with the hosted service's asynchronous indexing (vector-rest.md 6). Deleting shows at once.
Invariant: `records` is in order of insertion, since a replaced record keeps its place.
"""

from dataclasses import dataclass

from baton_local.vector.core.record import Record


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

    def clear(self) -> None:
        """Forget all records."""
        self.records.clear()
        self._pending.clear()

    def queryable(self, now_ms: int) -> list[Record]:
        """What a query sees, in order of insertion."""
        self._settle(now_ms)
        if not self._pending:
            return list(self.records.values())
        shown = (self._shown(record_id, now_ms) for record_id in self.records)
        return [record for record in shown if record is not None]

    def counts(self, now_ms: int) -> tuple[int, int]:
        """How many records queries see, and how many wait for that."""
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
