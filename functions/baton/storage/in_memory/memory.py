"""Session memory and chats in memory."""

from collections.abc import Sequence

from baton.sdk.memory import SESSION_ENTRIES, MemoryEntry
from baton_events.errors import StoreError


class InMemorySessionMemory:
    """`SessionMemory` over dicts. `down`: raised instead of an answer."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], dict[str, MemoryEntry]] = {}
        self.forgotten_ms: dict[tuple[str, str], int] = {}
        self.down: StoreError | None = None

    async def add(self, tenant: str, entry: MemoryEntry) -> bool:
        """Keep an entry among the newest ones."""
        self._answer()
        session = (tenant, entry.session_id)
        if entry.created_ms <= self.forgotten_ms.get(session, -1):
            return False
        entries = {**self.entries.get(session, {}), entry.id: entry}
        newest = sorted(entries.values(), key=_age)[-SESSION_ENTRIES:]
        self.entries[session] = {kept.id: kept for kept in newest}
        return True

    async def recent(self, tenant: str, session_id: str) -> tuple[MemoryEntry, ...]:
        """Return the session's entries, the oldest first."""
        self._answer()
        return tuple(sorted(self.entries.get((tenant, session_id), {}).values(), key=_age))

    async def forget(self, tenant: str, session_id: str, now_ms: int) -> tuple[str, ...]:
        """Forget the session, and refuse later entries of jobs that were submitted until now."""
        self._answer()
        session = (tenant, session_id)
        self.forgotten_ms[session] = max(now_ms, self.forgotten_ms.get(session, 0))
        return tuple(sorted(self.entries.pop(session, {})))

    def _answer(self) -> None:
        if self.down:
            raise self.down


class InMemoryChats:
    """`Chats` over dicts; nothing expires."""

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, int]] = {}
        self.files: dict[tuple[str, str], dict[str, str]] = {}
        self.kept_ms: dict[tuple[str, str, str], int] = {}

    async def note_session(self, tenant: str, session_id: str, used_ms: int) -> None:
        """Note that a session was used."""
        self.sessions.setdefault(tenant, {})[session_id] = used_ms

    async def session_used_ms(self, tenant: str, session_id: str) -> int | None:
        """Return when a session was last used."""
        return self.sessions.get(tenant, {}).get(session_id)

    async def newest_sessions(self, tenant: str, until_ms: int, skipped: int, limit: int) -> Sequence[tuple[str, int]]:
        """Return sessions and when they were last used, the newest first."""
        known = ((used_ms, name) for name, used_ms in self.sessions.get(tenant, {}).items() if used_ms <= until_ms)
        return [(name, used_ms) for used_ms, name in sorted(known, reverse=True)][skipped : skipped + limit]

    async def keep_file(self, tenant: str, session_id: str, name: str, text: str, now_ms: int) -> bool:
        """Keep a file."""
        files, key = self.files.setdefault((tenant, session_id), {}), (tenant, session_id, name)
        is_new = name not in files
        self.kept_ms.setdefault(key, now_ms)
        files[name] = text
        return is_new

    async def read_file(self, tenant: str, session_id: str, name: str) -> str | None:
        """Read a file."""
        return self.files.get((tenant, session_id), {}).get(name)

    async def need_files(self, tenant: str, session_id: str, for_ms: int) -> None:
        """Keep the files, as ever."""

    async def forget_chat(self, tenant: str, session_id: str) -> Sequence[tuple[int, int]]:
        """Forget a session and its files."""
        self.sessions.get(tenant, {}).pop(session_id, None)
        files = self.files.pop((tenant, session_id), {})
        return [(self.kept_ms.pop((tenant, session_id, name)), len(text)) for name, text in files.items()]


def _age(entry: MemoryEntry) -> tuple[int, str]:
    return entry.created_ms, entry.id
