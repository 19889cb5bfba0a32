"""What agents remember: a session's newest entries, a tenant's long-term entries, and answers of models.

Invariant: an entry's id follows from the job or the tool call that it comes from, so storing it twice is one entry.
"""

from typing import Literal, Protocol

from msgspec import Struct

EntryKind = Literal["exchange", "note"]

# How many entries a session keeps.
SESSION_ENTRIES = 10


class MemoryEntry(Struct, frozen=True):
    """One thing remembered.

    Attributes:
        kind: `exchange`: a job's question and its answer; `note`: what a tool call stored.
        created_ms: when the job that it comes from was submitted: the same however often it is stored.
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
        """Keep an entry among the newest ones; False: its session was forgotten after its job was submitted."""
        ...

    async def recent(self, tenant: str, session_id: str) -> tuple[MemoryEntry, ...]:
        """The session's entries, at most SESSION_ENTRIES, the oldest first."""
        ...

    async def forget(self, tenant: str, session_id: str, now_ms: int) -> tuple[str, ...]:
        """Forget the session, and refuse what jobs submitted until now still add; the ids that were there."""
        ...


class LongTermMemory(Protocol):
    """All entries of each tenant. What was added is found some time later, never for sure at once."""

    async def add(self, tenant: str, entry: MemoryEntry) -> None:
        """Keep an entry. Raises MemoryUnavailableError."""
        ...

    async def search(
        self, tenant: str, text: str, limit: int, minimum_score: float, session_id: str = ""
    ) -> tuple[MemoryHit, ...]:
        """The entries nearest in meaning, best first; of one session where it is given.

        Raises:
            MemoryUnavailableError: the index did not answer, or refused.
        """
        ...

    async def delete(self, tenant: str, entry_ids: tuple[str, ...]) -> None:
        """Delete entries by id; unknown ones are no error. Raises MemoryUnavailableError."""
        ...

    async def forget(self, tenant: str, session_id: str) -> int:
        """Delete all entries of a session; returns how many there were. Raises MemoryUnavailableError."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class ModelCache(Protocol):
    """Texts by tenant and key, each for a limited time. Never needed: what it lost is asked again."""

    async def get(self, tenant: str, key: str) -> str | None:
        """What is kept under the key, or None.

        Raises:
            StoreError: no answer.
        """
        ...

    async def put(self, tenant: str, key: str, text: str, seconds: int) -> None:
        """Keep a text; a later one under the same key replaces it.

        Raises:
            StoreError: it may be kept or not.
        """
        ...
