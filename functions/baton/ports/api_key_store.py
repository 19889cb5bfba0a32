"""The API keys that a deployment knows, beside those of the setting API_KEYS."""

from typing import Literal, Protocol

from msgspec import Struct


class StoredKey(Struct, frozen=True):
    """What is kept of a key: never the key itself.

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
        """Know a key from now on."""
        ...

    async def find(self, digest: str) -> StoredKey | None:
        """The key of this digest; None: unknown or revoked."""
        ...

    async def all(self) -> tuple[StoredKey, ...]:
        """Every key, the oldest first."""
        ...

    async def revoke(self, digest: str) -> bool:
        """Forget a key; False: it was not known."""
        ...

    async def used(self, digest: str, day: str) -> None:
        """Note that a key was used on this day."""
        ...
