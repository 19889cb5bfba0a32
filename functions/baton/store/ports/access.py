"""Access: API keys, rate limits, and the audit log of operators' actions."""

from typing import Any, Literal, Protocol

from msgspec import Struct, field

from baton.sdk.records.record import Record


class StoredKey(Struct, frozen=True):
    """The record of a key: never the key itself.

    Attributes:
        digest: SHA-256 of the key, as hex.
        prefix: its first characters, so that people know it again.
        used_day: the last day on which it was used, as 2026-01-31; empty: never.
    """

    digest: str
    role: Literal["client", "admin"]
    tenant: str
    prefix: str
    label: str
    created_ms: int
    used_day: str = ""


class ApiKeyStore(Protocol):
    """Keys by digest. Each method raises StoreError when the store does not answer, and may be repeated."""

    async def add(self, key: StoredKey) -> None:
        """Store a key."""
        ...

    async def find(self, digest: str) -> StoredKey | None:
        """Return the key of this digest; None: unknown or revoked."""
        ...

    async def all(self) -> tuple[StoredKey, ...]:
        """Return every key, the oldest first."""
        ...

    async def revoke(self, digest: str) -> bool:
        """Forget a key; False: it was not known."""
        ...

    async def used(self, digest: str, day: str) -> None:
        """Note that a key was used on this day."""
        ...


class AuditEntry(Record, frozen=True):
    """One action.

    Attributes:
        key_id: the key, by the beginning of its digest; empty: none, as on the command line.
        action: the requested action, such as `POST /api/admin/agent-worker`.
        target: its target: the ids in the address.
        status: the HTTP status that answered it; 200 for an action without one that succeeded.
        detail: further data of the request, without secrets.
    """

    at_ms: int
    key_id: str
    label: str
    tenant: str
    action: str
    target: str
    status: int
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


class AuditLog(Protocol):
    """The newest actions, up to a number; a failover of the store may forget the last seconds of them."""

    async def add(self, entry: AuditEntry) -> None:
        """Keep an entry; a repeated one may be kept twice.

        Raises:
            StoreError: it may be kept or not.
        """
        ...

    async def page(self, before: str, limit: int) -> tuple[tuple[str, AuditEntry], ...]:
        """Return entries with their ids, the newest first; `before`: an id, only older ones; empty: all.

        Raises:
            StoreError: no answer.
        """
        ...


class RateLimit(Protocol):
    """A bucket of tokens for each name, which fills by itself."""

    async def wait_seconds(self, name: str) -> float:
        """Take a token, and return 0; or return the seconds until there is one.

        Raises:
            StoreError: no answer; a token may have been taken.
        """
        ...
