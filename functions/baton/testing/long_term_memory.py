"""A long-term memory in this process. Likeness is shared words: no meaning, as with the local index."""

import math
import re
from collections import Counter

from baton.sdk.records.memory import MemoryEntry, MemoryHit
from baton_events.errors import MemoryUnavailableError


class SimulatedLongTermMemory:
    """`LongTermMemory` over a dict. `down`: raised instead of an answer. `lagging`: searches find nothing."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], MemoryEntry] = {}
        self.down: MemoryUnavailableError | None = None
        self.lagging = False

    async def add(self, tenant: str, entry: MemoryEntry) -> None:
        """Keep an entry."""
        self._answer()
        self.entries[tenant, entry.id] = entry

    async def search(
        self, tenant: str, text: str, limit: int, minimum_score: float, session_id: str = ""
    ) -> tuple[MemoryHit, ...]:
        """Return the entries with the most words in common, best first."""
        self._answer()
        mine = (entry for (owner, _), entry in self.entries.items() if owner == tenant and not self.lagging)
        hits = [
            MemoryHit(entry, likeness(text, entry.text))
            for entry in mine
            if not session_id or entry.session_id == session_id
        ]
        best = sorted((hit for hit in hits if hit.score >= minimum_score), key=lambda hit: -hit.score)
        return tuple(best[:limit])

    async def delete(self, tenant: str, entry_ids: tuple[str, ...]) -> None:
        """Delete entries by id."""
        self._answer()
        for entry_id in entry_ids:
            self.entries.pop((tenant, entry_id), None)

    async def forget(self, tenant: str, session_id: str) -> int:
        """Delete all entries of a session."""
        self._answer()
        mine = [key for key, entry in self.entries.items() if key[0] == tenant and entry.session_id == session_id]
        for key in mine:
            del self.entries[key]
        return len(mine)

    async def close(self) -> None:
        """Do nothing: nothing is open."""

    def _answer(self) -> None:
        if self.down:
            raise self.down


def likeness(one: str, other: str) -> float:
    """Return the likeness of two texts by their words, from 0.5 (none in common) to 1 (the same), as cosine indexes."""
    left, right = (Counter(re.findall(r"\w+", text.lower())) for text in (one, other))
    product = sum(count * right[word] for word, count in left.items())
    length = math.sqrt(sum(n * n for n in left.values()) * sum(n * n for n in right.values()))
    return round((1 + (product / length if length else 0)) / 2, 7)
