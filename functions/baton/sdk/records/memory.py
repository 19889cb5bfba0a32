"""The memory of agents: a session's newest entries, a tenant's long-term entries, and answers of models.

Invariant: an entry's id follows from the job or the tool call that it comes from, so storing it twice is one entry.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

EntryKind = Literal["exchange", "note"]

# How many entries a session keeps.
SESSION_ENTRIES = 10


class MemoryEntry(Struct, frozen=True):
    """One remembered entry.

    Attributes:
        kind: `exchange`: a job's question and its answer; `note`: a note stored by a tool call.
        created_ms: the submission of its job, the same however often it is stored.
    """

    id: str
    kind: EntryKind
    text: str
    session_id: str
    agent: str
    job_id: str
    created_ms: int


class MemoryHit(Struct, frozen=True):
    """An entry found by meaning; `score` from 0 to 1, 1 is the same text."""

    entry: MemoryEntry
    score: float


class SessionMemory(Protocol):
    """The newest entries of each session."""

    async def add(self, tenant: str, entry: MemoryEntry) -> bool:
        """Store it among the newest ones; False: its job is dropped, or its session was deleted since it began."""
        ...

    async def recent(self, tenant: str, session_id: str) -> tuple[MemoryEntry, ...]:
        """Return the session's entries, at most SESSION_ENTRIES, the oldest first."""
        ...

    async def forget_jobs(self, tenant: str, session_id: str, job_ids: Sequence[str]) -> tuple[str, ...]:
        """Delete the entries of jobs, and of those below them, refuse later ones, and return the deleted ids."""
        ...

    async def forget(self, tenant: str, session_id: str, now_ms: int) -> tuple[str, ...]:
        """Delete the session's entries, refuse later ones of jobs submitted until now, and return the deleted ids."""
        ...


class LongTermMemory(Protocol):
    """All entries of each tenant. A search finds a new entry only after some time."""

    async def add(self, tenant: str, entry: MemoryEntry) -> None:
        """Store an entry. Raises MemoryUnavailableError."""
        ...

    async def search(
        self, tenant: str, text: str, limit: int, minimum_score: float, session_id: str = ""
    ) -> tuple[MemoryHit, ...]:
        """Find the entries nearest in meaning, best first; of one session where it is given.

        Raises MemoryUnavailableError: the index did not answer, or refused.
        """
        ...

    async def delete(self, tenant: str, entry_ids: tuple[str, ...]) -> None:
        """Delete entries by id; unknown ones are no error. Raises MemoryUnavailableError."""
        ...

    async def forget_jobs(self, tenant: str, session_id: str, job_ids: Sequence[str]) -> None:
        """Delete a session's entries of jobs, and of those below them. Raises MemoryUnavailableError."""
        ...

    async def forget(self, tenant: str, session_id: str) -> int:
        """Delete all entries of a session; return their number. Raises MemoryUnavailableError."""
        ...

    async def close(self) -> None: ...


class ModelCache(Protocol):
    """Texts by tenant and key, each for a limited time. A lost text costs only another model call."""

    async def get(self, tenant: str, key: str) -> str | None:
        """Return the text under the key, or None. Raises StoreError: no answer."""
        ...

    async def put(self, tenant: str, key: str, text: str, seconds: int) -> None:
        """Store a text; a later one under the same key replaces it. Raises StoreError: it may be stored or not."""
        ...
