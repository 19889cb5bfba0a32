"""The data of chats beside their jobs: the sessions that were created, and the files of their messages.

Invariant: all of a chat is kept for as long as its jobs' data after it was last used. A file's name follows from its
content, so keeping it twice is one file. Must not: know the subject of a session, or the content of a file.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Chats(Protocol):
    """Chats of all tenants. Each method raises StoreError where the store does not answer."""

    async def note_session(self, tenant: str, session_id: str, used_ms: int) -> None:
        """Note that a session is created, or used again."""
        ...

    async def session_used_ms(self, tenant: str, session_id: str) -> int | None:
        """Return when a session was last used; None: it was never created, or it is forgotten."""
        ...

    async def newest_sessions(self, tenant: str, until_ms: int, skipped: int, limit: int) -> Sequence[tuple[str, int]]:
        """Return sessions last used by `until_ms`, with that time, newest first, without the `skipped` first ones."""
        ...

    async def keep_file(self, tenant: str, session_id: str, name: str, text: str, now_ms: int) -> bool:
        """Keep a file of a session, as a text of ASCII characters; False: it was there."""
        ...

    async def read_file(self, tenant: str, session_id: str, name: str) -> str | None:
        """Return a file's text; None: there is none (any more)."""
        ...

    async def need_files(self, tenant: str, session_id: str, for_ms: int) -> None:
        """Keep the files of a session for at least as long as a job waits."""
        ...

    async def prolong_files(self, ages_ms: Mapping[tuple[str, str], int]) -> None:
        """Keep files on where a job has not ended: by tenant and session, how old the oldest such job is."""
        ...

    async def forget_chat(self, tenant: str, session_id: str) -> Sequence[tuple[int, int]]:
        """Forget a session and its files; return since when each file was kept, and its size. Repeatable."""
        ...
