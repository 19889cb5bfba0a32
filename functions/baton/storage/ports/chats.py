"""What chats keep beside their jobs: which sessions were created, and the files of their messages.

Invariant: all of a chat is kept for as long as its jobs' data after it was last used. A file's name follows from its
content, so keeping it twice is one file. Must not: know what a session is about, or what a file is.
"""

from collections.abc import Sequence
from typing import Protocol


class Chats(Protocol):
    """Chats of all tenants. Each method raises StoreError where the store does not answer."""

    async def note_session(self, tenant: str, session_id: str, used_ms: int) -> None:
        """Enter a session that is created, or used again."""
        ...

    async def session_used_ms(self, tenant: str, session_id: str) -> int | None:
        """When a session was last used; None: it was never created, or it is forgotten."""
        ...

    async def newest_sessions(self, tenant: str, until_ms: int, skipped: int, limit: int) -> Sequence[tuple[str, int]]:
        """Sessions and when they were last used, the newest first: from that time on back, without the first ones."""
        ...

    async def keep_file(self, tenant: str, session_id: str, name: str, text: str) -> None:
        """Keep a file of a session, as a text of ASCII characters."""
        ...

    async def read_file(self, tenant: str, session_id: str, name: str) -> str | None:
        """A file's text; None: there is none (any more)."""
        ...

    async def forget_chat(self, tenant: str, session_id: str) -> None:
        """Forget a session and its files; repeatable."""
        ...
